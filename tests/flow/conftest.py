"""Whole visits in one process: the visit's own app over the sandbox EHR's own FHIR server.

No process is forked and no socket opened here; the processes have their own tests. The record, its faults, the page's
API, the drafter without a model and a scripted transcriber are the real ones.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.capture.scripted import ScriptedTranscriber
from gateway.consent.rules import ConsentRules, read_rules
from gateway.consent.wording import read_wordings
from gateway.ehr.client import FhirClient
from gateway.ehr.context import LaunchContext, admit_launch
from gateway.ehr.site import Client, Consents, EhrSite, Note
from gateway.errors import LedgerError
from gateway.ledger.entry import Entry
from gateway.note.drafter import Drafter
from gateway.note.formats import read_formats
from gateway.note.outline import OutlineDrafter
from gateway.note.prompt import read_prompts
from gateway.note.risk import read_risk_rules
from gateway.sandbox.faults import ArmedFault, FaultPlan, FaultyBackend
from gateway.sandbox.fhir import client as sandbox_client
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes
from gateway.sandbox.seed.planting import plant_seed
from gateway.sandbox.seed.resources import build_seed
from gateway.visit.api import create_visit_app
from gateway.visit.door import EndReport
from gateway.visit.stage import Tools
from gateway.visit.workflow import Visit
from tests.flow.steps import VisitSteps

CONFIG = Path(__file__).parents[2] / "config"
EHR = "http://127.0.0.1:9000/fhir"
FORMATS = read_formats(CONFIG / "formats")
RULES = read_rules(CONFIG / "consent")["default"]
WORDINGS = read_wordings(CONFIG / "consent")
RISK = read_risk_rules(CONFIG / "risk")


@dataclass(slots=True)
class RecordingDoor:
    """A door whose ledger is a list, and may refuse to be written."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    owed: list[tuple[str, str]] = field(default_factory=list)
    report: EndReport | None = None
    broken: bool = False

    async def log(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        Entry(event, outcome, codes=counts or {}, resources=tuple(resources)).check()  # as the ledger itself would
        if self.broken:
            raise LedgerError("ledger.unwritten", "The log can't be written, so nothing was started.")
        self.entries.append((event, outcome))

    async def owe(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        Entry(event, outcome, codes=counts or {}, resources=tuple(resources)).check()
        self.owed.append((event, outcome))

    async def report_end(self, report: EndReport) -> None:
        self.report = report


@dataclass(slots=True, kw_only=True)
class OpenVisit(VisitSteps):
    """A visit as the page sees it, and what stands behind it."""

    visit: Visit
    door: RecordingDoor
    record: sandbox_client.FhirClient
    left: list[bool]

    async def notes(self, patient: str) -> list[dict[str, Any]]:
        """The patient's notes in the record that Countersign wrote."""
        found = await self.record.search("DocumentReference", ("patient", patient))
        return [note for note in found if note.get("identifier", [{}])[0].get("system", "").endswith("/fhir/note")]


@dataclass(slots=True)
class Practice:
    """The sandbox's record with its faults, and a way to open visits on it."""

    record: sandbox_client.FhirClient
    plan: FaultPlan
    http: httpx.AsyncClient
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    async def open(
        self,
        patient: str = "ada-marlowe",
        *,
        encounter: str | None = "today",
        drafter: Drafter | None = None,
        transcriber: ScriptedTranscriber | None = None,
        note: Note = Note(),  # noqa: B008 - frozen
        door: RecordingDoor | None = None,
        without_encounter: str = "offer",
        rules: ConsentRules = RULES,
        consent: Consents = Consents(),  # noqa: B008 - frozen
        scopes: tuple[str, ...] = ("patient/Patient.r",),
        sound_seconds: float = 600.0,
    ) -> OpenVisit:
        """Launch a visit and wait until the chart is read."""
        client = Client(id="countersign")
        site = EhrSite(id="sandbox", name="Sandbox EHR", issuer=EHR, client=client, note=note, consent=consent)
        launch = site.launch.model_copy(update={"without_encounter": without_encounter})
        site = site.model_copy(update={"launch": launch})
        left: list[bool] = []
        kept_door = door or RecordingDoor()
        tools = Tools(
            site=site,
            consent_rules=rules,
            wordings=WORDINGS,
            risk_rules=RISK,
            formats=FORMATS,
            fhir=FhirClient(self.http, "/fhir", ehr_base=EHR, timeout_seconds=2.0),
            door=kept_door,
            drafter=drafter or OutlineDrafter(read_prompts()),
            tidier=OutlineDrafter(read_prompts()),
            transcriber=transcriber,
            slots=None,
            sound_seconds=sound_seconds,
            now=lambda: datetime.now(UTC),
            new_id=lambda: str(uuid.uuid4()),
            leave=lambda: left.append(True),
        )
        visit = Visit(tools)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(create_visit_app(visit)), base_url="http://visit")
        self.opened.append(http)
        context = make_launch(patient, f"{patient}-{encounter}" if encounter else None, scopes)
        assert (await http.post("/internal/open", json=context.to_message())).status_code == 202
        opened = OpenVisit(http=http, visit=visit, door=kept_door, record=self.record, left=left)
        await opened.settle()
        return opened

    def arm(self, fault: ArmedFault) -> None:
        self.plan.arm(fault)


def make_launch(patient: str, encounter: str | None, scopes: tuple[str, ...]) -> LaunchContext:
    return admit_launch(
        {
            "site_id": "sandbox",
            "patient_id": patient,
            "encounter_id": encounter,
            "practitioner": "Practitioner/mara-ellison",
            "subject": "mara",
            "scopes": list(scopes),
            "need_patient_banner": True,
            "intent": "",
        }
    )


@pytest.fixture
async def practice() -> AsyncIterator[Practice]:
    backend = MemoryBackend(EHR)
    record = sandbox_client.FhirClient(backend)
    await plant_seed(record, build_seed(datetime.now(UTC)))
    plan = FaultPlan()
    app = Starlette(routes=create_fhir_routes(FaultyBackend(backend, plan), OpenGuard()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9000") as http:
        made = Practice(record, plan, http)
        yield made
        for client in made.opened:
            await client.aclose()


Opener = Callable[..., Awaitable[OpenVisit]]
