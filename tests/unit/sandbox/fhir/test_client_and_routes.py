"""The client for the sandbox's own pages, the guard's hooks, the CapabilityStatement."""

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.fhir.backend import FhirReply, FhirRequest, write_json
from gateway.sandbox.fhir.capability import build_capability
from gateway.sandbox.fhir.client import FhirClient, FhirRefused
from gateway.sandbox.fhir.interaction import Interaction, Kind, read_interaction
from gateway.sandbox.fhir.memory import MemoryBackend, read_clock
from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.parameters import PARAMETERS
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes


async def test_client_reads_writes_and_lists_versions(backend):
    client = FhirClient(backend)
    stored = await client.update({"resourceType": "Patient", "id": "anna", "gender": "female"})
    changed = await client.update(stored | {"gender": "other"}, if_match="1")
    assert (await client.read("Patient", "anna")) == changed
    assert [version["gender"] for version in await client.history("Patient", "anna")] == ["other", "female"]
    await client.delete("Patient", "anna")
    with pytest.raises(FhirRefused) as caught:
        await client.read("Patient", "anna")
    assert caught.value.status == 410
    assert len(await client.history("Patient", "anna")) == 2


async def test_client_follows_every_page_and_stops_at_its_limit(backend):
    client = FhirClient(backend)
    for _ in range(45):
        await client.create({"resourceType": "Patient", "gender": "female"})
    assert len(await client.search("Patient", ("gender", "female"))) == 45
    assert len(await client.search("Patient", ("gender", "female"), limit=30)) == 30


async def test_client_creates_once_on_a_condition(backend):
    client = FhirClient(backend)
    patient = {"resourceType": "Patient", "identifier": [{"system": "https://example.org", "value": "1"}]}
    first = await client.create(patient, if_none_exist="identifier=https://example.org|1")
    again = await client.create(patient, if_none_exist="identifier=https://example.org|1")
    assert again["id"] == first["id"]


async def test_client_raises_with_the_outcome(backend):
    with pytest.raises(FhirRefused, match=r"400: Patient\.gender: allowed are") as caught:
        await FhirClient(backend).create({"resourceType": "Patient", "gender": "bogus"})
    assert caught.value.outcome["issue"][0]["expression"] == ["Patient.gender"]


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "metadata", Interaction(Kind.CAPABILITIES)),
        ("GET", "Patient/1", Interaction(Kind.READ, "Patient", "1")),
        ("HEAD", "Patient/1", Interaction(Kind.READ, "Patient", "1")),
        ("GET", "Patient/1/_history", Interaction(Kind.HISTORY, "Patient", "1")),
        ("GET", "Patient/1/_history/2", Interaction(Kind.VREAD, "Patient", "1", "2")),
        ("GET", "Patient", Interaction(Kind.SEARCH, "Patient")),
        ("POST", "Patient/_search", Interaction(Kind.SEARCH, "Patient")),
        ("POST", "Patient", Interaction(Kind.CREATE, "Patient")),
        ("PUT", "Patient/1", Interaction(Kind.UPDATE, "Patient", "1")),
        ("DELETE", "Patient/1", Interaction(Kind.DELETE, "Patient", "1")),
    ],
)
def test_interactions_are_told_from_method_and_path(method, path, asked):
    assert read_interaction(FhirRequest(method, path)) == asked


def test_a_paging_link_without_a_type_is_its_own_kind():
    assert read_interaction(FhirRequest("GET", "", (("_getpages", "x"),))) == Interaction(Kind.PAGE)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PATCH", "Patient/1", 405), ("GET", "", 400), ("GET", "patient/1", 404), ("GET", "../x", 404),
     ("GET", "Patient/1/2/3", 400), ("POST", "", 400), ("GET", "Patient/1/$everything", 400)],
)  # fmt: skip
def test_what_is_no_interaction_is_refused(method, path, status):
    with pytest.raises(Refusal) as caught:
        read_interaction(FhirRequest(method, path))
    assert caught.value.status == status


class _OnePatientGuard:
    """Knows one token; hides every patient but one."""

    async def allow(self, request: FhirRequest, bearer: str | None) -> str:
        if bearer != "good":
            raise Refusal(401, "login", "A token is needed.")
        return "anna"

    async def filter_reply(self, grant: str, request: FhirRequest, reply: FhirReply) -> FhirReply:
        resource = reply.resource()
        if resource and resource["resourceType"] == "Patient" and resource["id"] != grant:
            raise Refusal(403, "forbidden", "Not this patient's.")
        return reply


async def test_guard_sees_each_request_before_and_each_reply_after(backend):
    for id_ in ("anna", "ben"):
        await FhirClient(backend).update({"resourceType": "Patient", "id": id_})
    app = Starlette(routes=create_fhir_routes(backend, _OnePatientGuard()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8088") as http:
        refused = await http.get("/fhir/Patient/anna")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["resourceType"] == "OperationOutcome"
        token = {"Authorization": "Bearer good"}
        assert (await http.get("/fhir/Patient/anna", headers=token)).status_code == 200
        assert (await http.get("/fhir/Patient/ben", headers=token)).status_code == 403


async def test_every_method_and_path_is_answered_with_an_outcome(backend):
    app = Starlette(routes=create_fhir_routes(backend, OpenGuard()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8088") as http:
        for method, path in [("PATCH", "Patient/1"), ("GET", ""), ("GET", "x/y/z"), ("GET", "%2e%2e/x"), ("PUT", "/")]:
            reply = await http.request(method, f"/fhir/{path}")
            assert 400 <= reply.status_code < 500
            assert reply.json()["resourceType"] == "OperationOutcome"
        large = await http.post("/fhir/Patient", content=b" " * (17 * 2**20))
        assert large.status_code == 413


async def test_a_format_that_is_not_spoken_is_406(backend):
    await FhirClient(backend).update({"resourceType": "Patient", "id": "anna"})
    for accept, status in [("application/fhir+xml", 406), ("application/fhir+xml, */*;q=0.1", 200), ("*/*", 200)]:
        reply = await backend.handle(FhirRequest("GET", "Patient/anna", headers={"Accept": accept}))
        assert reply.status == status
    xml = await backend.handle(FhirRequest("GET", "Patient", (("_format", "xml"),)))
    assert xml.status == 406


async def test_a_binary_never_writes_headers_of_its_own(backend):
    sent = {"resourceType": "Binary", "contentType": "text/html\nSet-Cookie: a=b", "data": "aGVsbG8="}
    reply = await backend.handle(
        FhirRequest("POST", "Binary", headers={"Content-Type": "application/fhir+json"}, body=write_json(sent))
    )
    if reply.status == 201:
        raw = await backend.handle(FhirRequest("GET", f"Binary/{reply.resource()['id']}", headers={"Accept": "*/*"}))
        assert raw.header("content-type") == "application/octet-stream"
        assert raw.body == b"hello"


def test_capability_statement_shows_where_to_authorize():
    statement = build_capability("http://127.0.0.1/fhir", read_clock(), "http://127.0.0.1/auth")
    security = statement["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    addresses = {part["url"]: part["valueUri"] for part in security["extension"][0]["extension"]}
    assert addresses["authorize"] == "http://127.0.0.1/auth/authorize"
    assert addresses["token"] == "http://127.0.0.1/auth/token"


async def test_capability_statement_is_valid_and_names_every_stored_type():
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    backend = MemoryBackend("http://127.0.0.1/fhir", smart_url="http://127.0.0.1/auth")
    statement = (await backend.handle(FhirRequest("GET", "metadata"))).resource()
    CapabilityStatement.model_validate(statement)
    assert [described["type"] for described in statement["rest"][0]["resource"]] == sorted(PARAMETERS)
