"""What the chart says of a note: a DocumentReference in, a line with its text out; and when it is locked. Pure."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from gateway.sandbox.chart.words import read_concept, read_time, write_moment
from gateway.sandbox.fhir.backend import Resource

State = Literal["draft", "signed", "replaced", "error"]
_LABELS = {"AIAST": "AI-assisted", "DICTAST": "Dictated with software"}


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One note as the chart shows it."""

    id: str
    version: str
    state: State
    title: str
    date: str
    sort: float
    authors: str
    signer: str
    labels: tuple[str, ...]
    text: str


def tell_state(note: Resource) -> State:
    """Whether a note awaits its signature, is signed, or is no longer in force."""
    status, doc_status = note.get("status"), note.get("docStatus")
    if "entered-in-error" in (status, doc_status):
        return "error"
    if status == "superseded":
        return "replaced"
    return "signed" if doc_status in ("final", "amended") else "draft"


def find_lock(resource: Resource) -> str | None:
    """Why an app may not change it: a signed note is changed in the chart only."""
    if resource.get("resourceType") == "DocumentReference" and tell_state(resource) in ("signed", "error"):
        return "This note is signed or withdrawn and locked; it can be changed in the chart only."
    return None


def describe_note(
    note: Resource, binaries: Mapping[str, Resource], names: Mapping[str, str], zone: tzinfo | None
) -> NoteLine:
    """``binaries`` by reference (``Binary/1``), ``names`` of authors by reference."""
    meta = note.get("meta") or {}
    codes = [coding.get("code", "") for coding in meta.get("security", [])]
    moment = read_time(note.get("date") or meta.get("lastUpdated"), zone)
    authors = [_name(reference, names) for reference in note.get("author", [])]
    return NoteLine(
        id=note["id"],
        version=meta.get("versionId", ""),
        state=tell_state(note),
        title=read_concept(note.get("type")) or "Note",
        date=write_moment(note.get("date") or meta.get("lastUpdated"), zone),
        sort=moment.timestamp() if moment else 0.0,
        authors=", ".join(name for name in authors if name),
        signer=_name(note.get("authenticator"), names),
        labels=tuple(_LABELS[code] for code in codes if code in _LABELS),
        text=read_text(note, binaries),
    )


def read_text(note: Resource, binaries: Mapping[str, Resource]) -> str:
    """The text of the first attachment, from the note itself or from its Binary."""
    for content in note.get("content", []):
        attachment = content.get("attachment") or {}
        kind = attachment.get("contentType", "")
        data = attachment.get("data")
        if data is None and (url := attachment.get("url")):
            binary = binaries.get("/".join(str(url).split("/")[-2:])) or {}
            data, kind = binary.get("data"), binary.get("contentType") or kind
        if not str(kind).startswith("text/plain"):
            return f"This document can't be shown here (its type is {kind or 'not given'})."
        if data is None:
            return "The text of this document is not in the record."
        try:
            return base64.b64decode(data).decode("utf-8", errors="replace")
        except (binascii.Error, ValueError):
            return "The text of this document is damaged."
    return "This note has no text."


def list_binaries(notes: Iterable[Resource]) -> set[str]:
    """References of the Binary resources that hold the texts."""
    urls = (
        str((content.get("attachment") or {}).get("url") or "") for note in notes for content in note.get("content", [])
    )
    return {"/".join(url.split("/")[-2:]) for url in urls if "Binary/" in url}


def order_notes(notes: Iterable[NoteLine]) -> list[NoteLine]:
    """Unsigned drafts first, then the newest first."""
    return sorted(sorted(notes, key=lambda note: note.sort, reverse=True), key=lambda note: note.state != "draft")


def _name(reference: Resource | None, names: Mapping[str, str]) -> str:
    target = str((reference or {}).get("reference", ""))
    short = "/".join(target.split("/")[-2:])
    return names.get(short) or str((reference or {}).get("display") or "")
