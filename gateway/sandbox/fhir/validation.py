"""What the sandbox stores is R4: a body becomes a resource here or is refused with the place and the reason.

In: bytes. Out: the JSON object as it was sent, checked against the R4B models of fhir.resources and against what
these leave open: required codes, base64, literal references, the order of periods, sizes. Never changes a value.

Statuses follow HAPI where HAPI refuses (400 for what can't be parsed: broken JSON, wrong types, unknown codes; 422 for
a reference to a type that has no place there). What HAPI stores with validation off and R4 forbids (missing or unknown
elements) is a 422.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel, ValidationError

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.codes import CODES, CONCEPTS
from gateway.sandbox.fhir.compartment import walk
from gateway.sandbox.fhir.dates import read_span
from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.parameters import PARAMETERS

MAX_SIZE_BYTES = 16 * 2**20
MAX_DEPTH = 64

_LITERAL = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def read_resource(body: bytes, type_: str) -> Resource:
    """Parses and checks the body of a create or an update.

    Raises:
        Refusal: 400, 413 or 422, with the place where it is wrong.
    """
    resource = _parse_object(body)
    found = resource.get("resourceType")
    if not isinstance(found, str):
        raise Refusal(400, "structure", "The body has no resourceType.")
    if found != type_:
        raise Refusal(400, "structure", f"The body must be a {type_}, not a {found[:64]}.", where=type_)
    check_resource(resource)
    return resource


def check_resource(resource: Resource) -> None:
    """Checks one resource of a stored type.

    Raises:
        Refusal: see the module.
    """
    type_ = resource["resourceType"]
    try:
        model = _find_model(type_).model_validate(resource)
    except ValidationError as error:
        raise _refuse_by_model(type_, error) from error
    except (KeyError, LookupError, TypeError, RecursionError) as error:
        raise Refusal(400, "structure", f"The {type_} holds an element that R4 does not know.") from error
    _check_element(model, resource, type_, resource)


def find_references(resource: Resource) -> Iterator[tuple[str, str]]:
    """Each literal reference in a resource with its path: (``Condition.subject``, ``Patient/1``)."""
    yield from _find_references(resource, str(resource["resourceType"]))


def split_reference(reference: str) -> tuple[str, str] | None:
    """``Patient/1`` or ``Patient/1/_history/2`` → (``Patient``, ``1``); None for anything else."""
    match = _LITERAL.fullmatch(reference)
    return (match.group(1), match.group(2)) if match else None


def _parse_object(body: bytes) -> Resource:
    if not body.strip():
        raise Refusal(400, "structure", "The body is empty; a resource was expected.")
    if len(body) > MAX_SIZE_BYTES:
        raise Refusal(413, "too-long", f"A resource may have {MAX_SIZE_BYTES // 2**20} MiB at most.")
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_refuse_twins, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise Refusal(400, "structure", "The JSON is nested too deeply.") from error
    except ValueError as error:
        reason = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise Refusal(400, "structure", f"The body is not JSON: {reason}.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "structure", "The body is not a JSON object.")
    _check_plain(value, 0)
    return value


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check_plain(value: object, depth: int) -> None:
    """No nulls outside lists, nothing empty, no NUL characters, bounded depth (https://hl7.org/fhir/R4/json.html)."""
    if depth > MAX_DEPTH:
        raise Refusal(400, "structure", f"The JSON is nested more than {MAX_DEPTH} deep.")
    match value:
        case dict():
            for child in value.values():
                if child is None or child in ("", [], {}):
                    raise Refusal(400, "structure", "JSON of FHIR holds no null, empty text, list or object.")
                _check_plain(child, depth + 1)
        case list():
            for child in value:
                _check_plain(child, depth + 1)
        case str() if "\x00" in value:
            raise Refusal(400, "value", "A text holds a NUL character; FHIR allows none.")
        case _:
            return


@cache
def _find_model(type_: str) -> type[BaseModel]:
    model: type[BaseModel] = get_fhir_model_class(type_)
    return model


def _refuse_by_model(type_: str, error: ValidationError) -> Refusal:
    """The first thing that the model holds against it. The value itself is not repeated: it may be a patient's."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = _write_path(type_, first["loc"])
    if first["type"] == "extra_forbidden":
        return Refusal(422, "structure", f"{where}: R4 has no such element.", where=where)
    if first["type"] == "missing" or "required" in first["type"]:
        return Refusal(422, "required", f"{where}: {first['msg']}.", where=where)
    return Refusal(400, "value", f"{where}: {first['msg']}.", where=where)


def _write_path(type_: str, location: tuple[int | str, ...]) -> str:
    path = type_
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def _check_element(model: BaseModel, raw: dict[str, Any], where: str, resource: Resource) -> None:
    for name, info in type(model).model_fields.items():
        alias = info.alias or name
        if alias not in raw:
            continue
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        values = raw[alias] if isinstance(raw[alias], list) else [raw[alias]]
        parsed = getattr(model, name)
        children = parsed if isinstance(parsed, list) else [parsed]
        for number, (value, child) in enumerate(zip(values, children, strict=False)):
            path = f"{where}.{alias}" + (f"[{number}]" if isinstance(raw[alias], list) else "")
            _check_value(type(model).__name__, alias, extra, value, child, path)
            if isinstance(child, BaseModel) and isinstance(value, dict):
                if "reference" in value and type(child).__name__ == "Reference":
                    _check_reference(value["reference"], _list_targets(extra), path, resource)
                _check_element(child, value, path, resource)
    if type(model).__name__ == "Period":
        _check_period(raw, where)


def _check_value(owner: str, alias: str, extra: dict[str, Any], value: object, child: object, path: str) -> None:
    allowed = CODES.get((owner, alias)) or extra.get("enum_values")
    if allowed and isinstance(value, str) and value not in allowed:
        raise Refusal(400, "code-invalid", f"{path}: allowed are {', '.join(sorted(allowed))}.", where=path)
    if _is_coerced(value, child):
        raise Refusal(400, "value", f"{path}: this is not the JSON type that R4 has here.", where=path)
    if isinstance(child, bytes) and isinstance(value, str):
        try:
            base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, "value", f"{path}: this is not base64.", where=path) from error
    if (owner, alias) in CONCEPTS and isinstance(value, dict):
        system, codes = CONCEPTS[owner, alias]
        codings = [coding for coding in walk(value, ["coding"]) if coding.get("system") == system]
        if any(coding.get("code") not in codes for coding in codings) or ("coding" in value and not codings):
            raise Refusal(
                422, "code-invalid", f"{path}: allowed are {', '.join(sorted(codes))} of {system}.", where=path
            )


def _is_coerced(value: object, child: object) -> bool:
    """Whether the model made something of another JSON type: ``"yes"`` into true, a number into a date."""
    if isinstance(child, bool) or isinstance(value, bool):
        return type(child) is not type(value)
    if isinstance(child, int | float | Decimal):
        return not isinstance(value, int | float)
    return isinstance(child, date | time | str) and not isinstance(value, str)


def _list_targets(extra: Mapping[str, Any]) -> list[str]:
    """The types that a Reference element may point to, as its model lists them; empty for any."""
    targets = extra.get("enum_reference_types") or []
    return [] if "Resource" in targets else list(targets)


def _check_reference(reference: str, targets: list[str], path: str, resource: Resource) -> None:
    if reference.startswith("#"):
        contained = {item.get("id") for item in resource.get("contained", ())}
        if reference != "#" and reference[1:] not in contained:
            raise Refusal(400, "not-found", f"{path}: nothing contained has this id.", where=path)
        return
    if "://" in reference or reference.startswith("urn:"):
        raise Refusal(400, "not-supported", f"{path}: this server takes no references to elsewhere.", where=path)
    parts = split_reference(reference)
    if parts is None:
        raise Refusal(400, "value", f"{path}: a reference reads Type/id.", where=path)
    if targets and parts[0] not in targets:
        raise Refusal(422, "value", f"{path}: {parts[0]} is not valid here, {', '.join(targets)} are.", where=path)


def _check_period(raw: dict[str, Any], where: str) -> None:
    if "start" in raw and "end" in raw and read_span(raw["start"]).start >= read_span(raw["end"]).end:
        raise Refusal(422, "invariant", f"{where}: the period ends before it starts (per-1).", where=where)


def _find_references(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            reference = value.get("reference")
            if isinstance(reference, str) and split_reference(reference):
                yield path, reference
            for name, child in value.items():
                yield from _find_references(child, f"{path}.{name}")
        case list():
            for child in value:
                yield from _find_references(child, path)
        case _:
            return


STORED_TYPES = frozenset(PARAMETERS)
