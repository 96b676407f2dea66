"""The chart's medications: read where the site says so, of this patient alone, and never a reason to stop a visit."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.ehr.chart import Chart, read_chart
from gateway.ehr.client import FhirClient
from gateway.errors import EhrGarbled
from tests.unit.ehr.conftest import BASE, make_site
from tests.unit.ehr.test_chart import NOW, Record, launch

KINDS = ("MedicationRequest", "MedicationStatement")


def medication(name: str, id_: str = "m1", kind: str = "MedicationRequest", **more: Any) -> dict[str, Any]:
    concept = {"medicationCodeableConcept": {"text": name}}
    about = {"status": "active", "subject": {"reference": "Patient/1"}}
    return {"resourceType": kind, "id": id_, **about, **concept, **more}


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
async def client(record: Record) -> AsyncIterator[FhirClient]:
    transport = httpx.MockTransport(record)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as http:
        yield FhirClient(http, ehr_base=BASE)


async def read(client: FhirClient, kind: str = "MedicationRequest", *scopes: str) -> Chart:
    granted = scopes or (f"patient/{kind}.rs",)
    site = make_site(client={"scopes": f"launch patient/{kind}.rs"}, chart={"medications": kind})
    return await read_chart(client, launch(scopes=list(granted)), site, NOW)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    return lambda: [one.getMessage() for one in caplog.records if one.name == "countersign.chart"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_active_ones_are_read_by_name_beside_the_rest(client, record, said, kind):
    record.more = [
        medication("Sertraline 50 mg tablet", "m1", kind, meta={"versionId": "3"}),
        medication("Lithium carbonate", "m2", kind),
        medication("Sertraline 50 mg tablet", "m3", kind),
    ]
    chart = await read(client, kind)
    assert chart.medications == ("Sertraline 50 mg tablet", "Lithium carbonate")
    assert chart.read[-3:] == (
        (f"{kind}/m1/_history/3", "Medication"),
        (f"{kind}/m2", "Medication"),
        (f"{kind}/m3", "Medication"),
    )
    (asked,) = [one for one in record.requests if one.url.path.endswith(kind)]
    assert dict(asked.url.params) == {"patient": "1", "status": "active"}
    assert said() == []


async def test_by_default_they_are_not_asked_for(client, record):
    record.more = [medication("Sertraline")]
    chart = await read_chart(client, launch(scopes=["patient/*.rs"]), make_site(), NOW)
    assert chart.medications == ()
    assert not any("Medication" in one.url.path for one in record.requests)


@pytest.mark.parametrize(
    "changes",
    [{"status": "stopped"}, {"status": "completed"}, {"status": None}, {"status": "active", "doNotPerform": True}],
)
async def test_what_is_not_taken_is_left_out_whatever_the_server_sends(client, record, changes):
    record.more = [medication("Lithium", **changes), medication("Sertraline", "m2")]
    chart = await read(client)
    assert chart.medications == ("Sertraline",)
    assert not any(reference.endswith("/m1") for reference, _ in chart.read)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"medicationCodeableConcept": {"coding": [{"code": "1"}, {"display": "Lithium"}]}}, ("Lithium",)),
        ({"medicationCodeableConcept": {"text": "  Lithi\u202eum\n "}}, ("Lithium",)),
        ({"medicationCodeableConcept": {"coding": [{"code": "36437"}]}}, ()),
        ({"medicationCodeableConcept": {}, "medicationReference": {"display": "Lithium ER"}}, ("Lithium ER",)),
        ({"medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/9"}}, ()),
        (
            {
                "medicationCodeableConcept": "?",
                "medicationReference": {"reference": "#b"},
                "contained": [{"id": "a", "code": {"text": "Another"}}, {"id": "b", "code": {"text": "Lithium"}}, "?"],
            },
            ("Lithium",),
        ),
        ({"medicationCodeableConcept": None}, ()),
    ],
)
async def test_a_name_is_words_of_the_record_and_no_code(client, record, changes, names):
    record.more = [medication("", **changes)]
    assert (await read(client)).medications == names


@pytest.mark.parametrize("subject", [{"reference": "Patient/2"}, {"reference": "Group/1"}, {}, None])
async def test_one_of_another_patient_shows_nothing(client, record, subject):
    record.more = [medication("Sertraline"), medication("Lithium", "m2", subject=subject)]
    with pytest.raises(EhrGarbled) as caught:
        await read(client)
    assert caught.value.code == "chart.other-patient"


async def test_an_absolute_reference_of_this_ehr_is_this_patients(client, record):
    record.more = [medication("Sertraline", subject={"reference": f"{BASE}/Patient/1"})]
    assert (await read(client)).medications == ("Sertraline",)


@pytest.mark.parametrize(("status", "code"), [(403, "ehr.403"), (404, "ehr.404"), (504, "ehr.no-answer")])
async def test_an_ehr_that_does_not_give_them_stops_nothing_and_it_is_said(client, record, said, status, code):
    record.failing["MedicationRequest"] = status
    chart = await read(client)
    assert chart.encounter is not None
    assert chart.medications == ()
    assert chart.read[-1] == ("MedicationRequest", f"Medications (could not be read: {code})")
    assert said() == [f"chart.medications.unread code={code}"]


async def test_where_the_ehr_did_not_grant_it_they_are_not_asked_for(client, record, said):
    record.more = [medication("Sertraline")]
    chart = await read(client, "MedicationRequest", "patient/MedicationRequest.r")
    assert chart.read[-1] == ("MedicationRequest", "Medications (could not be read: not granted)")
    assert not any("Medication" in one.url.path for one in record.requests)
    assert said() == ["chart.medications.unread code=not-granted"]


async def test_a_list_that_can_not_be_read_to_its_end_says_so(client, record, said):
    record.more = [medication("Sertraline"), {**medication("Lithium", "m2"), "id": "no id"}]
    chart = await read(client)
    assert chart.medications == ("Sertraline",)
    assert chart.read[-1] == ("MedicationRequest", "Medications (not all could be read)")
    assert said() == ["chart.medications.incomplete problems=1"]
