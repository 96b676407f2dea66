"""The words of a visit's state machine: what may happen (events) and what is then to be done (effects).

Plain values without patient data; ``visit/state`` says which event means what in which state.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.consent.decision import Activity


class Way(StrEnum):
    """A way of working."""

    RECORD = "record"  # the session itself
    DICTATE = "dictate"
    TYPE = "type"
    TIDY = "tidy"  # a note that the clinician wrote
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
class CaptureAsked:
    """The clinician wants the microphone, for the first time or again."""


@dataclass(frozen=True, slots=True)
class CaptureOpened:
    """The log knows of it: from now on the microphone may be open."""


@dataclass(frozen=True, slots=True)
class CaptureNotOpened:
    """The log can't be written."""


@dataclass(frozen=True, slots=True)
class CapturePaused:
    pass


@dataclass(frozen=True, slots=True)
class CaptureStopped:
    pass


@dataclass(frozen=True, slots=True)
class GraceOver:
    """The record has not confirmed the permission for as long as the site lets it hold."""


@dataclass(frozen=True, slots=True)
class AudioArrived:
    pass


@dataclass(frozen=True, slots=True)
class TranscriptClosed:
    """Transcription ended, well or not; ``has_material`` says whether anything of this kind has been heard by now."""

    has_material: bool


@dataclass(frozen=True, slots=True)
class RecordingDiscarded:
    """The clinician wants nothing of the recorded session to be kept."""


@dataclass(frozen=True, slots=True)
class TypedChanged:
    """``has_material``: whether there is any material that was not recorded."""

    has_material: bool


@dataclass(frozen=True, slots=True)
class DraftAsked:
    pass


@dataclass(frozen=True, slots=True)
class ConsentReread:
    """Consent was decided again: for what waits for it, or because of a timer, a notification, a new answer."""

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
class FormatAsked:
    """What is checked stands in another format by now; ``asks``: the model has still to be asked for what is new."""

    open_decisions: int
    asks: bool


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
    | CaptureAsked
    | CaptureOpened
    | CaptureNotOpened
    | CapturePaused
    | CaptureStopped
    | GraceOver
    | AudioArrived
    | TranscriptClosed
    | RecordingDiscarded
    | TypedChanged
    | DraftAsked
    | ConsentReread
    | ConsentUnread
    | DraftClosed
    | DraftFailed
    | DecisionMade
    | FormatAsked
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
class OpenCapture:
    """Write the log entry, then let the microphone be opened and watch consent while it is."""

    starts: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CloseCapture:
    """The microphone is off, or paused: stop watching."""

    starts: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Destroy:
    """What rested on permissions that have ended: the recorded session where it is recording alone, else all."""

    lost: frozenset[Activity]
    starts: ClassVar[bool] = False


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


Effect = (
    Transcribe
    | RereadConsent
    | OpenCapture
    | CloseCapture
    | Destroy
    | StartDraft
    | OpenReview
    | StopModels
    | WriteNote
    | ShowText
    | Purge
)
