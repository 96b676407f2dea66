"""What the chart says of a patient's consents: resources in, lines out. Pure.

It shows what is on file in plain words; deciding what is permitted is the app's own business, not the chart's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from gateway.sandbox.chart.words import write_day
from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.seed.resources import ACTIVITY_WORDS, CONSENT_ACTIVITY

State = Literal["given", "refused", "expired", "revoked", "unreadable", "other"]

_SHORT = {"telehealth": "telehealth", "recording": "recording", "ai-drafting": "AI drafting"}


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One Consent. ``activity`` is a code of ours, empty where none was found in it."""

    id: str
    version: str
    activity: str
    title: str
    state: State
    words: str
    can_revoke: bool


def describe_consent(consent: Resource, today: date) -> ConsentLine:
    provision = consent.get("provision") or {}
    codes = [
        coding["code"]
        for concept in provision.get("code", [])
        for coding in concept.get("coding", [])
        if coding.get("system") == CONSENT_ACTIVITY and coding.get("code") in ACTIVITY_WORDS
    ]
    activity = codes[0] if len(set(codes)) == 1 else ""
    title = ACTIVITY_WORDS.get(activity) or (consent.get("sourceAttachment") or {}).get("title") or "Consent"
    state, words = _tell_state(consent, provision, activity, today)
    active = consent.get("status") == "active" and provision.get("type") != "deny"
    version = (consent.get("meta") or {}).get("versionId", "")
    return ConsentLine(consent["id"], version, activity, title, state, words, active and state != "expired")


def list_unanswered(lines: Iterable[ConsentLine]) -> list[tuple[str, str]]:
    """The questions on which nothing is on file: code and words."""
    answered = {line.activity for line in lines}
    return [(code, words) for code, words in ACTIVITY_WORDS.items() if code not in answered]


def summarise_consents(lines: Iterable[ConsentLine]) -> str:
    """One line for the schedule: ``given: telehealth, AI drafting; refused: recording``."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(line.state, []).append(_SHORT.get(line.activity, "a form"))
    if list(groups) == ["given"] and set(groups["given"]) == set(_SHORT.values()):
        return "all given"
    return "; ".join(f"{state}: {', '.join(words)}" for state, words in groups.items()) or "nothing on file"


def _tell_state(consent: Resource, provision: Resource, activity: str, today: date) -> tuple[State, str]:
    given = write_day(consent.get("dateTime"))
    status = consent.get("status")
    if status == "inactive":
        return "revoked", f"Revoked; was given {given}"
    if status != "active":
        return "other", f"Not in force: {status}"
    if not activity:
        return "unreadable", f"Dated {given}; what was agreed stands in the document only"
    if provision.get("type") == "deny":
        return "refused", f"Refused {given}"
    end = (provision.get("period") or {}).get("end")
    if end and end[:10] < today.isoformat():
        return "expired", f"Given {given}, expired {write_day(end)}"
    return "given", f"Given {given}" + (f", until {write_day(end)}" if end else "")
