"""Material: the numbered segments that everything in a note has to rest on."""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass
from enum import StrEnum

from gateway.proof import Maker

MAKER = Maker("capture/material")


class Source(StrEnum):
    """Where a segment comes from."""

    SESSION = "session"
    DICTATION = "dictation"
    TYPED = "typed"
    OBSERVATION = "observation"


class Speaker(StrEnum):
    """Who said it; never guessed."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Segment:
    """One numbered piece, at most a few sentences.

    ``number`` counts from 1 and is never reused. ``start_seconds`` and ``end_seconds`` are None for what was typed.
    ``unclear`` says that the speech model itself was unsure.
    """

    number: int
    source: Source
    speaker: Speaker
    text: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    unclear: bool = False


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
    """Number the segments in the order given, drop those without a word, and make the proof."""
    kept = [segment for segment in segments if any(character.isalnum() for character in segment.text)]
    numbered = tuple(
        Segment(
            number,
            kind.source,
            kind.speaker,
            kind.text.strip(),
            kind.start_seconds,
            kind.end_seconds,
            kind.unclear,
        )
        for number, kind in enumerate(kept, start=1)
    )
    return Material(MAKER, numbered, language)
