"""Another FHIR server behind the sandbox: here the sandbox's own, under uvicorn; and HAPI where there is one."""

import os
import uuid

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirRequest, write_json
from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.remote import RemoteBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes

BASE = "http://127.0.0.1:9/shown"


@pytest.fixture(params=["memory", pytest.param("hapi", marks=pytest.mark.hapi)])
async def remote(request, serve):
    """A remote backend, and the address that must never be shown."""
    if request.param == "hapi":
        address = os.environ.get("COUNTERSIGN_HAPI")
        if not address:
            pytest.skip("needs a FHIR R4 server, its address in COUNTERSIGN_HAPI")
        backend = RemoteBackend(address, BASE)
        yield backend
        await backend.close()
        return
    # The base address is known only when the server listens: it is given to the record then.
    record = MemoryBackend("http://127.0.0.1/fhir")
    async with serve(Starlette(routes=create_fhir_routes(record, OpenGuard()))) as address:
        record.base_url = f"{address}/fhir"
        backend = RemoteBackend(f"{address}/fhir", BASE)
        yield backend
        await backend.close()


async def test_seed_ids_are_kept_and_every_page_is_reached(remote):
    tag = f"seed-{uuid.uuid4().hex[:8]}"
    client = FhirClient(remote)
    stored = await client.update(
        {"resourceType": "Patient", "id": tag, "identifier": [{"system": "https://example.org", "value": tag}]}
    )
    assert stored["id"] == tag
    for _ in range(5):
        await client.create({"resourceType": "Condition", "subject": {"reference": f"Patient/{tag}"}})
    found = await client.search("Condition", ("patient", tag), ("_count", "2"))
    assert len(found) == 5


async def test_its_own_address_is_nowhere_shown(remote):
    tag = f"seed-{uuid.uuid4().hex[:8]}"
    body = write_json({"resourceType": "Patient", "id": tag})
    headers = {"Content-Type": FHIR_JSON}
    written = await remote.handle(FhirRequest("PUT", f"Patient/{tag}", headers=headers, body=body))
    assert written.header("content-location") == f"{BASE}/Patient/{tag}/_history/1"
    created = await remote.handle(FhirRequest("POST", "Patient", headers=headers, body=body))
    assert created.header("location").startswith(f"{BASE}/Patient/")
    assert (created.status, created.header("etag")) == (201, 'W/"1"')
    found = await remote.handle(FhirRequest("GET", "Patient", (("_id", tag), ("_count", "1"))))
    assert found.resource()["entry"][0]["fullUrl"] == f"{BASE}/Patient/{tag}"
    history = await remote.handle(FhirRequest("GET", f"Patient/{tag}/_history"))
    for reply in (written, created, found, history):
        shown = reply.body.decode() + repr(dict(reply.headers))
        assert remote.url not in shown


async def test_refusals_come_through(remote):
    reply = await remote.handle(FhirRequest("GET", "Patient/none-such-at-all"))
    assert (reply.status, reply.resource()["resourceType"]) == (404, "OperationOutcome")


async def test_the_callers_token_is_not_passed_on():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"resourceType": "Patient", "id": "1"})

    backend = RemoteBackend("http://127.0.0.1:9/fhir", BASE, transport=httpx.MockTransport(answer))
    headers = {"Authorization": "Bearer secret", "Cookie": "a=b", "If-Match": 'W/"1"'}
    await backend.handle(FhirRequest("GET", "Patient/1", headers=headers))
    await backend.close()
    assert "secret" not in repr(seen[0].headers.raw)
    assert "cookie" not in seen[0].headers
    assert seen[0].headers["if-match"] == 'W/"1"'


async def test_a_path_can_not_grow_into_a_query():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(404)

    backend = RemoteBackend("http://127.0.0.1:9/fhir", BASE, transport=httpx.MockTransport(answer))
    await backend.handle(FhirRequest("GET", "Patient/1?_include=*#x"))
    await backend.close()
    assert seen == ["http://127.0.0.1:9/fhir/Patient/1%3F_include%3D%2A%23x"]


async def test_the_way_to_it_may_be_slow_or_odd():
    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.path.rsplit("/", 1)[-1]:
            case "slow":
                raise httpx.ReadTimeout("slow")
            case "metadata":
                statement = {
                    "resourceType": "CapabilityStatement",
                    "implementation": {"url": "http://127.0.0.1:9/fhir"},
                }
                return httpx.Response(200, json=statement)
            case _:
                return httpx.Response(200, text="{", headers={"Content-Type": "application/json"})

    backend = RemoteBackend("http://127.0.0.1:9/fhir", BASE, transport=httpx.MockTransport(answer))
    assert (await backend.handle(FhirRequest("GET", "Patient/slow"))).status == 504
    statement = (await backend.handle(FhirRequest("GET", "metadata"))).resource()
    assert statement["implementation"]["url"] == BASE
    assert (await backend.handle(FhirRequest("GET", "Patient/odd"))).body == b"{"
    await backend.close()


async def test_a_server_that_does_not_answer_is_a_refusal():
    backend = RemoteBackend("http://127.0.0.1:9/fhir", BASE)
    reply = await backend.handle(FhirRequest("GET", "Patient/1"))
    assert (reply.status, reply.resource()["resourceType"]) == (502, "OperationOutcome")
    assert (await backend.handle(FhirRequest("GET", "Patient/../../x"))).status == 404
    await backend.close()
