"""Hotwords for the second hearing: phrases by priority, as many as the model has room for, and what is left out.

In: groups of phrases in order of priority (the risk phrases of a language, then the chart's medications), and the
model's own count of tokens. Out: one line for the engine, and which categories it does not cover: the engine itself
would cut the line without a word.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HOTWORD_TOKENS = 210
"""Whisper's window has 448 tokens: 224 for what is said, 5 for its own marks, and the engine cuts at 223."""
MEDICATION = "medication"

_NAME = re.compile(r"[^\W\d_][\w'/-]*(?: [^\W\d_][\w'/-]*)?")
_RELEASE = re.compile(r"\d+ HR ", re.IGNORECASE)  # RxNorm: "24 HR bupropion hydrochloride 150 MG …"
# What stands after a name in a chart and is not said: the form, how it is released, the salt.
_UNSAID = frozenset(
    (
        *("oral", "tablet", "tablets", "capsule", "capsules", "injection", "solution", "inhaler", "mg"),
        *("extended", "delayed", "er", "xr", "xl", "sr", "cr", "dr", "odt"),
        *("hcl", "hydrochloride", "hydrobromide", "carbonate", "citrate", "sodium", "succinate", "tartrate"),
        *("maleate", "mesylate", "fumarate", "besylate", "oxalate", "pamoate", "palmitate", "decanoate"),
    )
)
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class PhraseGroup:
    """Phrases of one category, the most important first, as people say them."""

    category: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hotwords:
    """``line`` is what the engine is given; categories in ``cut_short`` have phrases that did not fit."""

    line: str = ""
    tokens: int = 0
    covered: frozenset[str] = frozenset()
    cut_short: frozenset[str] = frozenset()

    def uncovered(self, categories: Iterable[str]) -> frozenset[str]:
        """Those of which the hearing knows no phrase at all."""
        return frozenset(categories) - self.covered


def fit_hotwords(
    groups: Sequence[PhraseGroup], count_tokens: Callable[[str], int], budget: int = HOTWORD_TOKENS
) -> Hotwords:
    """Take phrases in order while there is room; a phrase that does not fit ends its group, not the others.

    Args:
        groups: a category may have several, so that each has its first phrases before any has all.
        count_tokens: the model's own; counts the line as the engine encodes it.
        budget: tokens.
    """
    chosen: list[str] = []
    covered: set[str] = set()
    cut_short: set[str] = set()
    for group in groups:
        for phrase in group.phrases:
            if phrase in chosen:
                covered.add(group.category)
            elif count_tokens(_write_line([*chosen, phrase])) <= budget:
                chosen.append(phrase)
                covered.add(group.category)
            else:
                cut_short.add(group.category)
                break
    line = _write_line(chosen)
    return Hotwords(line, count_tokens(line) if line else 0, frozenset(covered), frozenset(cut_short))


def group_medications(displays: Iterable[str]) -> PhraseGroup:
    """The names alone of what a chart lists ("sertraline 50 MG Oral Tablet" is said "sertraline"), each once."""
    names: dict[str, None] = {}
    for display in displays:
        if (match := _NAME.match(_RELEASE.sub("", display.strip(), count=1))) is not None:
            first, *rest = match.group().lower().split()
            words = [first, *(word for word in rest if word not in _UNSAID)]
            names[" ".join(words)[:_LONGEST_NAME].strip()] = None
    return PhraseGroup(MEDICATION, tuple(name for name in names if name))


def _write_line(phrases: Sequence[str]) -> str:
    return ", ".join(phrases)
