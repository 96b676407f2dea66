"""What a speech model says of one piece: words with times, and its own doubts; cut into sentences.

In: what the engine gives. Out: sentences with their times in the piece. Text that was made up in silence is dropped;
nothing else is: what is doubtful is marked.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.capture.material import Segment, Source, Speaker
from gateway.capture.pieces import Piece
from gateway.capture.sentences import LONGEST_WORDS, ends_sentence

# What the model was unsure of, by its own figures. Whisper's own rule for made-up text in silence is the first line
# (https://arxiv.org/abs/2212.04356, section 4.5). The last line was chosen on two synthetic dictations heard by
# tiny.en and base: it marks about 15 of 25 sentences that were misheard and 4 of 35 that were not.
_NO_SPEECH, _LOW_LOGPROB = 0.6, -1.0
_REPEATED = 2.4  # compression ratio: the same words over and over
_UNSURE_WORD, _UNSURE_SENTENCE = 0.4, 0.8


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word as the engine gives it; times in seconds of the piece, probability from 0 to 1."""

    text: str
    start_seconds: float
    end_seconds: float
    probability: float


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """What the engine says of one window: its words, and how it judges the window as a whole."""

    words: tuple[HeardWord, ...]
    average_logprob: float
    no_speech_probability: float
    compression_ratio: float

    @property
    def made_up(self) -> bool:
        """Text where the model itself hears no speech and is unsure of every word."""
        return self.no_speech_probability > _NO_SPEECH and self.average_logprob < _LOW_LOGPROB

    @property
    def doubtful(self) -> bool:
        """Every sentence of it is unclear."""
        return self.no_speech_probability > _NO_SPEECH or self.average_logprob < _LOW_LOGPROB or self.repeats

    @property
    def repeats(self) -> bool:
        """The decoder went round in circles: what else was said is lost."""
        return self.compression_ratio > _REPEATED

    @property
    def spoken(self) -> tuple[HeardWord, ...]:
        """The words, none where the text was made up."""
        return () if self.made_up else tuple(word for word in self.words if word.text.strip())


NOTHING_HEARD = HeardPiece((), 0.0, 1.0, 1.0)


def read_sentences(heard: HeardPiece, piece: Piece, first_number: int) -> Iterator[Segment]:
    """Cut what was heard in a piece of a dictation into numbered sentences with their own times in the recording."""
    for number, sentence in enumerate(cut_sentences(heard.spoken), start=first_number):
        start = piece.place(sentence[0].start_seconds)
        yield Segment(
            number,
            Source.DICTATION,
            Speaker.CLINICIAN,
            join_words(sentence),
            start_seconds=round(start, 2),
            end_seconds=round(max(start, piece.place(sentence[-1].end_seconds)), 2),
            unclear=heard.doubtful or is_unsure(sentence),
        )


def cut_sentences(words: Sequence[HeardWord]) -> Iterator[tuple[HeardWord, ...]]:
    """Every word, in order, sentence by sentence."""
    first = 0
    for index, word in enumerate(words):
        following = words[index + 1].text.strip() if index + 1 < len(words) else ""
        if not following or index - first + 1 >= LONGEST_WORDS or ends_sentence(word.text.strip(), following):
            yield tuple(words[first : index + 1])
            first = index + 1


def join_words(words: Sequence[HeardWord]) -> str:
    """The engine's words carry their own spaces."""
    return "".join(word.text for word in words).strip()


def is_unsure(words: Sequence[HeardWord]) -> bool:
    """Whether one word, or the sentence on the whole, was hard to hear."""
    return min(word.probability for word in words) < _UNSURE_WORD or measure_confidence(words) < _UNSURE_SENTENCE


def measure_confidence(words: Sequence[HeardWord]) -> float:
    """The geometric mean of the words' probabilities."""
    return math.exp(sum(math.log(max(word.probability, 1e-6)) for word in words) / len(words))
