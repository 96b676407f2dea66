"""A sieve for patterns: of many, the few that could match a text at all.

In: compiled patterns; then a text. Out: those of them of which a piece that every match needs stands in the text, in
the order given; or the text with what matched replaced. Looking for a few letters is far quicker than trying a pattern
at every place. It only leaves out what can't match; it never says what does.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from typing import cast

ANYTHING = ("",)  # needed where nothing is known: it stands in every text


class Sieve:
    """Patterns with what each of them needs."""

    __slots__ = ("_needs", "patterns")

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        self.patterns = tuple(patterns)
        self._needs = tuple(map(find_pieces, self.patterns))

    def sift(self, text: str) -> Iterator[re.Pattern[str]]:
        """The patterns that could match the text, in order."""
        for pattern, pieces in zip(self.patterns, self._needs, strict=True):
            for piece in pieces:
                if piece in text:
                    yield pattern
                    break


class Rewriting:
    """Replacements, one after the other, each in what the one before it left."""

    __slots__ = ("_needs", "steps")

    def __init__(self, steps: Iterable[tuple[re.Pattern[str], str]]) -> None:
        self.steps = tuple(steps)
        self._needs = tuple(find_pieces(pattern) for pattern, _ in self.steps)

    def rewrite(self, text: str) -> str:
        for (pattern, new), pieces in zip(self.steps, self._needs, strict=True):
            for piece in pieces:
                if piece in text:
                    text = pattern.sub(new, text)
                    break
        return text


def find_pieces(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Pieces of text of which every text that the pattern matches holds at least one.

    The standard library's own parse is read: it has no public name. Should it go, or a construct be unknown, nothing
    is known of the pattern, and it is tried on every text as before.
    """
    if pattern.flags & re.IGNORECASE:
        return ANYTHING
    try:
        tree = importlib.import_module("re._parser").parse(pattern.pattern, pattern.flags)
    except (ImportError, AttributeError):
        return ANYTHING
    return _read_sequence(tree)


def _read_sequence(tree: object) -> tuple[str, ...]:
    """What a sequence needs: of all that each of its parts needs, what is longest."""
    choices: list[tuple[str, ...]] = []
    run = ""
    for kind, part in cast("Iterable[tuple[object, object]]", tree):
        match str(kind), part:
            case "LITERAL", int(code):
                run += chr(code)
                continue
            case "AT", _:
                continue  # it has no width: the run goes on behind it
            case _:
                choices += [(run,), _read_part(str(kind), part)]
                run = ""
    return max([*choices, (run,)], key=_measure)


def _read_part(kind: str, part: object) -> tuple[str, ...]:
    match kind, part:
        case "BRANCH", (_, branches):
            return _read_branches(branches)
        case "SUBPATTERN", (_, int(added), _, tree) if not added & re.IGNORECASE:
            return _read_sequence(tree)
        case (("MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT"), (int(least), _, tree)) if least > 0:
            return _read_sequence(tree)
        case "ASSERT", (_, tree):
            return _read_sequence(tree)
        case "ATOMIC_GROUP", tree:
            return _read_sequence(tree)
        case _:
            return ANYTHING


def _read_branches(branches: object) -> tuple[str, ...]:
    """One branch is enough, so any of their pieces is."""
    return tuple(dict.fromkeys(piece for each in cast("Iterable[object]", branches) for piece in _read_sequence(each)))


def _measure(pieces: tuple[str, ...]) -> tuple[int, int]:
    """How much is left out by asking for one of these pieces: long ones first, then few."""
    return min(map(len, pieces)), -len(pieces)
