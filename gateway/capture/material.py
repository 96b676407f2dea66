"""Material: the numbered segments that everything in a note has to rest on."""

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, replace
from enum import StrEnum
from types import MappingProxyType

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


class Look(StrEnum):
    """Why a person has to listen to a segment, or read it twice."""

    TWO_WAYS = "two-ways"  # two hearings differ in what matters
    UNCLEAR = "unclear"  # the speech model was unsure
    MISSED = "missed"  # something was said and not understood


@dataclass(frozen=True, slots=True)
class Segment:
    """One numbered piece, at most a few sentences; or a mark, which has a time and no words.

    ``number`` counts from 1 and is never reused. ``start_seconds`` and ``end_seconds`` are None for what was typed.
    ``unclear`` says that the speech model itself was unsure. ``heard_also`` is what the second hearing made of it
    where the two differ in what matters, else empty. ``confidence`` is the model's own, from 0 to 1. ``channel`` is
    None for what was not heard in a session. ``settled``: a person decided its words, whatever was heard.
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
    settled: bool = False

    @property
    def is_mark(self) -> bool:
        """No words: a silence, or (source SESSION) speech that was not understood. Nothing can rest on it."""
        return not self.text

    @property
    def heard_two_ways(self) -> bool:
        """Whether a person has to decide which of two hearings is right."""
        return bool(self.heard_also)

    @property
    def look(self) -> Look | None:
        """What it still needs from a person."""
        if self.settled:
            return None
        if self.is_mark:
            return Look.MISSED if self.source is Source.SESSION else None
        if self.heard_two_ways:
            return Look.TWO_WAYS
        return Look.UNCLEAR if self.unclear else None


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

    @property
    def looks(self) -> Mapping[int, Look]:
        """The segments that need a person, by number, and why."""
        found = {segment.number: segment.look for segment in self.segments}
        return MappingProxyType({number: look for number, look in found.items() if look is not None})


def gather_material(segments: Iterable[Segment], language: str = "en") -> Material:
    """Number the segments in the order given, drop those without a word that are no marks, and make the proof."""
    kept = [segment for segment in segments if is_worth_keeping(segment)]
    numbered = tuple(
        replace(segment, number=number, text=segment.text.strip()) for number, segment in enumerate(kept, start=1)
    )
    return Material(MAKER, numbered, language)


def is_worth_keeping(segment: Segment) -> bool:
    """Whether it is numbered: it has a word, or is a mark of the session."""
    if segment.is_mark:
        return segment.source in (Source.SESSION, Source.SILENCE)
    return any(character.isalnum() for character in segment.text)
