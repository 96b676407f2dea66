"""Asking: each answer is a Consent in the record, read back; a changed mind ends the older one; and every mishap."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.consent.activity import Activity
from gateway.consent.answer import GivenAnswer, build_consent
from gateway.consent.asking import AskedAnswers
from gateway.consent.decision import Permit, Refusal, ask, decide_consent, read_consents
from gateway.consent.reading import OWN_CONSENTS
from gateway.consent.rules import ConsentRules, read_rules
from gateway.consent.storing import end_consent
from gateway.consent.wording import read_wordings
from gateway.consent.writing import WrittenAnswer, write_answers
from gateway.ehr.chart import Chart, reread_consents
from gateway.ehr.reference import make_relative
from gateway.ehr.site import Consents
from gateway.errors import ConsentNotTaken, EhrUnreachable
from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.fhir.interaction import Kind
from gateway.sandbox.fhir.memory import MemoryBackend
from tests.unit.consent.building import (
    AI,
    RECORDING,
    ROLE_CODE,
    SITE,
    TELEHEALTH,
    TREAT,
    add_answer,
    build,
    change_rules,
    concept,
    provision,
)
from tests.unit.filing.conftest import Record, open_record
from tests.unit.filing.invented import EHR, make_chart, make_encounter, make_site

CONFIG = Path(__file__).parents[3] / "config" / "consent"
RULES = change_rules(read_rules(CONFIG)["default"], time_zone="UTC")
ENGLISH = read_wordings(CONFIG)["en"]
PATIENT, OTHER, MOTHER = "Patient/invented-patient", "Patient/other-patient", "RelatedPerson/mother"
START = datetime(2026, 11, 28, 10, 0, 0, 123_456, tzinfo=UTC)
SETTLE = (0.0, 0.0)
UNCLEAR = [Fault.STATUS_409, Fault.STATUS_412, Fault.STATUS_500, Fault.STATUS_503, Fault.WRONG_OK, Fault.HTML]


@dataclass
class Clock:
    """The EHR's and, without ``ahead``, ours: it goes on by a second at each look."""

    now: datetime = START
    ahead: timedelta = timedelta()

    def look(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now + self.ahead


@dataclass
class Desk:
    """A clinician's desk at an EHR: answers are entered, and what the record then permits is decided."""

    record: Record
    clock: Clock
    rules: ConsentRules = RULES
    birth_date: str = "1988-04-17"
    ids: list[str] = field(default_factory=list)

    async def read(self) -> Chart:
        chart = make_chart(birth_date=self.birth_date)
        return await reread_consents(self.record.client, chart, self.clock.now)

    async def write(
        self,
        answers: dict[Activity, str],
        *,
        chart: Chart | None = None,
        change: bool = True,
        note: dict[str, Any] | None = None,
        **asked: Any,
    ) -> tuple[WrittenAnswer, ...]:
        given = {"language": "en", "performer": PATIENT, "how": "spoken", "witness": "clinician", "given_at": None}
        site = make_site(**(note or {})).model_copy(update={"consent": Consents(answers="write", change=change)})
        self.clock.now += timedelta(seconds=1)
        return await write_answers(
            self.record.client,
            chart or await self.read(),
            site,
            self.rules,
            ENGLISH,
            AskedAnswers(**(given | asked), answers=answers),  # type: ignore[arg-type]
            self.clock.now,
            self._make_id,
            settle_seconds=SETTLE,
        )

    async def say(self, says: str, activity: Activity = RECORDING, **more: Any) -> WrittenAnswer:
        [written] = await self.write({activity: says}, **more)
        return written

    async def fail(self, says: str = "yes", **more: Any) -> ConsentNotTaken:
        with pytest.raises(ConsentNotTaken) as caught:
            await self.say(says, **more)
        assert caught.value.public.endswith(".")
        assert "Marlowe" not in str(caught.value)
        return caught.value

    async def decide(self, activity: Activity = RECORDING) -> Permit | Refusal:
        chart = await self.read()
        self.clock.now += timedelta(seconds=1)
        question = ask(activity, chart, make_site(), self.rules, self.clock.now)
        return decide_consent(read_consents(chart.consents, self.rules), chart.consent_problems, question, self.rules)

    async def plant(self, id_: str, **changes: Any) -> str:
        """A Consent about recording that was there before."""
        consent = build(**({"id": id_, "provision": provision(about="recording")} | changes))
        theirs = {"patient": {"reference": PATIENT}, "performer": [{"reference": PATIENT}]}
        await self.record.direct.update(consent | {name: theirs[name] for name in theirs if name not in changes})
        return id_

    async def consents(self, patient: str = "invented-patient") -> list[dict[str, Any]]:
        return await self.record.direct.search("Consent", ("patient", patient))

    async def statuses(self) -> dict[str, str]:
        return {one["id"]: one["status"] for one in await self.consents()}

    async def provenances(self) -> list[dict[str, Any]]:
        targets = ",".join(f"Consent/{one['id']}" for one in await self.consents())
        return await self.record.direct.search("Provenance", ("target", targets))

    def arm(self, fault: Fault, kind: Kind = Kind.CREATE, type_: str = "Consent", **more: Any) -> None:
        self.record.plan.arm(ArmedFault(fault, kind=kind, type=type_, **more))

    def change_reply(self, path: str, **changes: Any) -> None:
        """Every read of what lies below ``path`` shows these elements."""

        def answer(request: Any, reply: Any) -> Any:
            if request.method != "GET" or not request.path.startswith(path) or reply.status != 200:
                return reply
            return replace(reply, body=json.dumps(json.loads(reply.body) | changes).encode())

        self.record.odd.answer = answer

    def _make_id(self) -> str:
        self.ids.append(f"00000000-0000-4000-8000-{len(self.ids) + 1:012}")
        return self.ids[-1]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = Clock()
    async with open_record(MemoryBackend(EHR, clock=clock.look)) as record:
        yield Desk(record, clock)


def id_of(written: WrittenAnswer) -> str:
    return written.reference.split("/")[1]


# A new answer -------------------------------------------------------------------------------------------------------


async def test_a_yes_is_in_the_record_and_counts(desk):
    written = await desk.say("yes")
    [consent] = await desk.consents()
    assert written.reference == f"Consent/{consent['id']}/_history/1"
    assert (written.activity, written.says, written.ended, written.provenance) == (RECORDING, "yes", (), True)
    assert consent["identifier"] == [{"system": OWN_CONSENTS, "value": f"urn:uuid:{desk.ids[0]}"}]
    assert (consent["status"], consent["performer"]) == ("active", [{"reference": PATIENT}])
    assert consent["organization"] == [{"reference": "Organization/invented-practice"}]
    assert consent["dateTime"] == written.given_at.isoformat(timespec="milliseconds")
    assert written.given_at.microsecond == 123_000
    permit = await desk.decide()
    assert isinstance(permit, Permit)
    assert permit.grounds[0].reference == written.reference


async def test_each_question_is_a_consent_of_its_own_and_the_no_is_first(desk):
    written = await desk.write({TELEHEALTH: "yes", RECORDING: "no", AI: "yes"})
    assert [(one.activity, one.says) for one in written] == [(RECORDING, "no"), (TELEHEALTH, "yes"), (AI, "yes")]
    assert len(await desk.consents()) == 3
    kinds = [isinstance(await desk.decide(activity), Permit) for activity in (TELEHEALTH, RECORDING, AI)]
    assert kinds == [True, False, True]


@pytest.mark.parametrize("conditional", [True, False])
async def test_a_create_is_conditional_on_its_own_identifier_where_the_ehr_takes_that(desk, conditional):
    await desk.say("yes", note={"conditional_create": conditional})
    [create] = [one for one in desk.record.odd.asked if one.method == "POST" and one.path == "Consent"]
    condition = create.header("if-none-exist")
    assert (condition is not None) is conditional
    assert condition is None or condition.endswith(f"urn%3Auuid%3A{desk.ids[0]}")


async def test_an_answer_given_earlier_carries_its_own_moment(desk):
    given_at = START - timedelta(minutes=20)
    written = await desk.say("yes", given_at=given_at)
    [consent] = await desk.consents()
    assert (written.given_at, consent["dateTime"]) == (
        given_at.replace(microsecond=123_000),
        "2026-11-28T09:40:00.123+00:00",
    )
    assert isinstance(await desk.decide(), Permit)


async def test_without_an_encounter_no_organization_is_named(desk):
    chart = await reread_consents(desk.record.client, make_chart(make_encounter(organization="")), START)
    await desk.say("yes", chart=chart)
    none = await reread_consents(desk.record.client, make_chart(None), START)
    assert (await desk.say("no", AI, chart=none)).provenance is True
    assert len(await desk.provenances()) == 2
    assert all("organization" not in one for one in await desk.consents())
    assert all("onBehalfOf" not in agent for one in await desk.provenances() for agent in one["agent"])


async def test_a_proxy_answers_for_a_minor(desk):
    relation = concept("MTH", ROLE_CODE)
    person = {"resourceType": "RelatedPerson", "id": "mother", "patient": {"reference": PATIENT}}
    await desk.record.direct.update(person | {"relationship": [relation]})
    await desk.plant("older", dateTime="2026-11-01", performer=[{"reference": MOTHER}], provision=provision())
    desk.birth_date = "2015-04-17"
    assert (await desk.fail(performer=MOTHER)).code == "consent.performer"
    desk.rules = change_rules(RULES, proxies={"of_minors": [{"system": ROLE_CODE, "code": "MTH"}]})
    await desk.say("yes", performer=MOTHER)
    assert isinstance(await desk.decide(), Permit)
    assert (await desk.fail(performer=PATIENT)).code == "consent.performer"


async def test_a_language_that_was_not_read_is_refused(desk):
    assert (await desk.fail(language="es")).code == "consent.language"
    assert await desk.consents() == []


# How it came about --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "witness", "text", "agents"),
    [
        ("spoken", "clinician", "answered aloud", [("author", False), ("enterer", True)]),
        ("signed", "nobody", "signed on paper", [("author", False), ("enterer", False)]),
        ("spoken", "staff", "answered aloud", [("author", False), ("enterer", False), ("verifier", True)]),
    ],
)
async def test_the_provenance_says_who_answered_how_and_who_witnessed(desk, how, witness, text, agents):
    written = await desk.say("yes", how=how, witness=witness)
    [provenance] = await desk.provenances()
    assert provenance["target"] == [{"reference": f"Consent/{id_of(written)}"}]  # the sandbox keeps no version
    assert provenance["activity"]["text"].endswith(text)
    assert provenance["occurredDateTime"] == written.given_at.isoformat(timespec="milliseconds")
    found = [(one["type"]["coding"][0]["code"], "role" in one) for one in provenance["agent"]]
    assert found == agents
    assert [one["who"].get("reference") for one in provenance["agent"][:2]] == [
        PATIENT,
        "Practitioner/invented-clinician",
    ]
    assert provenance["agent"][1]["onBehalfOf"] == {"reference": "Organization/invented-practice"}
    assert provenance["entity"][0]["what"]["identifier"]["value"] == ENGLISH.sha256


@pytest.mark.parametrize("fault", [Fault.STATUS_503, Fault.DROP_REPLY])
async def test_a_provenance_that_is_not_taken_stops_nothing(desk, fault):
    desk.arm(fault, type_="Provenance")
    assert (await desk.say("yes")).provenance is False
    assert isinstance(await desk.decide(), Permit)


async def test_a_site_without_provenance_sends_none(desk):
    assert (await desk.say("yes", note={"provenance": False})).provenance is False
    assert desk.record.count("POST", "Provenance") == 0


# A changed mind -----------------------------------------------------------------------------------------------------


async def test_a_yes_ends_the_older_no_and_then_counts(desk):
    no = await desk.say("no")
    yes = await desk.say("yes")
    assert yes.ended == (no.reference,)
    assert await desk.statuses() == {id_of(no): "inactive", id_of(yes): "active"}
    [put] = [one for one in desk.record.odd.asked if one.method == "PUT"]
    assert put.header("if-match") == 'W/"1"'
    assert isinstance(await desk.decide(), Permit)


async def test_a_no_ends_the_older_yes(desk):
    yes = await desk.say("yes")
    no = await desk.say("no")
    assert no.ended == (yes.reference,)
    assert await desk.statuses() == {id_of(yes): "inactive", id_of(no): "active"}
    assert isinstance(await desk.decide(), Refusal)


async def test_minds_may_change_as_often_as_they_do(desk):
    for says in ("yes", "no", "yes", "no", "yes"):
        await desk.say(says)
        assert isinstance(await desk.decide(), Permit) is (says == "yes")
    assert sorted((await desk.statuses()).values()) == ["active", "inactive", "inactive", "inactive", "inactive"]


async def test_a_yes_over_a_no_that_someone_else_wrote_down_ends_it_too(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    assert (await desk.say("yes")).ended == ("Consent/theirs/_history/1",)
    assert isinstance(await desk.decide(), Permit)


async def test_a_no_of_somebody_else_is_left_and_the_yes_not_written(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"), performer=[{"reference": OTHER}])
    error = await desk.fail()
    assert (error.code, "Consent/theirs/_history/1 would still stand" in error.public) == ("consent.stays-no", True)
    assert await desk.statuses() == {"theirs": "active"}


async def test_only_what_stands_against_a_yes_is_named(desk):
    await desk.plant("over", provision=provision(about="recording", period={"end": "2026-11-10"}))
    await desk.plant("theirs", provision=provision("deny", "recording"), performer=[{"reference": OTHER}])
    error = await desk.fail()
    assert error.public.startswith("In the record Consent/theirs/_history/1 would still stand against a yes")


async def test_a_consent_that_can_not_be_read_is_named(desk):
    await desk.plant("theirs")
    chart = await desk.read()
    [consent] = chart.consents
    del consent["patient"]
    error = await desk.fail(chart=chart)
    assert (error.code, error.detail) == ("consent.stays-no", "recording unreadable")
    assert "Consent/theirs/_history/1 would still stand" in error.public


@pytest.mark.parametrize(
    "changes",
    [
        {"provision": provision("deny", about=None, code=[concept("recording"), concept("telehealth")])},
        {"provision": provision("permit", "recording", provision=[{"type": "deny", "purpose": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]}])},
        {"provision": {"code": [concept("recording")]}},
    ],
    ids=["two questions", "a yes with an exception", "not understood"],
)  # fmt: skip
async def test_what_says_more_than_the_one_no_is_not_ended(desk, changes):
    await desk.plant("theirs", **changes)
    assert (await desk.fail()).code == "consent.stays-no"
    assert await desk.statuses() == {"theirs": "active"}


async def test_a_no_for_someone_else_s_practice_is_left_and_does_not_bear(desk):
    actor = {"role": concept("PRCP", "http://terminology.hl7.org/CodeSystem/v3-ParticipationType")}
    elsewhere = {"actor": [actor | {"reference": {"reference": "Practitioner/elsewhere"}}]}
    await desk.record.direct.update({"resourceType": "Practitioner", "id": "elsewhere"})
    await desk.plant("theirs", provision=provision("deny", "recording", **elsewhere))
    assert (await desk.say("yes")).ended == ()
    assert (await desk.statuses())["theirs"] == "active"


async def test_what_is_unread_in_the_record_keeps_a_yes_from_being_written(desk):
    desk.arm(Fault.STATUS_503, Kind.SEARCH)
    error = await desk.fail()
    assert (error.code, "could be read" in error.public) == ("consent.stays-no", True)
    assert await desk.consents() == []
    desk.arm(Fault.STATUS_503, Kind.SEARCH)
    assert (await desk.say("no")).says == "no"  # a no is always taken


async def test_a_no_by_its_category_alone_is_ended(desk):
    desk.rules = change_rules(
        RULES, answers=add_answer(RULES, {"activity": "recording", "code": "no", "states": "deny"})
    )
    await desk.plant("theirs", category=[concept("no", SITE)], provision=None)
    assert (await desk.say("yes")).ended == ("Consent/theirs/_history/1",)
    assert isinstance(await desk.decide(), Permit)


async def test_a_no_behind_a_yes_with_an_exception_is_ended(desk):
    exception = provision("deny", None, period={"end": "2026-11-10"})
    await desk.plant("excepting", provision=provision(about="recording", provision=[exception]))
    await desk.plant("theirs", provision=provision("deny", "recording"))
    assert (await desk.say("yes")).ended == ("Consent/theirs/_history/1",)
    assert (await desk.statuses())["excepting"] == "active"


async def test_a_no_for_the_purpose_of_the_visit_is_ended(desk):
    purpose = [{"system": TREAT[0], "code": TREAT[1]}]
    await desk.plant("theirs", provision=provision("deny", "recording", purpose=purpose))
    assert (await desk.say("yes")).ended == ("Consent/theirs/_history/1",)


async def test_a_no_for_another_purpose_is_left_as_it_is(desk):
    purpose = [{"system": TREAT[0], "code": "HRESCH"}]
    await desk.plant("theirs", provision=provision("deny", "recording", purpose=purpose))
    assert (await desk.say("yes")).ended == ()
    assert (await desk.statuses())["theirs"] == "active"


async def test_a_no_that_is_over_is_left_as_it_is(desk):
    await desk.plant("theirs", provision=provision("deny", "recording", period={"end": "2026-11-10"}))
    assert (await desk.say("yes")).ended == ()
    assert (await desk.statuses())["theirs"] == "active"


# An EHR that does not let the older one be changed --------------------------------------------------------------------


@pytest.mark.parametrize("change", [True, False])
async def test_where_the_no_stays_a_yes_counts_over_one_that_was_written_here(desk, change):
    no = await desk.say("no")
    desk.arm(Fault.STATUS_401, Kind.UPDATE)
    yes = await desk.say("yes", change=change)
    assert yes.ended == ()
    assert await desk.statuses() == {id_of(no): "active", id_of(yes): "active"}
    assert isinstance(await desk.decide(), Permit)


@pytest.mark.parametrize("change", [True, False])
@pytest.mark.parametrize(("wins", "counts"), [("own", False), ("always", True), ("never", False)])
async def test_where_a_foreign_no_stays_the_site_s_rule_says_whether_a_yes_is_written(desk, change, wins, counts):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    desk.rules = change_rules(RULES, newer_yes_wins=wins)
    desk.arm(Fault.STATUS_401, Kind.UPDATE)
    if counts:
        await desk.say("yes", change=change)
    else:
        assert (await desk.fail(change=change)).code == "consent.stays-no"
    assert isinstance(await desk.decide(), Permit) is counts
    assert len(await desk.consents()) == 1 + counts


@pytest.mark.parametrize("fault", [Fault.STATUS_401, Fault.STATUS_503])
async def test_a_no_counts_though_the_older_yes_stays(desk, fault):
    yes = await desk.say("yes")
    desk.arm(fault, Kind.UPDATE)
    no = await desk.say("no")
    assert (no.ended, (await desk.statuses())[id_of(yes)]) == ((), "active")
    assert isinstance(await desk.decide(), Refusal)
    chart = await desk.read()
    await desk.plant(id_of(yes), status="inactive")  # changed by someone else since
    assert (await desk.say("no", chart=chart)).ended == ()


async def test_a_yes_that_can_not_be_ended_keeps_no_other_from_it(desk):
    await desk.plant("first")
    await desk.plant("second")
    desk.arm(Fault.DROP_REQUEST, Kind.UPDATE)
    assert len((await desk.say("no")).ended) == 1
    assert sorted((await desk.statuses()).values()) == ["active", "active", "inactive"]


async def test_an_ehr_without_versions_is_not_overwritten(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    chart = await desk.read()
    [consent] = chart.consents
    del consent["meta"]["versionId"]
    assert (await desk.fail(chart=chart)).code == "consent.stays-no"
    consent["meta"] = 7
    assert await end_consent(desk.record.client, chart, consent) is False
    assert desk.record.count("PUT", "Consent/theirs") == 0


async def test_a_consent_that_was_changed_since_is_not_overwritten(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    chart = await desk.read()
    await desk.plant("theirs", provision=provision("deny", "recording"), dateTime="2026-11-05")
    assert (await desk.fail(chart=chart)).code == "consent.changed"
    assert desk.record.count("PUT", "Consent/theirs") == 0
    assert await desk.statuses() == {"theirs": "active"}


@pytest.mark.parametrize("version", ["1/2", "", 7])
async def test_a_version_that_may_not_stand_in_a_path_is_none(desk, version):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    chart = await desk.read()
    [consent] = chart.consents
    consent["meta"]["versionId"] = version
    assert await end_consent(desk.record.client, chart, consent) is False
    assert desk.record.count("GET", "Consent/theirs") == 0


@pytest.mark.parametrize("fault", [Fault.STATUS_409, Fault.STATUS_412])
async def test_a_version_that_is_no_longer_the_latest_is_told(desk, fault):
    await desk.say("no")
    desk.arm(fault, Kind.UPDATE)
    assert (await desk.fail()).code == "consent.changed"


@pytest.mark.parametrize("fault", [*UNCLEAR, Fault.DROP_REPLY, Fault.RESET_BODY])
async def test_a_lost_reply_to_a_change_is_settled_by_reading(desk, fault):
    no = await desk.say("no")
    performed = fault not in (Fault.DROP_REPLY, Fault.RESET_BODY)
    desk.arm(fault, Kind.UPDATE, performed=performed)
    assert (await desk.say("yes")).ended == (no.reference,)
    assert isinstance(await desk.decide(), Permit)


async def test_a_change_that_did_not_arrive_is_told(desk):
    await desk.say("no")
    desk.arm(Fault.DROP_REQUEST, Kind.UPDATE)
    assert (await desk.fail()).code == "consent.unsettled"
    assert isinstance(await desk.decide(), Refusal)


async def test_a_change_that_was_accepted_and_not_made_is_told(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    desk.change_reply("Consent/theirs", status="active")
    assert (await desk.fail()).code == "consent.unsettled"


async def test_an_ehr_may_write_the_patient_as_an_absolute_address(desk, monkeypatch):
    update = desk.record.client.update

    async def take_absolute(resource: dict[str, Any], **more: Any) -> Any:  # the sandbox itself refuses it
        return await update(make_relative(resource, EHR), **more)

    monkeypatch.setattr(desk.record.client, "update", take_absolute)
    await desk.plant("theirs", provision=provision("deny", "recording"))
    desk.change_reply("Consent/", patient={"reference": f"{EHR}/{PATIENT}"})
    assert (await desk.say("yes")).ended == ("Consent/theirs/_history/1",)
    assert isinstance(await desk.decide(), Permit)


async def test_another_patient_s_consent_is_never_changed(desk):
    await desk.plant("theirs", provision=provision("deny", "recording"))
    desk.change_reply("Consent/theirs", patient={"reference": OTHER})
    assert (await desk.fail()).code == "consent.other-patient"
    assert desk.record.count("PUT", "Consent/theirs") == 0


async def test_a_no_that_was_ended_and_a_yes_that_failed_are_both_told(desk):
    no = await desk.say("no")
    desk.arm(Fault.STATUS_401)
    error = await desk.fail()
    assert (error.code, f"({no.reference}) is no longer in force" in error.public) == ("ehr.401", True)
    assert isinstance(await desk.decide(), Refusal)
    await desk.say("yes")
    assert isinstance(await desk.decide(), Permit)


# Clocks -------------------------------------------------------------------------------------------------------------


async def test_a_yes_is_later_than_what_an_ehr_wrote_whose_clock_runs_ahead(desk):
    await desk.say("yes")
    desk.clock.ahead = timedelta(seconds=90)
    no = await desk.say("no")
    yes = await desk.say("yes")
    assert timedelta(seconds=60) < yes.given_at - no.given_at <= timedelta(seconds=100)
    desk.clock.now += timedelta(minutes=2)
    assert isinstance(await desk.decide(), Permit)


async def test_a_clock_that_is_minutes_ahead_is_not_followed(desk):
    await desk.say("yes")
    desk.clock.ahead = timedelta(minutes=5)
    await desk.say("no")
    error = await desk.fail()
    assert error.code == "consent.stays-no"
    desk.clock.now += timedelta(minutes=6)
    await desk.say("yes")
    assert isinstance(await desk.decide(), Permit)


async def test_a_yes_given_before_the_no_was_written_down_is_not_written(desk):
    await desk.say("no")
    error = await desk.fail(given_at=START)
    assert error.code == "consent.stays-no"
    assert "would still stand" in error.public
    assert error.public.endswith("correct its moment.")


# Lost replies, and what is stored otherwise ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*UNCLEAR, Fault.DROP_REPLY, Fault.RESET_BODY])
async def test_a_lost_reply_is_settled_by_searching_and_never_by_sending_again(desk, fault):
    desk.arm(fault, performed=fault not in (Fault.DROP_REPLY, Fault.RESET_BODY))
    written = await desk.say("yes")
    assert desk.record.count("POST", "Consent") == 1
    assert [id_of(written)] == [one["id"] for one in await desk.consents()]


@pytest.mark.parametrize("fault", [*UNCLEAR, Fault.DROP_REQUEST])
async def test_an_unclear_reply_and_nothing_found_is_told_as_not_known(desk, fault):
    desk.arm(fault)
    error = await desk.fail()
    assert (error.code, "not known whether the EHR took the answer" in error.public) == ("consent.lost", True)
    assert await desk.consents() == []  # a second create would have been taken


async def test_an_index_that_lags_is_looked_at_twice(desk):
    chart = await desk.read()
    desk.arm(Fault.STALE_SEARCH, Kind.SEARCH)
    desk.arm(Fault.DROP_REPLY)
    await desk.say("yes", chart=chart)


async def test_a_look_that_fails_is_followed_by_another(desk):
    chart = await desk.read()
    desk.arm(Fault.STATUS_503, Kind.SEARCH)
    desk.arm(Fault.DROP_REPLY)
    written = await desk.say("yes", chart=chart)
    assert [id_of(written)] == [one["id"] for one in await desk.consents()]


async def test_a_lost_answer_is_searched_for_by_patient_and_identifier(desk):
    chart = await desk.read()
    desk.record.odd.asked.clear()
    desk.arm(Fault.DROP_REPLY)
    await desk.say("yes", chart=chart)
    [search] = [one for one in desk.record.odd.asked if one.method == "GET" and one.path == "Consent"]
    identifier = f"{OWN_CONSENTS}|urn:uuid:{desk.ids[0]}"
    assert set(search.query) == {("patient", "invented-patient"), ("identifier", identifier)}


async def test_an_ehr_that_is_down_since_is_not_known(desk):
    chart = await desk.read()
    desk.arm(Fault.STATUS_503, Kind.SEARCH, times=2)
    desk.arm(Fault.DROP_REPLY)
    assert (await desk.fail(chart=chart)).code == "consent.lost"


async def test_a_search_that_ignores_the_identifier_finds_no_other_answer(desk):
    await desk.plant("theirs", provision=provision("permit", "telehealth"))
    chart = await desk.read()
    desk.arm(Fault.FOREIGN_MATCH, Kind.SEARCH, times=2)
    desk.arm(Fault.DROP_REQUEST)
    assert (await desk.fail(chart=chart)).code == "consent.lost"


async def test_an_answer_that_is_stored_twice_is_the_same_answer_twice(desk):
    desk.arm(Fault.DOUBLE_CREATE)
    desk.arm(Fault.STATUS_503, performed=True)
    yes = await desk.say("yes")
    both = await desk.consents()
    assert len(both) == 2
    assert id_of(yes) == min(one["id"] for one in both)
    assert isinstance(await desk.decide(), Permit)
    assert len((await desk.say("no")).ended) == 2


@pytest.mark.parametrize(("fault", "code"), [(Fault.STATUS_401, "ehr.401"), (Fault.STATUS_429, "ehr.429")])
async def test_a_clear_no_is_told_as_one(desk, fault, code):
    desk.arm(fault)
    assert (await desk.fail()).code == code
    assert await desk.consents() == []


async def test_an_ehr_that_was_never_reached_has_certainly_no_answer(desk, monkeypatch):
    async def unreached(*_: Any, **__: Any) -> Any:
        raise EhrUnreachable("ehr.not-reached", "The EHR could not be reached. Check that it is up, then try again.")

    monkeypatch.setattr(desk.record.client, "create", unreached)
    assert (await desk.fail()).code == "ehr.not-reached"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "draft"}, "consent.altered"),
        ({"dateTime": "2026-11-27"}, "consent.altered"),
        ({"performer": [{"reference": "Practitioner/invented-clinician"}]}, "consent.altered"),
        ({"provision": provision("deny", "recording")}, "consent.altered"),
        ({"provision": provision("permit", "telehealth")}, "consent.altered"),
        ({"patient": {"reference": OTHER}}, "consent.other-patient"),
    ],
)
async def test_what_was_stored_otherwise_does_not_pass_for_the_answer(desk, changes, code):
    desk.record.odd.stores = "Consent"
    desk.record.odd.store = lambda consent: consent | changes
    error = await desk.fail()
    assert error.code == code
    assert await desk.provenances() == [] if code == "consent.altered" else True


async def test_a_record_may_say_the_same_in_its_own_way(desk):
    def say_otherwise(consent: dict[str, Any]) -> dict[str, Any]:
        there = {"system": "https://countersign.dev/fhir/CodeSystem/consent-activity", "code": "recording"}
        period = {"start": consent["dateTime"][:19] + "Z"}
        root = {"type": "permit", "period": period, "code": [{"coding": [there], "text": "Recording"}]}
        return consent | {"dateTime": consent["dateTime"][:19] + "Z", "provision": root, "language": "en"}

    desk.record.odd.stores, desk.record.odd.store = "Consent", say_otherwise
    await desk.say("yes")
    assert isinstance(await desk.decide(), Permit)


async def test_a_record_may_add_what_says_nothing(desk):
    def add(consent: dict[str, Any]) -> dict[str, Any]:
        own = consent["provision"]["code"][0]["coding"][0] | {"id": "c", "version": "1", "userSelected": False}
        extension = [{"url": "https://ehr.test/seen", "valueBoolean": True}]
        root = consent["provision"] | {"id": "p", "extension": extension, "code": [{"coding": [own]}]}
        return consent | {"provision": root}

    desk.record.odd.stores, desk.record.odd.store = "Consent", add
    await desk.say("yes")
    [consent] = await desk.consents()
    assert {"id", "extension"} < consent["provision"].keys()
    assert isinstance(await desk.decide(), Permit)


async def test_an_answer_that_can_not_be_read_back_at_once_is_read_again(desk):
    desk.arm(Fault.STATUS_503, Kind.READ)
    await desk.say("yes")


async def test_an_answer_that_can_not_be_read_back_does_not_count(desk):
    desk.arm(Fault.STATUS_503, Kind.READ, times=2)
    error = await desk.fail()
    assert (error.code, error.detail) == ("consent.unchecked", "ehr.503")


async def test_an_ehr_without_versions_gives_a_reference_without_one(desk):
    desk.change_reply("Consent/", meta={})
    written = await desk.say("yes")
    [consent] = await desk.consents()
    assert written.reference == f"Consent/{consent['id']}"


# Several answers ----------------------------------------------------------------------------------------------------


async def test_what_was_written_stays_and_is_told(desk):
    desk.arm(Fault.STATUS_401, after=1, times=2)
    with pytest.raises(ConsentNotTaken) as caught:
        await desk.write({TELEHEALTH: "yes", RECORDING: "yes", AI: "no"})
    [consent] = await desk.consents()
    assert caught.value.written == (f"Consent/{consent['id']}/_history/1",)
    assert caught.value.public.startswith(
        f"In the record: the no to AI drafting (Consent/{consent['id']}/_history/1). "
    )
    assert caught.value.public.count("no longer accepts this session") == 1


# Rules that would not count it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"organizations": ["Organization/elsewhere"]},
        {"sensitive_labels": [{"system": "urn:site", "code": "PSY"}]},
    ],
)
async def test_a_yes_that_the_site_s_rules_would_not_count_is_not_written(desk, changes):
    desk.rules = change_rules(RULES, **changes)
    await desk.plant("older", provision=provision(about="recording", period={"end": "2026-11-10"}))
    assert (await desk.fail()).code == "consent.not-counted"
    assert list(await desk.statuses()) == ["older"]


async def test_where_the_site_reads_other_codes_nothing_is_written(desk):
    answers = [{"activity": one.value, "system": "urn:site", "code": one.value} for one in Activity]
    desk.rules = change_rules(RULES, answers=answers)
    assert (await desk.fail("yes")).code == "consent.not-counted"
    assert (await desk.fail("no")).code == "consent.not-counted"
    assert await desk.consents() == []


async def test_an_answer_names_its_own_identifier_alone():
    given = GivenAnswer(RECORDING, "permit", PATIENT, START, "urn:uuid:1")
    assert build_consent(given, PATIENT)["identifier"] == [{"system": OWN_CONSENTS, "value": "urn:uuid:1"}]
