"""Where a sentence ends: one rule for spoken and for typed words."""

import re
from collections.abc import Iterator

LONGEST_WORDS = 60
"""A sentence without an end is cut here: a segment is something that a person can take in at a glance."""

_LONGEST_CHARACTERS = 600
_WORD = re.compile(rf"\S{{1,{_LONGEST_CHARACTERS}}}")
_END = re.compile(r"[.!?…؟。！？]+[\"'”’»)\]]*$")
_ABBREVIATIONS = frozenset(
    ("dr", "mr", "mrs", "ms", "prof", "st", "vs", "approx", "resp", "e.g", "i.e", "p.o", "h.s", "a.m", "p.m", "no")
)


def ends_sentence(word: str, following: str) -> bool:
    """Whether a sentence ends with this word; ``following`` is the next one, empty at the end of the text.

    An abbreviation, an initial or a numbered item ends none, nor does a word before one in lower case.
    """
    if not _END.search(word):
        return False
    if not following:
        return True
    stem = word.rstrip("\"'”’»)]").rstrip(".").lstrip("\"'“‘«([").lower()
    if word.endswith(".") and (stem in _ABBREVIATIONS or (len(stem) == 1 and stem.isalpha())):
        return False
    if stem.isdigit() and len(stem) <= 2 and word == f"{stem}.":
        return not following[:1].isalnum()
    return not following[:1].islower()


def split_sentences(line: str) -> Iterator[str]:
    """Cut one line into sentences; what lies between them is only white space, so no character is lost."""
    words = list(_WORD.finditer(line))
    first = 0
    for index, word in enumerate(words):
        following = words[index + 1].group() if index + 1 < len(words) else ""
        long = index - first + 1 >= LONGEST_WORDS or word.end() - words[first].start() >= _LONGEST_CHARACTERS
        if long or not following or ends_sentence(word.group(), following):
            yield line[words[first].start() : word.end()]
            first = index + 1
