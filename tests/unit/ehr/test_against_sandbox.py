"""Launch, chart, consent and filing calls against the sandbox EHR, which shares no code with the gateway."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from gateway.consent.activity import Activity
from gateway.consent.decision import Permit, Refusal, ask, decide_consent, read_consents
from gateway.consent.rules import ConsentRules, read_rules
from gateway.ehr.authorization import PendingLaunches
from gateway.ehr.backend_services import BackendAccess
from gateway.ehr.chart import Chart, read_chart, reread_consents
from gateway.ehr.client import FhirClient
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.ehr.site import read_sites
from gateway.ehr.smart import Launched, Launcher
from gateway.errors import LaunchError

pytest.importorskip("jinja2", reason="the sandbox is an extra: pip install countersign[sandbox]")
app = pytest.importorskip("gateway.sandbox.app")
sandbox_settings = pytest.importorskip("gateway.sandbox.settings")

CONFIG = Path(__file__).parents[3] / "config"
CALLBACK = "http://localhost:8000/callback"
EHR = "http://127.0.0.1:9000"


def decide(
    chart: Chart, rules: ConsentRules, now: datetime, problems: tuple[str, ...] | None = None
) -> Permit | Refusal:
    readings = read_consents(chart.consents, rules)
    question = ask(Activity.AI_DRAFTING, chart, read_sites(CONFIG / "ehrs")["sandbox"], rules, now)
    return decide_consent(readings, chart.consent_problems if problems is None else problems, question, rules)


@dataclass
class Practice:
    """The sandbox and a gateway's launcher, connected without a socket."""

    sandbox: httpx.AsyncClient
    launcher: Launcher

    async def open(self, **context: str) -> dict[str, str]:
        """Open a launch in the EHR and go as far as the callback; what came back there."""
        opened = (await self.sandbox.post("/launch", json=context)).json()
        request = await self.launcher.start_launch(opened["iss"], opened["launch"], CALLBACK, "browser")
        answer = await self.sandbox.get(request.url)
        assert answer.status_code in (302, 303), answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def launch(self, **context: str) -> Launched:
        return await self.launcher.complete_launch(await self.open(**context), "browser")

    async def read(self, launched: Launched) -> tuple[FhirClient, Chart]:
        self.sandbox.headers["Authorization"] = f"Bearer {launched.tokens.access}"
        client = FhirClient(self.sandbox, ehr_base=f"{EHR}/fhir")
        site = self.launcher.sites["sandbox"]
        return client, await read_chart(client, launched.context, site, self.launcher.now())

    async def find_visit(self, family: str) -> dict[str, str]:
        """The patient and today's encounter of one of the practice."""
        record = app_of(self).state.sandbox.record
        patients = await record.search("Patient", ("family", family))
        encounters = await record.search("Encounter", ("patient", patients[0]["id"]))
        today = next(one for one in encounters if one["id"].endswith("-today"))
        return {"patient": patients[0]["id"], "encounter": today["id"]}


def app_of(practice: Practice):
    transport = practice.sandbox._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    sites = read_sites(CONFIG / "ehrs")
    credentials = read_credentials(sites.values(), tmp_path, {})

    async def fetch(_: str):
        return credentials.public_jwks()

    server = app.create_sandbox(sandbox_settings.SandboxSettings(fetch=fetch))
    clock = server.state.sandbox.practice.clock
    async with AsyncExitStack() as stack:
        await server.state.sandbox.plant()
        sandbox = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url=EHR)
        )
        plain = await stack.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(server)))
        launcher = Launcher(
            http=plain,
            sites=sites,
            discovery=Discovery(plain, clock),
            credentials=credentials,
            pending=PendingLaunches(clock, lambda _: uuid4().hex + uuid4().hex),
            now=clock,
            new_id=lambda: uuid4().hex,
        )
        yield Practice(sandbox, launcher)


async def people(practice: Practice) -> list[str]:
    patients = await app_of(practice).state.sandbox.record.search("Patient")
    return [one["name"][0]["family"] for one in patients]


async def test_every_visit_of_today_can_be_launched_and_read(practice):
    seen = 0
    rules = read_rules(CONFIG / "consent")["default"]
    answers: dict[str, str] = {}
    for family in dict.fromkeys(await people(practice)):
        try:
            visit = await practice.find_visit(family)
        except StopIteration:
            continue
        launched = await practice.launch(**visit)
        assert launched.context.patient_id == visit["patient"]
        assert launched.tokens.refresh or launched.tokens.expires_at
        _, chart = await practice.read(launched)
        assert family in chart.patient.name
        assert chart.encounter is not None
        assert chart.patient.identifiers[0].label == "MRN"
        assert chart.practitioner.name
        assert chart.consent_problems == ()
        decided = decide(chart, rules, practice.launcher.now())
        answers[family] = "permit" if isinstance(decided, Permit) else decided.code
        seen += 1
    assert seen >= 8
    assert set(answers.values()) >= {"permit", "missing", "refused", "expired", "revoked", "not-understood"}, answers


async def test_a_patients_medications_are_read_by_name_and_nobody_elses(practice):
    _, chart = await practice.read(await practice.launch(**await practice.find_visit("Marlowe")))
    assert chart.medications == ("Sertraline 50 mg tablet",)
    assert [what for reference, what in chart.read if reference.startswith("MedicationStatement/")] == ["Medication"]
    _, other = await practice.read(await practice.launch(**await practice.find_visit("Nyström")))
    assert other.medications == ()


async def test_a_launch_without_an_encounter_offers_the_open_ones(practice):
    family = (await people(practice))[0]
    visit = await practice.find_visit(family)
    launched = await practice.launch(patient=visit["patient"])
    assert launched.context.encounter_id is None
    _, chart = await practice.read(launched)
    assert [choice.id for choice in chart.encounter_choices] == [visit["encounter"]]


async def test_a_launch_by_the_patient_is_refused(practice):
    visit = await practice.find_visit((await people(practice))[0])
    with pytest.raises(LaunchError, match=r"launch\.not-a-clinician"):
        await practice.launch(**visit, user=f"Patient/{visit['patient']}")


async def test_a_code_is_good_once(practice):
    visit = await practice.find_visit((await people(practice))[0])
    first = await practice.open(**visit)
    await practice.launcher.complete_launch(first, "browser")
    second = await practice.open(**visit)
    with pytest.raises(LaunchError, match=r"token\.invalid_grant"):
        await practice.launcher.complete_launch({**second, "code": first["code"]}, "browser")


async def test_a_consent_revoked_in_the_ehr_is_seen_at_the_next_reading(practice):
    rules = read_rules(CONFIG / "consent")["default"]
    for family in await people(practice):
        try:
            visit = await practice.find_visit(family)
        except StopIteration:
            continue
        client, chart = await practice.read(await practice.launch(**visit))
        now = practice.launcher.now()
        decided = decide(chart, rules, now)
        if isinstance(decided, Permit):
            consent = decided.grounds[0].reference.split("/")[1]
            await practice.sandbox.post(f"/patient/{visit['patient']}/{consent}/revoke")
            chart = await reread_consents(client, chart, now)
            again = decide(chart, rules, now)
            assert not isinstance(again, Permit)
            assert again.code == "revoked"
            await practice.sandbox.post(f"/patient/{visit['patient']}/ai-drafting/permit")
            chart = await reread_consents(client, chart, now)
            assert isinstance(decide(chart, rules, practice.launcher.now(), problems=()), Permit)
            return
    pytest.fail("nobody here permits AI drafting")


async def test_the_backend_client_gets_its_own_token(practice):
    launcher = practice.launcher
    site = launcher.sites["sandbox"]
    credential = launcher.credentials.backends["sandbox"]
    access = BackendAccess(launcher.http, launcher.discovery, site, credential, launcher.now, launcher.new_id)
    assert await access.take_token()
