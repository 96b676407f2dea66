"""One Consent resource, read once: what it is about, what it says, and what of it is not understood.

FHIR R4 Consent (https://hl7.org/fhir/R4/consent.html). In: foreign JSON. Out: a ``Reading``, which answers any
question. Nothing is guessed: what can't be told is ``spoiled`` (a no to everything, since it can't be told what it is
about) or ``unclear`` (a no to what it is about).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

from gateway.consent import codes
from gateway.consent.activity import Activity
from gateway.consent.provision import (
    Asked,
    Kind,
    Match,
    Provision,
    Unclear,
    Verdict,
    find_reference,
    read_codings,
    read_provision,
    require_known,
    require_reference,
)
from gateway.consent.rules import ConsentRules
from gateway.consent.shape import check_shape, find_modifier
from gateway.consent.times import read_date
from gateway.ehr.dates import Span, format_day
from gateway.ehr.reference import reference_of

GIVES_NOTHING = {
    "entered-in-error": "was entered in error",
    "rejected": "was offered and rejected",
    "draft": "is only a draft",
    "proposed": "is only proposed",
}
_PERFORMERS = frozenset(("Organization", "Patient", "Practitioner", "RelatedPerson", "PractitionerRole"))
_ORGANIZATIONS = frozenset(("Organization",))
_VERIFIERS = frozenset(("Patient", "RelatedPerson"))
# Identifier of the Consents that the gateway wrote itself.
OWN_CONSENTS = "https://countersign.dev/fhir/consent"
ALWAYS = datetime.min.replace(tzinfo=UTC)
_NO_ACTIVITY: frozenset[Activity] = frozenset()


@dataclass(slots=True)
class Reading:
    """One Consent, read; not changed afterwards.

    Attributes:
        consent: the resource's JSON.
        patient: ``Patient/1``; empty where it could not be read at all.
        spoiled: why it is a no to every question; empty: it isn't.
        status: of those other than active and inactive nothing more is read.
        about: the activities that its codings name, or all three where the site counts general consents.
        unclear: why it is a no to what it is about.
        by_category: the activities that its categories name for a yes; None: they leave that to the provisions.
        stated: what a category coding of the site's file says by itself, by activity.
        base: "deny" for opt-out.
        given: its dateTime; None: it has none.
        written: when the record last changed it.
        performers, organizations: relative references.
        says_nothing: a general consent whose category only tells that a paper exists.
        own: the gateway wrote it.
        verified: False where someone looked and did not confirm it; None where nobody looked.
    """

    consent: Mapping[str, Any]
    patient: str = ""
    spoiled: str = ""
    status: str = "active"
    about: frozenset[Activity] = _NO_ACTIVITY
    unclear: str = ""
    by_category: frozenset[Activity] | None = None
    stated: Mapping[Activity, Kind] = field(default_factory=dict)
    base: Kind = ""
    provision: Provision | None = None
    scope_accepted: bool = False
    says_nothing: bool = False
    own: bool = False
    given: Span | None = None
    given_text: str = ""
    written: Span | None = None
    performers: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    verified: bool | None = None
    _reference: str = ""

    @property
    def reference(self) -> str:
        """``Consent/7/_history/2``: with its version where it has one."""
        self._reference = self._reference or reference_of(self.consent)
        return self._reference

    @property
    def given_words(self) -> str:
        """`` on 3 Nov 2026``, `` in Nov 2026``, or nothing."""
        return _name_day(self.given_text)

    def judge(self, asked: Asked) -> Verdict:
        """What it says, its status and whoever gave it left aside."""
        verdict = _VERDICTS[self.stated.get(asked.activity, "")]
        if self.provision is not None:
            named = self.by_category is not None and asked.activity in self.by_category
            verdict = self.provision.judge(asked, named)
        elif verdict is Verdict.PERMIT and asked.label:
            verdict = Verdict.SILENT  # a category names no label
        return _VERDICTS[self.base] if verdict is Verdict.SILENT else verdict

    def may_have_permitted(self, activity: Activity) -> bool:
        """Whether it ever said yes; ending one that only said no took no yes back."""
        if self.provision is not None:
            return self.provision.permits_anything()
        return (self.stated.get(activity) or self.base) != "deny"

    @property
    def may_defeat(self) -> bool:
        """Whether it could take another's yes away: it has ended, or says no at some time."""
        if self.status == "inactive" or self.base == "deny" or "deny" in self.stated.values():
            return True
        return self.provision is not None and self.provision.denies_anything()

    def excludes(self, asked: Asked) -> bool:
        """Whether, whenever it was, it certainly was not about this."""
        return self.provision is not None and self.provision.match(replace(asked, at=None)) is Match.NO

    def has_denied(self, asked: Asked) -> bool:
        """Whether it said no at any moment from its own date until now."""
        first = self.given.earliest_start if self.given else ALWAYS
        moments = {moment for moment in (first, *self.instants()) if first <= moment <= asked.question.at}
        return any(self.judge(replace(asked, at=moment)) is Verdict.DENY for moment in moments)

    def instants(self) -> Iterator[datetime]:
        """Every moment at which its answer may change, but for the site's limit of age."""
        if self.given is not None:
            yield self.given.earliest_start
            yield self.given.latest_start
        if self.provision is not None:
            yield from self.provision.instants()


_VERDICTS: Mapping[Kind, Verdict] = {"permit": Verdict.PERMIT, "deny": Verdict.DENY, "": Verdict.SILENT}


def read_consent(consent: object, rules: ConsentRules) -> Reading:
    """Read one Consent; never raises."""
    if not isinstance(consent, dict) or consent.get("resourceType") != "Consent":
        return Reading({"resourceType": "Consent"}, spoiled="can't be read")
    status = consent.get("status")
    if isinstance(status, str) and status in GIVES_NOTHING:
        if modifier := find_modifier(consent):
            return Reading(consent, spoiled=modifier)
        return Reading(consent, _patient_of(consent), status=status, about=_guess_subject(consent, rules))
    if wrong := check_shape(consent):
        return Reading(consent, spoiled=wrong)
    for name in ("status", "patient", "scope", "category"):
        if name not in consent:
            return Reading(consent, spoiled=f"has no {name}")
    meta = consent.get("meta", {})
    marks = (*meta.get("security", ()), *meta.get("tag", ()))
    if any((mark.get("system"), mark.get("code")) in codes.PARTIAL for mark in marks):
        return Reading(consent, spoiled="was not given whole by the EHR")
    patient = _patient_of(consent)
    if not patient:
        return Reading(consent, spoiled="does not say whose it is")
    try:
        reading = _read_subject(consent, patient, rules)
    except Unclear as unclear:
        return Reading(consent, patient, spoiled=str(unclear))
    if not reading.about:
        return reading
    try:
        return _read_answer(consent, reading, rules)
    except Unclear as unclear:
        reading.unclear = str(unclear)
        return reading


def _read_subject(consent: Mapping[str, Any], patient: str, rules: ConsentRules) -> Reading:
    """What it is about. Raises Unclear where that can't be told."""
    scopes = read_codings(consent["scope"])
    require_known(scopes, rules.known_scopes, "scope")
    about = _find_activities(consent.get("provision"), rules)
    answering = False  # whether a category stands where the site's file looks for an answer
    sure: set[Activity] = set()
    says_nothing = False
    for concept in consent["category"]:
        pairs = read_codings(concept)
        require_known(pairs, rules.known_categories, "category")
        named = rules.name_activities(pairs)
        about |= named
        if any(pair in rules.category_answers for pair in pairs):
            answering = True
            sure |= named if len(named) == 1 else set()
        says_nothing = says_nothing or not codes.SAYS_NOTHING.isdisjoint(pairs)
    is_general = not about and rules.general_consent_counts and codes.PRIVACY_SCOPE in scopes
    if is_general:
        about = sure = set(Activity)
    return Reading(
        consent,
        patient,
        status=consent["status"],
        about=frozenset(about),
        by_category=frozenset(sure) if answering or is_general else None,
        scope_accepted=all(pair in rules.accepted_scopes for pair in scopes),
        says_nothing=says_nothing and is_general,
        own=any(one.get("system") == OWN_CONSENTS for one in consent.get("identifier", ())),
    )


def _find_activities(node: Mapping[str, Any] | None, rules: ConsentRules) -> set[Activity]:
    """The activities that a provision names at any depth. Raises Unclear where a code is not known."""
    found: set[Activity] = set()
    waiting = [node] if node else []
    while waiting:
        one = waiting.pop()
        for concept in one.get("code", ()):
            for pair in read_codings(concept):
                if pair in rules.activity_codes:
                    found.add(rules.activity_codes[pair])
                elif not codes.is_clinical(pair):
                    raise Unclear(f"has the code {pair[1][:40]}, which is not known here")
        waiting.extend(one.get("provision", ()))
    return found


def _guess_subject(consent: Mapping[str, Any], rules: ConsentRules) -> frozenset[Activity]:
    """What a Consent that gives nothing would be about, for the clinician's eyes; nothing rests on it."""
    try:
        pairs = [pair for concept in consent.get("category", ()) for pair in read_codings(concept)]
        by_category = rules.name_activities(pairs)
        return frozenset(by_category | _find_activities(consent.get("provision"), rules))
    except (Unclear, AttributeError, TypeError):
        return _NO_ACTIVITY


def _read_answer(consent: Mapping[str, Any], reading: Reading, rules: ConsentRules) -> Reading:
    """What it says. Raises Unclear where something that bears on it is not understood."""
    policies = read_codings(consent["policyRule"]) if "policyRule" in consent else ()
    require_known(policies, codes.POLICIES, "policy")
    opted_out = not codes.OPT_OUT.isdisjoint(policies)
    opted_in = not codes.OPT_IN.isdisjoint(policies)
    if opted_out and opted_in:
        raise Unclear("opts in and out at once")
    reading.base = "deny" if opted_out else ""
    kind: Kind = ""
    if rules.stating_categories:
        reading.stated = _read_statements(consent, reading, rules)
        kind = _find_common(reading)
    if "provision" in consent:
        reading.provision = read_provision(consent["provision"], rules, kind)
    _require_one_answer(reading, opted_in)
    zone = rules.zone
    reading.given_text = consent.get("dateTime", "")
    reading.given = _read_given(consent.get("dateTime"), zone)
    reading.written = _read_given(consent.get("meta", {}).get("lastUpdated"), zone)
    reading.performers = frozenset(
        [require_reference(one, _PERFORMERS, "was answered by someone who") for one in consent.get("performer", ())]
    )
    reading.organizations = frozenset(
        [
            require_reference(one, _ORGANIZATIONS, "belongs to an organization that")
            for one in consent.get("organization", ())
        ]
    )
    reading.verified = _read_verification(consent.get("verification", ()), zone)
    return reading


def _read_statements(consent: Mapping[str, Any], reading: Reading, rules: ConsentRules) -> Mapping[Activity, Kind]:
    """What category codings of the site's file say by themselves; a yes only where they name no other activity."""
    stated: dict[Activity, Kind] = {}
    for concept in consent["category"]:
        for pair in read_codings(concept):
            if (says := rules.stating_categories.get(pair)) is None:
                continue
            if stated.setdefault(rules.activity_codes[pair], says) != says:
                raise Unclear("says both yes and no by its categories")
    sure = reading.by_category or _NO_ACTIVITY
    return {activity: says for activity, says in stated.items() if says == "deny" or activity in sure}


def _find_common(reading: Reading) -> Kind:
    """What its categories say of all that it is about, where they say the same: the type of a root without one."""
    says = {reading.stated.get(activity, "") for activity in reading.about}
    return says.pop() if len(says) == 1 else ""


def _require_one_answer(reading: Reading, opted_in: bool) -> None:
    """Raises Unclear where its parts contradict each other, or none of them answers."""
    root, says = reading.provision, set(reading.stated.values())
    if root is not None and root.kind and says - {root.kind}:
        raise Unclear("says one thing by its category and another by its provision")
    if reading.base == "deny" and "permit" in says:
        raise Unclear("says yes by its category and no by its policy")
    if root is not None:
        answers = bool(root.kind)
    else:
        answers = bool(reading.base) or opted_in or reading.about <= reading.stated.keys()
    if not answers and reading.status == "active":
        raise Unclear("says neither yes nor no")


@lru_cache(maxsize=2048)
def _name_day(text: str) -> str:
    day = format_day(text)
    is_whole = day.count(" ") == 2
    return f" {'on' if is_whole else 'in'} {day}" if day else ""


def _read_given(text: str | None, zone: tzinfo | None) -> Span | None:
    if text is None:
        return None
    span = read_date(text, zone)
    if span is None:
        raise Unclear("has a date that can't be read")
    return span


def _read_verification(verification: Any, zone: tzinfo | None) -> bool | None:
    """False where one says that it was not confirmed; True where all were; None where nobody looked."""
    found: bool | None = None
    for one in verification:
        if "verified" not in one:
            raise Unclear("has a verification without a result")
        if "verifiedWith" in one:
            require_reference(one["verifiedWith"], _VERIFIERS, "was confirmed by someone who")
        _read_given(one.get("verificationDate"), zone)
        found = one["verified"] if found is None else found and one["verified"]
    return found


def _patient_of(consent: Mapping[str, Any]) -> str:
    value = consent.get("patient")
    if not isinstance(value, dict) or not isinstance(value.get("reference"), str):
        return ""
    found = find_reference(value)
    return found if found.startswith("Patient/") else ""
