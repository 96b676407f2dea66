"""A record to file into: the sandbox's own FHIR server, with its faults and with oddities that a test adds."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.filing.writer import FiledNote, NotFiled, UnsignedRefusal, file_note
from gateway.note.review import ApprovedNote
from gateway.sandbox.faults import ArmedFault, Fault, FaultPlan, FaultyBackend
from gateway.sandbox.fhir import client as sandbox_client
from gateway.sandbox.fhir.backend import FhirBackend, FhirReply, FhirRequest
from gateway.sandbox.fhir.interaction import Kind
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes
from tests.unit.filing.invented import EHR, IDENTIFIER, LATER, make_chart, make_facts, make_note, make_site

Change = Callable[[dict[str, Any]], dict[str, Any]]
Answer = Callable[[FhirRequest, FhirReply], FhirReply]


@dataclass(slots=True)
class OddBackend:
    """An EHR with its own ideas: ``store`` changes what is created, ``answer`` what is answered, ``asked`` listens."""

    backend: FhirBackend
    store: Change | None = None
    answer: Answer | None = None
    asked: list[FhirRequest] = field(default_factory=list)

    async def handle(self, request: FhirRequest) -> FhirReply:
        self.asked.append(request)
        if request.method == "POST" and request.path == "DocumentReference" and self.store is not None:
            request = replace(request, body=json.dumps(self.store(json.loads(request.body))).encode())
        reply = await self.backend.handle(request)
        return self.answer(request, reply) if self.answer is not None else reply


@dataclass(slots=True)
class Record:
    """The record as the gateway meets it (``client``) and as it is (``direct``)."""

    client: FhirClient
    direct: sandbox_client.FhirClient
    plan: FaultPlan
    odd: OddBackend

    def arm(self, fault: Fault, kind: Kind = Kind.CREATE, type_: str = "DocumentReference", **more: Any) -> None:
        self.plan.arm(ArmedFault(fault, kind=kind, type=type_, **more))

    async def file(
        self, note: ApprovedNote | None = None, chart: Chart | None = None, identifier: str = IDENTIFIER, **site: Any
    ) -> FiledNote | UnsignedRefusal | NotFiled:
        return await file_note(
            self.client,
            note or make_note(),
            chart or make_chart(),
            make_facts("dictation"),
            make_site(**site),
            identifier,
            lambda: LATER,
            settle_seconds=(0.0, 0.0),
        )

    async def fail(self, **how: Any) -> str:
        """File, expect it not to be filed, and give the problem's code; its sentence is for a person."""
        result = await self.file(**how)
        assert isinstance(result, NotFiled), result
        assert result.error.public.endswith(".")
        assert "Marlowe" not in str(result.error)
        return result.error.code

    async def notes(self) -> list[dict[str, Any]]:
        return await self.direct.search("DocumentReference")

    async def provenances(self) -> list[dict[str, Any]]:
        return await self.direct.search("Provenance")

    def count(self, method: str, path: str) -> int:
        return sum(request.method == method and request.path == path for request in self.odd.asked)


@pytest.fixture
async def record() -> AsyncIterator[Record]:
    memory = MemoryBackend(EHR)
    direct = sandbox_client.FhirClient(memory)
    for resource in list_people():
        await direct.update(resource)
    plan, odd = FaultPlan(), OddBackend(memory)
    app = Starlette(routes=create_fhir_routes(FaultyBackend(odd, plan, memory), OpenGuard()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9000") as http:
        yield Record(FhirClient(http, "/fhir", ehr_base=EHR, timeout_seconds=2.0), direct, plan, odd)


def list_people() -> list[dict[str, Any]]:
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    return [
        {"resourceType": "Patient", "id": "invented-patient"},
        {"resourceType": "Patient", "id": "other-patient"},
        {"resourceType": "Practitioner", "id": "invented-clinician"},
        {"resourceType": "Organization", "id": "invented-practice"},
        encounter | {"id": "invented-encounter", "subject": {"reference": "Patient/invented-patient"}},
        encounter | {"id": "other-encounter", "subject": {"reference": "Patient/invented-patient"}},
    ]
