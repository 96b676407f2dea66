"""What becomes of a resource on its way into the record, beside its new version. Pure."""

from typing import Any

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.validation import split_reference


def unpin_references(value: Any) -> Any:
    """A copy whose references name no version: HAPI strips it on storing, so that they follow the resource."""
    match value:
        case dict():
            copied = {name: unpin_references(child) for name, child in value.items()}
            if isinstance(copied.get("reference"), str) and (parts := split_reference(copied["reference"])):
                copied["reference"] = "/".join(parts)
            return copied
        case list():
            return [unpin_references(child) for child in value]
        case _:
            return value


def keep_labels(stored: Resource, sent: Resource) -> Resource:
    """Tags and security labels stay through an update that does not name them (R4, resource.html#Meta)."""
    meta = dict(sent.get("meta", {}))
    for name in ("security", "tag"):
        old, new = stored.get("meta", {}).get(name, []), meta.get(name, [])
        codes = {(label.get("system"), label.get("code")) for label in new}
        kept = [label for label in old if (label.get("system"), label.get("code")) not in codes]
        if kept or new:
            meta[name] = kept + new
    return sent | ({"meta": meta} if meta else {})


def same_content(stored: Resource, sent: Resource) -> bool:
    """Whether an update changes nothing but version and date."""
    return _strip_version(stored) == _strip_version(sent)


def _strip_version(resource: Resource) -> Resource:
    plain = dict(resource)
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    plain.pop("meta", None)
    return plain | ({"meta": meta} if meta else {})
