"""What a draft has of the clinician's own note: numbers with units, medications, words.

Numbers and medications are found in both texts by the gateway's own reading of them (``note/numbers``,
``note/wording``), so that "fifty milligrams" is "50 mg". ROUGE is that of Lin (2004): F1 over lower-cased words,
of single words and of the longest common subsequence, without stemming.
"""

import re
from collections import Counter
from collections.abc import Iterable

from gateway.note.numbers import find_quantities
from gateway.note.overlap import is_same
from gateway.note.wording import find_concept, is_drug, settle_words, split_tokens


def find_numbers(text: str) -> set[str]:
    """Numbers that were said with a unit: ``{"50 mg", "2 week"}``."""
    found = find_quantities(split_tokens(settle_words(text)))
    return {f"{each.value} {each.unit}" for each in found if each.unit}


def find_medications(text: str) -> set[str]:
    return {concept for token in split_tokens(settle_words(text)) if is_drug(concept := find_concept(token))}


def count_repeats(texts: Iterable[str]) -> int:
    """Texts that hold little but what one before them holds."""
    seen: list[str] = []
    repeats = 0
    for text in texts:
        repeats += any(is_same(text, earlier) for earlier in seen)
        seen.append(text)
    return repeats


def score_rouge(text: str, reference: str) -> tuple[float, float]:
    """ROUGE-1 and ROUGE-L, F1 in percent."""
    ours, theirs = (re.findall(r"[a-z0-9]+", each.lower()) for each in (text, reference))
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return _score(shared, ours, theirs), _score(_find_longest(ours, theirs), ours, theirs)


def _score(shared: int, ours: list[str], theirs: list[str]) -> float:
    return 200 * shared / (len(ours) + len(theirs)) if ours or theirs else 0.0


def _find_longest(ours: list[str], theirs: list[str]) -> int:
    """The length of the longest common subsequence."""
    before = [0] * (len(theirs) + 1)
    for word in ours:
        row = [0]
        for place, other in enumerate(theirs):
            row.append(before[place] + 1 if word == other else max(before[place + 1], row[place]))
        before = row
    return before[-1]
