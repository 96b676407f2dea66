"""Handing the note over to an EHR that holds no unsigned notes: the text once, for the EHR's own editor."""

from dataclasses import InitVar, dataclass
from datetime import datetime

from gateway.ehr.chart import Chart
from gateway.ehr.site import Note
from gateway.filing.text import VisitFacts, compose_text
from gateway.note.review import ApprovedNote
from gateway.proof import Maker

MAKER = Maker("filing/handover")


@dataclass(frozen=True, slots=True)
class HandOverText:
    """The approved note's words, to be copied into the EHR's editor by the clinician."""

    maker: InitVar[Maker]
    text: str

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """This EHR holds no unsigned notes; the text was shown, and the clinician says that it is there."""

    maker: InitVar[Maker]
    confirmed_by: str
    confirmed_at: datetime

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


def offer_text(note: ApprovedNote, chart: Chart, facts: VisitFacts, site_note: Note) -> HandOverText:
    """The text to show; the same words that a filed note would have."""
    return HandOverText(MAKER, compose_text(note, chart, facts, site_note))


def confirm_handover(offered: HandOverText, clinician: str, now: datetime) -> HandedOver:
    """The clinician says that the offered text is in the EHR."""
    del offered  # asked for because nothing can be handed over that was not offered
    return HandedOver(MAKER, clinician, now)
