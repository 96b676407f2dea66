"""Where two hearings of the same speech differ in what matters: a risk phrase, a number, a medication, a negation.

In: two texts, and what finds risk phrases and medications in a text. Out: the kinds that differ. Other words may
differ as they like. Numbers and negations are those of English; in another language only the first two kinds and
digits are compared. Pure.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

Finder = Callable[[str], Iterable[str]]
"""Gives what it finds in a text, in words that are the same for the same finding."""


class Kind(StrEnum):
    """What differs."""

    RISK = "risk"
    NUMBER = "number"
    MEDICATION = "medication"
    NEGATION = "negation"


_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[.!?;:,]")
_SMALL = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16},
    **{"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50},
    **{"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
}
_SCALES = {"hundred": 100, "thousand": 1000}
_SHARES = {"half": "½", "quarter": "¼", "once": "1×", "twice": "2×", "double": "2×", "dozen": "12"}
_NEGATIONS = frozenset(
    (
        *("not", "no", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor", "without", "cannot"),
        *("deny", "denies", "denied", "denying", "dont", "cant", "isnt", "didnt", "doesnt", "wasnt", "havent"),
    )
)


def compare_hearings(
    first: str, second: str, find_risk: Finder, find_medications: Finder = lambda text: ()
) -> frozenset[Kind]:
    """The kinds of difference between two hearings; none where they say the same in what matters."""
    pairs: tuple[tuple[Kind, Callable[[str], object]], ...] = (
        (Kind.RISK, lambda text: frozenset(find_risk(text))),
        (Kind.NUMBER, read_numbers),
        (Kind.MEDICATION, lambda text: frozenset(find_medications(text))),
        (Kind.NEGATION, count_negations),
    )
    return frozenset(kind for kind, read in pairs if read(first) != read(second))


def find_names(names: Iterable[str]) -> Finder:
    """A finder of these names, as whole words, whatever their case."""
    wanted = sorted({name.lower() for name in names if name.strip()}, key=len, reverse=True)
    if not wanted:
        return lambda text: ()
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, wanted))})\b")
    return lambda text: pattern.findall(text.lower())


def read_numbers(text: str) -> Counter[str]:
    """Every number, in digits: "twenty-five" and "25" are the same, and so are "1,200" and "twelve hundred"."""
    found: Counter[str] = Counter()
    value: int | None = None
    last = 0  # the size of the last word, so that "nineteen ninety" is two numbers and "ninety five" is one
    for word in [*_TOKEN.findall(text.lower()), "."]:
        small = _SMALL.get(word)
        if small is not None and value is not None and last > small and (last >= 100 or (last >= 20 and small < 10)):
            value, last = value + small, small
        elif small is not None:
            _note(found, value)
            value, last = small, small
        elif word in _SCALES and value is not None and value:
            scale = _SCALES[word]
            value = value // 1000 * 1000 + value % 1000 * scale if scale == 100 else value * scale
            last = scale
        elif word == "and" and last >= 100:
            continue
        else:
            _note(found, value)
            value, last = None, 0
            if word in _SHARES:
                found[_SHARES[word]] += 1
            elif word[0].isdigit():
                found[_write_digits(word)] += 1
    return found


def count_negations(text: str) -> int:
    """How many words deny something."""
    words = text.lower().replace("’", "'").split()
    return sum(_denies(word.strip('.,;:!?"()[]…-')) for word in words)


def _denies(word: str) -> bool:
    return word.endswith("n't") or word.replace("'", "") in _NEGATIONS


def _note(found: Counter[str], value: int | None) -> None:
    if value is not None:
        found[str(value)] += 1


def _write_digits(token: str) -> str:
    """Commas between thousands go, zeros after the point too: "1,200" is 1200 and "7.50" is 7.5."""
    plain = re.sub(r",(?=\d{3}\b)", "", token)
    whole, point, rest = plain.partition(".")
    kept = rest.rstrip("0")
    return f"{int(whole)}.{kept}" if point and whole.isdigit() and kept else whole.lstrip("0") or "0"
