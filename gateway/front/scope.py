"""What a visit may ask of its EHR: decided from the method, the path and the query alone, before anything is sent.

A read names one resource; a search names this visit's patient; a write makes or changes one resource of the few
kinds that the gateway writes. Whether what comes back is this patient's, the visit checks itself (``ehr/chart``).
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

Action = Literal["read", "search", "capability", "create", "update"]

WRITABLE = frozenset({"DocumentReference", "Provenance", "Consent", "Device", "AuditEvent", "Binary"})
TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
ID = re.compile(r"(?!\.+(/|$))[A-Za-z0-9\-._]{1,128}")
PATIENT_PARAMETERS = frozenset({"patient", "subject", "patient:Patient", "subject:Patient"})
PAGES = "_getpages"  # HAPI's own links to the next page carry nothing but this
# A search by these names no patient, but one resource; what refers to a patient is asked for by patient.
BY_ID = "_id"


@dataclass(frozen=True, slots=True)
class Call:
    """A permitted call: what it does, to which type, below the EHR's base at ``path``."""

    action: Action
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that is not permitted; ``code`` for the ledger and the log."""

    code: str


def judge_call(method: str, path: str, query: str, patient_id: str, ehr_base: str) -> Call | Refused:
    """Decide one call.

    Args:
        path: below the base, undecoded, without a leading slash.
        query: undecoded.
    """
    steps = path.split("/") if path else []
    if any(not (TYPE.fullmatch(step) or ID.fullmatch(step) or step == "_history") for step in steps):
        return Refused("path")
    match method, steps:
        case "GET", ["metadata"]:
            return Call("capability", "CapabilityStatement", path)
        case "GET", []:
            names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
            return Call("search", "", path) if PAGES in names else Refused("base")
        case "GET", [type_] if TYPE.fullmatch(type_):
            return _judge_search(type_, query, patient_id, ehr_base)
        case "GET", [type_, _, *rest] if TYPE.fullmatch(type_) and _is_version(rest):
            if type_ == "Patient" and steps[1] != patient_id:
                return Refused("other-patient")
            return Call("read", type_, path)
        case "POST", [type_]:
            return Call("create", type_, path) if type_ in WRITABLE and not query else Refused("write")
        case "PUT", [type_, _]:
            return Call("update", type_, path) if type_ in WRITABLE and not query else Refused("write")
        case _:
            return Refused("call")


def _is_version(rest: list[str]) -> bool:
    return rest == [] or (rest[0] == "_history" and len(rest) <= 2)


def _judge_search(type_: str, query: str, patient_id: str, ehr_base: str) -> Call | Refused:
    own = {patient_id, f"Patient/{patient_id}", f"{ehr_base.rstrip('/')}/Patient/{patient_id}"}
    values = parse_qsl(query, keep_blank_values=True)
    named = [value for name, value in values if name in PATIENT_PARAMETERS]
    ids = [value for name, value in values if name == BY_ID]
    if type_ == "Patient":
        named = ids
    if any(value not in own for value in named):
        return Refused("other-patient")
    if not named and (not ids or any("," in value for value in ids)):
        return Refused("no-patient")
    return Call("search", type_, type_)
