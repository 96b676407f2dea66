"""The visit's state machine: ``step(state, event) -> (state, effects)``, pure and small enough to search.

Events come from the clinician, the models, the EHR and the clock; effects are run by ``visit/workflow``. Nothing
here waits, reads or holds patient data. Two laws, searched exhaustively in ``tests/unit/visit``:

- ``WriteNote`` and ``ShowText`` come only after the chart, the consents that the way of working needs, a review
  without an open decision, and the attestation.
- The phase ``ENDED`` is entered only together with ``Purge``, and nothing leaves it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Literal, assert_never

from gateway.consent.decision import Activity


class Phase(StrEnum):
    OPENING = "opening"  # the chart is being read
    CHOOSING = "choosing"  # how to work; also: which encounter, telehealth or not
    GATHERING = "gathering"  # dictating or typing
    DRAFTING = "drafting"
    REVIEWING = "reviewing"
    FILING = "filing"
    HANDING_OVER = "handing-over"
    ENDED = "ended"


class Way(StrEnum):
    """A way of working."""

    DICTATE = "dictate"
    TYPE = "type"
    WRITE = "write"  # without AI: the clinician writes every word


class Telehealth(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    FILED = "filed"
    HANDED_OVER = "handed-over"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


def needed_consents(way: Way, telehealth: Telehealth) -> frozenset[Activity]:
    """The consents that a way of working rests on. Telehealth adds its own to every way with AI."""
    match way:
        case Way.WRITE:
            return frozenset()
        case Way.DICTATE | Way.TYPE:
            remote = {Activity.TELEHEALTH} if telehealth is not Telehealth.NO else set()
            return frozenset({Activity.AI_DRAFTING} | remote)
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
    has_material: bool = False
    transcribing: bool = False
    asking: Literal["", "draft", "file"] = ""  # consent is being read again before this
    open_decisions: int = 0
    outcome: Outcome | None = None

    def offers(self, way: Way) -> bool:
        """Whether this way of working may be chosen now."""
        known = self.telehealth is not Telehealth.UNKNOWN or way is Way.WRITE
        return self.encounter_settled and known and needed_consents(way, self.telehealth) <= self.permitted


# Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChartRead:
    permitted: frozenset[Activity]
    telehealth: Telehealth
    encounter_settled: bool


@dataclass(frozen=True, slots=True)
class ChartFailed:
    pass


@dataclass(frozen=True, slots=True)
class EncounterChosen:
    """``telehealth`` is what the chosen encounter says; None: as before."""

    telehealth: Telehealth | None = None


@dataclass(frozen=True, slots=True)
class TelehealthAnswered:
    remote: bool


@dataclass(frozen=True, slots=True)
class WayChosen:
    way: Way


@dataclass(frozen=True, slots=True)
class AudioArrived:
    pass


@dataclass(frozen=True, slots=True)
class TranscriptClosed:
    """Transcription ended, well or not; ``has_material`` says whether there is any material now."""

    has_material: bool


@dataclass(frozen=True, slots=True)
class TypedChanged:
    has_material: bool


@dataclass(frozen=True, slots=True)
class DraftAsked:
    pass


@dataclass(frozen=True, slots=True)
class ConsentReread:
    permitted: frozenset[Activity]


@dataclass(frozen=True, slots=True)
class ConsentUnread:
    """The record did not answer: nothing starts, nothing is lost; it may be asked again."""


@dataclass(frozen=True, slots=True)
class DraftClosed:
    """The draft is finished with this many open decisions."""

    open_decisions: int


@dataclass(frozen=True, slots=True)
class DraftFailed:
    pass


@dataclass(frozen=True, slots=True)
class DecisionMade:
    open_decisions: int


@dataclass(frozen=True, slots=True)
class MaterialAsked:
    """Back to the material, to add or mend and draft again."""


@dataclass(frozen=True, slots=True)
class FilingAsked:
    """The clinician attests and files."""

    attested: bool


@dataclass(frozen=True, slots=True)
class NoteStored:
    """Read back from the record and as it should be."""


@dataclass(frozen=True, slots=True)
class NoteNotStored:
    """The record certainly does not hold it; the clinician may try again."""


@dataclass(frozen=True, slots=True)
class UnsignedRefused:
    """The EHR answered that it holds no unsigned notes."""


@dataclass(frozen=True, slots=True)
class HandOverConfirmed:
    pass


@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    pass


Event = (
    ChartRead
    | ChartFailed
    | EncounterChosen
    | TelehealthAnswered
    | WayChosen
    | AudioArrived
    | TranscriptClosed
    | TypedChanged
    | DraftAsked
    | ConsentReread
    | ConsentUnread
    | DraftClosed
    | DraftFailed
    | DecisionMade
    | MaterialAsked
    | FilingAsked
    | NoteStored
    | NoteNotStored
    | UnsignedRefused
    | HandOverConfirmed
    | Cancelled
    | DeadlinePassed
)

# Effects --------------------------------------------------------------------------------------------------------
# ``starts``: it waits for its ledger entry. What stops something never waits.


@dataclass(frozen=True, slots=True)
class Transcribe:
    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RereadConsent:
    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class StartDraft:
    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class OpenReview:
    """An empty review, for the clinician to write every word."""

    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class StopModels:
    starts: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class WriteNote:
    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class ShowText:
    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Purge:
    outcome: Outcome
    starts: ClassVar[bool] = False


Effect = Transcribe | RereadConsent | StartDraft | OpenReview | StopModels | WriteNote | ShowText | Purge


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
        case AudioArrived() | TranscriptClosed() | TypedChanged() | DraftAsked() | MaterialAsked():
            return _step_gathering(state, event)
        case ConsentReread() | ConsentUnread():
            return _step_consent(state, event)
        case DraftClosed() | DraftFailed() | DecisionMade():
            return _step_draft(state, event)
        case FilingAsked() | NoteStored() | NoteNotStored() | UnsignedRefused() | HandOverConfirmed():
            return _step_filing(state, event)
        case _:
            assert_never(event)


def _end(state: State, outcome: Outcome) -> Step:
    return replace(state, phase=Phase.ENDED, outcome=outcome, asking="", transcribing=False), (
        StopModels(),
        Purge(outcome),
    )


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


def _step_gathering(
    state: State, event: AudioArrived | TranscriptClosed | TypedChanged | DraftAsked | MaterialAsked
) -> Step:
    if isinstance(event, MaterialAsked):
        _require(state, Phase.REVIEWING, Phase.DRAFTING)
        _require_idle(state)
        return _back_to_material(state), (StopModels(),)
    _require(state, Phase.GATHERING)
    if state.asking:
        raise NotNow("The draft is about to start.")
    match event:
        case AudioArrived():
            if state.way is not Way.DICTATE:
                raise NotNow("Choose dictation first.")
            if state.transcribing:
                raise NotNow("The last dictation is still being transcribed.")
            return replace(state, transcribing=True), (Transcribe(),)
        case TranscriptClosed(has_material):
            return replace(state, transcribing=False, has_material=has_material), ()
        case TypedChanged(has_material):
            return replace(state, has_material=has_material), ()
        case DraftAsked():
            if state.transcribing:
                raise NotNow("The dictation is still being transcribed.")
            if not state.has_material:
                raise NotNow("There is nothing to draft from yet: dictate or type first.")
            return replace(state, asking="draft"), (RereadConsent(),)
        case _:
            assert_never(event)


def _back_to_material(state: State) -> State:
    """Where the material is gathered; without AI there is none, so back to the choice."""
    if state.way is Way.WRITE:
        return replace(state, phase=Phase.CHOOSING, way=None, open_decisions=0)
    return replace(state, phase=Phase.GATHERING, open_decisions=0)


def _step_consent(state: State, event: ConsentReread | ConsentUnread) -> Step:
    """Consent is decided again before drafting and before filing; what is gone ends what rested on it."""
    if not state.asking or state.way is None:
        raise NotNow("Nothing waits for consent.")
    if isinstance(event, ConsentUnread):
        return replace(state, asking=""), ()
    asked, state = state.asking, replace(state, asking="", permitted=event.permitted)
    assert state.way is not None
    if not needed_consents(state.way, state.telehealth) <= event.permitted:
        return replace(state, phase=Phase.CHOOSING, way=None, has_material=False, open_decisions=0), (StopModels(),)
    if asked == "draft":
        return replace(state, phase=Phase.DRAFTING), (StartDraft(),)
    if state.unsigned_notes:
        return replace(state, phase=Phase.FILING), (WriteNote(),)
    return replace(state, phase=Phase.HANDING_OVER), (ShowText(),)


def _step_draft(state: State, event: DraftClosed | DraftFailed | DecisionMade) -> Step:
    match event:
        case DraftClosed(open_decisions):
            _require(state, Phase.DRAFTING)
            return replace(state, phase=Phase.REVIEWING, open_decisions=open_decisions), ()
        case DraftFailed():
            _require(state, Phase.DRAFTING)
            return _back_to_material(state), (StopModels(),)
        case DecisionMade(open_decisions):
            _require(state, Phase.REVIEWING)
            _require_idle(state)
            return replace(state, open_decisions=open_decisions), ()
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
                raise NotNow("Decide every section and every risk line first.")
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


def _require_idle(state: State) -> None:
    if state.asking or state.transcribing:
        raise NotNow("Wait until what was started is done.")
