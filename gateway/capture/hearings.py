"""Two hearings of a piece become its sentences: one text for each, and the other where the two differ in what matters.

In: what was heard plainly, and what was heard with hotwords. Out: sentences of the plain hearing, each beside the
words of the second at the same place. Neither hearing is corrected by the other: which is right, a person decides.
Pure.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.capture.heard import HeardPiece, HeardWord, cut_sentences, is_unsure, join_words, measure_confidence

Differ = Callable[[str, str], bool]
"""Whether two texts differ in what matters (``differences.compare_hearings``)."""

NOT_HEARD = "…"
"""The second text where that hearing has no words at this place."""

_Pair = tuple[Sequence[HeardWord], Sequence[HeardWord]]

_PLAIN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class HeardSentence:
    """One sentence of a piece; times in seconds of the piece. ``also`` is empty where the hearings agree."""

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float
    unclear: bool
    also: str = ""


def merge_hearings(first: HeardPiece, second: HeardPiece | None, differ: Differ) -> Iterator[HeardSentence]:
    """The sentences of a piece, in order.

    Args:
        first: heard plainly.
        second: heard with hotwords; None where that failed, and as good as none where it went round in circles: then
            every sentence is unclear.
        differ: says whether two texts differ in what matters.

    Yields:
        The plain hearing's sentences; those of the second, as unclear, where the plain one has no words at all.
    """
    second = None if second is not None and second.repeats else second
    if not first.spoken:
        for words in cut_sentences(second.spoken if second else ()):
            yield _read(words, unclear=True)
        return
    doubtful = first.doubtful or second is None
    sentences = list(cut_sentences(first.spoken))
    if second is None:
        yield from (_read(words, doubtful) for words in sentences)
        return
    for pair in _join_split(zip(sentences, _align(sentences, second.spoken), strict=True), differ):
        also = join_words(pair[1]) or NOT_HEARD
        yield _read(pair[0], doubtful, also if _differs(pair, differ) else "")


def _join_split(pairs: Iterable[_Pair], differ: Differ) -> Iterator[_Pair]:
    """Two sentences become one where only together they differ: "Better off. Fed up" is also "better off dead"."""
    last: _Pair | None = None
    for pair in pairs:
        if last is None:
            last = pair
            continue
        both = ((*last[0], *pair[0]), (*last[1], *pair[1]))
        if _differs(both, differ) and not _differs(last, differ) and not _differs(pair, differ):
            last = both
        else:
            yield last
            last = pair
    if last is not None:
        yield last


def _differs(pair: _Pair, differ: Differ) -> bool:
    return differ(join_words(pair[0]), join_words(pair[1]))


def _read(words: Sequence[HeardWord], unclear: bool, also: str = "") -> HeardSentence:
    return HeardSentence(
        join_words(words),
        words[0].start_seconds,
        max(words[0].start_seconds, words[-1].end_seconds),
        round(measure_confidence(words), 3),
        unclear or is_unsure(words),
        also,
    )


def _align(sentences: Sequence[Sequence[HeardWord]], other: Sequence[HeardWord]) -> list[Sequence[HeardWord]]:
    """The other hearing's words cut where the sentences end: at the same word, or in proportion where none is."""
    words = [_plain(word) for sentence in sentences for word in sentence]
    matcher = difflib.SequenceMatcher(None, words, [_plain(word) for word in other], autojunk=False)
    steps = matcher.get_opcodes()
    parts: list[Sequence[HeardWord]] = []
    ended = cut = 0
    for sentence in sentences:
        ended += len(sentence)
        following = _find_place(steps, ended) if ended < len(words) else len(other)
        parts.append(other[cut:following])
        cut = following
    return parts


def _find_place(steps: Sequence[tuple[str, int, int, int, int]], at: int) -> int:
    """Where word ``at`` of the first is in the other; words that only the other has belong to what comes before."""
    for _, begins, ends, other_begins, other_ends in steps:
        if begins <= at < ends:
            share = (at - begins) / (ends - begins)
            return other_begins + round(share * (other_ends - other_begins))
    return steps[-1][4]


def _plain(word: HeardWord) -> str:
    return _PLAIN.sub("", word.text.lower())
