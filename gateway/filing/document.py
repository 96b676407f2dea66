"""The note as a preliminary DocumentReference (FHIR R4, in the shape of US Core), and its words.

In: an ``ApprovedNote``, the chart and the facts of the visit. Out: text and a resource. Nothing here talks to anyone,
and no path through it writes ``docStatus`` ``final``.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.documentreference import DocumentReference

from gateway import __version__
from gateway.consent.decision import Permit
from gateway.ehr.chart import Chart
from gateway.ehr.dates import parse_moment
from gateway.ehr.site import EhrSite, Note
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
MODALITIES = {"yes": "Telehealth", "no": "In person", "unknown": "Not stated"}


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """What the visit itself knows for the note's head and its making.

    ``telehealth`` is ``yes``, ``no`` or ``unknown``; ``sources`` are the kinds of material in words; ``permits`` are
    the consents that the way of working rested on.
    """

    started_at: datetime
    telehealth: str
    sources: tuple[str, ...]
    permits: tuple[Permit, ...]


@dataclass(frozen=True, slots=True)
class HeadLine:
    label: str
    value: str


def compose_head(chart: Chart, facts: VisitFacts) -> tuple[HeadLine, ...]:
    """What a payer looks for, from the encounter and the visit, without a model."""
    encounter = chart.encounter
    started = parse_moment(encounter.start) if encounter else None
    stopped = parse_moment(encounter.end) if encounter else None
    start = started or facts.started_at
    place = encounter.location if encounter and encounter.location else "Not stated"
    participants = encounter.participants if encounter and encounter.participants else (chart.practitioner.name,)
    identifiers = ", ".join(f"{item.label} {item.value}" for item in chart.patient.identifiers)
    return (
        HeadLine("Patient", ", ".join(part for part in (chart.patient.name, identifiers) if part)),
        HeadLine("Born", chart.patient.birth_date or "Not stated"),
        HeadLine("Date", start.strftime("%d %B %Y").lstrip("0")),
        HeadLine("Start", start.strftime("%H:%M %Z").strip()),
        HeadLine("Stop", stopped.strftime("%H:%M %Z").strip() if stopped else "Not stated"),
        HeadLine("Modality", MODALITIES[facts.telehealth]),
        HeadLine("Place", place),
        HeadLine("Participants", "; ".join(dict.fromkeys((chart.patient.name, *participants)))),
    )


def describe_making(drafter: DrafterInfo, facts: VisitFacts) -> str:
    """One sentence that says how the note was made; it stands in the note's own words."""
    if drafter.kind == "none":
        return "How this note was made: written by the clinician without AI drafting."
    sources = " and ".join(facts.sources) or "the clinician's material"
    how = (
        f"drafted by an AI model ({drafter.name}, Countersign {__version__})"
        if drafter.kind == "model"
        else f"arranged by software without a language model ({drafter.name}, Countersign {__version__})"
    )
    heard = " transcribed by a speech model" if "dictation" in facts.sources else ""
    return (
        f"How this note was made: {how} from {sources}{heard}; each section was reviewed by the clinician, "
        "and it is not final until signed in the record."
    )


def compose_text(note: ApprovedNote, chart: Chart, facts: VisitFacts, site_note: Note) -> str:
    """The whole note as plain text, line ends ``\\n``."""
    head = [f"{line.label}: {line.value}" for line in compose_head(chart, facts)]
    body = [f"{section.title.upper()}\n{section.text}" for section in note.sections]
    title = f"{site_note.type_display} ({note.format_title})"
    return "\n\n".join([title, "\n".join(head), *body, describe_making(note.drafter, facts)]) + "\n"


def build_document(
    note: ApprovedNote, chart: Chart, facts: VisitFacts, site: EhrSite, identifier: str
) -> dict[str, Any]:
    """The DocumentReference to create; ``identifier`` is a ``urn:uuid:`` that a retry uses again.

    It is validated as FHIR R4 before it is returned, so that a wrong one never leaves.
    """
    text = compose_text(note, chart, facts, site.note).encode()
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
        "date": _instant(note.attested_at),
        "author": [{"reference": note.attested_by, "display": chart.practitioner.name}],
        "description": f"{site.note.type_display} ({note.format_title}), unsigned draft",
        "content": [
            {
                "attachment": {
                    "contentType": site.note.content_type,
                    "data": base64.b64encode(text).decode(),
                    "size": len(text),
                    # FHIR R4, Attachment.hash: the SHA-1 of the data, base64; a checksum, not a secret.
                    "hash": base64.b64encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode(),
                    "title": f"{site.note.type_display} ({note.format_title})",
                    "creation": _instant(note.attested_at),
                }
            }
        ],
        "context": _context(chart, facts, note, site),
    }
    if site.note.labels and note.ai_assisted:
        document["meta"] = {"security": [AI_LABEL]}
    DocumentReference.model_validate(document)
    return document


def _context(chart: Chart, facts: VisitFacts, note: ApprovedNote, site: EhrSite) -> dict[str, Any]:
    encounter = chart.encounter
    start = parse_moment(encounter.start) if encounter else None
    end = parse_moment(encounter.end) if encounter else None
    period = {"start": _instant(start or facts.started_at)}
    if end is not None or site.note.period_end:
        period["end"] = _instant(end or note.attested_at)
    context: dict[str, Any] = {"period": period}
    if encounter is not None:
        context["encounter"] = [{"reference": f"Encounter/{encounter.id}"}]
    return context


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
