"""How far two texts share their words: enough to see that a model repeats itself, or has left its lines.

Crude on purpose: no verdict rests on it. Whether a statement is carried by the material is for ``note/evidence``.
"""

import re
from collections.abc import Iterable

SAME_SHARE = 0.8  # of a sentence's words in one before it: the same again
ROOT_LETTERS = 5  # "improved" and "improving" are one word
_SUBJECTS = {"patie", "clini", "clien"}


def find_words(text: str) -> set[str]:
    """Numbers, and the roots of words of more than three letters, which leaves out most of those that only join."""
    found = re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", text.lower())
    roots = {word if word[0].isdigit() else word[:ROOT_LETTERS] for word in found if word[0].isdigit() or len(word) > 3}
    return roots - _SUBJECTS


def find_share(text: str, others: Iterable[str]) -> float:
    """The share of the text's words that are in the others, 0 to 1; 1 for a text without any."""
    words = find_words(text)
    there = set().union(*(find_words(other) for other in others))
    return len(words & there) / len(words) if words else 1.0


def is_same(text: str, other: str) -> bool:
    """Does ``other`` already hold nearly every word of ``text``?"""
    return text == other or (bool(find_words(text)) and find_share(text, [other]) >= SAME_SHARE)
