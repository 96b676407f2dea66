"""The visit's state machine: ``step(state, event) -> (state, effects)``, pure and small enough to search.

Events come from the clinician, the models, the EHR and the clock; effects are run by ``visit/workflow``. Nothing
here waits, reads or holds patient data. Two laws, searched exhaustively in ``tests/unit/visit``:

- ``WriteNote`` and ``ShowText`` come only after the chart, the consents that the way of working needs, a review
  without an open decision, and the attestation.
- The phase ``ENDED`` is entered only together with ``Purge``, and nothing leaves it.
- ``OpenCapture`` comes only after a reading of consent that permits all that the way needs; a permission that ends
  closes capture and destroys what rested on it in the same step.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, assert_never

from gateway.consent.decision import Activity
from gateway.visit.events import (
    AudioArrived,
    Cancelled,
    CaptureAsked,
    CaptureNotOpened,
    CaptureOpened,
    CapturePaused,
    CaptureStopped,
    ChartFailed,
    ChartRead,
    CloseCapture,
    ConsentReread,
    ConsentUnread,
    DeadlinePassed,
    DecisionMade,
    Destroy,
    DraftAsked,
    DraftClosed,
    DraftFailed,
    Effect,
    EncounterChosen,
    Event,
    FilingAsked,
    FormatAsked,
    GraceOver,
    HandOverConfirmed,
    MaterialAsked,
    NoteNotStored,
    NoteStored,
    OpenCapture,
    OpenReview,
    Outcome,
    Purge,
    RecordingDiscarded,
    RereadConsent,
    ShowText,
    StartDraft,
    StopModels,
    Telehealth,
    TelehealthAnswered,
    Transcribe,
    TranscriptClosed,
    TypedChanged,
    UnsignedRefused,
    Way,
    WayChosen,
    WriteNote,
)


class Phase(StrEnum):
    OPENING = "opening"  # the chart is being read
    CHOOSING = "choosing"  # how to work; also: which encounter, telehealth or not
    GATHERING = "gathering"  # dictating or typing
    DRAFTING = "drafting"
    REVIEWING = "reviewing"
    FILING = "filing"
    HANDING_OVER = "handing-over"
    ENDED = "ended"


CAPTURING = frozenset({Way.RECORD, Way.DICTATE})  # ways that open a microphone


def needed_consents(way: Way, telehealth: Telehealth) -> frozenset[Activity]:
    """The consents that a way of working rests on. Telehealth adds its own to every way with AI."""
    match way:
        case Way.WRITE:
            return frozenset()
        case Way.RECORD | Way.DICTATE | Way.TYPE | Way.TIDY:
            remote = {Activity.TELEHEALTH} if telehealth is not Telehealth.NO else set()
            recorded = {Activity.RECORDING} if way is Way.RECORD else set()
            return frozenset({Activity.AI_DRAFTING} | remote | recorded)
        case _:
            assert_never(way)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides what may happen next; no patient data."""

    phase: Phase = Phase.OPENING
    unsigned_notes: bool = True  # this EHR holds preliminary notes
    permitted: frozenset[Activity] = frozenset()
    telehealth: Telehealth = Telehealth.UNKNOWN
    encounter_settled: bool = False
    way: Way | None = None
    has_recorded: bool = False  # something of the session itself, heard or still to be heard
    has_other: bool = False  # dictated or typed
    transcribing: bool = False
    capture: Literal["off", "on", "paused"] = "off"  # whether the microphone may be open
    # What waits for consent to be read again; "opening": read, and the log entry is being written.
    asking: Literal["", "capture", "opening", "draft", "file"] = ""
    open_decisions: int = 0
    outcome: Outcome | None = None

    @property
    def has_material(self) -> bool:
        return self.has_recorded or self.has_other

    def offers(self, way: Way) -> bool:
        """Whether this way of working may be chosen now."""
        known = self.telehealth is not Telehealth.UNKNOWN or way is Way.WRITE
        return self.encounter_settled and known and needed_consents(way, self.telehealth) <= self.permitted


class NotNow(Exception):
    """This event has no meaning in this state; nothing changed. Its text says why, for the clinician."""


Step = tuple[State, tuple[Effect, ...]]


def step(state: State, event: Event) -> Step:
    """One event; the next state and what to do about it.

    Raises:
        NotNow: the event does not fit; the state is as before.
    """
    if state.phase is Phase.ENDED:
        raise NotNow("This visit is over.")
    match event:
        case Cancelled():
            return _end(state, Outcome.CANCELLED)
        case DeadlinePassed():
            return _end(state, Outcome.EXPIRED)
        case ChartRead() | ChartFailed() | EncounterChosen() | TelehealthAnswered() | WayChosen():
            return _step_choosing(state, event)
        case CaptureAsked() | CaptureOpened() | CaptureNotOpened() | CapturePaused() | CaptureStopped() | GraceOver():
            return _step_capture(state, event)
        case (
            AudioArrived() | TranscriptClosed() | RecordingDiscarded() | TypedChanged() | DraftAsked() | MaterialAsked()
        ):
            return _step_gathering(state, event)
        case ConsentReread() | ConsentUnread():
            return _step_consent(state, event)
        case DraftClosed() | DraftFailed() | DecisionMade() | FormatAsked():
            return _step_draft(state, event)
        case FilingAsked() | NoteStored() | NoteNotStored() | UnsignedRefused() | HandOverConfirmed():
            return _step_filing(state, event)
        case _:
            assert_never(event)


def _end(state: State, outcome: Outcome) -> Step:
    ended = replace(state, phase=Phase.ENDED, outcome=outcome, asking="", transcribing=False, capture="off")
    return ended, (*_close_capture(state), StopModels(), Purge(outcome))


def _step_choosing(
    state: State, event: ChartRead | ChartFailed | EncounterChosen | TelehealthAnswered | WayChosen
) -> Step:
    if isinstance(event, ChartRead | ChartFailed):
        _require(state, Phase.OPENING)
        if isinstance(event, ChartFailed):
            return _end(state, Outcome.FAILED)
        return replace(
            state,
            phase=Phase.CHOOSING,
            permitted=event.permitted,
            telehealth=event.telehealth,
            encounter_settled=event.encounter_settled,
        ), ()
    if isinstance(event, WayChosen):
        _require(state, Phase.CHOOSING, Phase.GATHERING)
        _require_idle(state)
        _require_stopped(state)
    else:
        _require(state, Phase.CHOOSING)
    match event:
        case EncounterChosen(telehealth):
            return replace(state, encounter_settled=True, telehealth=telehealth or state.telehealth), ()
        case TelehealthAnswered(remote):
            return replace(state, telehealth=Telehealth.YES if remote else Telehealth.NO), ()
        case WayChosen(way):
            if not state.offers(way):
                raise NotNow("This way of working is not permitted for this patient.")
            if way is Way.WRITE:
                # Nothing is drafted: an empty review, open until the clinician has written.
                return replace(state, way=way, phase=Phase.REVIEWING, open_decisions=1), (OpenReview(),)
            return replace(state, way=way, phase=Phase.GATHERING), ()
        case _:
            assert_never(event)


def _step_capture(
    state: State,
    event: CaptureAsked | CaptureOpened | CaptureNotOpened | CapturePaused | CaptureStopped | GraceOver,
) -> Step:
    match event:
        case CaptureAsked():
            _require(state, Phase.GATHERING)
            if state.way not in CAPTURING:
                raise NotNow("This way of working needs no microphone.")
            if state.asking or state.capture == "on":
                raise NotNow("Wait until what was started is done.")
            return replace(state, asking="capture"), (RereadConsent(),)
        case CaptureOpened() | CaptureNotOpened():
            if state.asking != "opening":
                raise NotNow("The microphone was stopped meanwhile.")
            if isinstance(event, CaptureNotOpened):
                return replace(state, asking=""), ()
            return replace(state, asking="", capture="on"), ()
        case CapturePaused() | GraceOver():
            if state.capture != "on":
                raise NotNow("The microphone is not on.")
            return replace(state, capture="paused"), (CloseCapture(),)
        case CaptureStopped():
            withdrawn = replace(state, asking="") if state.asking in ("capture", "opening") else state
            return replace(withdrawn, capture="off"), _close_capture(state)
        case _:
            assert_never(event)


def _close_capture(state: State) -> tuple[Effect, ...]:
    return () if state.capture == "off" else (CloseCapture(),)


def _step_gathering(
    state: State,
    event: AudioArrived | TranscriptClosed | RecordingDiscarded | TypedChanged | DraftAsked | MaterialAsked,
) -> Step:
    if isinstance(event, MaterialAsked):
        _require(state, Phase.REVIEWING, Phase.DRAFTING)
        _require_idle(state)
        return _back_to_material(state), (StopModels(),)
    _require(state, Phase.GATHERING)
    if state.asking == "draft":
        raise NotNow("The draft is about to start.")
    match event:
        case AudioArrived():
            if state.way not in CAPTURING:
                raise NotNow("Choose recording or dictation first.")
            if state.transcribing:
                raise NotNow("What was said before is still being transcribed.")
            has_recorded = state.has_recorded or state.way is Way.RECORD
            return replace(state, transcribing=True, has_recorded=has_recorded), (Transcribe(),)
        case TranscriptClosed(has_material):
            if not state.transcribing:
                raise NotNow("Nothing is being transcribed.")
            if state.way is Way.RECORD:
                return replace(state, transcribing=False, has_recorded=has_material), ()
            return replace(state, transcribing=False, has_other=has_material), ()
        case RecordingDiscarded():
            if state.way is not Way.RECORD or not state.has_recorded:
                raise NotNow("Nothing was recorded that could be discarded.")
            return replace(state, has_recorded=False, capture="off"), _close_capture(state)
        case TypedChanged(has_material):
            return replace(state, has_other=has_material), ()
        case DraftAsked():
            _require_stopped(state)
            if state.asking:
                raise NotNow("Wait until what was started is done.")
            if state.transcribing:
                raise NotNow("What was said is still being transcribed.")
            if not state.has_material:
                raise NotNow("There is nothing to draft from yet: record, dictate or type first.")
            return replace(state, asking="draft"), (RereadConsent(),)
        case _:
            assert_never(event)


def _back_to_material(state: State) -> State:
    """Where the material is gathered; without AI there is none, so back to the choice."""
    if state.way is Way.WRITE:
        return replace(state, phase=Phase.CHOOSING, way=None, open_decisions=0)
    return replace(state, phase=Phase.GATHERING, open_decisions=0)


def _step_consent(state: State, event: ConsentReread | ConsentUnread) -> Step:
    """Consent is decided again before it matters, and while it does; what has ended ends what rested on it."""
    waiting = state.asking if state.asking != "opening" else ""
    if isinstance(event, ConsentUnread):
        return replace(state, asking="" if waiting else state.asking), ()
    if state.phase in (Phase.OPENING, Phase.FILING, Phase.HANDING_OVER):
        if state.phase is Phase.OPENING:
            raise NotNow("The chart is not read yet.")
        return state, ()  # it was read right before
    state = replace(state, permitted=event.permitted)
    lost = needed_consents(state.way, state.telehealth) - event.permitted if state.way else frozenset()
    if lost:
        return _lose_way(state, lost)
    closed: tuple[Effect, ...] = ()
    if state.has_recorded and Activity.RECORDING not in event.permitted:
        before = state.phase
        state, closed = _lose_recorded(state)
        if state.phase is not before or (waiting == "draft" and not state.has_material):
            waiting = ""  # there is no draft any more, or nothing to make one from
    if not waiting:
        return replace(state, asking=state.asking if state.asking == "opening" else ""), closed
    following, effects = _go_on(replace(state, asking=""), waiting)
    return following, (*closed, *effects)


def _go_on(state: State, waiting: Literal["capture", "draft", "file"]) -> Step:
    """What waited for consent begins."""
    match waiting:
        case "capture":
            return replace(state, asking="opening"), (OpenCapture(),)
        case "draft":
            return replace(state, phase=Phase.DRAFTING), (StartDraft(),)
        case "file" if state.unsigned_notes:
            return replace(state, phase=Phase.FILING), (WriteNote(),)
        case "file":
            return replace(state, phase=Phase.HANDING_OVER), (ShowText(),)
        case _:
            assert_never(waiting)


def _lose_way(state: State, lost: frozenset[Activity]) -> Step:
    """The chosen way is no longer permitted: back to the choice; where it is recording alone, the rest stays."""
    keeps_other = state.has_other and lost == {Activity.RECORDING}
    following = replace(
        state,
        phase=Phase.CHOOSING,
        way=None,
        has_recorded=False,
        has_other=keeps_other,
        transcribing=False,
        capture="off",
        asking="",
        open_decisions=0,
    )
    return following, (*_close_capture(state), StopModels(), Destroy(lost))


def _lose_recorded(state: State) -> Step:
    """The way goes on, but what was recorded before may not stay, nor a draft that may rest on it."""
    destroy = Destroy(frozenset({Activity.RECORDING}))
    kept = replace(state, has_recorded=False)
    if state.way is not Way.WRITE and state.phase in (Phase.DRAFTING, Phase.REVIEWING):
        return replace(kept, phase=Phase.GATHERING, asking="", open_decisions=0), (StopModels(), destroy)
    return kept, (destroy,)


def _step_draft(state: State, event: DraftClosed | DraftFailed | DecisionMade | FormatAsked) -> Step:
    match event:
        case DraftClosed(open_decisions):
            _require(state, Phase.DRAFTING)
            return replace(state, phase=Phase.REVIEWING, open_decisions=open_decisions), ()
        case DraftFailed():
            _require(state, Phase.DRAFTING)
            if state.open_decisions:  # another format was asked for: what was moved to it stands
                return replace(state, phase=Phase.REVIEWING), (StopModels(),)
            return _back_to_material(state), (StopModels(),)
        case DecisionMade(open_decisions):
            _require(state, Phase.REVIEWING)
            _require_idle(state)
            return replace(state, open_decisions=open_decisions), ()
        case FormatAsked(open_decisions, asks):
            _require(state, Phase.REVIEWING)
            _require_idle(state)
            moved = replace(state, open_decisions=open_decisions)
            return (replace(moved, asking="draft"), (RereadConsent(),)) if asks else (moved, ())
        case _:
            assert_never(event)


def _step_filing(
    state: State, event: FilingAsked | NoteStored | NoteNotStored | UnsignedRefused | HandOverConfirmed
) -> Step:
    match event:
        case FilingAsked(attested):
            _require(state, Phase.REVIEWING)
            _require_idle(state)
            if state.open_decisions:
                raise NotNow("Decide every section, risk line and marked line first.")
            if not attested:
                raise NotNow("Confirm that you have reviewed the note first.")
            return replace(state, asking="file"), (RereadConsent(),)
        case NoteStored():
            _require(state, Phase.FILING)
            return _end(state, Outcome.FILED)
        case NoteNotStored():
            _require(state, Phase.FILING)
            return replace(state, phase=Phase.REVIEWING), ()
        case UnsignedRefused():
            _require(state, Phase.FILING)
            return replace(state, phase=Phase.HANDING_OVER, unsigned_notes=False), (ShowText(),)
        case HandOverConfirmed():
            _require(state, Phase.HANDING_OVER)
            return _end(state, Outcome.HANDED_OVER)
        case _:
            assert_never(event)


def _require(state: State, *phases: Phase) -> None:
    if state.phase not in phases:
        raise NotNow(f"That is not possible while the visit is {state.phase.value.replace('-', ' ')}.")


def _require_stopped(state: State) -> None:
    if state.capture != "off":
        raise NotNow("Stop the microphone first.")


def _require_idle(state: State) -> None:
    if state.asking or state.transcribing:
        raise NotNow("Wait until what was started is done.")
