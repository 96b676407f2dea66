"""What an operator's read takes over from an EHR, and what of it is a problem."""

from typing import Any

import httpx
import pytest

from gateway.consent.record import read_consent_record, read_message
from gateway.ehr.client import FhirClient
from gateway.errors import EhrError
from tests.unit.consent.building import build

BASE = "https://ehr.test/fhir"
ADA = {"reference": f"{BASE}/Patient/1"}


def bundle(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


class Ehr:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: dict[str, dict[str, Any] | int] = {
            "Patient/1": {"resourceType": "Patient", "id": "1", "birthDate": "1988-04-17", "name": [{"text": "Ada"}]},
            "Consent": bundle(build(id="7", patient=ADA)),
            "RelatedPerson": bundle({"resourceType": "RelatedPerson", "id": "3", "patient": ADA}),
        }

    async def read(self):
        async def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append((request.method, request.url.path.removeprefix("/fhir/"), dict(request.url.params)))
            given = self.answers[request.url.path.removeprefix("/fhir/")]
            return httpx.Response(given) if isinstance(given, int) else httpx.Response(200, json=given)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await read_consent_record(FhirClient(http, BASE), "1")


@pytest.fixture
def ehr() -> Ehr:
    return Ehr()


async def test_takes_what_a_decision_rests_on_and_no_name(ehr):
    record = await ehr.read()
    assert (record.birth_date, record.problems) == ("1988-04-17", ())
    assert [one["id"] for one in (*record.consents, *record.related)] == ["7", "3"]
    assert {one["patient"]["reference"] for one in (*record.consents, *record.related)} == {"Patient/1"}
    message = record.to_message()
    assert "Ada" not in str(message)
    assert read_message(message) == record


async def test_asks_for_this_patient_alone(ehr):
    await ehr.read()
    assert sorted(ehr.asked) == [
        ("GET", "Consent", {"patient": "1"}),
        ("GET", "Patient/1", {}),
        ("GET", "RelatedPerson", {"patient": "1"}),
    ]


async def test_another_patients_consent_and_a_lost_page_are_problems(ehr):
    link = [{"relation": "next", "url": "https://elsewhere.test/fhir?page=2"}]
    ehr.answers["Consent"] = bundle(
        build(id="7", patient=ADA), build(id="8", patient={"reference": "Patient/2"}), link=link
    )
    other = {"resourceType": "RelatedPerson", "id": "4", "patient": {"reference": "Patient/2"}}
    ehr.answers["RelatedPerson"] = bundle(other)
    record = await ehr.read()
    assert [one["id"] for one in record.consents] == ["7"]
    assert record.related == ()
    assert len(record.problems) == 2


@pytest.mark.parametrize(("status", "code"), [(404, "operator.patient"), (410, "operator.patient"), (403, "ehr.403")])
async def test_a_patient_that_is_not_there_is_told_from_one_that_may_not_be_read(ehr, status, code):
    ehr.answers["Patient/1"] = status
    with pytest.raises(EhrError) as caught:
        await ehr.read()
    assert caught.value.code == code


@pytest.mark.parametrize("what", ["Consent", "RelatedPerson"])
async def test_what_can_not_be_read_is_no_empty_list(ehr, what):
    ehr.answers[what] = 403
    with pytest.raises(EhrError):
        await ehr.read()


@pytest.mark.parametrize("born", [None, 1988, ["1988"]])
async def test_a_birth_date_that_is_none_is_not_known(ehr, born):
    ehr.answers["Patient/1"] = {"resourceType": "Patient", "id": "1", "birthDate": born}
    assert (await ehr.read()).birth_date == ""
