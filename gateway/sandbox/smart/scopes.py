"""SMART scopes, v1 and v2: a text in, what it permits out. Pure.

v2: ``(patient|user|system)/(Type|*).cruds[?param=value]``, the letters in that order; v1: ``.read`` = ``rs``,
``.write`` = ``cud``, ``.*`` = ``cruds``. ``r`` covers read, vread and the history of one resource; ``s`` covers search
(https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

Level = Literal["patient", "user", "system"]

#: Scopes that name no resource and that this server knows.
CONTEXT_SCOPES = frozenset(
    {
        "launch",
        "launch/patient",
        "launch/encounter",
        "openid",
        "fhirUser",
        "profile",
        "online_access",
        "offline_access",
    }
)

_RESOURCE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.(read|write|\*|[a-z]+)(?:\?(.+))?")
_V2 = re.compile(r"(?=.)c?r?u?d?s?")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3


class ScopeError(ValueError):
    """A scope that looks like a resource scope and is none; the words say what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """One scope on resources. ``actions`` are letters of ``cruds``; ``restrictions`` narrow it by search."""

    level: Level
    type: str
    actions: frozenset[str]
    restrictions: tuple[tuple[str, str], ...] = ()

    def covers(self, action: str, type_: str) -> bool:
        """Whether it is about this action on this type; its restrictions are not looked at."""
        return action in self.actions and self.type in ("*", type_)

    def is_within(self, wider: "ResourceScope") -> bool:
        """Whether everything that this scope permits, ``wider`` permits too."""
        return (
            self.level == wider.level
            and wider.type in ("*", self.type)
            and self.actions <= wider.actions
            and set(wider.restrictions) <= set(self.restrictions)
        )


@dataclass(frozen=True, slots=True)
class Scopes:
    """Some scopes as they were spelled, in order, each once, and the resource scopes among them."""

    texts: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.texts)

    def __contains__(self, text: str) -> bool:
        return text in self.texts

    def __bool__(self) -> bool:
        return bool(self.texts)

    @property
    def resources(self) -> tuple[ResourceScope, ...]:
        return tuple(scope for text in self.texts if (scope := read_resource_scope(text)))

    def find(self, action: str, type_: str) -> tuple[ResourceScope, ...]:
        """The scopes that are about this action on this type."""
        return tuple(scope for scope in self.resources if scope.covers(action, type_))

    def is_within(self, wider: "Scopes") -> bool:
        return narrow_scopes(self, wider) == self


def read_resource_scope(text: str) -> ResourceScope | None:
    """One scope on resources, or None for a text that does not begin like one.

    Raises:
        ScopeError: it begins with ``patient/``, ``user/`` or ``system/`` and is no scope of v1 or v2.
    """
    if not text.startswith(("patient/", "user/", "system/")):
        return None
    match = _RESOURCE.fullmatch(text)
    if match is None:
        raise ScopeError(f"The scope {text} is not of the form patient/Type.cruds.")
    level, type_, letters, query = match.groups()
    actions = _V1.get(letters) or (letters if _V2.fullmatch(letters) else None)
    if actions is None:
        raise ScopeError(f"The scope {text} must have letters of cruds, in that order, after the dot.")
    if query and letters in _V1:
        raise ScopeError(f"The scope {text} is spelled as in v1, which has no restrictions by search.")
    pairs = tuple(parse_qsl(query, keep_blank_values=True)) if query else ()
    if query and not pairs:
        raise ScopeError(f"The scope {text} has no parameter=value after the question mark.")
    return ResourceScope(level, type_, frozenset(actions), pairs)  # type: ignore[arg-type]  # the pattern's words


def parse_scopes(text: str) -> Scopes:
    """A space-separated list of scopes; unknown ones stay in it, since only granting decides.

    Raises:
        ScopeError: one of them is malformed.
    """
    texts = tuple(dict.fromkeys(text.split()))
    for one in texts:
        if not _SCOPE_TOKEN.fullmatch(one):
            raise ScopeError("A scope has a character that OAuth does not allow (RFC 6749, section 3.3).")
        read_resource_scope(one)
    return Scopes(texts)


def narrow_scopes(asked: Scopes, limit: Scopes) -> Scopes:
    """What of ``asked`` lies within ``limit``, spelled as it was asked for."""
    return Scopes(tuple(text for text in asked.texts if _is_within(text, limit)))


def spell_as_v1(texts: Iterable[str]) -> tuple[str, ...]:
    """The nearest v1 spelling of each, as EHRs answer that know both (a test hook: granted ≠ requested)."""
    spelled: list[str] = []
    for text in texts:
        scope = read_resource_scope(text)
        if scope is None:
            spelled.append(text)
            continue
        if scope.actions & set("rs"):
            spelled.append(f"{scope.level}/{scope.type}.read")
        if scope.actions & set("cud"):
            spelled.append(f"{scope.level}/{scope.type}.write")
    return tuple(dict.fromkeys(spelled))


def _is_within(text: str, limit: Scopes) -> bool:
    if text in limit:
        return True
    scope = read_resource_scope(text)
    return scope is not None and any(scope.is_within(wider) for wider in limit.resources)
