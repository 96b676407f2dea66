"""One answer of a patient as an R4 Consent: what the gateway writes to a record, and by default reads from one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gateway.consent import codes
from gateway.consent.activity import Activity
from gateway.consent.reading import OWN_CONSENTS

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
PROFILE = "https://countersign.dev/fhir/StructureDefinition/countersign-consent-"
DISPLAYS = {
    Activity.TELEHEALTH: "Telehealth",
    Activity.RECORDING: "Recording",
    Activity.AI_DRAFTING: "AI drafting",
}


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What somebody answered to one question.

    Attributes:
        performer: who answered: ``Patient/1``, or ``RelatedPerson/2`` for a proxy.
        given_at: aware; written to the millisecond, so that a later answer of the same day is later.
        until: when a yes ends; None: when it is taken back.
        organization: to whom it was given; empty: not said.
        identifier: ``urn:uuid:…``, made for this answer alone.
    """

    activity: Activity
    says: Literal["permit", "deny"]
    performer: str
    given_at: datetime
    identifier: str
    until: datetime | None = None
    organization: str = ""


def build_consent(answer: GivenAnswer, patient: str) -> dict[str, Any]:
    """The Consent of one answer, without an id.

    Args:
        patient: ``Patient/1``, whose consent it is.
    """
    moment = _write_moment(answer.given_at)
    period = {"start": moment} | ({"end": _write_moment(answer.until)} if answer.until else {})
    policy = "OPTIN" if answer.says == "permit" else "OPTOUT"
    consent: dict[str, Any] = {
        "resourceType": "Consent",
        "meta": {"profile": [f"{PROFILE}{answer.activity.value}"]},
        "identifier": [{"system": OWN_CONSENTS, "value": answer.identifier}],
        "status": "active",
        "scope": _concept(*codes.PRIVACY_SCOPE),
        "category": [_concept(codes.LOINC, "59284-0")],
        "patient": {"reference": patient},
        "dateTime": moment,
        "performer": [{"reference": answer.performer}],
        "policyRule": _concept(codes.ACT_CODE, policy),
        "verification": [
            {"verified": True, "verifiedWith": {"reference": answer.performer}, "verificationDate": moment}
        ],
        "provision": {
            "type": answer.says,
            "period": period,
            "code": [_concept(OWN_CODES, answer.activity.value, DISPLAYS[answer.activity])],
        },
    }
    if answer.organization:
        consent["organization"] = [{"reference": answer.organization}]
    return consent


def _concept(system: str, code: str, display: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}


def _write_moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
