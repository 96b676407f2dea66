"""A search as it was asked, read and checked before anything is looked at.

In: a type and the decoded pairs of the query (and of the form of a POST). Out: a ``Query``. What the sandbox does not
know is refused, never ignored (https://hl7.org/fhir/R4/search.html#errors). Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sandbox.fhir.dates import PREFIXES, read_span, split_prefix
from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.parameters import COMMON, PARAMETERS, Parameter, find_parameter

DEFAULT_COUNT = 20
MAX_COUNT = 200

_MODIFIERS = {
    "token": {"not", "missing"},
    "reference": {"missing"},
    "date": {"missing"},
    "string": {"exact", "contains", "missing"},
    "uri": {"missing"},
}
#: Accepted and without effect on what is found.
_PRESENTATION = {"_format", "_pretty", "_total"}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of a search: any of ``values`` has to match. ``modifier`` may be a type for references."""

    name: str
    parameter: Parameter
    modifier: str | None
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Include:
    """``_include=Source:name`` or ``_revinclude=Source:name``; ``target`` narrows the type pointed to."""

    source: str
    parameter: Parameter
    target: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """All ``criteria`` have to hold. ``count`` 0 asks for the total only; ``snapshot`` is a write's sequence number."""

    type: str
    criteria: tuple[Criterion, ...]
    sort: tuple[tuple[Parameter, bool], ...]
    include: tuple[Include, ...]
    revinclude: tuple[Include, ...]
    count: int = DEFAULT_COUNT
    offset: int = 0
    snapshot: int | None = None


def read_query(type_: str, pairs: Iterable[tuple[str, str]]) -> Query:
    """Reads the parameters of a search.

    Raises:
        Refusal: 400, saying which parameter, modifier or value it does not take.
    """
    criteria: list[Criterion] = []
    includes: list[Include] = []
    revincludes: list[Include] = []
    sort: list[tuple[Parameter, bool]] = []
    count, offset, snapshot = DEFAULT_COUNT, 0, None
    for name, value in pairs:
        match name:
            case _ if not value or name in _PRESENTATION:
                continue
            case "_count":
                count = min(max(_read_number(name, value), 0), MAX_COUNT)
            case "_summary":
                if value not in ("count", "false"):
                    raise Refusal(400, "not-supported", "_summary is taken as count or false only.")
                count = 0 if value == "count" else count
            case "_offset":
                offset = max(_read_number(name, value), 0)
            case "_snapshot":
                snapshot = _read_number(name, value)
            case "_sort":
                sort += _read_sort(type_, value)
            case "_include":
                includes.append(_read_include(name, value, source=type_))
            case "_revinclude":
                revincludes.append(_read_include(name, value))
            case _:
                criteria.append(_read_criterion(type_, name, value))
    return Query(type_, tuple(criteria), tuple(sort), tuple(includes), tuple(revincludes), count, offset, snapshot)


def split_values(value: str) -> tuple[str, ...]:
    """Splits at commas, not at escaped ones: ``a\\,b,c`` → (``a,b``, ``c``)."""
    parts = re.findall(r"(?:\\.|[^,\\])+", value)
    return tuple(re.sub(r"\\([\\,$|])", r"\1", part) for part in parts)


def _read_criterion(type_: str, name: str, value: str) -> Criterion:
    name, _, modifier = name.partition(":")
    parameter = find_parameter(type_, name)
    if parameter is None:
        valid = ", ".join(sorted({*COMMON, *PARAMETERS[type_]}))
        raise Refusal(400, "not-supported", f"Unknown search parameter {name[:60]} for {type_}; valid are {valid}.")
    names_type = parameter.type == "reference" and re.fullmatch("[A-Z][A-Za-z]+", modifier)
    if modifier and modifier not in _MODIFIERS[parameter.type] and not names_type:
        raise Refusal(400, "not-supported", f"{name} does not take the modifier {modifier[:40]}.")
    if modifier == "missing" and value not in ("true", "false"):
        raise Refusal(400, "value", f"{name}:missing is true or false.")
    values = split_values(value)
    if not values:
        raise Refusal(400, "value", f"{name} has no value.")
    if parameter.type == "date" and modifier != "missing":
        _check_dates(name, values)
    return Criterion(name, parameter, modifier or None, values)


def _check_dates(name: str, values: tuple[str, ...]) -> None:
    if len(values) > 1:
        raise Refusal(400, "not-supported", f"{name} takes one date; repeat the parameter for a range.")
    try:
        read_span(split_prefix(values[0])[1])
    except ValueError as error:
        prefixes = ", ".join(PREFIXES)
        raise Refusal(400, "value", f"{name} needs a FHIR date, with one of {prefixes} or none.") from error


def _read_sort(type_: str, value: str) -> list[tuple[Parameter, bool]]:
    found = []
    for name in split_values(value):
        parameter = find_parameter(type_, name.removeprefix("-"))
        if parameter is None:
            raise Refusal(400, "not-supported", f"Unknown _sort value {name[:60]} for {type_}.")
        found.append((parameter, name.startswith("-")))
    return found


def _read_include(name: str, value: str, source: str | None = None) -> Include:
    parts = value.split(":")
    parameter = find_parameter(parts[0], parts[1]) if len(parts) in (2, 3) and parts[0] in PARAMETERS else None
    if parameter is None or parameter.type != "reference" or (source and parts[0] != source):
        raise Refusal(400, "not-supported", f"{name} reads Type:parameter, the parameter being a reference.")
    return Include(parts[0], parameter, parts[2] if len(parts) == 3 else None)


def _read_number(name: str, value: str) -> int:
    try:
        return int(value[:12])
    except ValueError as error:
        raise Refusal(400, "value", f"{name} needs a number.") from error
