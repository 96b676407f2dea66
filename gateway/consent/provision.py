"""The provisions of one Consent: read once, then held against a question.

FHIR R4 Consent.provision (6.2.4): the elements of a provision are joined by AND, repetitions by OR; a nested
provision is an exception to the one around it, inside what that one covers, and turns its answer round. A permit must
certainly match the question; for a refusal a possible match is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any, Literal

from gateway.consent import codes
from gateway.consent.activity import Activity
from gateway.consent.codes import Code
from gateway.consent.question import Question
from gateway.consent.rules import ConsentRules
from gateway.consent.times import Times, read_times
from gateway.ehr.reference import parse_reference

MAX_DEPTH = 8
ACTIONS: Mapping[Activity, frozenset[Code]] = {
    Activity.RECORDING: frozenset([(codes.CONSENT_ACTION, "collect")]),
    Activity.TELEHEALTH: frozenset([(codes.CONSENT_ACTION, "use")]),
    Activity.AI_DRAFTING: frozenset([(codes.CONSENT_ACTION, "use")]),
}
_CORRECT = frozenset([(codes.CONSENT_ACTION, "correct")])
# Whose members are not known here.
_GROUPS = frozenset(("Group", "CareTeam", "PractitionerRole"))
_ACTORS = frozenset(("Device", "Patient", "RelatedPerson", "Practitioner", "Organization")) | _GROUPS


Kind = Literal["permit", "deny", ""]
_OPPOSITE: Mapping[str, Kind] = {"permit": "deny", "deny": "permit"}


class Unclear(Exception):
    """Something in a Consent is not understood; its text goes on after the Consent's name."""


class Match(IntEnum):
    """Whether a provision covers the question. MAYBE: it can't be told."""

    NO = 0
    MAYBE = 1
    YES = 2


class Verdict(IntEnum):
    """What a Consent says to a question, in order of strength."""

    SILENT = 0
    PERMIT = 1
    DENY = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What narrows a provision besides its time and its code; None: not limited by this."""

    actors: tuple[tuple[str, bool], ...] | None  # reference, and whether in a role that acts
    actions: tuple[frozenset[Code], ...] | None  # the codings of each concept
    labels: tuple[Code, ...] | None
    purposes: tuple[Code, ...] | None
    content: bool  # class or data: what a visit will hold is not known beforehand
    data_times: Times | None


@dataclass(frozen=True, slots=True)
class Provision:
    """One provision, understood.

    Attributes:
        kind: "" only at the root of a Consent that has ended.
        named: for each activity, how surely the codes name it; None: without codes.
    """

    kind: Kind
    times: Times | None
    named: Mapping[Activity, Match] | None
    limits: Limits | None
    nested: tuple["Provision", ...]

    def judge(self, asked: "Asked", named: bool, labelled: bool = False) -> Verdict:
        """What this provision with everything nested in it says; an exception that speaks goes before the rule.

        Args:
            named: whether the activity is named around it; only then may it permit.
            labelled: whether the asked label is named around it, likewise.
        """
        match = self.match(asked)
        if match is Match.NO:
            return Verdict.SILENT
        named = named or (self.named is not None and self.named.get(asked.activity) is Match.YES)
        labelled = labelled or self._names_label(asked.label)
        inner = max((one.judge(asked, named, labelled) for one in self.nested), default=Verdict.SILENT)
        if inner is Verdict.DENY:
            return inner
        permits = inner is Verdict.PERMIT
        if self.kind == "deny" and not permits:
            return Verdict.DENY
        return Verdict.PERMIT if match is Match.YES and (permits or (named and labelled)) else Verdict.SILENT

    def match(self, asked: "Asked") -> Match:
        """Whether it covers the question, by itself."""
        match = Match.YES
        if self.times is not None and asked.at is not None:
            match = Match(self.times.holds(asked.at))
        if match is Match.NO or (self.named is None and self.limits is None):
            return match
        if self.named is not None:
            match = min(match, self.named.get(asked.activity, Match.NO))
        if match is Match.NO or self.limits is None:
            return match
        return min(match, self._match_limits(self.limits, asked))

    def permits_anything(self) -> bool:
        """Whether it or an exception in it permits."""
        return self.kind != "deny" or any(one.permits_anything() for one in self.nested)

    def denies_anything(self) -> bool:
        """Whether it or an exception in it denies."""
        return self.kind != "permit" or any(one.denies_anything() for one in self.nested)

    def is_over(self, at: datetime) -> bool:
        """Whether its time, or that of an exception in it, may have passed."""
        return (self.times is not None and self.times.is_over(at)) or any(one.is_over(at) for one in self.nested)

    def instants(self) -> Iterator[datetime]:
        """Every moment at which what it says may change."""
        if self.times is not None:
            yield from self.times.instants()
        if self.limits is not None and self.limits.data_times is not None:
            yield from self.limits.data_times.instants()
        for one in self.nested:
            yield from one.instants()

    def _names_label(self, label: Code | None) -> bool:
        if label is None:
            return True
        return self.limits is not None and self.limits.labels is not None and label in self.limits.labels

    def _match_limits(self, limits: Limits, asked: "Asked") -> Match:
        found = Match.MAYBE if limits.content else Match.YES
        question = asked.question
        if limits.actors is not None:
            found = min(found, max(_match_actor(one, question.actors) for one in limits.actors))
        if limits.actions is not None:
            found = min(found, max(_match_action(one, asked.activity) for one in limits.actions))
        if limits.purposes is not None:
            found = min(found, max(_match_purpose(one, asked.purpose) for one in limits.purposes))
        if limits.labels is not None:
            found = min(found, max(_match_label(one, asked.label) for one in limits.labels))
        if limits.data_times is not None and asked.at is not None:
            found = min(found, _match_data_times(limits.data_times, asked.activity, asked.at))
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """One purpose and one kind of data of a question. ``at`` None: whenever it was; ``label`` None: ordinary data."""

    question: Question
    purpose: Code
    label: Code | None
    at: datetime | None

    @property
    def activity(self) -> Activity:
        return self.question.activity


def _match_actor(actor: tuple[str, bool], acting: frozenset[str]) -> Match:
    reference, acts = actor
    if reference in acting:
        return Match.YES if acts else Match.MAYBE
    return Match.MAYBE if reference.split("/")[0] in _GROUPS else Match.NO


def _match_action(action: frozenset[Code], activity: Activity) -> Match:
    if action == ACTIONS[activity]:
        return Match.YES
    return Match.NO if action == _CORRECT else Match.MAYBE


def _match_purpose(stated: Code, asked: Code) -> Match:
    if stated == asked:
        return Match.YES
    apart = stated in codes.MAIN_PURPOSES and asked in codes.MAIN_PURPOSES
    return Match.NO if apart else Match.MAYBE


def _match_label(stated: Code, label: Code | None) -> Match:
    if label is None:
        return Match.YES if stated in codes.ORDINARY else Match.MAYBE
    if stated == label:
        return Match.YES
    return Match.MAYBE if stated in codes.CONFIDENTIALITIES else Match.NO


def _match_data_times(times: Times, activity: Activity, at: datetime) -> Match:
    """AI drafting may read data older than the visit."""
    found = Match(times.holds(at))
    older = activity is Activity.AI_DRAFTING and found is Match.NO and not times.begins_after(at)
    return Match.MAYBE if older else found


# Reading ----------------------------------------------------------------------------------------------------------


def read_provision(node: Mapping[str, Any], rules: ConsentRules, kind: Kind = "", depth: int = 0) -> Provision:
    """Read one provision, of R4's shape, with everything nested in it.

    Args:
        kind: what it is where it has no type of its own.

    Raises:
        Unclear: something in it is not understood.
    """
    if depth > MAX_DEPTH:
        raise Unclear("is nested too deeply to be understood")
    kind = node.get("type", kind)
    nested = node.get("provision", ())
    if kind and any(one.get("type") != _OPPOSITE[kind] for one in nested):
        raise Unclear("has an exception that says the same as the rule around it, or nothing")
    return Provision(
        kind=kind,
        times=_read_period(node.get("period"), rules),
        named=name_activities(node["code"], rules) if "code" in node else None,
        limits=_read_limits(node, rules),
        nested=tuple(read_provision(one, rules, depth=depth + 1) for one in nested),
    )


def _read_period(period: Mapping[str, Any] | None, rules: ConsentRules) -> Times | None:
    if period is None:
        return None
    times = read_times(period.get("start"), period.get("end"), rules.zone)
    if times is None:
        raise Unclear("has a period that can't be read")
    return times


def name_activities(concepts: Sequence[Mapping[str, Any]], rules: ConsentRules) -> dict[Activity, Match]:
    """How surely the codes of a provision name each activity; what none names is left out.

    A concept names an activity for a yes only where it names no other, in the place of the site's file. One that names
    none is clinical content, which any of them may hold.
    """
    found: dict[Activity, Match] = {}
    for concept in concepts:
        pairs = read_codings(concept)
        named = rules.name_activities(pairs)
        sure = len(named) == 1 and any(pair in rules.provision_answers for pair in pairs)
        for activity in named or Activity:
            found[activity] = max(found.get(activity, Match.NO), Match.YES if sure else Match.MAYBE)
    return found


HALF_CODING = "has a coding without its system or its code"


def read_codings(concept: Mapping[str, Any]) -> list[Code]:
    """The (system, code) pairs of a concept.

    Raises:
        Unclear: it has none, or one without a system or a code.
    """
    codings = concept.get("coding")
    if not codings:
        raise Unclear("has words without a code, which are not understood here")
    try:
        return [(coding["system"], coding["code"]) for coding in codings]
    except KeyError:
        raise Unclear(HALF_CODING) from None


def read_coding(coding: Mapping[str, Any]) -> Code:
    """Raises Unclear where the system or the code is missing."""
    try:
        return coding["system"], coding["code"]
    except KeyError:
        raise Unclear(HALF_CODING) from None


def require_known(found: Sequence[Code], known: frozenset[Code], what: str) -> None:
    """Raises Unclear, with the code, where one is not known."""
    for pair in found:
        if pair not in known:
            raise Unclear(f"has the {what} {pair[1][:40]}, which is not known here")


def require_reference(value: Mapping[str, Any], types: frozenset[str], what: str) -> str:
    """A relative reference to one of these types.

    Raises:
        Unclear: it is another, or none; ``what`` begins its sentence.
    """
    found = find_reference(value)
    if found.partition("/")[0] not in types:
        raise Unclear(f"{what} can't be found in the record")
    return found


def find_reference(value: Mapping[str, Any]) -> str:
    """``Patient/1`` where it is a relative reference, without a version and to one type; else empty."""
    found = normalize_reference(value.get("reference"))
    return found if "type" not in value or value["type"] == found.partition("/")[0] else ""


@lru_cache(maxsize=2048)
def normalize_reference(text: str | None) -> str:
    """``Patient/1`` where it is a relative reference without a version; else empty."""
    found = parse_reference(text)
    return "" if found is None or found.version else str(found)


def _read_limits(node: Mapping[str, Any], rules: ConsentRules) -> Limits | None:
    if node.keys().isdisjoint(_LIMITS):
        return None
    for one in node.get("class", ()):
        if not codes.is_content_class(read_coding(one)):
            raise Unclear("has a class of content that is not known here")
    for data in node.get("data", ()):
        if data.get("meaning") not in _MEANINGS or not find_reference(data.get("reference", {})):
            raise Unclear("names data that can't be found in the record")
    purposes = _read_codes(node.get("purpose"), rules.known_purposes, "purpose")
    labels = _read_codes(node.get("securityLabel"), rules.known_labels, "label")
    return Limits(
        actors=tuple(_read_actor(actor) for actor in node["actor"]) if "actor" in node else None,
        actions=_read_actions(node),
        labels=labels,
        purposes=purposes,
        content="class" in node or "data" in node,
        data_times=_read_period(node.get("dataPeriod"), rules),
    )


_LIMITS = frozenset(("actor", "action", "securityLabel", "purpose", "class", "dataPeriod", "data"))
_MEANINGS = frozenset(("instance", "related", "dependents", "authoredby"))


def _read_codes(
    codings: Sequence[Mapping[str, Any]] | None, known: frozenset[Code], what: str
) -> tuple[Code, ...] | None:
    if codings is None:
        return None
    found = tuple(read_coding(one) for one in codings)
    require_known(found, known, what)
    return found


def _read_actions(node: Mapping[str, Any]) -> tuple[frozenset[Code], ...] | None:
    if "action" not in node:
        return None
    found = [read_codings(concept) for concept in node["action"]]
    for pairs in found:
        require_known(pairs, codes.ACTIONS, "action")
    return tuple(frozenset(pairs) for pairs in found)


def _read_actor(actor: Mapping[str, Any]) -> tuple[str, bool]:
    if "role" not in actor or "reference" not in actor:
        raise Unclear("names someone without a role or without saying who")
    roles = read_codings(actor["role"])
    require_known(roles, codes.ROLES, "role")
    acts = all(role in codes.ACTING_ROLES for role in roles)
    return require_reference(actor["reference"], _ACTORS, "names someone who"), acts
