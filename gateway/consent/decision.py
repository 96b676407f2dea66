"""Consent resources and a question in, ``Permit | Refusal`` out: a pure function.

No standard says how several Consents are weighed (facts in ``docs``): here a no in force wins over every yes,
whatever could not be read or understood counts as no, and a permit must be later than what was taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any

from gateway.consent.activity import Activity as Activity
from gateway.consent.provision import Verdict
from gateway.consent.reading import Finding, Standing, read_consent
from gateway.consent.rules import ConsentRules
from gateway.ehr.dates import is_later
from gateway.proof import Maker

MAKER = Maker("consent/decision")


@dataclass(frozen=True, slots=True)
class Ground:
    """One Consent that mattered and what it said. ``reference`` is relative, with the version where known."""

    reference: str
    effect: str  # "permit" | "deny" | "unclear" (counts as no) | "ignored"
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """This activity is not permitted; ``code`` is stable, ``words`` a clinician reads in five seconds."""

    activity: Activity
    code: str  # missing | refused | expired | revoked | unreadable | contradictory | not-understood | not-in-force
    grounds: tuple[Ground, ...]
    words: str
    decided_at: datetime
    rules_id: str


def decide_consent(
    consents: Sequence[Mapping[str, Any]],
    problems: Sequence[str],
    activity: Activity,
    rules: ConsentRules,
    now: datetime,
    *,
    patient: str = "",
) -> Permit | Refusal:
    """Decide one question.

    Args:
        consents: the patient's Consent resources, as the record gave them.
        problems: a sentence for each thing that kept a Consent from being read; one is enough for a no.
        now: aware.
        patient: ``Patient/1``, checked against each Consent; empty: the chart has checked.
    """
    findings = [read_consent(one, activity, rules, now, patient) for one in consents]
    grounds = tuple(_state_ground(finding) for finding in sorted(findings, key=lambda one: -one.verdict))
    reason = _find_reason(findings, problems, activity)
    if reason is not None:
        code, words = reason
        return Refusal(activity, code, grounds, words, now, rules.id)
    permits = [finding for finding in findings if finding.verdict is Verdict.PERMIT]
    until = min((moment for one in findings for moment in one.changes_at if moment > now), default=None)
    words = f"The patient said yes to {activity.words}{permits[0].given_words}."
    return Permit(MAKER, activity, grounds, words, now, until, rules.id)


def _find_reason(findings: Sequence[Finding], problems: Sequence[str], activity: Activity) -> tuple[str, str] | None:
    """Why not, strongest reason first; None where a permit stands and nothing is against it."""
    permits = [finding for finding in findings if finding.verdict is Verdict.PERMIT]
    denials = [finding for finding in findings if finding.verdict is Verdict.DENY]
    if denials:
        return _weigh_denials(denials, permits, activity)
    if problems:
        return "unreadable", f"Not every consent could be read, so there is no yes to {activity.words}. {problems[0]}"
    for finding in findings:
        if finding.verdict is Verdict.UNKNOWN:
            words = f"{finding.reference} {finding.words}. That counts as no to {activity.words}."
            return finding.standing, words
    for finding in findings:
        if finding.standing in ("revoked", "rejected") and permits and not _all_later(permits, finding):
            words = f"{finding.reference} {finding.words}, and no later yes is on file."
            return ("revoked" if finding.standing == "revoked" else "refused"), words
    if permits:
        return None
    for finding in _of_standing(findings, "revoked"):
        return "revoked", f"The patient took back the yes to {activity.words} ({finding.reference})."
    for finding in _of_standing(findings, "expired"):
        return "expired", f"The consent to {activity.words} is over ({finding.reference}). Ask the patient again."
    for finding in _of_standing(findings, "not-in-force", "rejected"):
        return "not-in-force", f"No consent to {activity.words} is in force: {finding.reference} {finding.words}."
    return "missing", f"No consent to {activity.words} is on file."


def _weigh_denials(denials: Sequence[Finding], permits: Sequence[Finding], activity: Activity) -> tuple[str, str]:
    first = denials[0]
    if not permits:
        return "refused", f"The patient said no to {activity.words}{first.given_words} ({first.reference})."
    for denial in denials:
        if all(is_later(denial.given, permit.given) for permit in permits):
            words = f"The patient took back the yes to {activity.words}{denial.given_words} ({denial.reference})."
            return "revoked", words
    both = f"{permits[0].reference} says yes to {activity.words}, {first.reference} says no"
    return "contradictory", f"The record contradicts itself: {both}. No counts until that is settled."


def _all_later(permits: Iterable[Finding], finding: Finding) -> bool:
    """Whether every yes was certainly given after this one; what has no date is later than nothing.

    Where the dates leave it open (both of one day), the order in which the record was last changed decides.
    """
    return all(
        is_later(permit.given, finding.given)
        or (
            bool(permit.given and finding.given)
            and not is_later(finding.given, permit.given)
            and is_later(permit.written, finding.written)
        )
        for permit in permits
    )


def _of_standing(findings: Iterable[Finding], *standings: Standing) -> list[Finding]:
    return [finding for finding in findings if finding.standing in standings]


def _state_ground(finding: Finding) -> Ground:
    effects = {
        Verdict.PERMIT: "permit",
        Verdict.DENY: "deny",
        Verdict.UNKNOWN: "unclear",
        Verdict.SILENT: "ignored",
    }
    return Ground(finding.reference, effects[finding.verdict], f"{finding.reference} {finding.words}.")
