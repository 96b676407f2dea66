"""Material: the numbered segments that everything in a note has to rest on."""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass, replace
from enum import StrEnum

from gateway.proof import Maker

MAKER = Maker("capture/material")


class Source(StrEnum):
    """Where a segment comes from."""

    DICTATION = "dictation"
    TYPED = "typed"
    OBSERVATION = "observation"
    SESSION = "session"  # speech of a recorded session
    SILENCE = "silence"  # nobody spoke for 3 s or more: a mark without words


class Speaker(StrEnum):
    """Who said it; never guessed."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """Which microphone of a session a segment was heard by: the room's, or the call's."""

    ROOM = "room"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Segment:
    """One numbered piece, at most a few sentences; or a mark, which has a time and no words.

    ``number`` counts from 1 and is never reused. ``start_seconds`` and ``end_seconds`` are None for what was typed.
    ``unclear`` says that the speech model itself was unsure. ``heard_also`` is what the second hearing made of it
    where the two differ in what matters, else empty. ``confidence`` is the model's own, from 0 to 1. ``channel`` is
    None for what was not heard in a session.
    """

    number: int
    source: Source
    speaker: Speaker
    text: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    unclear: bool = False
    heard_also: str = ""
    confidence: float | None = None
    channel: Channel | None = None

    @property
    def is_mark(self) -> bool:
        """No words: a silence, or (source SESSION) speech that was not understood. Nothing can rest on it."""
        return not self.text

    @property
    def heard_two_ways(self) -> bool:
        """Whether a person has to decide which of two hearings is right."""
        return bool(self.heard_also)


@dataclass(frozen=True, slots=True)
class Material:
    """All segments of a visit so far, in order. ``language`` is a BCP 47 tag (``en``)."""

    maker: InitVar[Maker]
    segments: tuple[Segment, ...]
    language: str = "en"

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if [segment.number for segment in self.segments] != list(range(1, len(self.segments) + 1)):
            raise ValueError("segments are numbered from 1 without a gap")

    @property
    def word_count(self) -> int:
        return sum(len(segment.text.split()) for segment in self.segments)


def gather_material(segments: Iterable[Segment], language: str = "en") -> Material:
    """Number the segments in the order given, drop those without a word that are no marks, and make the proof."""
    kept = [segment for segment in segments if _is_worth_keeping(segment)]
    numbered = tuple(
        replace(segment, number=number, text=segment.text.strip()) for number, segment in enumerate(kept, start=1)
    )
    return Material(MAKER, numbered, language)


def _is_worth_keeping(segment: Segment) -> bool:
    if segment.is_mark:
        return segment.source in (Source.SESSION, Source.SILENCE)
    return any(character.isalnum() for character in segment.text)
