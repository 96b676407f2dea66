"""Whether a resource answers a criterion, and in which order resources come. Pure.

Rules: https://hl7.org/fhir/R4/search.html#ptypes. Strings match from the start of each part of a name, without regard
to case and accents; tokens are compared as they stand.
"""

import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.compartment import walk
from gateway.sandbox.fhir.dates import Span, compare_spans, read_period, read_span, split_prefix
from gateway.sandbox.fhir.parameters import Parameter
from gateway.sandbox.fhir.query import Criterion
from gateway.sandbox.fhir.validation import split_reference


def match_criterion(resource: Resource, criterion: Criterion, base_url: str) -> bool:
    """Whether a resource answers one criterion; ``base_url`` makes absolute references its own."""
    elements = list(_find_elements(resource, criterion.parameter))
    if criterion.modifier == "missing":
        return (not elements) == (criterion.values[0] == "true")
    matched = any(_match(element, value, criterion, base_url) for element in elements for value in criterion.values)
    return matched != (criterion.modifier == "not")


def references_of(resource: Resource, parameter: Parameter) -> Iterator[tuple[str, str]]:
    """(type, id) of everything that a reference parameter of a resource points to."""
    for element in _find_elements(resource, parameter):
        parts = split_reference(str(element.get("reference", ""))) if isinstance(element, dict) else None
        if parts:
            yield parts


def sort_key(resource: Resource, parameter: Parameter) -> tuple[float, str] | None:
    """By what a resource is sorted; None where it has nothing there."""
    keys = [key for element in _find_elements(resource, parameter) if (key := _read_key(element, parameter))]
    return min(keys, default=None)


def fold_text(text: str) -> str:
    """Without case and accents: ``Müller`` → ``muller``."""
    plain = unicodedata.normalize("NFD", text.casefold())
    return "".join(mark for mark in plain if not unicodedata.combining(mark))


def _find_elements(resource: Resource, parameter: Parameter) -> Iterator[Any]:
    for path in parameter.paths:
        for element in walk(resource, path.split(".")):
            if parameter.type == "reference" and parameter.targets and isinstance(element, dict):
                parts = split_reference(str(element.get("reference", "")))
                if not parts or parts[0] not in parameter.targets:
                    continue
            if parameter.system in ("phone", "email") and element.get("system") != parameter.system:
                continue
            yield element


def _match(element: Any, value: str, criterion: Criterion, base_url: str) -> bool:
    match criterion.parameter.type:
        case "token":
            return _match_token(element, value, criterion.parameter)
        case "reference":
            return _match_reference(element, value, criterion.modifier, base_url)
        case "date":
            prefix, text = split_prefix(value)
            found = _read_element_span(element)
            return found is not None and compare_spans(prefix, read_span(text), found)
        case "string":
            return isinstance(element, str) and _match_string(element, value, criterion.modifier)
        case "uri":
            return bool(element == value)


def _match_token(element: Any, value: str, parameter: Parameter) -> bool:
    asked_system, bar, asked_code = value.rpartition("|")
    for system, code in _read_tokens(element, parameter):
        if bar and asked_system != (system or ""):
            continue
        if asked_code in ("", code):
            return True
    return False


def _read_tokens(element: Any, parameter: Parameter) -> Iterator[tuple[str | None, str]]:
    """(system, code) pairs of a Coding, CodeableConcept, Identifier, ContactPoint, code, boolean or string."""
    match element:
        case bool():
            yield None, "true" if element else "false"
        case str():
            yield parameter.system, element
        case {"coding": list(codings)}:
            for coding in codings:
                yield coding.get("system"), str(coding.get("code", ""))
        case {"code": str(code)}:
            yield element.get("system"), code
        case {"value": str(text)}:
            yield element.get("system"), text
        case _:
            return


def _match_reference(element: Any, value: str, modifier: str | None, base_url: str) -> bool:
    parts = split_reference(str(element.get("reference", ""))) if isinstance(element, dict) else None
    if parts is None:
        return False
    asked = value.removeprefix(base_url.rstrip("/") + "/")
    if modifier and parts[0] != modifier:
        return False
    return "/".join(parts) == asked or ("/" not in asked and parts[1] == asked)


def _match_string(text: str, value: str, modifier: str | None) -> bool:
    match modifier:
        case "exact":
            return text == value
        case "contains":
            return fold_text(value) in fold_text(text)
        case _:
            return fold_text(text).startswith(fold_text(value))


def _read_element_span(element: Any) -> Span | None:
    if not isinstance(element, str):
        return read_period(element)
    try:
        return read_span(element)
    except ValueError:
        return None


def _read_key(element: Any, parameter: Parameter) -> tuple[float, str] | None:
    if parameter.type == "date":
        span = _read_element_span(element)
        return (_count_seconds(span.start), "") if span else None
    if parameter.type == "token":
        return next(((0.0, code) for _, code in _read_tokens(element, parameter)), None)
    if parameter.type == "reference":
        return (0.0, str(element.get("reference", ""))) if isinstance(element, dict) else None
    return (0.0, fold_text(element)) if isinstance(element, str) else None


def _count_seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)).total_seconds()
