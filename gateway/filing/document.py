"""The note as a preliminary DocumentReference (FHIR R4, in the shape of US Core).

In: an ``ApprovedNote``, the chart and the facts of the visit. Out: a resource. Nothing here talks to anyone, and no
path through it writes ``docStatus`` ``final``. The words are ``filing/text``'s.
"""

import base64
import hashlib
from datetime import datetime
from typing import Any

from fhir.resources.R4B.documentreference import DocumentReference

from gateway.ehr.chart import CLINICIAN_UNKNOWN, Chart
from gateway.ehr.dates import parse_moment
from gateway.ehr.site import EhrSite
from gateway.filing.text import NOT_OVER, compose_text, compose_title, is_made_with_ai
from gateway.filing.text import HeadLine as HeadLine
from gateway.filing.text import VisitFacts as VisitFacts
from gateway.filing.text import compose_head as compose_head
from gateway.filing.text import describe_making as describe_making
from gateway.note.review import ApprovedNote
from gateway.note.statement import DrafterInfo

IDENTIFIER_SYSTEM = "https://countersign.dev/fhir/note"
AI_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
CLINICAL_NOTE = {
    "coding": [
        {
            "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
            "code": "clinical-note",
            "display": "Clinical Note",
        }
    ]
}
MAKING_SHORT = {"model": ", drafted with AI", "outline": ", arranged by software", "none": ""}


def build_document(
    note: ApprovedNote, chart: Chart, facts: VisitFacts, site: EhrSite, identifier: str
) -> dict[str, Any]:
    """The DocumentReference to create; ``identifier`` is a ``urn:uuid:`` that a retry uses again.

    It is validated as FHIR R4 before it is returned, so that a wrong one never leaves.
    """
    text = compose_text(note, chart, facts, site.note).encode()
    title = compose_title(note, site.note)
    document: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "identifier": [{"system": IDENTIFIER_SYSTEM, "value": identifier}],
        "status": "current",
        "docStatus": "preliminary",
        "type": {
            "coding": [{"system": "http://loinc.org", "code": site.note.type_code, "display": site.note.type_display}]
        },
        "category": [CLINICAL_NOTE],
        "subject": {"reference": f"Patient/{chart.context.patient_id}"},
        "date": write_instant(note.attested_at),
        "author": [refer_to_clinician(note, chart)],
        "description": title + _tell_making(note.drafter, facts),
        "content": [
            {
                "attachment": {
                    "contentType": site.note.content_type,
                    "data": base64.b64encode(text).decode(),
                    "size": len(text),
                    # FHIR R4, Attachment.hash: the SHA-1 of the data, base64; a checksum, not a secret.
                    "hash": base64.b64encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode(),
                    "title": title,
                    "creation": write_instant(note.attested_at),
                }
            }
        ],
        "context": _build_context(chart, facts, note, site),
    }
    if site.note.labels and is_made_with_ai(note.drafter, facts):
        document["meta"] = {"security": [AI_LABEL]}
    DocumentReference.model_validate(document)
    return document


def refer_to_clinician(note: ApprovedNote, chart: Chart) -> dict[str, str]:
    """The clinician who attested, with her name where the EHR gives it."""
    name = chart.practitioner.name
    return {"reference": note.attested_by} | ({"display": name} if name != CLINICIAN_UNKNOWN else {})


def write_instant(moment: datetime) -> str:
    """A FHIR instant to the second, in the moment's own offset."""
    return moment.isoformat(timespec="seconds")


def _tell_making(drafter: DrafterInfo, facts: VisitFacts) -> str:
    """How it was made, for a list of notes; nothing in it may turn false when the EHR makes the note final."""
    if drafter.kind == "outline" and is_made_with_ai(drafter, facts):
        return ", transcribed with AI, arranged by software"
    return MAKING_SHORT[drafter.kind]


def _build_context(chart: Chart, facts: VisitFacts, note: ApprovedNote, site: EhrSite) -> dict[str, Any]:
    encounter = chart.encounter
    context: dict[str, Any] = {"period": _build_period(chart, facts, note, site)}
    if encounter is not None:
        context["encounter"] = [{"reference": encounter.reference}]
    return context


def _build_period(chart: Chart, facts: VisitFacts, note: ApprovedNote, site: EhrSite) -> dict[str, str]:
    """When the service was given (R4, DocumentReference.context.period): as the encounter says, no finer.

    The end of an encounter that is not over is a plan, and is left out unless the site says that the EHR requires one.
    """
    encounter = chart.encounter
    written = (encounter.start if encounter else "") or facts.opened_at.date().isoformat()
    start, end = parse_moment(written), parse_moment(encounter.end) if encounter else None
    is_over = encounter is not None and encounter.status not in NOT_OVER
    if not is_over or end is None:
        if not site.note.period_end:
            return {"start": write_instant(start) if start else written}
        end = end or note.attested_at.astimezone(facts.opened_at.tzinfo)
    if start is not None:
        return {"start": write_instant(start), "end": write_instant(max(start, end))}
    return {"start": min(written, end.isoformat()[: len(written)]), "end": write_instant(end)}
