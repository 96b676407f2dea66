"""FHIR references and ids, read strictly enough that they can stand in a URL (FHIR R4, 2.3.0 and 2.24.0.2)."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# R4 says [A-Za-z0-9\-\.]{1,64}; real servers also use underscores and longer ids. No slash, no percent sign.
_ID = r"[A-Za-z0-9\-._]{1,128}"
_WHOLE_ID = re.compile(_ID)
_RELATIVE = re.compile(rf"(?P<type>[A-Z][A-Za-z]{{1,63}})/(?P<id>{_ID})(?:/_history/(?P<version>{_ID}))?")


class Reference(NamedTuple):
    """``type`` and ``id`` of a resource of this EHR, and the version where one is named."""

    type: str
    id: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


def is_id(text: object) -> bool:
    """Whether this is an id that may stand in a path."""
    return isinstance(text, str) and _WHOLE_ID.fullmatch(text) is not None and text.strip(".") != ""


def parse_reference(text: object, base: str = "") -> Reference | None:
    """A relative reference, or an absolute one below ``base``; None for every other (contained, urn, foreign)."""
    if not isinstance(text, str):
        return None
    prefix = base.rstrip("/") + "/"
    if base and text.startswith(prefix):
        text = text[len(prefix) :]
    match = _RELATIVE.fullmatch(text)
    if match is None or not is_id(match["id"]):
        return None
    return Reference(match["type"], match["id"], match["version"])


def points_to(value: object, type_: str, id_: str, base: str = "") -> bool:
    """Whether a FHIR Reference object points to this resource of this EHR and to no other."""
    if not isinstance(value, Mapping):
        return False
    found = parse_reference(value.get("reference"), base)
    return found is not None and (found.type, found.id) == (type_, id_)


def make_relative(resource: Mapping[str, Any], base: str) -> dict[str, Any]:
    """A copy with every absolute reference below ``base`` made relative, the versions that they name left out."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        copy = {name: walk(one) for name, one in value.items()}
        found = parse_reference(copy.get("reference"), base)
        return copy if found is None else {**copy, "reference": str(found)}

    return {name: walk(one) for name, one in resource.items()}


def reference_of(resource: Mapping[str, Any]) -> str:
    """``Consent/7/_history/2``: what a resource calls itself, with its version where it has one."""
    type_, id_ = resource.get("resourceType"), resource.get("id")
    name = f"{type_}/{id_}" if is_id(id_) else f"{type_} without an id"
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return f"{name}/_history/{version}" if is_id(id_) and is_id(version) else name
