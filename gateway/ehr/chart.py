"""The chart of one visit: what is read from the EHR, each resource checked to be about the launch's patient.

In: a client of this EHR and the launch. Out: ``Chart``, a proof. Patient, Encounter, Practitioner, Consent and, where
the site has them read, medications are read at the same time, one round trip deep. One resource of another patient and
nothing is shown. What of Consent could not be read is kept as a sentence, because an unread consent may be a refusal;
it is never left out silently.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from gateway.ehr.attendance import (
    Attendee,
    list_attendees,
    list_named,
    name_read,
    read_group,
    read_named,
    read_related,
)
from gateway.ehr.client import FhirClient, Resource, SearchResult
from gateway.ehr.consents import add_written, search_consents
from gateway.ehr.context import LaunchContext
from gateway.ehr.dates import format_period, parse_date
from gateway.ehr.language import ENGLISH, expect_language
from gateway.ehr.medications import read_medications
from gateway.ehr.naming import (
    Identifier,
    choose_identifiers,
    choose_name,
    clean_text,
    describe_concept,
    describe_reference,
    list_objects,
)
from gateway.ehr.reference import Reference, parse_reference, points_to, reference_of
from gateway.ehr.site import EhrSite
from gateway.errors import EhrGarbled, EhrRefused, LaunchError, VisitError
from gateway.proof import Maker

MAKER = Maker("ehr/chart")

NAME_UNKNOWN = "Name not recorded"
CLINICIAN_UNKNOWN = "the clinician signed in to the EHR"
OTHER_PATIENT = (
    "The EHR answered with data of another patient, so nothing is shown. "
    "Close Countersign and open it again from this patient's chart."
)
NO_OPEN_ENCOUNTER = (
    "This patient has no open encounter in the EHR. Open one there, then open Countersign again from it."
)
OPEN_STATUSES = ("in-progress", "arrived", "planned")
# v3-ActCode's encounter classes that happen in a place; of a class that is neither here nor the site's, ask.
IN_PERSON_CLASSES = frozenset(["AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS"])

TelehealthFact = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """``birth_date`` as the record has it (it may be partial); empty strings where nothing is recorded."""

    id: str
    name: str
    birth_date: str
    gender: str
    identifiers: tuple[Identifier, ...]

    @property
    def reference(self) -> str:
        return f"Patient/{self.id}"


@dataclass(frozen=True, slots=True)
class EncounterSummary:
    """``start`` and ``end`` are FHIR dateTimes as written, or empty; ``kind`` and the rest are for a person.

    ``organization`` is the relative reference of who is responsible for it, or empty. ``participants`` names everybody
    whom the record names, ``attendees`` are those besides the patient and the staff, whose consent may be needed.
    """

    id: str
    status: str
    class_code: str
    start: str
    end: str
    kind: str
    service: str
    location: str
    participants: tuple[str, ...]
    organization: str = ""
    attendees: tuple[Attendee, ...] = ()

    @property
    def reference(self) -> str:
        return f"Encounter/{self.id}"

    @property
    def period_words(self) -> str:
        return format_period(self.start, self.end)

    @property
    def label(self) -> str:
        """One line to choose it by."""
        parts = (self.period_words, self.kind or self.service, self.location, self.status.replace("-", " "))
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class PractitionerSummary:
    """``reference`` is relative: the Practitioner, also where the launch named a PractitionerRole."""

    reference: str
    name: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What was read for this visit, and proof that all of it is about the launch's patient.

    ``consents`` are this patient's Consent resources, references to this EHR made relative; ``consent_problems`` says
    what could not be read of them; ``related`` are the patient's RelatedPersons who answered one of them, take part in
    the visit, or whom the EHR lists.
    ``read`` lists (reference, what it is) of everything that was read. ``language`` (BCP 47) is the one that the visit
    is expected to be held in. ``medications`` are the names of the active ones, where the site has them read.
    """

    maker: InitVar[Maker]
    context: LaunchContext
    issuer: str
    patient: PatientSummary
    encounter: EncounterSummary | None
    encounter_choices: tuple[EncounterSummary, ...]
    may_have_no_encounter: bool
    practitioner: PractitionerSummary
    consents: tuple[Resource, ...]
    consent_problems: tuple[str, ...]
    related: tuple[Resource, ...]
    read: tuple[tuple[str, str], ...]
    telehealth: TelehealthFact
    language: str = ENGLISH
    medications: tuple[str, ...] = ()

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


async def read_chart(client: FhirClient, context: LaunchContext, site: EhrSite, now: datetime) -> Chart:
    """Read everything the visit begins with, in parallel.

    Raises:
        EhrError: Patient or Encounter can't be read, or an answer is about another patient.
        LaunchError: the launch had no encounter, and this patient has none open where the site needs one.
    """
    wanted = (
        client.read("Patient", context.patient_id),
        _read_encounters(client, context, site, now),
        _read_practitioner(client, context, site, now),
        search_consents(client, context.patient_id, site.issuer),
        read_related(client, context, site.issuer),
        read_medications(client, context, site),
    )
    patient, visits, practitioner, found, listed, medications = await asyncio.gather(*wanted)
    named = {id_ for one in visits for id_ in list_named(one.encounter, site.issuer)} | found.named
    related = await read_named(client, named, listed, context.patient_id, site.issuer)
    encounters = [
        replace(
            _summarise_encounter(one.encounter, site.issuer),
            attendees=list_attendees(one.encounter, one.group, related, context, site.issuer, now),
        )
        for one in visits
    ]
    chosen = encounters[0] if context.encounter_id else None
    choices = () if context.encounter_id else tuple(encounters)
    may_have_none = site.launch.without_encounter == "offer-or-none"
    if chosen is None and not choices and not may_have_none:
        raise LaunchError("launch.no-open-encounter", NO_OPEN_ENCOUNTER)
    read = [(reference_of(patient), "Patient"), *((reference_of(one.encounter), "Encounter") for one in visits)]
    read += [(reference_of(one.group), "Group") for one in visits if one.group]
    if practitioner.name != CLINICIAN_UNKNOWN:
        read.append((practitioner.reference, "Clinician"))
    read += [*found.rows(), *name_read(related), *medications.rows]
    return Chart(
        MAKER,
        context=context,
        issuer=site.issuer,
        patient=_summarise_patient(patient, site, now),
        encounter=chosen,
        encounter_choices=choices,
        may_have_no_encounter=may_have_none,
        practitioner=practitioner,
        consents=found.consents,
        consent_problems=found.problems,
        related=related,
        read=tuple(read),
        telehealth=tell_telehealth(chosen, site),
        language=expect_language(patient, site),
        medications=medications.names,
    )


def choose_encounter(chart: Chart, encounter_id: str | None, site: EhrSite) -> Chart:
    """The chart with one of the offered encounters, or with none where the site allows it.

    Raises:
        VisitError: it was not offered.
    """
    if encounter_id is None and not chart.may_have_no_encounter:
        raise VisitError("visit.encounter", "A note needs an encounter here. Choose one of the list.")
    chosen = next((one for one in chart.encounter_choices if one.id == encounter_id), None)
    if encounter_id is not None and chosen is None:
        raise VisitError("visit.encounter", "This encounter is not one of those offered. Choose one of the list.")
    return _renew_chart(chart, encounter=chosen, telehealth=tell_telehealth(chosen, site))


async def reread_consents(client: FhirClient, chart: Chart, now: datetime, written: Sequence[Reference] = ()) -> Chart:
    """The same chart with Consent read again. An EHR that does not answer is a problem in it, not an error.

    Args:
        written: Consents of this visit that the record has for certain: read by id where its search does not show
            them yet.
    """
    del now  # the decision asks for the time, not the reading
    context, issuer = chart.context, chart.issuer
    found, listed = await asyncio.gather(
        search_consents(client, context.patient_id, issuer), read_related(client, context, issuer)
    )
    found = await add_written(client, found, written, context.patient_id, issuer)
    present = {one.partition("/")[2] for one in _list_related_attendees(chart)}
    related = await read_named(client, found.named | present, listed, context.patient_id, issuer)
    known = set(chart.read)
    fresh = [row for row in (*found.rows(), *name_read(related)) if row not in known]
    return _renew_chart(
        chart,
        consents=found.consents,
        consent_problems=found.problems,
        related=related,
        read=(*chart.read, *fresh),
    )


def tell_telehealth(encounter: EncounterSummary | None, site: EhrSite) -> TelehealthFact:
    """Whether the encounter is telehealth, by its class: the site's codes say yes, the known places no."""
    if encounter is None or not encounter.class_code:
        return "unknown"
    if encounter.class_code in site.telehealth.encounter_classes:
        return "yes"
    return "no" if encounter.class_code in IN_PERSON_CLASSES else "unknown"


# Reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Visit:
    encounter: Resource
    group: Resource | None = None


async def _read_encounters(
    client: FhirClient, context: LaunchContext, site: EhrSite, now: datetime
) -> tuple[_Visit, ...]:
    """The launch's encounter alone, or the patient's open ones, those in progress first."""
    if context.encounter_id:
        encounter = await client.read("Encounter", context.encounter_id)
        group = await read_group(client, encounter, context.patient_id, site.issuer)
        if group is None:
            _require_patient(encounter.get("subject"), context.patient_id, site.issuer)
        return (_Visit(encounter, group),)
    params = {"patient": context.patient_id, "status": ",".join(OPEN_STATUSES)}
    found = await client.search("Encounter", params)
    for encounter in found.matches:
        _require_patient(encounter.get("subject"), context.patient_id, site.issuer)
    return tuple(
        _Visit(one) for one in sorted((one for one in found.matches if _is_open(one, now)), key=_rank_encounter)
    )


async def _read_practitioner(
    client: FhirClient, context: LaunchContext, site: EhrSite, now: datetime
) -> PractitionerSummary:
    """The clinician. A name that the EHR does not give away stops nothing: who it is, is in the launch."""
    type_, id_ = context.practitioner.split("/")
    try:
        if type_ == "Practitioner":
            resource = await client.read(type_, id_)
            return PractitionerSummary(
                context.practitioner, choose_name(resource.get("name"), now) or CLINICIAN_UNKNOWN
            )
        params = {"_id": id_, "_include": "PractitionerRole:practitioner"}
        found = await client.search(type_, params)
    except EhrRefused:
        return PractitionerSummary(context.practitioner, CLINICIAN_UNKNOWN)
    return _summarise_role(found, context, site, now)


def _list_related_attendees(chart: Chart) -> list[str]:
    attendees = chart.encounter.attendees if chart.encounter else ()
    return [one.reference for one in attendees if one.reference.startswith("RelatedPerson/")]


def _require_patient(subject: object, patient_id: str, issuer: str) -> None:
    if not points_to(subject, "Patient", patient_id, issuer):
        raise EhrGarbled("chart.other-patient", OTHER_PATIENT, "subject differs from the launch")


def _is_open(encounter: Mapping[str, Any], now: datetime) -> bool:
    """In progress or arrived; planned only where it may begin today (``now``'s date, in its own zone)."""
    status = encounter.get("status")
    if status in ("in-progress", "arrived"):
        return True
    if status != "planned":
        return False
    text = _period_of(encounter)[0]
    start = parse_date(text)
    if start is None:
        return False
    if start.precise:
        written = datetime.fromisoformat(text)
        return written.date() == now.astimezone(written.tzinfo).date()
    return start.earliest_start <= now < start.latest_end


def _rank_encounter(encounter: Mapping[str, Any]) -> tuple[int, str]:
    return OPEN_STATUSES.index(encounter["status"]), _period_of(encounter)[0]


# Summaries --------------------------------------------------------------------------------------------------------


def _summarise_patient(patient: Resource, site: EhrSite, now: datetime) -> PatientSummary:
    birth_date = patient.get("birthDate")
    return PatientSummary(
        id=patient["id"],
        name=choose_name(patient.get("name"), now) or NAME_UNKNOWN,
        birth_date=birth_date if isinstance(birth_date, str) and parse_date(birth_date) else "",
        gender=clean_text(patient.get("gender")),
        identifiers=choose_identifiers(patient.get("identifier"), site.identifier_labels, now),
    )


def _summarise_encounter(encounter: Resource, issuer: str) -> EncounterSummary:
    start, end = _period_of(encounter)
    provider = encounter.get("serviceProvider")
    responsible = parse_reference(provider.get("reference"), issuer) if isinstance(provider, dict) else None
    class_ = encounter.get("class")
    class_code = clean_text(class_.get("code")) if isinstance(class_, dict) else ""
    class_words = clean_text(class_.get("display")) if isinstance(class_, dict) else ""
    kinds = [describe_concept(kind) for kind in list_objects(encounter.get("type"))]
    places = [describe_reference(one.get("location")) for one in list_objects(encounter.get("location"))]
    people = [describe_reference(one.get("individual")) for one in list_objects(encounter.get("participant"))]
    return EncounterSummary(
        id=encounter["id"],
        status=clean_text(encounter.get("status")),
        class_code=class_code,
        start=start,
        end=end,
        kind=", ".join(dict.fromkeys(kind for kind in kinds if kind)) or class_words,
        service=describe_concept(encounter.get("serviceType")),
        location=", ".join(dict.fromkeys(place for place in places if place)),
        participants=tuple(dict.fromkeys(person for person in people if person)),
        organization=str(responsible) if responsible and responsible.type == "Organization" else "",
    )


def _summarise_role(found: SearchResult, context: LaunchContext, site: EhrSite, now: datetime) -> PractitionerSummary:
    """PractitionerRole leads to its Practitioner: included in the answer, else by the reference's display."""
    role = next((one for one in found.matches if f"PractitionerRole/{one['id']}" == context.practitioner), None)
    person = role.get("practitioner") if role else None
    pointed = parse_reference(person.get("reference"), site.issuer) if isinstance(person, dict) else None
    if pointed is None or pointed.type != "Practitioner":
        return PractitionerSummary(context.practitioner, describe_reference(person) or CLINICIAN_UNKNOWN)
    included = next(
        (one for one in found.included if one.get("resourceType") == pointed.type and one.get("id") == pointed.id),
        None,
    )
    name = choose_name(included.get("name"), now) if included else ""
    return PractitionerSummary(str(pointed), name or describe_reference(person) or CLINICIAN_UNKNOWN)


def _period_of(encounter: Mapping[str, Any]) -> tuple[str, str]:
    """Start and end as written; empty where they are missing or no FHIR date."""
    period = encounter.get("period")
    if not isinstance(period, dict):
        return "", ""
    start, end = period.get("start"), period.get("end")
    return (
        start if isinstance(start, str) and parse_date(start) else "",
        end if isinstance(end, str) and parse_date(end) else "",
    )


def _renew_chart(chart: Chart, **changes: Any) -> Chart:
    values = {field.name: getattr(chart, field.name) for field in fields(Chart)}
    return Chart(MAKER, **{**values, **changes})
