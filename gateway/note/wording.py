"""From words to concepts: the form in which two wordings of the same thing meet.

In: any text. Out: lower-cased text with synonyms and numbers brought to one form, its tokens, and the concepts that
carry meaning. Pure, deterministic, never raises; its time grows with the length of the text and no faster.
"""

import re
from functools import lru_cache

from gateway.note.lexicon import (
    COUNTS,
    DRUG_ENDINGS,
    DRUGS,
    GENERIC,
    IRREGULAR,
    KEY_TERMS,
    MEASURES,
    NEUTRAL,
    NOT_DRUGS,
    ORDINALS,
    STOP,
    SYNONYMS,
    TENS,
    UNITS,
)
from gateway.note.risk import flatten_speech
from gateway.note.sieve import Rewriting

_SYNONYMS = Rewriting((re.compile(pattern), replacement) for pattern, replacement in SYNONYMS)
_SCALES = re.compile(r"\b(phq|gad|pcl|audit|mdq|ace)[- ]?(\d{1,2})\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_GLUED = re.compile(
    r"(?<![a-z\d])(\d+(?:\.\d+)?)-?(" + "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True)) + r")\b"
)
_LASTING = re.compile(r"\bx ?(?=\d+ ?(?:d|days?|wks?|weeks?|mos?|months?|yrs?|years?|h|hrs?|hours?|mins?)\b)")
_TIMES = re.compile(r"\bx ?(\d+)\b")
_NOT_TO = re.compile(r"n't\b|\bcannot\b")
_TOKEN = re.compile(r"\d+:\d\d|\d+(?:\.\d+)?(?=\D|$)|[^\W\d_]+(?:[-'][^\W\d_]+)*\d*|%|[.,;:?!/()-]")
_BARE_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_KEPT = frozenset(("not",))
_ORDINAL_WORDS = re.compile(
    r"\b(?:" + "|".join(sorted((each.replace("-", "[- ]") for each in ORDINALS), key=len, reverse=True)) + r")\b"
)
_SUFFIXES = ("ingly", "ments", "ment", "ness", "ings", "ing", "edly", "ed", "es", "ly", "s")
_ENDINGS = tuple(sorted(DRUG_ENDINGS, key=len, reverse=True))
WEIGHT_KEY, WEIGHT_PLAIN, WEIGHT_GENERIC = 1.3, 1.0, 0.4


def settle_words(text: str) -> str:
    """The text in lower case, with one wording for what has several; sentences and commas stay where they are."""
    text = flatten_speech(text.lower())
    text = _SCALES.sub(r"\1\2", _THOUSANDS.sub("", text))
    text = _TIMES.sub(r"\1 times", _LASTING.sub("", _ORDINAL.sub(r"\1", _GLUED.sub(r"\1 \2", text))))
    text = _ORDINAL_WORDS.sub(lambda found: ORDINALS[found.group().replace(" ", "-")], text)
    return _SYNONYMS.rewrite(_NOT_TO.sub(" not", text.replace("can't", "cannot")))


def split_tokens(settled: str) -> list[str]:
    """Words, numbers as digits, and marks."""
    return _join_numbers(_TOKEN.findall(settled))


def strip_marks(text: str) -> str:
    """The words as they were written, without marks and upper case: for comparing."""
    return " ".join(_BARE_WORD.findall(text.lower().replace("’", "'")))


def is_number(token: str) -> bool:
    return "0" <= token[:1] <= "9"


@lru_cache(maxsize=20_000)
def find_concept(token: str) -> str:
    """The concept of one token; empty for a word that carries nothing by itself, a number or a mark."""
    if not token[:1].isalpha():
        return ""
    token = token.partition("'")[0]
    if token in STOP or UNITS.get(token) in MEASURES:
        return ""
    stem = _stem(token)
    return "" if stem in _STOPS or len(stem) < 2 else stem


@lru_cache(maxsize=20_000)
def is_drug(concept: str) -> bool:
    """Is it a medication, by the list or by its ending?"""
    if concept in DRUGS or concept + "e" in DRUGS:
        return True
    return len(concept) > 6 and concept not in NOT_DRUGS and concept.endswith(_STEMMED_ENDINGS)


def is_key(concept: str) -> bool:
    """Must it be in the material for a statement to have it?"""
    return concept in _KEYS or is_drug(concept)


@lru_cache(maxsize=20_000)
def weigh(concept: str) -> float:
    """How much of a statement one concept is; the same in every material."""
    if is_key(concept):
        return WEIGHT_KEY
    return WEIGHT_GENERIC if concept in _GENERIC else WEIGHT_PLAIN


def _stem(word: str) -> str:
    if IRREGULAR.get(word) == word:
        return word
    word = IRREGULAR.get(word, word)
    if word in DRUGS or len(word) <= 3:
        return word
    if len(word) > 4 and word.endswith(("ies", "ied")):
        word = word[:-3] + "y"
    else:
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
                word = word[: -len(suffix)]
                break
    if len(word) > 4 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 6 and word.endswith(("tion", "sion")):
        word = word[:-3]
    if len(word) > 6 and word.endswith(("enc", "anc", "ency", "ancy", "ent", "ant")):
        word = word[: -4 if word.endswith("y") else -3]
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls" else word


def _join_numbers(tokens: list[str]) -> list[str]:
    """Spoken numbers as digits: "one hundred and fifty" is 150, "two point five" 2.5, "point five" 0.5."""
    joined: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        value, after = _read_number(tokens, place) if _may_begin_number(token) else (None, place)
        if tokens[place : place + 1] == ["point"] and (not joined or joined[-1] not in _BEFORE_POINT):
            value, after = _read_fraction(tokens, place)
        if value is None:
            joined.append(token)
            place += 1
        else:
            joined.append(value)
            place = after
    return joined


def _may_begin_number(token: str) -> bool:
    return token in _NUMBER_WORDS or is_number(token) or ("-" in token and token.partition("-")[0] in TENS)


def _read_number(tokens: list[str], place: int) -> tuple[str | None, int]:
    token = tokens[place]
    if is_number(token):
        value, after = token, place + 1
        if ":" in token:
            return token, after
        number = float(value[:15])
    else:
        small = _read_small(tokens, place) or _read_hundred(tokens, place)
        if small is None:
            return None, place
        number, after = float(small[0]), small[1]
    if tokens[after : after + 1] == ["hundred"]:
        number, after = number * 100, after + 1
        rest = _read_small(tokens, after + (tokens[after : after + 1] == ["and"]))
        if rest is not None:
            number, after = number + rest[0], rest[1]
    if tokens[after : after + 1] == ["thousand"]:
        number, after = number * 1000, after + 1
    if tokens[after : after + 1] == ["point"]:
        digits, behind = _read_digits(tokens, after + 1)
        if digits:
            number, after = float(f"{int(number)}.{digits}"), behind
    if tokens[after : after + 3] == ["and", "a", "half"]:
        number, after = number + 0.5, after + 3
    return f"{number:.10g}", after


def _read_fraction(tokens: list[str], place: int) -> tuple[str | None, int]:
    """ "Point five": a number below one, as it is said."""
    digits, after = _read_digits(tokens, place + 1)
    return (f"{float(f'0.{digits}'):.10g}", after) if digits else (None, place)


def _read_digits(tokens: list[str], place: int) -> tuple[str, int]:
    """What is said behind "point": "two five" is 25, and so is "twenty five"; empty where it is no number."""
    digits = ""
    while (small := _read_small(tokens, place)) is not None and (not digits or small[0] < 10):
        digits, place = f"{digits}{small[0]}", small[1]
        if small[0] >= 10:
            break
    return digits, place


def _read_hundred(tokens: list[str], place: int) -> tuple[int, int] | None:
    """ "A hundred" is one hundred; the word itself is read by the caller."""
    return (1, place + 1) if tokens[place] == "a" and tokens[place + 1 : place + 2] == ["hundred"] else None


def _read_small(tokens: list[str], place: int) -> tuple[int, int] | None:
    """A number word below a hundred and the place after it."""
    word = tokens[place] if place < len(tokens) else ""
    tens, _, ones = word.partition("-")
    if tens in TENS:
        if ones in COUNTS:
            return TENS[tens] + COUNTS[ones], place + 1
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if 0 < COUNTS.get(following, 0) < 10:
            return TENS[tens] + COUNTS[following], place + 2
        return (TENS[tens], place + 1) if not ones else None
    return (COUNTS[word], place + 1) if word in COUNTS else None


_BEFORE_POINT = frozenset(
    (
        "a",
        "any",
        "at",
        "each",
        "every",
        "good",
        "last",
        "main",
        "my",
        "no",
        "one",
        "some",
        "that",
        "the",
        "this",
        "your",
    )
)
"""After these, "point" is a word: "at that point five of them"."""
_NUMBER_WORDS = frozenset((*COUNTS, *TENS, "a"))
_STOPS = frozenset(map(_stem, STOP)) - _KEPT
_KEYS = frozenset(map(_stem, KEY_TERMS))
_GENERIC = frozenset(map(_stem, GENERIC | NEUTRAL))
_STEMMED_ENDINGS = tuple(sorted({form for each in _ENDINGS for form in (each, _stem(each))}, key=len, reverse=True))
