"""One decision on consent as a FHIR R4 AuditEvent, for an EHR that keeps them; the ledger's own line stands beside it.

After IHE BALP 1.1.4, "AuthZconsent" (https://profiles.ihe.net/ITI/BALP). The profile is not claimed: it asks for the
client's network address, which a process without a network has not, for an organization, which an encounter may not
name, and for a Consent, where a refusal may rest on none. In: plain codes and references. Out: the resource; no name,
no sentence of anybody. Sending is ``filing``'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B.auditevent import AuditEvent

DCM = "http://dicom.nema.org/resources/ontology/DCM"
SUBTYPES = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
SECURITY_ROLES = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
SOURCE_TYPES = "http://terminology.hl7.org/CodeSystem/security-source-type"
ENTITY_TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
GATEWAY = "Countersign"
SUCCESS, MINOR_FAILURE = "0", "4"


@dataclass(frozen=True, slots=True)
class AuditedDecision:
    """What was decided, by codes and relative references.

    Attributes:
        activity: the question's code.
        code: why not; empty for a permit.
        organization, device: empty where not known; ``device`` is this gateway as the EHR refers to it.
        consents: (reference, what it counted as) of each Consent that mattered.
        rules: names the rules' file and version.
    """

    activity: str
    permitted: bool
    code: str
    patient: str
    clinician: str
    organization: str
    device: str
    consents: Sequence[tuple[str, str]]
    rules: str
    decided_at: datetime


def build_audit_event(decision: AuditedDecision) -> dict[str, Any]:
    """The AuditEvent of one decision, without an id."""
    gateway = {"reference": decision.device, "display": GATEWAY} if decision.device else {"display": GATEWAY}
    agents = [
        _build_agent(_code(DCM, "110150", "Application"), gateway),
        _build_agent(_code(PARTICIPATION, "IRCP", "information recipient"), {"reference": decision.clinician}, True),
        _build_agent(_code(SECURITY_ROLES, "authserver", "authorization server"), gateway),
    ]
    if decision.organization:
        provider = _code(ROLE_CLASS, "PROV", "healthcare provider")
        agents.insert(2, _build_agent(provider, {"reference": decision.organization}))
    event = {
        "resourceType": "AuditEvent",
        "type": _code(DCM, "110113", "Security Alert"),
        "subtype": [_code(SUBTYPES, "AuthZ-Consent", "Authorization Decision using Roles and Consent")],
        "action": "E",
        "recorded": decision.decided_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": SUCCESS if decision.permitted else MINOR_FAILURE,
        "outcomeDesc": "permit" if decision.permitted else f"refusal: {decision.code}",
        "agent": agents,
        "source": {
            "site": GATEWAY,
            "observer": gateway,
            "type": [_code(SOURCE_TYPES, "4", "Application Server")],
        },
        "entity": [
            {
                "what": {"reference": decision.patient},
                "type": _code(ENTITY_TYPES, "1", "Person"),
                "role": _code(OBJECT_ROLES, "1", "Patient"),
                "detail": [_detail("activity", decision.activity), _detail("rules", decision.rules)],
            },
            *(
                {
                    "what": {"reference": reference},
                    "type": _code(RESOURCE_TYPES, "Consent", "Consent"),
                    "detail": [_detail("effect", effect)],
                }
                for reference, effect in decision.consents
            ),
        ],
    }
    AuditEvent.model_validate(event)
    return event


def _build_agent(kind: dict[str, str], who: dict[str, str], requestor: bool = False) -> dict[str, Any]:
    return {"type": {"coding": [kind]}, "who": who, "requestor": requestor}


def _code(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}


def _detail(name: str, value: str) -> dict[str, str]:
    return {"type": name, "valueString": value}
