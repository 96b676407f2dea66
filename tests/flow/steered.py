"""A transcriber that hears a session as its script says, piece by piece: two ways, unclear, or not at all."""

from dataclasses import dataclass, field

from gateway.capture.audio import Samples
from gateway.capture.heard import HeardPiece, HeardWord
from gateway.capture.scripted import ScriptedTranscriber
from gateway.errors import ModelError


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence: what the first hearing makes of it and what the second does, and whether the model is sure."""

    first: str
    second: str = ""  # empty: the same
    sure: bool = True


MISSED: tuple[Said, ...] = ()
"""A piece in which the model fails."""


@dataclass(frozen=True, slots=True)
class SteeredTranscriber(ScriptedTranscriber):
    """Hears the pieces of a session in the order in which they come; the last of the script again, where more come."""

    pieces: tuple[tuple[Said, ...], ...] = ((),)
    _known: dict[bytes, int] = field(default_factory=dict)

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        place = self._known.setdefault(samples.tobytes(), len(self._known))
        piece = self.pieces[min(place, len(self.pieces) - 1)]
        if piece == MISSED:
            raise ModelError("model.failed", "The speech model failed.")
        spoken = [(said.second if hotwords and said.second else said.first, said.sure) for said in piece]
        words = [(word, sure) for text, sure in spoken for word in text.split()]
        share = len(samples) / 16_000 / len(words)
        heard = (
            HeardWord(f" {word}", place * share, (place + 1) * share, 0.95 if sure else 0.3)
            for place, (word, sure) in enumerate(words)
        )
        return HeardPiece(tuple(heard), -0.2, 0.1, 1.4)
