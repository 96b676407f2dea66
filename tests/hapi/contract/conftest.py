"""One contract, two servers: the sandbox (in-process, always) and a real HAPI (COUNTERSIGN_HAPI, marker ``hapi``).

Each test runs once against each. What it writes carries ``server.system``, a random identifier system, so that tests
share one HAPI without seeing each other's data.
"""

import json
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes

SANDBOX_BASE = "http://127.0.0.1:8088/fhir"
FHIR_JSON = "application/fhir+json"


class Server:
    """A FHIR server as the tests speak to it."""

    def __init__(self, name: str, base: str, http: httpx.AsyncClient) -> None:
        self.name, self.base, self.http = name, base, http
        self.tag = uuid.uuid4().hex[:12]
        self.system = f"https://example.org/contract/{self.tag}"

    @property
    def is_sandbox(self) -> bool:
        return self.name == "sandbox"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """``body`` as JSON unless it is bytes; keyword names become headers (``If_Match``)."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = FHIR_JSON
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        # HAPI answers a repeated search from its cache for a minute unless it is asked not to.
        sent = {"Accept": FHIR_JSON, "Cache-Control": "no-cache"} | sent
        url = path if path.startswith("http") else f"{self.base}/{path}"
        return await self.http.request(method, url, content=content, headers=sent)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.ask("GET", path, **headers)

    async def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Stores it, with this test's identifier where it has none, and returns what was stored."""
        reply = await self.ask("POST", resource["resourceType"], self.mark(resource))
        assert reply.status_code == 201, reply.text
        return reply.json()

    def mark(self, resource: dict[str, Any]) -> dict[str, Any]:
        marked = resource["resourceType"] not in ("Provenance", "AuditEvent", "Binary", "Subscription")
        return ({"identifier": [self.identify("1")]} if marked else {}) | resource

    def identify(self, value: str) -> dict[str, str]:
        return {"system": self.system, "value": value}

    async def find(self, query: str) -> list[str]:
        """The ids that a search finds, in order; ``query`` is ``Type?…``."""
        reply = await self.get(query)
        assert reply.status_code == 200, reply.text
        return [entry["resource"]["id"] for entry in reply.json().get("entry", [])]

    async def refusal(self, reply: httpx.Response, *statuses: int) -> dict[str, Any]:
        """Asserts that a reply is a refusal with an OperationOutcome, and returns that."""
        assert reply.status_code in statuses, reply.text
        outcome = reply.json()
        assert outcome["resourceType"] == "OperationOutcome"
        assert outcome["issue"][0]["severity"] in ("error", "fatal")
        assert outcome["issue"][0]["code"]
        return outcome


@pytest.fixture(params=["sandbox", pytest.param("hapi", marks=pytest.mark.hapi)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if request.param == "sandbox":
        app = Starlette(routes=create_fhir_routes(MemoryBackend(SANDBOX_BASE), OpenGuard()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            yield Server("sandbox", SANDBOX_BASE, http)
        return
    address = os.environ.get("COUNTERSIGN_HAPI")
    if not address:
        pytest.skip("needs a FHIR R4 server, its address in COUNTERSIGN_HAPI")
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        yield Server("hapi", address.rstrip("/"), http)


@pytest.fixture
async def patient(server: Server) -> dict[str, Any]:
    """A stored, invented patient."""
    return await server.create(
        {
            "resourceType": "Patient",
            "name": [{"family": f"Müller{server.tag}", "given": ["Ana", "Bea"]}],
            "birthDate": "1990-01-31",
            "gender": "female",
            "active": True,
            "telecom": [{"system": "phone", "value": f"555-{server.tag}"}],
        }
    )


@pytest.fixture
async def note(server: Server, patient: dict[str, Any]) -> dict[str, Any]:
    """A stored preliminary note of that patient, labelled as made by AI."""
    return await server.create(build_note(patient["id"]))


def build_note(patient_id: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "meta": {
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}]
        },
        "status": "current",
        "docStatus": "preliminary",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
        "category": [
            {
                "coding": [
                    {
                        "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                        "code": "clinical-note",
                    }
                ]
            }
        ],
        "subject": {"reference": f"Patient/{patient_id}"},
        "date": "2026-03-01T10:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8="}}],
        "context": {"period": {"start": "2026-03-01T09:00:00Z", "end": "2026-03-01T09:50:00Z"}},
    } | more


@pytest.fixture
def make_note() -> Any:
    """``build_note``, for tests (which can't import a conftest)."""
    return build_note
