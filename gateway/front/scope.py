"""What a visit may ask of its EHR: decided from the method, the path, the query and two headers, before it is sent.

A read names this visit's own patient, encounter or clinician, or one resource of the few other kinds; a search names
this visit's patient, and nothing in it may bring in more than matches; medications are searched for only where the site
says so. A write creates a note or its Provenance and, where the site says so, a Consent or an AuditEvent; the one
update is of a Consent in a version that the visit names. Whether what comes back is this patient's, the visit checks
itself (``ehr/chart``); what it writes, nobody checks here: bodies are not looked at.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

Action = Literal["read", "search", "capability", "create", "update"]

READABLE = frozenset(
    {
        "Patient",
        "Encounter",
        "Consent",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
        "Group",
        "DocumentReference",
        "Binary",
    }
)
MEDICATIONS = frozenset({"MedicationRequest", "MedicationStatement"})  # searched, and only where the site says so
OF_PATIENT = frozenset({"Encounter", "Consent", "DocumentReference", "RelatedPerson"}) | MEDICATIONS
OF_SUBJECT = frozenset({"Encounter", "DocumentReference"}) | MEDICATIONS  # searched by ``subject`` too
WRITABLE = frozenset({"DocumentReference", "Provenance"})
ID = re.compile(r"(?!\.+$|_)[A-Za-z0-9\-._]{1,128}")
# FHIR R4 search, 3.1.1: each of these names the patient; the modifier says the type, as the value may too.
PATIENT_PARAMETERS = frozenset({"patient", "patient:Patient"})
SUBJECT_PARAMETERS = PATIENT_PARAMETERS | {"subject", "subject:Patient"}
# Each further parameter narrows a search (3.1.1.2: AND), but not those that add resources, reach through a reference
# (a dot or a modifier in the name), or ask in a language of their own.
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,63}")
WIDENING = frozenset({"_include", "_revinclude", "_contained", "_containedtype", "_has", "_filter", "_query", "_type"})
PAGES = "_getpages"  # HAPI's own links to the next page carry this, and how to show it
SHOWING = frozenset({"_format", "_pretty", "_count", "_summary", "_elements", "_total"})
ROLE_SEARCH = frozenset({("_include", "PractitionerRole:practitioner")})
CONDITION = re.compile(r"identifier=[^&;]+")
ENTITY_TAG = re.compile(r'(?:W/)?"[A-Za-z0-9\-._]{1,128}"')  # one version; R4 knows no list of them, and * is any


@dataclass(frozen=True, slots=True)
class May:
    """What this site lets a visit do beside reading what every visit needs and writing its note.

    Attributes:
        consents: write Consents, and set one inactive.
        audit_events: write AuditEvents.
        medications: the one kind of resource to search for the patient's medications, or ``none``.
    """

    consents: bool = False
    audit_events: bool = False
    medications: str = "none"


NOTE_ALONE = May()


@dataclass(frozen=True, slots=True)
class Own:
    """Whose visit it is: ids as the EHR knows them; ``user`` is a relative reference (``Practitioner/42``).

    Without an encounter the launch had none: the patient's are then searched for.
    """

    patient_id: str
    encounter_id: str | None
    user: str


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


def judge_call(
    method: str,
    path: str,
    query: str,
    own: Own,
    ehr_base: str,
    condition: str | None = None,
    match: str | None = None,
    may: May = NOTE_ALONE,
) -> Call | Refused:
    """Decide one call.

    Args:
        path: below the base, undecoded, without a leading slash.
        query: undecoded.
        condition: the header If-None-Exist, a search of its own.
        match: the header If-Match, which an update needs and nothing else has.
        may: what the site allows.
    """
    if ";" in query:  # some servers end a parameter here too
        return Refused("query")
    values = parse_qsl(query, keep_blank_values=True)
    only_showing = all(name in SHOWING for name, _ in values)
    match method, path.split("/") if path else []:
        case "GET", ["metadata"]:
            return Call("capability", "CapabilityStatement", path) if only_showing else Refused("query")
        case "GET", []:
            return Call("search", "", path) if _asks_for_page(values) else Refused("base")
        case "GET", [type_] if type_ in READABLE or (type_ in MEDICATIONS and type_ == may.medications):
            return _judge_search(type_, values, own, ehr_base)
        case "GET", [type_, id_, *version] if type_ in READABLE and ID.fullmatch(id_) and _is_version(version):
            if not _is_own(type_, id_, own):
                return Refused(f"other-{type_.lower()}")
            return Call("read", type_, path) if only_showing else Refused("query")
        case "POST", [type_] if _may_create(type_, may) and not query:
            if match is not None or (condition is not None and not CONDITION.fullmatch(condition)):
                return Refused("condition")
            return Call("create", type_, path)
        case "PUT", ["Consent", id_] if may.consents and ID.fullmatch(id_) and not query:
            if condition is not None or match is None or not ENTITY_TAG.fullmatch(match):
                return Refused("condition")
            return Call("update", "Consent", path)
        case _:
            return Refused("call")


def _may_create(type_: str, may: May) -> bool:
    return type_ in WRITABLE or (type_ == "Consent" and may.consents) or (type_ == "AuditEvent" and may.audit_events)


def _is_own(type_: str, id_: str, own: Own) -> bool:
    """Whether a resource of this kind may be read by its id: the visit's own, or a note with its parts."""
    match type_:
        case "Patient":
            return id_ == own.patient_id
        case "Encounter":
            return own.encounter_id is None or id_ == own.encounter_id
        case "Practitioner" | "PractitionerRole":
            return f"{type_}/{id_}" == own.user
        case _:
            return True


def _is_version(rest: list[str]) -> bool:
    match rest:
        case [] | ["_history"]:
            return True
        case ["_history", version]:
            return ID.fullmatch(version) is not None
        case _:
            return False


def _asks_for_page(values: list[tuple[str, str]]) -> bool:
    names = {name for name, _ in values}
    return PAGES in names and all(name.startswith(PAGES) or name in SHOWING | {"_bundletype"} for name in names)


def _judge_search(type_: str, values: list[tuple[str, str]], own: Own, ehr_base: str) -> Call | Refused:
    if type_ == "PractitionerRole":  # of nobody's record; the one resource with its practitioner
        ids = [value for name, value in values if name == "_id"]
        others = {pair for pair in values if pair[0] != "_id" and pair[0] not in SHOWING}
        fits = len(ids) == 1 and _is_own(type_, ids[0], own) and others <= ROLE_SEARCH
        return Call("search", type_, type_) if fits else Refused("query")
    if type_ not in OF_PATIENT | {"Patient"}:
        return Refused("call")
    relative = f"Patient/{own.patient_id}"
    names = {own.patient_id, relative, f"{ehr_base.rstrip('/')}/{relative}"}
    naming = _list_naming(type_)
    rest = [name for name, _ in values if name not in naming]
    if any(value not in names for name, value in values if name in naming | SUBJECT_PARAMETERS):
        return Refused("other-patient")
    if len(rest) == len(values):
        return Refused("no-patient")
    if any(not PLAIN.fullmatch(name) or name.lower() in WIDENING for name in rest):
        return Refused("query")
    return Call("search", type_, type_)


def _list_naming(type_: str) -> frozenset[str]:
    """The parameters that name the patient; a server may ignore one that it does not know, and find everybody's."""
    if type_ in OF_SUBJECT:
        return SUBJECT_PARAMETERS
    return PATIENT_PARAMETERS if type_ in OF_PATIENT else frozenset({"_id"})
