"""Reads what the pages show: today's schedule and one patient's chart. All reads of a page run side by side."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from gateway.sandbox.chart.consents import ConsentLine, describe_consent, list_unanswered, summarise_consents
from gateway.sandbox.chart.notes import NoteLine, describe_note, list_binaries, order_notes, tell_state
from gateway.sandbox.chart.words import compute_age, read_concept, read_time, write_day, write_name
from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirRefused
from gateway.sandbox.practice import Practice


@dataclass(frozen=True, slots=True)
class PatientHead:
    """Who it is: what a clinician checks before she writes."""

    id: str
    name: str
    birth_date: str
    age: int | None
    gender: str
    mrn: str


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One of today's visits, or one of the patient's."""

    id: str
    patient: PatientHead
    start: str
    end: str
    kind: str
    reason: str
    place: str
    remote: bool
    status: str
    clinician: str
    with_whom: str
    drafts: int
    consents: str
    sort: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One patient's chart. ``stamp`` changes whenever anything of it does."""

    patient: PatientHead
    visits: tuple[VisitLine, ...]
    consents: tuple[ConsentLine, ...]
    unanswered: tuple[tuple[str, str], ...]
    notes: tuple[NoteLine, ...]
    conditions: tuple[str, ...]
    medications: tuple[tuple[str, str], ...]
    stamp: str


async def read_schedule(practice: Practice) -> list[VisitLine]:
    """Today's visits of the practice, by time; those of the signed-in clinician can be told by ``clinician``."""
    encounters = await _read_today(practice, ("service-provider", practice.organization))
    named = _references(encounters)
    patients = await _read_all(practice, {_subject(one) for one in encounters})
    names = await _read_names(practice, named)
    ids = sorted(patients)
    notes = await asyncio.gather(*(practice.record.search("DocumentReference", ("patient", id_)) for id_ in ids))
    consents = await asyncio.gather(*(practice.record.search("Consent", ("patient", id_)) for id_ in ids))
    today = practice.clock().date()
    marks = {
        id_: (_count_drafts(written), summarise_consents(describe_consent(one, today) for one in given))
        for id_, written, given in zip(ids, notes, consents, strict=True)
    }
    lines = [
        _describe_visit(practice, one, patients[_subject(one)], names, *marks[_subject(one)])
        for one in encounters
        if _subject(one) in patients
    ]
    return sorted(lines, key=lambda line: line.sort)


async def read_chart(practice: Practice, patient_id: str) -> Chart:
    """
    Raises:
        FhirRefused: there is no such patient, or the record does not answer.
    """
    about = ("patient", patient_id)
    record = practice.record
    patient, visits, consents, notes, conditions, medications = await asyncio.gather(
        record.read("Patient", patient_id),
        _read_today(practice, about),
        record.search("Consent", about),
        record.search("DocumentReference", about),
        record.search("Condition", about),
        record.search("MedicationStatement", about),
    )
    binaries, names = await asyncio.gather(
        _read_binaries(practice, list_binaries(notes)), _read_names(practice, _references([*visits, *notes]))
    )
    now = practice.clock()
    lines = sorted((describe_consent(one, now.date()) for one in consents), key=lambda line: (line.title, line.id))
    return Chart(
        patient=_describe_patient(practice, patient),
        visits=tuple(
            sorted(
                (_describe_visit(practice, one, patient, names, _count_drafts(notes)) for one in visits),
                key=lambda line: line.sort,
            )
        ),
        consents=tuple(lines),
        unanswered=tuple(list_unanswered(lines)),
        notes=tuple(order_notes(describe_note(one, binaries, names, now.tzinfo) for one in notes)),
        conditions=tuple(read_concept(one.get("code")) for one in conditions),
        medications=tuple(_describe_medication(one) for one in medications),
        stamp=_stamp([patient, *visits, *consents, *notes, *conditions, *medications]),
    )


async def _read_today(practice: Practice, whose: tuple[str, str]) -> list[Resource]:
    """Visits that begin today, in the practice's own day."""
    now = practice.clock()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    dates = (
        ("date", f"ge{midnight.isoformat()}"),
        ("date", f"lt{(midnight + timedelta(days=1)).isoformat()}"),
    )
    return await practice.record.search("Encounter", whose, *dates)


async def _read_all(practice: Practice, ids: set[str]) -> dict[str, Resource]:
    if not ids:
        return {}
    found = await practice.record.search("Patient", ("_id", ",".join(sorted(ids))))
    return {one["id"]: one for one in found}


async def _read_binaries(practice: Practice, references: set[str]) -> dict[str, Resource]:
    async def read(reference: str) -> tuple[str, Resource]:
        type_, id_ = reference.split("/")
        try:
            return reference, await practice.record.read(type_, id_)
        except FhirRefused:
            return reference, {}

    return dict(await asyncio.gather(*(read(one) for one in sorted(references))))


async def _read_names(practice: Practice, references: set[str]) -> dict[str, str]:
    """The names behind references to people, places and devices, one search for each type."""
    types: dict[str, list[str]] = {}
    for reference in references:
        type_, _, id_ = reference.partition("/")
        if type_ in ("Practitioner", "Location", "RelatedPerson"):
            types.setdefault(type_, []).append(id_)
    found = await asyncio.gather(
        *(practice.record.search(type_, ("_id", ",".join(sorted(ids)))) for type_, ids in types.items())
    )
    return {f"{one['resourceType']}/{one['id']}": write_name(one) for group in found for one in group}


def _references(resources: Iterable[Resource]) -> set[str]:
    """Who and where is named in visits and notes."""
    found: set[str] = set()
    for one in resources:
        people = [part.get("individual") for part in one.get("participant", [])]
        places = [part.get("location") for part in one.get("location", [])]
        for reference in (*people, *places, *one.get("author", []), one.get("authenticator")):
            found.add("/".join(str((reference or {}).get("reference", "")).split("/")[-2:]))
    return found - {""}


def _subject(encounter: Resource) -> str:
    return str((encounter.get("subject") or {}).get("reference", "")).rsplit("/", 1)[-1]


def _count_drafts(notes: Iterable[Resource]) -> int:
    return sum(tell_state(note) == "draft" for note in notes)


def _describe_patient(practice: Practice, patient: Resource) -> PatientHead:
    identifiers = patient.get("identifier") or [{}]
    return PatientHead(
        patient["id"],
        write_name(patient),
        write_day(patient.get("birthDate")),
        compute_age(patient.get("birthDate"), practice.clock().date()),
        str(patient.get("gender", "")),
        str(identifiers[0].get("value", "")),
    )


def _describe_visit(
    practice: Practice, encounter: Resource, patient: Resource, names: dict[str, str], drafts: int, consents: str = ""
) -> VisitLine:
    period = encounter.get("period") or {}
    zone = practice.clock().tzinfo
    start, end = read_time(period.get("start"), zone), read_time(period.get("end"), zone)
    people = [str((one.get("individual") or {}).get("reference", "")) for one in encounter.get("participant", [])]
    places = [str((one.get("location") or {}).get("reference", "")) for one in encounter.get("location", [])]
    clinicians = [one for one in people if one.startswith("Practitioner/")]
    return VisitLine(
        id=encounter["id"],
        patient=_describe_patient(practice, patient),
        start=f"{start:%H:%M}" if start else "",
        end=f"{end:%H:%M}" if end else "",
        kind=read_concept((encounter.get("type") or [None])[0]) or "Visit",
        reason=read_concept((encounter.get("reasonCode") or [None])[0]),
        place=", ".join(names.get(one, "") for one in places),
        remote=(encounter.get("class") or {}).get("code") == "VR",
        status=str(encounter.get("status", "")).replace("-", " "),
        clinician=clinicians[0] if clinicians else "",
        with_whom=", ".join(names.get(one, "") for one in people if one.startswith("RelatedPerson/")),
        drafts=drafts,
        consents=consents,
        sort=start.timestamp() if start else 0.0,
    )


def _describe_medication(statement: Resource) -> tuple[str, str]:
    dosage = (statement.get("dosage") or [{}])[0]
    return read_concept(statement.get("medicationCodeableConcept")), str(dosage.get("text", ""))


def _stamp(resources: Iterable[Resource]) -> str:
    """A name for exactly these versions."""
    names = sorted(f"{one['resourceType']}/{one['id']}/{(one.get('meta') or {}).get('versionId')}" for one in resources)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
