"""SMART scopes, version 1 and 2: what was granted against what is needed (SMART App Launch 2.2, section 3).

v2 ``(patient|user|system)/(Type|*).cruds[?param=value]``, the letters in that order; v1 ``.read`` = rs,
``.write`` = cud, ``.*`` = cruds. Whatever is neither is a word by itself (``openid``, ``launch/patient``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_RESOURCE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]*)\.(?P<may>read|write|\*|c?r?u?d?s?)(?:\?(?P<query>.+))?"
)
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
# What the level of a grant is good for: a user's access to a resource includes that for the patient in context.
_REACHES = {"patient": ("patient",), "user": ("user", "patient"), "system": ("system",)}


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """``letters`` is a subset of ``cruds``; ``query`` narrows the grant to what it matches, empty: no narrowing."""

    level: str
    type: str
    letters: frozenset[str]
    query: str = ""


def split_scopes(text: str) -> tuple[str, ...]:
    """The words of a scope string, each once, in order."""
    return tuple(dict.fromkeys(text.split()))


def parse_scope(word: str) -> ResourceScope | None:
    """A resource scope, or None for a word of another kind (and for one that is malformed)."""
    match = _RESOURCE.fullmatch(word)
    if match is None or not match["may"]:
        return None
    letters = _VERSION_1.get(match["may"], match["may"])
    return ResourceScope(match["level"], match["type"], frozenset(letters), match["query"] or "")


def covers(granted: Iterable[str], needed: str) -> bool:
    """Whether the granted scopes, taken together, allow all of the needed one."""
    wanted = parse_scope(needed)
    given = tuple(granted)
    if wanted is None:
        return needed in given
    letters: set[str] = set()
    for scope in (parse_scope(word) for word in given):
        if (
            scope is not None
            and wanted.level in _REACHES[scope.level]
            and scope.type in ("*", wanted.type)
            and scope.query in ("", wanted.query)
        ):
            letters |= scope.letters
    return wanted.letters <= letters


def missing(granted: Iterable[str], needed: Iterable[str]) -> tuple[str, ...]:
    """The needed scopes that are not covered, in order."""
    given = tuple(granted)
    return tuple(word for word in needed if not covers(given, word))
