"""Answers in a real HAPI server: written, read back, changed both ways, by its own clock and versions."""

import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.consent.activity import Activity
from gateway.consent.asking import AskedAnswers
from gateway.consent.decision import Permit, Refusal, ask, decide_consent, read_consents
from gateway.consent.rules import read_rules
from gateway.consent.storing import end_consent
from gateway.consent.wording import read_wordings
from gateway.consent.writing import WrittenAnswer, write_answers
from gateway.ehr.chart import Chart, reread_consents
from gateway.ehr.site import Consents
from gateway.errors import ConsentNotTaken
from gateway.filing.auditing import send_audit_event
from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.fhir.interaction import Kind
from gateway.sandbox.fhir.remote import RemoteBackend
from tests.unit.filing.conftest import Record, open_record
from tests.unit.filing.invented import EHR, make_chart, make_site

pytestmark = pytest.mark.hapi

CONFIG = Path(__file__).parents[2] / "config" / "consent"
RULES = read_rules(CONFIG)["default"]
ENGLISH = read_wordings(CONFIG)["en"]
SITE = make_site().model_copy(update={"consent": Consents(answers="write", audit_events=True)})


@dataclass(slots=True)
class Patient:
    """A patient of this test alone."""

    record: Record
    id: str

    async def read(self) -> Chart:
        return await reread_consents(self.record.client, make_chart(patient_id=self.id), datetime.now(UTC))

    async def say(self, says: str, chart: Chart | None = None) -> WrittenAnswer:
        asked = AskedAnswers("en", f"Patient/{self.id}", "spoken", "clinician", None, {Activity.RECORDING: says})  # type: ignore[dict-item]
        now, read = datetime.now(UTC), chart or await self.read()
        [written] = await write_answers(
            self.record.client, read, SITE, RULES, ENGLISH, asked, now, lambda: str(uuid.uuid4())
        )
        return written

    async def decide(self) -> Permit | Refusal:
        chart, now = await self.read(), datetime.now(UTC)
        question = ask(Activity.RECORDING, chart, SITE, RULES, now)
        return decide_consent(read_consents(chart.consents, RULES), chart.consent_problems, question, RULES)

    async def statuses(self) -> list[str]:
        found = await self.record.direct.search("Consent", ("patient", self.id))
        return sorted(one["status"] for one in found)


@pytest.fixture
async def patient() -> AsyncIterator[Patient]:
    remote = RemoteBackend(os.environ["COUNTERSIGN_HAPI"], EHR)
    async with open_record(remote) as record:
        id_ = f"asked-{uuid.uuid4()}"
        await record.direct.update({"resourceType": "Patient", "id": id_})
        yield Patient(record, id_)
    await remote.close()


async def test_a_mind_changes_in_both_directions(patient: Patient) -> None:
    for says in ("yes", "no", "yes", "no", "yes"):
        written = await patient.say(says)
        assert written.provenance
        assert isinstance(await patient.decide(), Permit) is (says == "yes")
    assert await patient.statuses() == ["active", "inactive", "inactive", "inactive", "inactive"]


async def test_a_stale_version_is_not_overwritten(patient: Patient) -> None:
    await patient.say("no")
    stale = await patient.read()
    [consent] = stale.consents
    await patient.record.direct.update({**consent, "language": "en"})
    with pytest.raises(ConsentNotTaken) as caught:
        await patient.say("yes", stale)
    assert caught.value.code == "consent.changed"
    assert await patient.statuses() == ["active"]


async def test_a_change_between_the_reading_and_the_update_is_hapi_s_409(patient: Patient) -> None:
    await patient.say("no")
    chart = await patient.read()
    [consent] = chart.consents

    async def read_and_be_overtaken(type_: str, id_: str) -> object:
        raw = await original(type_, id_)
        await patient.record.direct.update({**raw, "language": "en"})
        return raw

    original = patient.record.client.read
    patient.record.client.read = read_and_be_overtaken  # type: ignore[method-assign,assignment]
    with pytest.raises(ConsentNotTaken) as caught:
        await end_consent(patient.record.client, chart, consent)
    assert caught.value.code == "consent.changed"
    assert await patient.statuses() == ["active"]


async def test_a_lost_reply_leaves_one_consent(patient: Patient) -> None:
    patient.record.plan.arm(ArmedFault(Fault.DROP_REPLY, kind=Kind.CREATE, type="Consent"))
    await patient.say("yes")
    assert await patient.statuses() == ["active"]
    assert isinstance(await patient.decide(), Permit)


async def test_a_decision_is_taken_as_an_audit_event(patient: Patient) -> None:
    for says in ("yes", "no"):
        await patient.say(says)
        assert await send_audit_event(patient.record.client, await patient.read(), SITE, RULES, await patient.decide())
