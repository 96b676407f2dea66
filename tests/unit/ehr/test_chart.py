"""The chart: everything is this patient's, or nothing is shown; what is missing is missing plainly."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.ehr.chart import CLINICIAN_UNKNOWN, NAME_UNKNOWN, Chart, choose_encounter, read_chart, reread_consents
from gateway.ehr.client import FhirClient
from gateway.ehr.context import LaunchContext, admit_launch
from gateway.ehr.naming import Identifier
from gateway.errors import EhrError, EhrGarbled, EhrUnreachable, LaunchError, VisitError
from gateway.proof import ForgedProof
from tests.unit.ehr.conftest import BASE, make_site

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[4] / "shared/data/fhir-r4-examples"


def launch(**changes: Any) -> LaunchContext:
    message = {
        "site_id": "north",
        "patient_id": "1",
        "encounter_id": "e1",
        "practitioner": "Practitioner/p1",
        "subject": "user-1",
        "scopes": [],
        "need_patient_banner": True,
        "intent": "",
    }
    return admit_launch({**message, **changes})


SHOWN = [
    path for kind in ("patient", "encounter", "practitioner") for path in sorted(EXAMPLES.glob(f"{kind}-example*"))
]


class Record:
    """A FHIR server of a few resources; ``failing`` answers by path with a status instead."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.requests: list[httpx.Request] = []
        self.patient: dict[str, Any] = {
            "resourceType": "Patient",
            "id": "1",
            "meta": {"versionId": "2"},
            "name": [{"use": "official", "family": "Roe", "given": ["Jana", "M."]}],
            "birthDate": "1990-01-31",
            "gender": "female",
            "identifier": [{"system": "urn:mrn", "value": "M-1"}],
        }
        self.encounters = [encounter()]
        self.practitioners: list[dict[str, Any]] = [
            {"resourceType": "Practitioner", "id": "p1", "name": [{"text": "Dr. Ada Vance"}]}
        ]
        self.consents = [consent("c1")]
        self.more: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/fhir/")
        if path in self.failing:
            return httpx.Response(self.failing[path])
        found: list[dict[str, Any]] = [self.patient, *self.encounters, *self.practitioners, *self.consents, *self.more]
        if "/" in path:
            one = next((one for one in found if f"{one['resourceType']}/{one['id']}" == path), None)
            return httpx.Response(200, json=one) if one else httpx.Response(404)
        entries = [{"resource": one} for one in found if one["resourceType"] == path]
        if path == "PractitionerRole":
            entries += [
                {"resource": one, "search": {"mode": "include"}}
                for one in found
                if one["resourceType"] == "Practitioner"
            ]
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entries})


def encounter(id_: str = "e1", status: str = "in-progress", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": status,
        "subject": {"reference": "Patient/1"},
        "class": {"code": "AMB", "display": "ambulatory"},
        "period": {"start": "2026-11-23T09:00:00-05:00", "end": "2026-11-23T09:50:00-05:00"},
        **more,
    }


def consent(id_: str, patient: str = "Patient/1") -> dict[str, Any]:
    return {"resourceType": "Consent", "id": id_, "patient": {"reference": patient}}


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
async def client(record: Record) -> AsyncIterator[FhirClient]:
    transport = httpx.MockTransport(record)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as http:
        yield FhirClient(http, ehr_base=BASE)


async def read(client: FhirClient, context: LaunchContext | None = None, **site: Any) -> Chart:
    return await read_chart(client, context or launch(), make_site(**site), NOW)


async def test_reads_the_whole_chart(client, record):
    chart = await read(client, identifier_labels={"urn:mrn": "MRN"})
    assert chart.patient.name == "Jana M. Roe"
    assert (chart.patient.birth_date, chart.patient.gender) == ("1990-01-31", "female")
    assert chart.patient.identifiers == (Identifier("MRN", "M-1"),)
    assert chart.patient.reference == "Patient/1"
    assert chart.encounter is not None
    assert chart.encounter.reference == "Encounter/e1"
    assert chart.encounter.period_words == "23 Nov 2026, 09:00–09:50"
    assert chart.practitioner.name == "Dr. Ada Vance"
    assert [one["id"] for one in chart.consents] == ["c1"]
    assert chart.consent_problems == ()
    assert chart.telehealth == "no"
    assert chart.read == (
        ("Patient/1/_history/2", "Patient"),
        ("Encounter/e1", "Encounter"),
        ("Practitioner/p1", "Clinician"),
        ("Consent/c1", "Consent"),
    )
    assert len(record.requests) == 4


async def test_all_is_asked_at_once(record):
    """Each answer waits until all four questions are there: one round trip deep, or this would not end."""
    everyone = asyncio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        if len(record.requests) == 3:
            everyone.set()
        response = record(request)
        await everyone.wait()
        return response

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://broker") as http:
        async with asyncio.timeout(5):
            await read(FhirClient(http, ehr_base=BASE))


async def test_only_this_module_makes_a_chart(client):
    chart = await read(client)
    names = [name for name in Chart.__slots__ if name != "maker"]
    with pytest.raises(ForgedProof):
        Chart(object(), **{name: getattr(chart, name) for name in names})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/2"},
        None,
        {},
        {"reference": "https://other.example.org/Patient/1"},
    ],
)
async def test_an_encounter_of_another_patient_shows_nothing(client, record, subject):
    record.encounters = [encounter(subject=subject)]
    with pytest.raises(EhrGarbled) as caught:
        await read(client)
    assert caught.value.code == "chart.other-patient"


async def test_one_encounter_of_another_patient_in_a_search_shows_nothing(client, record):
    record.encounters = [encounter(), encounter("e2", subject={"reference": "Patient/2"})]
    with pytest.raises(EhrGarbled, match=r"chart\.other-patient"):
        await read(client, launch(encounter_id=None))


async def test_another_patient_in_the_patients_place_shows_nothing(client, record):
    record.patient["id"] = "2"
    with pytest.raises(EhrError):
        await read(client)


async def test_absolute_references_of_this_ehr_are_its_own(client, record):
    record.encounters = [encounter(subject={"reference": f"{BASE}/Patient/1"})]
    record.consents = [consent("c1", f"{BASE}/Patient/1")]
    chart = await read(client)
    assert len(chart.consents) == 1


async def test_a_consent_of_another_patient_is_a_problem_and_not_in_the_chart(client, record):
    record.consents = [consent("c1"), consent("c2", "Patient/2")]
    chart = await read(client)
    assert [one["id"] for one in chart.consents] == ["c1"]
    assert "another patient" in chart.consent_problems[0]


@pytest.mark.parametrize("status", [403, 404, 500, 504])
async def test_consents_that_can_not_be_read_are_a_problem_not_an_end(client, record, status):
    record.failing["Consent"] = status
    chart = await read(client)
    assert chart.consents == ()
    assert "could not be read" in chart.consent_problems[0]


async def test_an_ehr_that_does_not_answer_ends_the_reading(client, record):
    record.failing["Patient/1"] = 504
    with pytest.raises(EhrUnreachable):
        await read(client)


async def test_a_clinician_without_a_readable_name_stops_nothing(client, record):
    record.failing["Practitioner/p1"] = 403
    chart = await read(client)
    assert (chart.practitioner.reference, chart.practitioner.name) == ("Practitioner/p1", CLINICIAN_UNKNOWN)
    assert not any(what == "Clinician" for _, what in chart.read)


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"reference": "Practitioner/p1"}, ("Practitioner/p1", "Dr. Ada Vance")),
        ({"reference": "Practitioner/p7", "display": "Dr. Lee"}, ("Practitioner/p7", "Dr. Lee")),
        ({"display": "Dr. Lee"}, ("PractitionerRole/r1", "Dr. Lee")),
        (None, ("PractitionerRole/r1", CLINICIAN_UNKNOWN)),
    ],
)
async def test_a_role_leads_to_its_practitioner(client, record, person, expected):
    record.practitioners.append({"resourceType": "PractitionerRole", "id": "r1", "practitioner": person})
    chart = await read(client, launch(practitioner="PractitionerRole/r1"))
    assert (chart.practitioner.reference, chart.practitioner.name) == expected


async def test_without_an_encounter_the_open_ones_are_offered(client, record):
    today, offset = {"start": "2026-11-23T16:00:00-05:00"}, {"start": "2026-11-24T01:00:00+14:00"}
    record.encounters = [
        encounter("planned-today", "planned", period=today),
        encounter("planned-then", "planned", period={"start": "2026-11-24T09:00:00-05:00"}),
        encounter("planned-day", "planned", period={"start": "2026-11-23"}),
        encounter("planned-ever", "planned", period={}),
        encounter("planned-far", "planned", period=offset),
        encounter("over", "finished"),
        encounter("here", "arrived", period={"start": "nonsense"}),
        encounter("now", "in-progress", location=[{"location": {"display": "Room 2"}}]),
    ]
    chart = await read(client, launch(encounter_id=None))
    assert chart.encounter is None
    assert chart.telehealth == "unknown"
    offered = [one.id for one in chart.encounter_choices]
    assert offered == ["now", "here", "planned-day", "planned-today", "planned-far"]
    assert chart.encounter_choices[0].label == "23 Nov 2026, 09:00–09:50 · ambulatory · Room 2 · in progress"

    chosen = choose_encounter(chart, "here", make_site())
    assert chosen.encounter is not None
    assert chosen.encounter.id == "here"
    assert chosen.telehealth == "no"
    with pytest.raises(VisitError):
        choose_encounter(chart, "over", make_site())
    with pytest.raises(VisitError):
        choose_encounter(chart, None, make_site())


async def test_none_may_be_chosen_where_the_site_allows_it(client, record):
    record.encounters = []
    with pytest.raises(LaunchError, match=r"no-open-encounter"):
        await read(client, launch(encounter_id=None))
    site = {"launch": {"without_encounter": "offer-or-none"}}
    chart = await read(client, launch(encounter_id=None), **site)
    assert chart.may_have_no_encounter
    assert choose_encounter(chart, None, make_site(**site)).encounter is None


@pytest.mark.parametrize(
    ("class_", "fact"),
    [({"code": "VR"}, "yes"), ({"code": "AMB"}, "no"), ({"code": "13"}, "unknown"), ({}, "unknown"), ("VR", "unknown")],
)
async def test_telehealth_is_read_from_the_class(client, record, class_, fact):
    record.encounters = [encounter(**{"class": class_})]
    assert (await read(client)).telehealth == fact


async def test_consents_are_read_again(client, record):
    chart = await read(client)
    record.consents = [consent("c1"), consent("c2")]
    again = await reread_consents(client, chart, NOW)
    assert [one["id"] for one in again.consents] == ["c1", "c2"]
    assert again.read == (*chart.read, ("Consent/c2", "Consent"))
    record.failing["Consent"] = 504
    assert (await reread_consents(client, again, NOW)).consent_problems


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([{"use": "usual", "text": "Jo"}, {"use": "official", "text": "Joanna Roe"}], "Joanna Roe"),
        ([{"use": "maiden", "text": "Doe"}, {"use": "old", "text": "X"}, {"text": "Jo"}], "Jo"),
        ([{"use": "official", "text": "A", "period": {"end": "2020"}}, {"use": "usual", "text": "B"}], "B"),
        ([{"use": "official", "text": "A", "period": {"start": "2027"}}, {"use": "nickname", "text": "B"}], "B"),
        ([{"prefix": ["Dr."], "given": ["Ana", "Lú"], "family": "Núñez", "suffix": ["Jr."]}], "Dr. Ana Lú Núñez Jr."),
        ([{"text": "王小明"}], "王小明"),
        ([{"text": "محمد علي"}], "محمد علي"),
        ([{"text": "  Roe,\n\x00Jane\u202e "}], "Roe, Jane"),
        ([{"family": ["Roe"], "given": "Jo"}, "y", None], "Jo Roe"),
        ([{"use": "official"}], NAME_UNKNOWN),
        ([], NAME_UNKNOWN),
        (None, NAME_UNKNOWN),
        ({"text": "x"}, NAME_UNKNOWN),
        ([{"text": "x" * 500}], "x" * 199 + "…"),
    ],
)
async def test_a_name_by_the_rules_of_human_name(client, record, names, shown):
    record.patient["name"] = names
    assert (await read(client)).patient.name == shown


async def test_identifiers_are_the_labelled_ones_else_the_record_numbers(client, record):
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    record.patient["identifier"] = [
        {"system": "urn:ssn", "value": "999"},
        {"system": "urn:b", "value": "B-1"},
        {"system": "urn:a", "value": "A-1"},
        {"system": "urn:a", "value": "A-0", "use": "old"},
        {"type": kind, "value": "R-1"},
        {"system": "urn:a"},
        "x",
    ]
    labelled = await read(client, identifier_labels={"urn:a": "Practice", "urn:b": "Hospital"})
    assert labelled.patient.identifiers == (("Practice", "A-1"), ("Hospital", "B-1"))
    assert (await read(client)).patient.identifiers == (("MRN", "R-1"),)


async def test_a_bare_record_is_shown_bare(client, record):
    record.patient = {"resourceType": "Patient", "id": "1", "birthDate": "31.1.1990"}
    record.encounters = [{"resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/1"}}]
    chart = await read(client)
    assert (chart.patient.name, chart.patient.birth_date, chart.patient.gender) == (NAME_UNKNOWN, "", "")
    assert chart.encounter is not None
    assert chart.encounter.period_words == chart.encounter.kind == chart.encounter.location == ""
    assert chart.encounter.participants == ()


async def test_an_encounter_in_words(client, record):
    record.encounters = [
        encounter(
            type=[
                {"text": "Therapy"},
                {"coding": [{"code": "90834", "display": "45 min"}]},
                {"coding": [{"code": "x"}]},
                {"coding": [{}]},
                {},
            ],
            serviceType={"coding": [{"display": "Counselling"}]},
            location=[{"location": {"display": "Room 2"}}, {"location": {"display": "Room 2"}}, {"location": 3}],
            participant=[
                {"individual": {"display": "Dr. Vance"}},
                {"individual": {}},
                {"individual": {"display": "Iris"}},
            ],
        )
    ]
    found = (await read(client)).encounter
    assert found is not None
    assert (found.kind, found.service, found.location) == ("Therapy, 45 min, x", "Counselling", "Room 2")
    assert found.participants == ("Dr. Vance", "Iris")


@pytest.mark.parametrize(
    ("provider", "organization"),
    [
        ({"reference": "Organization/9"}, "Organization/9"),
        ({"reference": f"{BASE}/Organization/9/_history/2"}, "Organization/9"),
        ({"reference": "https://other.example.org/fhir/Organization/9"}, ""),
        ({"reference": "Practitioner/9"}, ""),
        ({"reference": 7}, ""),
        ({"display": "Linden Street"}, ""),
        ("Organization/9", ""),
        (None, ""),
    ],
)
async def test_an_encounter_s_organization_is_one_of_this_ehr(client, record, provider, organization):
    record.encounters = [encounter(serviceProvider=provider)]
    found = (await read(client)).encounter
    assert found is not None
    assert found.organization == organization


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_id": ""},
        {"patient_id": "../1"},
        {"encounter_id": "a/b"},
        {"practitioner": "Patient/1"},
        {"practitioner": "https://evil.example.org/Practitioner/1"},
        {"subject": 7},
        {"extra": 1},
    ],
)
def test_a_visit_admits_only_a_launch_that_can_be_asked_for(changes):
    with pytest.raises(LaunchError):
        launch(**changes)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="HL7's R4 examples are not here (shared/data)")
@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
async def test_hl7s_patients_and_encounters_can_all_be_shown(client, record, path):
    resource = json.loads(path.read_text())
    if resource["resourceType"] == "Bundle":
        resource = resource["entry"][0]["resource"]
    match resource["resourceType"]:
        case "Patient":
            record.patient = {**resource, "id": "1"}
            assert (await read(client)).patient.name
        case "Encounter":
            record.encounters = [{**resource, "id": "e1", "subject": {"reference": "Patient/1"}}]
            assert (await read(client)).encounter is not None
        case _:
            record.practitioners = [{**resource, "id": "p1"}]
            assert (await read(client)).practitioner.name != CLINICIAN_UNKNOWN


async def test_the_visits_language_is_the_sites_or_the_patients(client, record):
    spanish = {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}
    record.patient["communication"] = [{"language": spanish, "preferred": True}]
    assert (await read(client)).language == "en"
    chart = await read(client, note={"language": "chart"})
    assert chart.language == "es"
    assert (await reread_consents(client, chart, NOW)).language == "es"
