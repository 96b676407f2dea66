"""Names and words out of foreign FHIR JSON, for a person to read: whatever is missing or malformed is left out.

HumanName, Identifier, CodeableConcept and Reference.display of FHIR R4 (2.24.0). Every text is cleaned of control
characters and of the marks that reorder text, so that a name can't pretend to be another.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from gateway.ehr.dates import parse_date

MAX_TEXT = 200
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
# R4: old and maiden names are no longer the person's; official stands before usual for a chart.
_USES = ("official", "usual", None, "temp", "nickname", "anonymous")
_RECORD_NUMBER = ("http://terminology.hl7.org/CodeSystem/v2-0203", "MR")


class Identifier(NamedTuple):
    """An identifier as the banner shows it."""

    label: str
    value: str


def clean_text(value: object, limit: int = MAX_TEXT) -> str:
    """One line without control or reordering characters, at most ``limit`` characters; empty if it is no text."""
    if not isinstance(value, str):
        return ""
    visible = _REORDERING.sub("", value)
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in visible)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def list_objects(value: object) -> list[Mapping[str, Any]]:
    """The objects of a JSON list; nothing for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def choose_name(names: object, now: datetime) -> str:
    """The name to call a person by: in use now, official over usual, ``text`` over its parts; empty if none."""
    candidates: list[tuple[int, int, str]] = []
    for place, name in enumerate(list_objects(names)):
        use = name.get("use")
        words = _compose_name(name)
        if words and use in _USES and _is_current(name.get("period"), now):
            candidates.append((_USES.index(use), place, words))
    return min(candidates)[2] if candidates else ""


def _compose_name(name: Mapping[str, Any]) -> str:
    if text := clean_text(name.get("text")):
        return text
    parts: list[str] = []
    for key in ("prefix", "given", "family", "suffix"):
        value = name.get(key)
        parts.extend(clean_text(part) for part in (value if isinstance(value, list) else [value]))
    return " ".join(part for part in parts if part)


def _is_current(period: object, now: datetime) -> bool:
    """Not certainly over and not certainly to come."""
    if not isinstance(period, dict):
        return True
    start, end = parse_date(period.get("start")), parse_date(period.get("end"))
    return (start is None or start.earliest_start <= now) and (end is None or now < end.latest_end)


def choose_identifiers(identifiers: object, labels: Mapping[str, str], now: datetime) -> tuple[Identifier, ...]:
    """Those that the site labels, in the site's order; else the medical record numbers; never the others."""
    current = [
        one
        for one in list_objects(identifiers)
        if one.get("use") != "old" and clean_text(one.get("value")) and _is_current(one.get("period"), now)
    ]
    labelled = [
        Identifier(label, clean_text(one["value"]))
        for system, label in labels.items()
        for one in current
        if one.get("system") == system
    ]
    numbers = [Identifier("MRN", clean_text(one["value"])) for one in current if _is_record_number(one)]
    return tuple(dict.fromkeys(labelled or numbers))


def _is_record_number(identifier: Mapping[str, Any]) -> bool:
    kind = identifier.get("type")
    codings = list_objects(kind.get("coding")) if isinstance(kind, dict) else []
    return any((coding.get("system"), coding.get("code")) == _RECORD_NUMBER for coding in codings)


def describe_concept(concept: object) -> str:
    """A CodeableConcept's words: its text, else the first display, else the first code."""
    if not isinstance(concept, dict):
        return ""
    if text := clean_text(concept.get("text")):
        return text
    codings = list_objects(concept.get("coding"))
    for key in ("display", "code"):
        for coding in codings:
            if words := clean_text(coding.get(key)):
                return words
    return ""


def describe_reference(value: object) -> str:
    """A Reference's display."""
    return clean_text(value.get("display")) if isinstance(value, dict) else ""
