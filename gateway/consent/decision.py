"""Consent resources, a question and the site's rules in, ``Permit | Refusal`` out: pure functions.

No standard says how several Consents are weighed (docs/decisions/0008): of those in force a no wins over every yes, a
later refusal or revocation wins over an earlier yes, and whatever could not be read or understood counts as no.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway.consent.activity import Activity as Activity
from gateway.consent.asking import AttestedAnswer
from gateway.consent.provision import Asked, Verdict, normalize_reference
from gateway.consent.question import NEVER
from gateway.consent.question import Question as Question
from gateway.consent.question import Related as Related
from gateway.consent.question import ask as ask
from gateway.consent.reading import ALWAYS, GIVES_NOTHING, Reading, read_consent
from gateway.consent.rules import ConsentRules
from gateway.consent.times import is_certainly_before
from gateway.proof import Maker

MAKER = Maker("consent/decision")
ATTESTED = "this visit"  # in place of a Consent's reference

Effect = Literal["permit", "deny", "unclear", "ignored"]  # unclear counts as no


@dataclass(frozen=True, slots=True)
class Ground:
    """One Consent that mattered and what it said. ``reference`` is relative, with the version where known."""

    reference: str
    effect: Effect
    words: str


@dataclass(frozen=True, slots=True)
class Permit:
    """This activity is permitted for this visit, until ``until`` (UTC; None: no end is stated)."""

    maker: InitVar[Maker]
    activity: Activity
    grounds: tuple[Ground, ...]
    words: str
    decided_at: datetime
    until: datetime | None
    rules_id: str

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if not any(ground.effect == "permit" for ground in self.grounds):
            raise ValueError("a permit rests on a Consent that permits")

    def holds_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until

    @property
    def is_attested(self) -> bool:
        """Whether it rests on what the clinician attests for this visit, not on the record."""
        return self.grounds[0].reference == ATTESTED


@dataclass(frozen=True, slots=True)
class Refusal:
    """This activity is not permitted; ``code`` is stable, ``words`` a clinician reads in five seconds."""

    activity: Activity
    # missing | refused | expired | revoked | unreadable | contradictory | not-understood | not-in-force | not-accepted
    code: str
    grounds: tuple[Ground, ...]
    words: str
    decided_at: datetime
    rules_id: str


def read_consents(consents: Iterable[Mapping[str, Any]], rules: ConsentRules) -> tuple[Reading, ...]:
    """Read each once; every question is then put to the readings."""
    return tuple(read_consent(one, rules) for one in consents)


@dataclass(frozen=True, slots=True)
class _Finding:
    """One Consent before the question: what it counts for, and in words why.

    ``code`` says why there would be no yes because of it; empty where it gives one or has nothing to say.
    """

    reading: Reading
    effect: Effect
    words: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class _WhyNot:
    code: str
    words: str


def decide_consent(
    readings: Sequence[Reading], problems: Sequence[str], question: Question, rules: ConsentRules
) -> Permit | Refusal:
    """Decide one question.

    Args:
        readings: all Consents that the record gave for this patient, as ``read_consents`` read them.
        problems: a sentence for each thing that kept a Consent from being read; one is enough for a no.

    Raises:
        ValueError: the question has no time zone or no purpose.
    """
    if question.at.tzinfo is None or not question.purposes:
        raise ValueError("a question needs a moment with a time zone, and a purpose")
    activity = question.activity
    if not question.actors or not all(map(normalize_reference, question.actors)):
        words = f"The record does not say who acts in this visit. That counts as no to {activity.words}."
        return Refusal(activity, "not-understood", (), words, question.at, rules.id)
    findings: list[_Finding] = []
    for purpose in sorted(question.purposes):
        if purpose not in rules.purpose_codes:
            words = f"No consent to {activity.words} counts here: this site does not accept the purpose {purpose[1]}."
            return Refusal(activity, "not-accepted", (), words, question.at, rules.id)
        for label in (None, *rules.label_codes):
            asked = Asked(question, purpose, label, question.at)
            findings = [found for one in readings if (found := _find(one, asked, rules)) is not None]
            weighed = _weigh(findings, problems, asked, rules)
            if isinstance(weighed, _WhyNot):
                grounds = _state_grounds(findings)
                return Refusal(activity, weighed.code, grounds, weighed.words, question.at, rules.id)
            yes = weighed
    words = f"{_name_speaker(yes.reading)} said yes to {activity.words}{yes.reading.given_words}."
    until = _find_end(readings, question, rules)
    return Permit(MAKER, activity, _state_grounds(findings, yes), words, question.at, until, rules.id)


def accept_attested(decided: Permit | Refusal, attested: AttestedAnswer, rules: ConsentRules) -> Permit | Refusal:
    """The decision with an answer that the clinician attests for this visit, where the EHR takes no Consent.

    A no always counts. A yes counts only where the record is silent or its yes is over: never over a no, over a yes
    that was taken back, or over what could not be read or understood.

    Args:
        decided: what the record says, as ``decide_consent`` just decided it.
        attested: checked by ``consent/asking``.

    Raises:
        ValueError: they are about different questions.
    """
    if attested.activity is not decided.activity:
        raise ValueError("an answer to another question")
    how = "answered aloud" if attested.how == "spoken" else "signed on paper"
    basis = f"{how} in this visit, attested by the clinician"
    about, who = decided.activity.words, attested.performer.label
    effect: Effect = "permit" if attested.says == "yes" else "deny"
    ground = Ground(ATTESTED, effect, f"{who} said {attested.says} to {about}: {basis}.")
    grounds = (ground, *decided.grounds)
    if attested.says == "no":
        words = f"{who} said no to {about} in this visit."
        return Refusal(decided.activity, "refused", grounds, words, decided.decided_at, decided.rules_id)
    names_no_label = bool(rules.label_codes)  # an answer aloud is about the visit as a whole
    if isinstance(decided, Permit) or decided.code not in ("missing", "expired") or names_no_label:
        return decided
    words = f"{who} said yes to {about}, {basis}."
    return Permit(MAKER, decided.activity, grounds, words, decided.decided_at, None, decided.rules_id)


# One Consent --------------------------------------------------------------------------------------------------------


def _find(reading: Reading, asked: Asked, rules: ConsentRules) -> _Finding | None:
    """What one Consent counts for, the others left aside; None where it has nothing to do with the question."""
    activity = asked.activity
    if reading.patient not in ("", asked.question.patient):
        return None
    if reading.spoiled:
        code = "not-understood" if reading.patient else "unreadable"
        return _Finding(reading, "unclear", reading.spoiled, code)
    if activity not in reading.about:
        return None
    if reading.status in GIVES_NOTHING:
        return _Finding(reading, "ignored", GIVES_NOTHING[reading.status], "not-in-force")
    if unclear := reading.unclear or _find_unread_person(reading, asked.question):
        return _Finding(reading, "unclear", unclear, "not-understood")
    if reading.status == "inactive":
        return _find_ended(reading, asked)
    match reading.judge(asked):
        case Verdict.DENY:
            return _Finding(reading, "deny", f"says no to {activity.words}{reading.given_words}")
        case Verdict.PERMIT:
            code, why = _find_objection(reading, asked.question, rules)
            if code:
                return _Finding(reading, "ignored", f"permits {activity.words}, but {why}", code)
            return _Finding(reading, "permit", f"permits {activity.words}{reading.given_words}")
        case _:
            return _find_silent(reading, asked)


def _find_unread_person(reading: Reading, question: Question) -> str:
    for one in reading.performers:
        if one.startswith("RelatedPerson/") and one not in question.related:
            return f"was answered by {one}, who can't be found in the record"
    return ""


def _find_ended(reading: Reading, asked: Asked) -> _Finding:
    words = asked.activity.words
    if not reading.may_have_permitted(asked.activity):
        return _Finding(reading, "ignored", f"said no to {words} and is no longer in force")
    if reading.excludes(asked):
        return _Finding(reading, "ignored", f"was not about {words} here and is no longer in force")
    return _Finding(reading, "ignored", f"permitted {words} and was taken back", "revoked")


def _find_silent(reading: Reading, asked: Asked) -> _Finding:
    """An active Consent about this activity that gives no yes now: it is over, not yet begun, or for something else."""
    words, root = asked.activity.words, reading.provision
    at_its_time = reading.judge(replace(asked, at=None))
    if root is None or at_its_time is Verdict.SILENT:
        limit = f"data labelled {asked.label[1]}" if asked.label else "this visit"
        return _Finding(reading, "ignored", f"speaks of {words}, but not for {limit}", "not-in-force")
    is_over = root.is_over(asked.question.at)
    if at_its_time is Verdict.DENY:
        return _Finding(
            reading, "ignored", f"said no to {words} and is over" if is_over else f"says no to {words} later"
        )
    if is_over:
        return _Finding(reading, "ignored", f"permitted {words} and is over", "expired")
    return _Finding(reading, "ignored", f"permits {words}, but not yet", "not-in-force")


def _find_objection(reading: Reading, question: Question, rules: ConsentRules) -> tuple[str, str]:
    """Why a yes does not count at this site: a code, and words that go on after "but"; empty where it counts."""
    given, at = reading.given, question.at
    if not reading.scope_accepted:
        return "not-accepted", "stands under a scope that this site does not accept"
    if reading.by_category is not None and question.activity not in reading.by_category:
        return "not-accepted", "is about something else by its category"
    if reading.says_nothing:
        return "not-accepted", "only says that a consent document exists"
    if given is not None and given.latest_start > at:
        return "not-in-force", "is dated in the future"
    if rules.max_age_days is not None:
        if given is None:
            return "not-accepted", "has no date, and this site asks for one"
        if at >= _add_days(given.earliest_start, rules.max_age_days):
            return "expired", "is older than this site allows"
    if rules.organizations and reading.organizations.isdisjoint(rules.organizations):
        return "not-accepted", "was not given to this organization"
    if reading.verified is False or (rules.verified_only and reading.verified is None):
        return "not-accepted", "is not verified"
    if not reading.performers:
        return ("not-accepted", "does not say who gave it") if rules.performer_needed else ("", "")
    if any(_may_answer(one, reading, question, rules) for one in reading.performers):
        return "", ""
    if question.patient in reading.performers:
        return "not-accepted", "does not show that the patient was of age"
    return "not-accepted", "was given by someone whose yes does not count here"


def _may_answer(performer: str, reading: Reading, question: Question, rules: ConsentRules) -> bool:
    """Whether this performer's yes counts: the patient of age, or a proxy whom the site accepts."""
    majority, at = question.majority, question.at
    is_minor = majority is not None and at < majority
    if performer == question.patient:
        if majority is None:
            return True
        if is_minor:
            return rules.proxies.minors_answer_themselves
        return reading.given is not None and reading.given.earliest_start >= majority
    related = question.related.get(performer)
    if related is None or not related.active:
        return False
    return not related.relationships.isdisjoint(rules.proxies_of_minors if is_minor else rules.proxies_of_adults)


# Several Consents -------------------------------------------------------------------------------------------------


def _weigh(
    findings: Sequence[_Finding], problems: Sequence[str], asked: Asked, rules: ConsentRules
) -> _Finding | _WhyNot:
    """The yes that stands with nothing against it, or why there is none, the strongest reason first."""
    words = asked.activity.words
    permits = [one for one in findings if one.effect == "permit"]
    denials = [one for one in findings if one.effect == "deny"]
    standing = [one for one in permits if not any(_overrules(no.reading, one.reading, rules) for no in denials)]
    if denials and not standing:
        return _weigh_denials(denials, permits, words)
    if problems:
        return _WhyNot("unreadable", f"Not every consent could be read, so there is no yes to {words}. {problems[0]}")
    for one in findings:
        if one.effect == "unclear":
            return _WhyNot(one.code, f"{one.reading.reference} {one.words}. That counts as no to {words}.")
    if not standing:
        return _explain_missing(findings, words)
    since = min(one.reading.given.earliest_start if one.reading.given else ALWAYS for one in standing)
    threats = _find_threats(findings, since, asked)
    defeats: list[_Finding] = []
    for one in standing:
        defeat = _find_defeat(one.reading, threats, asked.activity)
        if defeat is None:
            return one
        defeats.append(defeat)
    first = defeats[0]
    return _WhyNot(first.code, f"{first.reading.reference} {first.words}, and no later yes is on file.")


def _overrules(denial: Reading, permit: Reading, rules: ConsentRules) -> bool:
    """A no in force wins, older or newer, but over a certainly newer yes of the same people, where the site says so."""
    may_lose = rules.newer_yes_wins == "always" or (rules.newer_yes_wins == "own" and denial.own)
    changed_mind = may_lose and denial.performers == permit.performers and bool(permit.performers)
    return not (changed_mind and is_certainly_before(denial.given, permit.given))


def _weigh_denials(denials: Sequence[_Finding], permits: Sequence[_Finding], words: str) -> _WhyNot:
    first = denials[0].reading
    if not permits:
        return _WhyNot("refused", f"{_name_speaker(first)} said no to {words}{first.given_words} ({first.reference}).")
    for one in (denial.reading for denial in denials):
        if all(is_certainly_before(permit.reading.given, one.given) for permit in permits):
            back = f"The patient took back the yes to {words}{one.given_words} ({one.reference})."
            return _WhyNot("revoked", back)
    both = f"{permits[0].reading.reference} says yes to {words}, {first.reference} says no"
    return _WhyNot("contradictory", f"The record contradicts itself: {both}. No counts until that is settled.")


def _find_threats(findings: Sequence[_Finding], since: datetime, asked: Asked) -> list[_Finding]:
    """Consents that have ended, or that said no at some time: each takes away every yes that is not later.

    Args:
        since: when the oldest yes was given; a no that is older takes none away.
    """
    threats = []
    for one in findings:
        other = one.reading
        if not other.may_defeat:
            continue
        if other.status == "inactive":
            if not other.excludes(asked):
                threats.append(replace(one, code="revoked"))
        elif (other.given is None or other.given.latest_end > since) and other.has_denied(asked):
            words = f"said no to {asked.activity.words}{other.given_words}"
            threats.append(replace(one, words=words, code="refused"))
    return threats


def _find_defeat(permit: Reading, threats: Sequence[_Finding], activity: Activity) -> _Finding | None:
    """The first that this yes is not certainly later than."""
    for one in threats:
        other = one.reading
        older = is_certainly_before(other.given, permit.given)
        if older and one.code == "revoked" and other.may_have_permitted(activity):
            # It was taken back some time before the record last changed it.
            older = is_certainly_before(other.written, permit.given)
        if not older and other.consent != permit.consent:
            return one
    return None


def _explain_missing(findings: Sequence[_Finding], words: str) -> _WhyNot:
    """No yes is there: the reason that is most worth knowing."""
    for code, sentence in (
        ("revoked", "The patient took back the yes to {words} ({reference})."),
        ("expired", "{reference} {why}. Ask the patient again."),
        ("not-accepted", "No consent to {words} counts here: {reference} {why}."),
        ("not-in-force", "No consent to {words} is in force: {reference} {why}."),
    ):
        for one in findings:
            if one.code == code:
                return _WhyNot(code, sentence.format(words=words, reference=one.reading.reference, why=one.words))
    return _WhyNot("missing", f"No consent to {words} is on file.")


def _find_end(readings: Sequence[Reading], question: Question, rules: ConsentRules) -> datetime | None:
    """The earliest moment at which the answer could change."""
    moments = set() if question.majority is None else {question.majority}
    for one in readings:
        if question.activity in one.about and one.patient == question.patient:
            moments.update(one.instants())
            if rules.max_age_days is not None and one.given is not None:
                moments.add(_add_days(one.given.earliest_start, rules.max_age_days))
    return min((moment for moment in moments if moment > question.at), default=None)


def _add_days(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return NEVER


def _name_speaker(reading: Reading) -> str:
    """Who answered, at the head of a sentence."""
    if reading.patient in reading.performers:
        return "The patient"
    return "The patient's representative" if reading.performers else "Someone"


def _state_grounds(findings: Sequence[_Finding], yes: _Finding | None = None) -> tuple[Ground, ...]:
    """The yes that a permit rests on, then the strongest first."""
    order = ("deny", "unclear", "permit", "ignored")
    return tuple(
        Ground(one.reading.reference, one.effect, f"{one.reading.reference} {one.words}.")
        for one in sorted(findings, key=lambda one: (one is not yes, order.index(one.effect)))
    )
