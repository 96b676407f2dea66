"""Faults on request: in front of a backend, over HTTP in-process, and on real sockets under uvicorn."""

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.faults import ArmedFault, Fault, FaultPlan, FaultyBackend, create_fault_routes
from gateway.sandbox.fhir.backend import FHIR_JSON, FhirRequest, write_json
from gateway.sandbox.fhir.client import FhirClient, FhirRefused
from gateway.sandbox.fhir.connection import BreakableServer, ConnectionBroken
from gateway.sandbox.fhir.interaction import Kind
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes

NOTE = {
    "resourceType": "DocumentReference",
    "status": "current",
    "docStatus": "preliminary",
    "identifier": [{"system": "https://example.org", "value": "1"}],
    "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8="}}],
}
JSON = {"Content-Type": FHIR_JSON}


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def faulty(backend, plan) -> FaultyBackend:
    return FaultyBackend(backend, plan)


@pytest.fixture
def app(faulty, plan) -> BreakableServer:
    return BreakableServer(Starlette(routes=[*create_fault_routes(plan), *create_fhir_routes(faulty, OpenGuard())]))


@pytest.fixture(params=["in-process", "socket"])
async def http(request, app, serve):
    if request.param == "in-process":
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8088") as client:
            yield client
        return
    async with serve(app) as address, httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client


async def post_note(faulty, **headers):
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return await faulty.handle(FhirRequest("POST", "DocumentReference", headers=sent, body=write_json(NOTE)))


async def count_notes(backend):
    return len(await FhirClient(backend).search("DocumentReference"))


async def test_without_a_fault_nothing_changes(faulty, backend):
    assert (await post_note(faulty)).status == 201
    assert await count_notes(backend) == 1


@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        (Fault.DROP_REQUEST, httpx.RemoteProtocolError, 0),
        (Fault.DROP_REPLY, httpx.RemoteProtocolError, 1),
        (Fault.RESET_BODY, httpx.ReadError, 1),
    ],
)
async def test_a_broken_connection_is_one_for_the_client(http, plan, backend, fault, error, stored):
    plan.arm(ArmedFault(fault, Kind.CREATE))
    with pytest.raises(error):
        await http.post("/fhir/DocumentReference", json=NOTE, headers=JSON)
    assert await count_notes(backend) == stored
    assert (await http.post("/fhir/DocumentReference", json=NOTE, headers=JSON)).status_code == 201


async def test_a_stall_makes_the_client_wait_and_answers_nothing(http, plan, backend):
    plan.arm(ArmedFault(Fault.STALL, Kind.CREATE, seconds=0.5))
    with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
        await http.post("/fhir/DocumentReference", json=NOTE, headers=JSON, timeout=0.2)
    assert await count_notes(backend) == 1


async def test_a_broken_connection_is_raised_where_there_is_none(faulty, plan):
    plan.arm(ArmedFault(Fault.DROP_REPLY))
    with pytest.raises(ConnectionBroken):
        await post_note(faulty)


@pytest.mark.parametrize("status", ["401", "409", "412", "429", "500", "503"])
@pytest.mark.parametrize("performed", [False, True])
async def test_a_status_is_answered_with_an_outcome(faulty, plan, backend, status, performed):
    plan.arm(ArmedFault(Fault(status), Kind.CREATE, performed=performed))
    reply = await post_note(faulty)
    assert (reply.status, reply.resource()["resourceType"]) == (int(status), "OperationOutcome")
    assert (reply.header("retry-after") is not None) == (status in ("429", "503"))
    assert await count_notes(backend) == int(performed)


async def test_a_wrong_200_and_a_page_of_html(faulty, plan, backend):
    plan.arm(ArmedFault(Fault.WRONG_OK))
    wrong = await post_note(faulty)
    plan.arm(ArmedFault(Fault.HTML))
    page = await post_note(faulty)
    assert (wrong.status, wrong.resource()["resourceType"]) == (200, "OperationOutcome")
    assert (page.status, page.header("content-type"), page.resource()) == (200, "text/html;charset=UTF-8", None)
    assert await count_notes(backend) == 0


async def test_a_stale_search_does_not_see_what_was_written_since(faulty, plan, backend):
    client = FhirClient(faulty)
    old = await client.create(NOTE)
    plan.arm(ArmedFault(Fault.STALE_SEARCH, Kind.SEARCH))
    await client.create(NOTE)
    reply = await faulty.handle(FhirRequest("GET", "DocumentReference"))
    assert [entry["resource"]["id"] for entry in reply.resource()["entry"]] == [old["id"]]
    assert reply.resource()["total"] == 1
    assert len(await client.search("DocumentReference")) == 2


async def test_a_search_may_bring_what_was_not_asked_for(faulty, plan):
    client = FhirClient(faulty)
    await client.update({"resourceType": "Patient", "id": "anna"})
    await client.update({"resourceType": "Patient", "id": "ben"})
    plan.arm(ArmedFault(Fault.FOREIGN_MATCH, Kind.SEARCH))
    assert {found["id"] for found in await client.search("Patient", ("_id", "anna"))} == {"anna", "ben"}


async def test_two_creates_where_one_was_asked(faulty, plan, backend):
    plan.arm(ArmedFault(Fault.DOUBLE_CREATE, Kind.CREATE))
    reply = await post_note(faulty, If_None_Exist="identifier=https://example.org|1")
    assert reply.status == 201
    assert await count_notes(backend) == 2


async def test_a_preliminary_note_is_stored_as_final(faulty, plan):
    plan.arm(ArmedFault(Fault.IGNORE_PRELIMINARY, times=None))
    assert (await post_note(faulty)).resource()["docStatus"] == "final"


async def test_epic_answers_without_body_and_etag_and_hears_no_condition(faulty, plan, backend):
    plan.arm(ArmedFault(Fault.EPIC, times=None))
    condition = "identifier=https://example.org|1"
    first, second = [await post_note(faulty, If_None_Exist=condition) for _ in range(2)]
    assert (first.status, first.body, first.header("etag")) == (201, b"", None)
    assert first.header("location").startswith("DocumentReference/")
    assert first.header("location") != second.header("location")
    whole = await post_note(faulty, Prefer="return=representation")
    assert whole.resource()["docStatus"] == "preliminary"
    client = FhirClient(faulty)
    stored = whole.resource()
    assert (await client.read("DocumentReference", stored["id"]))["id"] == stored["id"]
    for attempt in (client.update(stored), client.delete("DocumentReference", stored["id"]), client.create(
        {"resourceType": "Provenance", "recorded": "2026-03-01T10:00:00Z", "agent": [{"who": {"display": "x"}}],
         "target": [{"reference": f"DocumentReference/{stored['id']}"}]}
    )):  # fmt: skip
        with pytest.raises(FhirRefused) as caught:
            await attempt
        assert caught.value.status == 405


async def test_oracle_refuses_a_preliminary_note_and_takes_a_final_one(faulty, plan):
    plan.arm(ArmedFault(Fault.ORACLE, times=None))
    refused = await post_note(faulty)
    assert (refused.status, refused.resource()["issue"][0]["expression"]) == (422, ["DocumentReference.docStatus"])
    final = write_json(NOTE | {"docStatus": "final"})
    taken = await faulty.handle(FhirRequest("POST", "DocumentReference", headers=JSON, body=final))
    assert (taken.status, taken.body, taken.header("etag")) == (201, b"", 'W/"1"')
    assert taken.header("location").startswith("http")


async def test_faults_wait_count_and_choose(faulty, plan):
    plan.arm(ArmedFault(Fault.STATUS_500, Kind.CREATE, "DocumentReference", times=2, after=1))
    await faulty.handle(FhirRequest("GET", "DocumentReference"))
    await faulty.handle(FhirRequest("POST", "Patient", headers=JSON, body=b'{"resourceType":"Patient"}'))
    assert [(await post_note(faulty)).status for _ in range(4)] == [201, 500, 500, 201]
    assert plan.armed == ()


async def test_faults_lie_over_one_another(faulty, plan, backend):
    plan.arm(ArmedFault(Fault.EPIC, times=None))
    plan.arm(ArmedFault(Fault.DROP_REPLY, Kind.CREATE))
    with pytest.raises(ConnectionBroken):
        await post_note(faulty)
    assert (await post_note(faulty)).header("location").startswith("DocumentReference/")
    assert await count_notes(backend) == 2


async def test_the_plan_is_set_over_http(http, plan):
    armed = await http.post("/_faults", json={"fault": "503", "kind": "create", "times": None})
    assert armed.status_code == 201
    assert (await http.post("/fhir/Patient", json={"resourceType": "Patient"})).status_code == 503
    assert [entry["fault"] for entry in (await http.get("/_faults")).json()] == ["503"]
    assert (await http.delete("/_faults")).status_code == 204
    assert (await http.post("/fhir/Patient", json={"resourceType": "Patient"})).status_code == 201


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"fault": "bogus"}', b'{"fault": "503", "when": 1}', b'{"kind": "read"}']
)
async def test_what_is_no_fault_is_refused(http, body):
    assert (await http.post("/_faults", content=body)).status_code == 400
