"""How an answer came into the record, as a Provenance beside its Consent (FHIR R4): who answered, who wrote it down,
who witnessed it, and the exact words that were read, by SHA-256.
"""

from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B.provenance import Provenance

from gateway.consent.asking import AskedAnswers
from gateway.consent.codes import PARTICIPATION
from gateway.consent.wording import Wording
from gateway.ehr.chart import Chart

PARTICIPANT_TYPES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
SHA256_SYSTEM = "https://countersign.dev/fhir/sha256"
CREATION = {"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE", "display": "create"}
WAYS = {"spoken": "answered aloud", "signed": "signed on paper"}
# The participant types know no witness; as a role beside the type it is R4's own word.
WITNESS = {"coding": [{"system": PARTICIPATION, "code": "WIT", "display": "witness"}]}
STAFF = "A member of the practice's staff"


def build_answer_provenance(
    target: str, asked: AskedAnswers, given_at: datetime, wording: Wording, chart: Chart, now: datetime
) -> dict[str, Any]:
    """The Provenance of the Consent ``target`` (a relative reference, with its version where known)."""
    organization = chart.encounter.organization if chart.encounter else ""
    clinician = _build_agent("enterer", {"reference": chart.practitioner.reference})
    if organization:  # US Core 6.1.0, provenance-1
        clinician["onBehalfOf"] = {"reference": organization}
    agents = [_build_agent("author", {"reference": asked.performer}), clinician]
    if asked.witness == "clinician":
        clinician["role"] = [WITNESS]
    if asked.witness == "staff":
        agents.append(_build_agent("verifier", {"display": STAFF}) | {"role": [WITNESS]})
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "occurredDateTime": _write_moment(given_at),
        "recorded": _write_moment(now),
        "activity": {"coding": [CREATION], "text": f"Answer to one question about consent, {WAYS[asked.how]}"},
        "agent": agents,
        "entity": [
            {
                "role": "source",
                "what": {
                    "identifier": {"system": SHA256_SYSTEM, "value": wording.sha256},
                    "display": f"Wording read with whoever answered (language: {wording.language})",
                },
            }
        ],
    }
    Provenance.model_validate(provenance)
    return provenance


def _build_agent(part: str, who: dict[str, str]) -> dict[str, Any]:
    coding = {"system": PARTICIPANT_TYPES, "code": part, "display": part.capitalize()}
    return {"type": {"coding": [coding]}, "who": who}


def _write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
