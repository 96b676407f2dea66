"""How the note was made, as a Provenance beside it (FHIR R4; after HL7's AI Transparency on FHIR, a ballot).

Model, prompt and format are named by their SHA-256; the material itself is named by its kind only.
"""

from typing import Any

from fhir.resources.R4B.provenance import Provenance

from gateway import __version__
from gateway.ehr.chart import Chart
from gateway.filing.document import AI_LABEL, refer_to_clinician, write_instant
from gateway.filing.text import VisitFacts, is_made_with_ai, name_source
from gateway.note.review import ApprovedNote

PARTICIPANT_TYPES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
SHA256_SYSTEM = "https://countersign.dev/fhir/sha256"
AI_DEVICE = {
    "coding": [
        {
            "system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS",
            "code": "Artificial-Intelligence",
            "display": "Artificial Intelligence",
        }
    ],
    "text": "Artificial intelligence",
}
CREATION = {"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE", "display": "create"}
# What the software and the clinician were to the words. A composer is the author's own tool and adds none.
PARTS = {"model": ("author", "verifier"), "outline": ("composer", "author"), "none": ("", "author")}
ACTIVITIES = {
    "model": "Note drafted by an AI model, reviewed and attested by the clinician",
    "outline": "Note arranged by software, reviewed and attested by the clinician",
    "none": "Note written and attested by the clinician",
}


def build_provenance(note: ApprovedNote, chart: Chart, facts: VisitFacts, target: str, labels: bool) -> dict[str, Any]:
    """The Provenance of the document ``target`` (a relative reference, with its version where known).

    ``labels`` off leaves out the AIAST code, which strict R4 terminology does not know; the words still say it.
    """
    device_part, clinician_part = PARTS[note.drafter.kind]
    provenance: dict[str, Any] = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "occurredPeriod": {"start": write_instant(facts.started_at), "end": write_instant(note.attested_at)},
        "recorded": write_instant(note.attested_at),
        "activity": {"coding": [CREATION], "text": f"{ACTIVITIES[note.drafter.kind]} ({_count(note)})"},
        "agent": [_build_agent(clinician_part, refer_to_clinician(note, chart), chart)],
    }
    if device_part:
        provenance["contained"] = [_build_device(note)]
        provenance["agent"].insert(0, _build_agent(device_part, {"reference": "#drafter"}, chart))
        provenance["entity"] = _build_entities(note, facts)
    if labels and is_made_with_ai(note.drafter, facts):
        provenance["reason"] = [{"coding": [AI_LABEL]}]
    Provenance.model_validate(provenance)
    return provenance


def _count(note: ApprovedNote) -> str:
    """What was decided in the review, in numbers."""
    counts = note.counts
    sections = (
        f"sections: {counts.sections_accepted} accepted, {counts.sections_edited} edited, "
        f"{counts.sections_struck} struck"
    )
    if note.drafter.kind == "none":
        return sections
    statements = f"statements: {counts.shown} shown, {counts.withheld} withheld, {counts.taken} of them taken over"
    lines = f"lines of speech: {counts.lines_settled} corrected or confirmed; " if counts.lines_settled else ""
    return f"{lines}{statements}; risk lines: {counts.risk_kept} kept, {counts.risk_struck} struck; {sections}"


def _build_device(note: ApprovedNote) -> dict[str, Any]:
    device: dict[str, Any] = {
        "resourceType": "Device",
        "id": "drafter",
        "deviceName": [{"name": note.drafter.name, "type": "model-name"}],
        "version": [{"type": {"text": "Countersign"}, "value": __version__}],
    }
    if note.drafter.kind == "model":
        device["type"] = AI_DEVICE
    return device


def _build_entities(note: ApprovedNote, facts: VisitFacts) -> list[dict[str, Any]]:
    hashes = (
        ("text model", note.drafter.model_sha256),
        ("prompt", note.drafter.prompt_sha256),
        ("note format", note.drafter.format_sha256),
    )
    made_with = [
        {"role": "derivation", "what": {"identifier": {"system": SHA256_SYSTEM, "value": value}, "display": name}}
        for name, value in hashes
        if value
    ]
    # Written before the visit is purged: what it says must be true then and afterwards.
    rested_on = [
        {"role": "source", "what": {"display": f"{name_source(source)}, to be destroyed after filing"}}
        for source in facts.sources
    ]
    return made_with + rested_on


def _build_agent(part: str, who: dict[str, str], chart: Chart) -> dict[str, Any]:
    """US Core 6.1.0, provenance-1: a Practitioner or a Device acts on behalf of an Organization, the encounter's."""
    organization = chart.encounter.organization if chart.encounter else ""
    on_behalf = {"onBehalfOf": {"reference": organization}} if organization else {}
    coding = {"system": PARTICIPANT_TYPES, "code": part, "display": part.capitalize()}
    return {"type": {"coding": [coding]}, "who": who, **on_behalf}
