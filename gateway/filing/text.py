"""The words of a note: its head from the encounter and the visit, its sections, and how it was made. Plain text, pure.

In: an ``ApprovedNote``, the chart and the facts of the visit. The head is what a payer looks for, and no model has a
part in it. It says no more than the record does: what is not recorded is said to be so, and the times of an encounter
that is not closed yet are marked as scheduled.
"""

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo

from gateway import __version__
from gateway.consent.decision import Permit
from gateway.ehr.chart import CLINICIAN_UNKNOWN, Chart, EncounterSummary
from gateway.ehr.dates import format_day, parse_moment
from gateway.ehr.site import Note
from gateway.note.review import ApprovedNote
from gateway.note.statement import DrafterInfo

NOT_RECORDED = "Not recorded"
MODALITIES = {"yes": "Telehealth", "no": "In person", "unknown": NOT_RECORDED}
# FHIR R4, Encounter.status: before these are over, Encounter.period holds a plan.
NOT_BEGUN = frozenset({"planned", "arrived", "triaged"})
NOT_OVER = NOT_BEGUN | {"in-progress", "onleave"}
TYPED_NOTES = "typed notes"
FINAL_BY = "only the clinician's signature in the record makes it final."


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """What the visit itself knows for the note's head and its making.

    ``telehealth`` is ``yes``, ``no`` or ``unknown``; ``sources`` are the kinds of material in words (``dictation``,
    ``TYPED_NOTES``); ``permits`` are the consents that the way of working rested on; ``zone`` is the practice's, in
    which the head shows times (None: each as the record wrote it); ``others`` says what others in the room answered, by
    their role.
    """

    started_at: datetime
    telehealth: str
    sources: tuple[str, ...]
    permits: tuple[Permit, ...]
    zone: tzinfo | None = None
    others: tuple[str, ...] = ()

    @property
    def opened_at(self) -> datetime:
        """``started_at`` in the practice's zone, where it is known."""
        return self.started_at.astimezone(self.zone) if self.zone is not None else self.started_at


@dataclass(frozen=True, slots=True)
class HeadLine:
    label: str
    value: str


def compose_head(chart: Chart, facts: VisitFacts) -> tuple[HeadLine, ...]:
    """What a payer looks for: whose visit, when, from when to when, how, where, who took part, and who agreed."""
    encounter = chart.encounter
    identifiers = ", ".join(f"{item.label} {item.value}" for item in chart.patient.identifiers)
    lines = [
        HeadLine("Patient", ", ".join(part for part in (chart.patient.name, identifiers) if part)),
        HeadLine("Born", format_day(chart.patient.birth_date) or NOT_RECORDED),
        HeadLine("Date", _tell_day(encounter, facts)),
        HeadLine("Start", _tell_start(encounter, facts.zone)),
        HeadLine("Stop", _tell_stop(encounter, facts.zone)),
        HeadLine("Modality", MODALITIES[facts.telehealth]),
        HeadLine("Place", (encounter.location if encounter else "") or NOT_RECORDED),
        HeadLine("Participants", "; ".join(_list_participants(chart))),
    ]
    on_file = [permit for permit in facts.permits if not permit.is_attested]
    if on_file:
        agreed = ", ".join(sorted((permit.activity.words for permit in on_file), key=str.casefold))
        lines.append(HeadLine("Consent on file", agreed))
    attested = [permit.words for permit in facts.permits if permit.is_attested]
    if attested:
        lines.append(HeadLine("Consent in this visit", " ".join(attested)))
    if facts.others:
        lines.append(HeadLine("Others in the room", "; ".join(facts.others)))
    return tuple(lines)


def is_made_with_ai(drafter: DrafterInfo, facts: VisitFacts) -> bool:
    """Whether a model had a part in the words: it wrote them, or heard them for an outline to arrange.

    An outline of what the clinician typed herself is software, not AI (docs/decisions/0005).
    """
    heard = any(source != TYPED_NOTES for source in facts.sources)
    return drafter.kind == "model" or (drafter.kind == "outline" and heard)


def describe_making(drafter: DrafterInfo, facts: VisitFacts) -> str:
    """One sentence that says how the note was made; it stands in the note's own words, and stays true once signed."""
    if drafter.kind == "none":
        return f"The clinician wrote this note without AI; {FINAL_BY}"
    made_by = (
        f"An AI model ({drafter.name}, run by Countersign {__version__}) drafted this note"
        if drafter.kind == "model"
        else f"Software without a language model (Countersign {__version__}) arranged this note"
    )
    material = " and ".join(name_source(source) for source in facts.sources) or "material"
    return f"{made_by} from the clinician's {material}; the clinician reviewed each section, and {FINAL_BY}"


def name_source(source: str) -> str:
    """A kind of material in words, which say what a model had to do with it."""
    return source if source == TYPED_NOTES else f"{source} (transcribed by an AI speech model)"


def compose_title(note: ApprovedNote, site_note: Note) -> str:
    """``Progress note (SOAP)``."""
    return f"{site_note.type_display} ({note.format_title})"


def compose_text(note: ApprovedNote, chart: Chart, facts: VisitFacts, site_note: Note) -> str:
    """The whole note as plain text, line ends ``\\n``."""
    head = [f"{line.label}: {line.value}" for line in compose_head(chart, facts)]
    body = [f"{section.title.upper()}\n{section.text}" for section in note.sections]
    made = f"How this note was made: {describe_making(note.drafter, facts)}"
    return "\n\n".join([compose_title(note, site_note), "\n".join(head), *body, made]) + "\n"


def _tell_day(encounter: EncounterSummary | None, facts: VisitFacts) -> str:
    """The day of the visit; where the record has none, the day of writing, and says so."""
    if encounter and encounter.start:
        moment = _localise(encounter.start, facts.zone)
        return format_day(moment.isoformat() if moment else encounter.start)
    return f"{format_day(facts.opened_at.isoformat())} (of writing)"


def _tell_start(encounter: EncounterSummary | None, zone: tzinfo | None) -> str:
    moment = _localise(encounter.start, zone) if encounter else None
    if encounter is None or moment is None:
        return NOT_RECORDED
    return _tell_time(moment) + (" (scheduled)" if encounter.status in NOT_BEGUN else "")


def _tell_stop(encounter: EncounterSummary | None, zone: tzinfo | None) -> str:
    moment = _localise(encounter.end, zone) if encounter else None
    if encounter is None or moment is None:
        return NOT_RECORDED
    started = _localise(encounter.start, zone)
    other_day = started is not None and started.date() != moment.date()
    day = f"{format_day(moment.isoformat())}, " if other_day else ""
    return day + _tell_time(moment) + (" (scheduled)" if encounter.status in NOT_OVER else "")


def _list_participants(chart: Chart) -> list[str]:
    """The patient (named above, so not again), the clinician, and whom else the encounter names, each once."""
    name = chart.practitioner.name
    clinician = name if name == CLINICIAN_UNKNOWN else f"{name} (clinician)"
    named = chart.encounter.participants if chart.encounter else ()
    others = [
        one
        for one in named
        if _words(one) != _words(chart.patient.name) and not _is_same_person(one, name, least_words=2)
    ]
    return list(dict.fromkeys(("patient", clinician, *others)))


def _is_same_person(one: str, other: str, least_words: int) -> bool:
    """``Ellison, Mara`` and ``Dr. Mara Ellison PsyD``: the words of one are all among those of the other."""
    first, second = _words(one), _words(other)
    return first == second or (len(first & second) >= least_words and (first <= second or second <= first))


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", name.casefold()))


def _localise(text: str, zone: tzinfo | None) -> datetime | None:
    """A full dateTime in the practice's zone, or in its own; None where it is partial or none."""
    moment = parse_moment(text)
    return moment.astimezone(zone) if moment is not None and zone is not None else moment


def _tell_time(moment: datetime) -> str:
    return f"{moment:%H:%M} {moment.tzname() or ''}".strip()
