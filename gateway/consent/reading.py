"""One Consent resource and one question: what it says, and why it says nothing where it does.

FHIR R4 Consent (https://hl7.org/fhir/R4/consent.html). In: foreign JSON. Out: a ``Finding``. Whatever is not
understood and could bear on the question is ``UNKNOWN``; nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from gateway.consent.activity import Activity
from gateway.consent.provision import Effect, Frame, Said, Verdict, judge_provision, read_codings
from gateway.consent.rules import CONSENT_SCOPE, ConsentRules
from gateway.ehr.dates import format_day, parse_date
from gateway.ehr.reference import parse_reference, reference_of

_ABOUT_ITSELF = ("resourceType", "id", "meta", "language", "text", "contained", "extension", "identifier")
_ABOUT_ITS_MAKING = ("dateTime", "performer", "organization", "sourceAttachment", "sourceReference", "verification")
_WHAT_IT_SAYS = ("status", "scope", "category", "patient", "policy", "policyRule", "provision")
_READ = frozenset((*_ABOUT_ITSELF, *_ABOUT_ITS_MAKING, *_WHAT_IT_SAYS))
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
# The base policy that the provisions are exceptions to. An opt-in is a general yes and answers no question.
_BASE_POLICIES: Mapping[tuple[str, str], Effect] = {
    (_ACT_CODE, "OPTIN"): "assumed-permit",
    (_ACT_CODE, "OPTOUT"): "deny",
    (_ACT_CODE, "OPTOUTE"): "deny",
}
_SCOPES_ASIDE = frozenset({(CONSENT_SCOPE, "adr"), (CONSENT_SCOPE, "research")})

Standing = Literal["", "revoked", "rejected", "expired", "not-in-force", "unreadable", "not-understood"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``words`` go on after the reference; ``standing`` says why not.

    ``given`` is the dateTime as written, ``written`` when the record last changed it (meta.lastUpdated).
    """

    reference: str
    verdict: Verdict
    words: str
    standing: Standing = ""
    given: str = ""
    written: str = ""
    changes_at: tuple[datetime, ...] = ()

    @property
    def given_words(self) -> str:
        """`` on 3 Nov 2026``, or nothing."""
        day = format_day(self.given)
        return f" on {day}" if day else ""


def read_consent(consent: object, activity: Activity, rules: ConsentRules, now: datetime, patient: str = "") -> Finding:
    """Read one Consent for one activity.

    Args:
        patient: ``Patient/1``, whose Consent it must be; empty: not checked here.
    """
    if not isinstance(consent, dict) or consent.get("resourceType") != "Consent":
        return Finding("Consent", Verdict.UNKNOWN, "can't be read", "unreadable")
    meta = consent.get("meta")
    written = meta.get("lastUpdated") if isinstance(meta, dict) else None
    finding = Finding(
        reference_of(consent),
        Verdict.SILENT,
        "",
        given=_keep_date(consent.get("dateTime")),
        written=_keep_date(written),
    )

    def unknown(words: str, standing: Standing = "unreadable") -> Finding:
        return replace(finding, verdict=Verdict.UNKNOWN, words=words, standing=standing)

    for name in ("implicitRules", "modifierExtension"):
        if name in consent:
            return unknown(f"carries {name}, which may change what it means", "not-understood")
    status = consent.get("status")
    if status == "entered-in-error":
        return replace(finding, words="was entered in error")
    if status not in ("active", "inactive", "draft", "proposed", "rejected"):
        return unknown("has no status that can be read")
    if foreign := sorted(set(consent) - _READ):
        return unknown(f"carries {foreign[0]}, which is not understood here", "not-understood")
    if not _is_of_patient(consent.get("patient"), patient):
        return unknown("is not this patient's")
    said = _judge_consent(consent, activity, rules, now)
    finding = replace(finding, changes_at=said.changes_at)
    if status == "active":
        return _stand(finding, consent, said, activity, rules, now)
    return _set_aside(finding, status, said, activity)


def _judge_consent(consent: Mapping[str, Any], activity: Activity, rules: ConsentRules, now: datetime) -> Said:
    """Category and base policy set the frame, the provisions fill it."""
    categories = _read_concepts(consent.get("category"))
    if categories is None:
        return Said(Verdict.UNKNOWN, "has a category that can't be read")
    answers = [rules.category_answers[one] for one in categories if one in rules.category_answers]
    ours = [answer for answer in answers if answer.activity is activity]
    stated: set[Effect] = {answer.states for answer in ours if answer.states != "provision"}
    if len(stated) > 1:
        return Said(Verdict.UNKNOWN, "says both yes and no by its categories")
    policies = _read_concepts([consent["policyRule"]]) if "policyRule" in consent else []
    if policies is None:
        return Said(Verdict.UNKNOWN, "has a policy that can't be read")
    bases = [_BASE_POLICIES[one] for one in policies if one in _BASE_POLICIES]
    base: Effect = "deny" if "deny" in bases else bases[0] if bases else "unstated"
    effect = next(iter(stated), base)
    if "permit" in stated and base == "deny":
        return Said(Verdict.UNKNOWN, "says yes by its category and no by its policy")
    about: Literal["this", "all", "other"] = "this" if ours else "other" if answers else "all"
    root = consent.get("provision", {})
    said = judge_provision(root, Frame(effect, about), activity, rules, now)
    if "deny" in stated and said.verdict is Verdict.PERMIT:
        return Said(Verdict.UNKNOWN, "says no by its category and yes by its provisions")
    return said


def _stand(
    finding: Finding,
    consent: Mapping[str, Any],
    said: Said,
    activity: Activity,
    rules: ConsentRules,
    now: datetime,
) -> Finding:
    """An active Consent: its verdict, held against its scope, its date and its verification."""
    scope = _read_scope(consent.get("scope"), rules)
    unclear = replace(finding, verdict=Verdict.UNKNOWN, standing="not-understood")
    match said.verdict:
        case Verdict.DENY:
            return replace(finding, verdict=Verdict.DENY, words=f"says no to {activity.words}{finding.given_words}")
        case Verdict.UNKNOWN if scope == "aside":
            return replace(finding, words="is about advance directives or research")
        case Verdict.UNKNOWN:
            return replace(unclear, words=said.why)
        case Verdict.SILENT if said.timing == "expired":
            return replace(finding, words=f"permitted {activity.words} and is over", standing="expired")
        case Verdict.SILENT if said.timing == "not yet":
            words = f"permits {activity.words} from a later day on"
            return replace(finding, words=words, standing="not-in-force")
        case Verdict.SILENT:
            return replace(finding, words=f"does not speak of {activity.words}")
    if scope == "aside":
        return replace(finding, words="is about advance directives or research")
    if scope == "unclear":
        return replace(unclear, words=f"permits {activity.words} under a scope that is not known here")
    if "dateTime" in consent and not finding.given:
        return replace(unclear, words="has a date that can't be read", standing="unreadable")
    given = parse_date(finding.given, rules.zone)
    if given and given.earliest_start > now:
        changes = (*finding.changes_at, given.earliest_start)
        return replace(finding, words="is dated in the future", standing="not-in-force", changes_at=changes)
    if not _is_verified(consent.get("verification", [])):
        return replace(unclear, words=f"permits {activity.words}, but is not verified")
    return replace(finding, verdict=Verdict.PERMIT, words=f"permits {activity.words}{finding.given_words}")


def _set_aside(finding: Finding, status: str, said: Said, activity: Activity) -> Finding:
    """A Consent that is not active permits nothing; that it once did, or was refused, is still worth saying."""
    quiet = replace(finding, changes_at=())
    if said.verdict is Verdict.SILENT:
        return replace(quiet, words=f"is {status} and does not speak of {activity.words}")
    match status:
        case "inactive" if said.verdict is Verdict.DENY:
            return replace(quiet, words=f"said no to {activity.words} and is no longer in force")
        case "inactive":
            return replace(quiet, words=f"permitted {activity.words} and was taken back", standing="revoked")
        case "rejected":
            return replace(quiet, words=f"was offered for {activity.words} and rejected", standing="rejected")
        case _:
            return replace(quiet, words=f"is only {status}", standing="not-in-force")


def _keep_date(value: object) -> str:
    return value if isinstance(value, str) and parse_date(value) else ""


def _is_of_patient(value: object, patient: str) -> bool:
    """A reference is there and names the patient, be it relative or absolute."""
    text = value.get("reference") if isinstance(value, dict) else None
    tail = parse_reference("/".join(text.split("/")[-2:])) if isinstance(text, str) else None
    return tail is not None and tail.type == "Patient" and patient in ("", str(tail))


def _read_scope(scope: object, rules: ConsentRules) -> Literal["accepted", "aside", "unclear"]:
    codings = _read_concepts([scope])
    if not codings:
        return "unclear"
    if all(one in rules.accepted_scopes for one in codings):
        return "accepted"
    return "aside" if all(one in _SCOPES_ASIDE for one in codings) else "unclear"


def _read_concepts(concepts: object) -> list[tuple[str, str]] | None:
    """All codings of a list of CodeableConcepts; a concept of words alone counts for nothing; None: unreadable."""
    if concepts is None:
        return []
    if not isinstance(concepts, list) or not all(isinstance(one, dict) for one in concepts):
        return None
    pairs: list[tuple[str, str]] = []
    for concept in concepts:
        if "coding" not in concept:
            continue
        codings = read_codings(concept["coding"])
        if codings is None:
            return None
        pairs.extend(codings)
    return pairs


def _is_verified(verification: object) -> bool:
    """R4 Consent.verification: if anyone looked at it, someone must have confirmed it."""
    if not isinstance(verification, list):
        return False
    return not verification or all(isinstance(one, dict) and one.get("verified") is True for one in verification)
