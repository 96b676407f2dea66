"""Who is in the room as the record has it: nobody is left out because little is known, no other patient is named."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.ehr.attendance import GROUP_MEMBER, NOT_DESCRIBED, RELATED, Attendee
from gateway.ehr.chart import Chart, choose_encounter, read_chart, reread_consents
from gateway.ehr.client import FhirClient
from gateway.ehr.reference import Reference
from gateway.errors import EhrError, EhrGarbled
from tests.unit.ehr.conftest import BASE, make_site
from tests.unit.ehr.test_chart import NOW, Record, consent, encounter, launch


class RoomRecord(Record):
    """A record with related people and groups."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir/")
        for one in self.others:
            if path == f"{one['resourceType']}/{one['id']}" and path not in self.failing:
                self.requests.append(request)
                return httpx.Response(200, json=one)
        if path == "RelatedPerson" and path not in self.failing:
            self.requests.append(request)
            entries = [{"resource": one} for one in self.others if one["resourceType"] == path]
            return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entries})
        return super().__call__(request)


def related(id_: str, patient: str = "Patient/1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "RelatedPerson", "id": id_, "patient": {"reference": patient}, **more}


PARTNER = related("r1", relationship=[{"text": "partner"}], name=[{"text": "Rue Roe"}])


def with_people(*individuals: Any, **more: Any) -> dict[str, Any]:
    return encounter(participant=[{"individual": one} for one in individuals], **more)


def group(*entities: str, **more: Any) -> dict[str, Any]:
    members = [{"entity": {"reference": one}} for one in entities]
    return {"resourceType": "Group", "id": "g1", "member": members, **more}


@pytest.fixture
def record() -> RoomRecord:
    return RoomRecord()


@pytest.fixture
async def client(record: RoomRecord) -> AsyncIterator[FhirClient]:
    transport = httpx.MockTransport(record)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as http:
        yield FhirClient(http, ehr_base=BASE)


async def read(client: FhirClient, *scopes: str, encounter_id: str | None = "e1") -> Chart:
    return await read_chart(client, launch(scopes=list(scopes), encounter_id=encounter_id), make_site(), NOW)


async def test_a_partner_is_listed_with_her_role_and_name(client, record):
    record.encounters = [with_people({"reference": "Practitioner/p1"}, {"reference": "RelatedPerson/r1"})]
    record.others = [PARTNER]
    chart = await read(client)
    assert chart.encounter.attendees == (Attendee("RelatedPerson/r1", "Partner", "Rue Roe"),)
    assert [one["id"] for one in chart.related] == ["r1"]
    assert ("RelatedPerson/r1", "Related person") in chart.read


@pytest.mark.parametrize("others", [[], [related("r1", patient="Patient/2")]])
async def test_a_related_person_who_cannot_be_read_is_listed_all_the_same(client, record, others):
    record.encounters = [with_people({"reference": "RelatedPerson/r1", "display": "R. Roe"})]
    record.others = others
    chart = await read(client)
    assert chart.encounter.attendees == (Attendee("RelatedPerson/r1", RELATED, "R. Roe"),)
    assert chart.related == ()


@pytest.mark.parametrize(
    "participant",
    [
        {"individual": {"reference": "Practitioner/p2"}},
        {"individual": {"reference": "PractitionerRole/p2"}},
        {"individual": {"display": "Dr. Vance", "type": "Practitioner"}},
        {"individual": {"display": "Dr. Vance"}, "type": [{"coding": [{"code": "ATND"}]}]},
        {"type": [{"text": "interpreter"}]},
    ],
)
async def test_staff_and_empty_parts_are_nobody_to_ask(client, record, participant):
    record.encounters = [encounter(participant=[participant])]
    assert (await read(client)).encounter.attendees == ()


@pytest.mark.parametrize(
    ("individual", "expected"),
    [
        ({"display": "Sam"}, Attendee("", NOT_DESCRIBED, "Sam")),
        ({"reference": "#contained"}, Attendee("", NOT_DESCRIBED, "")),
        ({"reference": "https://other.example.org/RelatedPerson/1"}, Attendee("", NOT_DESCRIBED, "")),
        ({"reference": "Patient/9"}, Attendee("Patient/9", NOT_DESCRIBED, "")),
    ],
)
async def test_whom_the_record_only_names_is_somebody_to_ask(client, record, individual, expected):
    record.encounters = [with_people(individual)]
    assert (await read(client)).encounter.attendees == (expected,)


async def test_a_group_lists_its_other_members_without_their_names(client, record):
    record.encounters = [with_people({"reference": "RelatedPerson/r1"}, subject={"reference": "Group/g1"})]
    members = ("Patient/1", "Patient/7", "Practitioner/p1", "RelatedPerson/r1", "Device/d1", "Patient/7", "Group/g2")
    record.others = [PARTNER, group(*members)]
    record.others[1]["member"].append({"entity": {"reference": "Patient/8"}, "inactive": True})
    chart = await read(client)
    assert chart.encounter.attendees == (
        Attendee("RelatedPerson/r1", "Partner", "Rue Roe"),
        Attendee("Patient/7", GROUP_MEMBER),
        Attendee("Group/g2", GROUP_MEMBER),
    )
    assert ("Group/g1", "Group") in chart.read


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ([], "chart.group-unread"),
        ([group("Patient/2")], "chart.other-group"),
        ([{**group(), "member": [{"entity": {"reference": "Patient/1"}, "inactive": True}]}], "chart.other-group"),
    ],
)
async def test_a_group_that_this_patient_is_not_certainly_in_shows_nothing(client, record, others, code):
    record.encounters = [encounter(subject={"reference": "Group/g1"})]
    record.others = others
    with pytest.raises(EhrGarbled) as caught:
        await read(client)
    assert caught.value.code == code


async def test_related_people_are_searched_where_the_scopes_allow_it(client, record):
    record.others = [PARTNER, related("r2", patient="Patient/2")]
    assert (await read(client)).related == ()
    assert [one["id"] for one in (await read(client, "patient/RelatedPerson.rs")).related] == ["r1"]
    record.failing["RelatedPerson"] = 403
    assert (await read(client, "patient/RelatedPerson.rs")).related == ()


async def test_each_encounter_to_choose_from_has_its_own_people(client, record):
    record.encounters = [with_people({"reference": "RelatedPerson/r1"}), encounter("e2")]
    record.others = [PARTNER]
    chart = await read(client, encounter_id=None)
    assert len(choose_encounter(chart, "e1", make_site()).encounter.attendees) == 1
    assert choose_encounter(chart, "e2", make_site()).encounter.attendees == ()


async def test_a_fault_of_the_program_is_not_taken_for_an_unread_person(client, record):
    record.encounters = [with_people({"reference": "RelatedPerson/r1"})]
    record.others = [PARTNER]
    read_one = client.read

    async def fail(type_: str, id_: str) -> dict[str, Any]:
        if type_ == "RelatedPerson":
            raise RuntimeError
        return await read_one(type_, id_)

    client.read = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await read(client)


async def test_a_written_consent_counts_before_the_search_shows_it(client, record):
    chart = await read(client)
    hidden, foreign = consent("c2"), consent("c3", patient="Patient/2")
    record.others = [hidden, foreign]
    written = [Reference("Consent", id_) for id_ in ("c1", "c2", "c3")]
    again = await reread_consents(client, chart, NOW, written)
    assert [one["id"] for one in again.consents] == ["c1", "c2"]
    assert again.consent_problems == ()


async def test_a_written_consent_that_cannot_be_read_is_a_problem(client, record):
    again = await reread_consents(client, await read(client), NOW, [Reference("Consent", "c2")])
    assert len(again.consent_problems) == 1


async def test_a_reading_again_keeps_the_partner(client, record):
    record.encounters = [with_people({"reference": "RelatedPerson/r1"})]
    record.others = [PARTNER]
    again = await reread_consents(client, await read(client), NOW)
    assert [one["id"] for one in again.related] == ["r1"]


async def test_no_answer_about_the_group_is_no_chart(client, record):
    record.encounters = [encounter(subject={"reference": "Group/g1"})]
    record.failing["Group/g1"] = 503
    with pytest.raises(EhrError):
        await read(client)
