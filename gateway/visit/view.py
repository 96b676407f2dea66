"""What the page shows: the visit as one JSON object (its shape is in ``docs/architecture.md``)."""

from typing import Any

from gateway.capture.material import Material, Segment
from gateway.ehr.chart import Chart
from gateway.filing.document import compose_head, describe_making
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import NoteFormat
from gateway.note.review import Decision, Review, TakenStatement, compose_section, find_marks
from gateway.note.statement import Origin
from gateway.visit.consent_view import show_consents
from gateway.visit.events import Way
from gateway.visit.state import Phase
from gateway.visit.workflow import NOTHING_WRITES, Visit


def show_view(visit: Visit) -> dict[str, Any]:
    """The whole view at this version; holds patient data until the visit has ended, none afterwards."""
    state, contents, tools = visit.state, visit.contents, visit.tools
    chart, material = contents.chart, contents.gather()
    return {
        "version": visit.version,
        "phase": state.phase.value,
        "ehr": {"name": tools.site.name, "unsigned_notes": state.unsigned_notes},
        "show_banner": chart is None or tools.site.launch.banner == "always" or chart.context.need_patient_banner,
        "clinician": {"name": chart.practitioner.name} if chart else None,
        "patient": _show_patient(chart),
        "encounter": _show_encounter(chart),
        "encounter_choices": [
            {"id": choice.id, "label": choice.label} for choice in (chart.encounter_choices if chart else ())
        ],
        "may_have_no_encounter": tools.site.launch.without_encounter == "offer-or-none",
        "encounter_settled": state.encounter_settled,
        "telehealth": state.telehealth.value,
        "read": [{"reference": reference, "what": what} for reference, what in (chart.read if chart else ())],
        **show_consents(visit),
        "way": state.way.value if state.way else None,
        "format": visit.drafting.note_format.id,
        "formats": [{"id": item.id, "title": item.title} for item in tools.formats.values()],
        "drafter": _show_drafter(visit),
        "language": _show_language(visit),
        "speech": _show_speech(visit),
        "working": _show_working(visit),
        "segments": [_show_segment(segment, visit.listening.has_sound(segment)) for segment in material.segments],
        "marks": _list_marks(visit, material),
        "sound_until": sound_until.isoformat() if (sound_until := visit.listening.sound_until) else None,
        "bled": visit.session.bled,
        "typed": {"text": contents.typed, "observations": contents.observations},
        "sections": _show_sections(visit),
        "withheld": _show_withheld(visit),
        "open_decisions": state.open_decisions,
        "head": [{"label": line.label, "value": line.value} for line in compose_head(chart, visit.facts())]
        if chart
        else [],
        "made": _show_making(visit),
        "attestation": _show_attestation(chart),
        "problem": {"code": visit.problem.code, "message": visit.problem.public} if visit.problem else None,
        "handover_text": contents.handover.text if contents.handover else None,
        "outcome": state.outcome.value if state.outcome else None,
        "receipt": None,  # the front's, once the process is gone
        "signature": None,
    }


def _show_patient(chart: Chart | None) -> dict[str, Any] | None:
    if chart is None:
        return None
    patient = chart.patient
    return {
        "name": patient.name,
        "birth_date": patient.birth_date,
        "gender": patient.gender,
        "identifiers": [{"label": item.label, "value": item.value} for item in patient.identifiers],
    }


def _show_encounter(chart: Chart | None) -> dict[str, Any] | None:
    if chart is None or chart.encounter is None:
        return None
    encounter = chart.encounter
    return {
        "id": encounter.id,
        "period": encounter.period_words,
        "kind": encounter.kind,
        "location": encounter.location,
        "participants": list(encounter.participants),
    }


def _show_drafter(visit: Visit) -> dict[str, str]:
    info = (
        NOTHING_WRITES if visit.state.way is Way.WRITE else visit.drafting.drafter.describe(visit.drafting.note_format)
    )
    return {"kind": info.kind, "label": info.name}


def _show_speech(visit: Visit) -> dict[str, Any]:
    transcriber = visit.tools.transcriber
    return {"ready": transcriber is not None, "label": transcriber.describe().name if transcriber else ""}


def _show_language(visit: Visit) -> dict[str, Any]:
    found = visit.drafting.language
    return {"code": found.code, "heard": found.heard, "drafting": found.drafting, "words": found.words}


def _show_working(visit: Visit) -> dict[str, Any] | None:
    working = visit.working
    if working is not None:
        return {"what": working.what, "done": round(working.done, 2), "words": working.words}
    if visit.state.phase is Phase.OPENING:
        return {"what": "opening", "done": 0.0, "words": "Reading the chart"}
    return None


def _show_segment(segment: Segment, has_sound: bool) -> dict[str, Any]:
    return {
        "number": segment.number,
        "source": segment.source.value,
        "speaker": segment.speaker.value,
        "text": segment.text,
        "start_seconds": segment.start_seconds,
        "end_seconds": segment.end_seconds,
        "unclear": segment.unclear,
        "heard_also": segment.heard_also,
        "confidence": segment.confidence,
        "channel": segment.channel.value if segment.channel else None,
        "settled": segment.settled,
        "look": segment.look.value if segment.look else None,
        "sound": has_sound,
    }


def _list_marks(visit: Visit, material: Material) -> list[int]:
    """The lines that have to be decided: by the review, or by what is drafted so far."""
    contents = visit.contents
    if contents.review is not None:
        return list(contents.review.marks)
    rested_on = {number for item in contents.progress if not item.withheld for number in item.segments}
    return list(find_marks(material.looks, rested_on))


def _show_sections(visit: Visit) -> list[dict[str, Any]]:
    """The draft as far as it is: while people talk or it is written, what is checked so far; then the review."""
    review, note_format = visit.contents.review, visit.drafting.note_format
    if review is not None:
        return [_show_reviewed(review, part.id, part.title, part.empty_words) for part in review.note_format.sections]
    shown = [item for item in visit.contents.progress if not item.withheld]
    if visit.state.phase is not Phase.DRAFTING and not visit.contents.progress:
        return []
    return [_show_growing(shown, note_format, part.id, part.title, part.empty_words) for part in note_format.sections]


def _show_growing(
    shown: list[CheckedStatement], note_format: NoteFormat, section: str, title: str, empty_words: str
) -> dict[str, Any]:
    statements = [_show_statement(item, None) for item in shown if item.section == section]
    return {
        "id": section,
        "title": title,
        "decision": Decision.OPEN.value,
        "text": "",
        "empty_words": empty_words,
        "statements": statements,
    }


def _show_reviewed(review: Review, section: str, title: str, empty_words: str) -> dict[str, Any]:
    statements = []
    for item in review.statements_of(section):
        risk = review.risks.get(item.statement.number)
        statements.append(_show_statement(item, risk.value if risk else None))
    return {
        "id": section,
        "title": title,
        "decision": review.decisions[section].value,
        "text": compose_section(review, section),
        "empty_words": empty_words,
        "statements": [*statements, *(_show_taken(item) for item in review.taken_in(section))],
    }


def _show_statement(item: CheckedStatement, risk_decision: str | None) -> dict[str, Any]:
    return {
        "number": item.statement.number,
        "text": item.statement.text,
        "segments": list(item.segments),
        "origin": item.statement.origin.value,
        "risk": item.risk,
        "risk_decision": risk_decision,
    }


def _show_taken(item: TakenStatement) -> dict[str, Any]:
    return {
        "number": item.number,
        "text": item.text,
        "segments": [],
        "origin": Origin.CLINICIAN.value,
        "risk": False,
        "risk_decision": None,
    }


def _show_withheld(visit: Visit) -> list[dict[str, Any]]:
    review = visit.contents.review
    items = review.withheld if review else [item for item in visit.contents.progress if item.withheld]
    return [
        {
            "number": item.statement.number,
            "section": item.section,
            "text": item.statement.text,
            "reason": item.reason,
            "segments": list(item.segments),
        }
        for item in items
    ]


def _show_making(visit: Visit) -> str:
    review = visit.contents.review
    return describe_making(review.draft.drafter, visit.facts()) if review else ""


def _show_attestation(chart: Chart | None) -> str:
    if chart is None:
        return ""
    return (
        f"I, {chart.practitioner.name}, have read every line of this note. It is true of this visit with "
        f"{chart.patient.name}, and I will sign it in the EHR."
    )
