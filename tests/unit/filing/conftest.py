"""A record to file into: the sandbox's own FHIR server, and HAPI; with faults, and with oddities that a test adds."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
from gateway.sandbox.fhir.backend import FHIR_JSON, FhirBackend, FhirReply, FhirRequest, write_json
from gateway.sandbox.fhir.interaction import Kind
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.remote import RemoteBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes
from tests.unit.filing.invented import EHR, IDENTIFIER, LATER, make_chart, make_facts, make_note, make_site

BOTH_PATIENTS = ("patient", "invented-patient,other-patient")
Change = Callable[[dict[str, Any]], dict[str, Any]]
Answer = Callable[[FhirRequest, FhirReply], FhirReply]


@dataclass(slots=True)
class OddBackend:
    """An EHR with its own ideas: ``store`` changes what is created, ``answer`` what is answered, ``asked`` listens.

    ``stores`` is the type whose creates are changed.
    """

    backend: FhirBackend
    store: Change | None = None
    stores: str = "DocumentReference"
    answer: Answer | None = None
    asked: list[FhirRequest] = field(default_factory=list)

    async def handle(self, request: FhirRequest) -> FhirReply:
        self.asked.append(request)
        if request.method == "POST" and request.path == self.stores and self.store is not None:
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
        self,
        note: ApprovedNote | None = None,
        chart: Chart | None = None,
        identifier: str = IDENTIFIER,
        settle_seconds: tuple[float, ...] = (0.0, 0.0),
        **site: Any,
    ) -> FiledNote | UnsignedRefusal | NotFiled:
        return await file_note(
            self.client,
            note or make_note(),
            chart or make_chart(),
            make_facts("dictation"),
            make_site(**site),
            identifier,
            lambda: LATER,
            settle_seconds=settle_seconds,
        )

    async def fail(self, **how: Any) -> str:
        """File, expect it not to be filed, and give the problem's code; its sentence is for a person."""
        result = await self.file(**how)
        assert isinstance(result, NotFiled), result
        assert result.error.public.endswith(".")
        assert "Marlowe" not in str(result.error)
        return result.error.code

    async def notes(self) -> list[dict[str, Any]]:
        return await self.direct.search("DocumentReference", BOTH_PATIENTS)

    async def provenances(self) -> list[dict[str, Any]]:
        targets = ",".join(f"DocumentReference/{note['id']}" for note in await self.notes())
        return await self.direct.search("Provenance", ("target", targets)) if targets else []

    async def forget_notes(self) -> None:
        """Delete what an earlier test left, all at once: these resources refer to each other."""
        left = [*await self.provenances(), *await self.notes()]
        entries = [{"request": {"method": "DELETE", "url": f"{one['resourceType']}/{one['id']}"}} for one in left]
        body = write_json({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        reply = await self.odd.backend.handle(FhirRequest("POST", "", headers={"Content-Type": FHIR_JSON}, body=body))
        assert reply.status == 200, reply.body

    def count(self, method: str, path: str) -> int:
        return sum(request.method == method and request.path == path for request in self.odd.asked)


@pytest.fixture(params=["sandbox", pytest.param("hapi", marks=pytest.mark.hapi)])
async def record(request: pytest.FixtureRequest) -> AsyncIterator[Record]:
    if request.param == "sandbox":
        async with open_record(MemoryBackend(EHR)) as record:
            yield record
        return
    remote = RemoteBackend(os.environ["COUNTERSIGN_HAPI"], EHR)
    async with open_record(remote) as record:
        await record.forget_notes()
        yield record
    await remote.close()


@asynccontextmanager
async def open_record(backend: FhirBackend) -> AsyncIterator[Record]:
    direct = sandbox_client.FhirClient(backend)
    for resource in list_people():
        await direct.update(resource)
    plan, odd = FaultPlan(), OddBackend(backend)
    app = Starlette(routes=create_fhir_routes(FaultyBackend(odd, plan, backend), OpenGuard()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9000") as http:
        yield Record(FhirClient(http, "/fhir", ehr_base=EHR, timeout_seconds=10.0), direct, plan, odd)


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
