"""Consent through whole visits: asked and written, everyone in the room, revoked while the microphone is on."""

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import soundfile

from gateway.capture.scripted import ScriptedTranscriber
from gateway.consent.rules import Parties, Watch
from gateway.ehr.site import Consents, Note
from gateway.sandbox.faults import ArmedFault, Fault
from tests.flow.conftest import RULES, OpenVisit, Practice, RecordingDoor

HEARD = ("She slept well this week.", "The zanzibar review went better than she feared.")
QUICK = RULES.model_copy(update={"watch": Watch(every_seconds=0.05, grace_seconds=0.4)})
WRITES = Consents(answers="write")
YES = {"language": "en", "performer": "Patient/clara-nystrom", "how": "spoken", "witness": "clinician"}


def speech() -> ScriptedTranscriber:
    return ScriptedTranscriber(HEARD)


def sound(seconds: float = 2.0) -> bytes:
    rate = 16_000
    samples = 0.2 * np.sin(2 * np.pi * 220 * np.arange(int(rate * seconds)) / rate)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


async def send(visit: OpenVisit) -> None:
    reply = await visit.http.post("/api/dictation", content=sound(), headers={"Content-Type": "audio/wav"})
    assert reply.status_code == 200, reply.text
    await visit.settle("gathering")


async def capture(visit: OpenVisit, do: str = "start") -> dict[str, Any]:
    reply = await visit.post("capture", {"do": do})
    assert reply.status_code == 200, reply.text
    return await visit.settle()


async def until(visit: OpenVisit, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while not holds(view := await visit.view()):
            await asyncio.sleep(0.01)
    return view


async def begin_recording(practice: Practice, patient: str = "ada-marlowe", **more: Any) -> OpenVisit:
    visit = await practice.open(patient, transcriber=speech(), **{"rules": QUICK, **more})
    assert (await visit.post("way", {"way": "record", "format": "soap"})).status_code == 200
    assert (await capture(visit))["capture"]["state"] == "on"
    return visit


async def revoke(practice: Practice, consent: str) -> None:
    resource = await practice.record.read("Consent", consent)
    await practice.record.update(resource | {"status": "inactive"})


def answer_of(view: dict[str, Any], activity: str) -> dict[str, Any]:
    return next(one for one in view["consents"] if one["activity"] == activity)


def offered(view: dict[str, Any]) -> set[str]:
    return {way["id"] for way in view["ways"] if way["offered"]}


# While the microphone is on -----------------------------------------------------------------------------------------


async def test_the_microphone_opens_after_consent_is_read_and_the_log_knows(practice):
    visit = await begin_recording(practice)
    events = [event for event, _ in visit.door.entries]
    assert events[-4:] == ["visit:consent:decide"] * 3 + ["visit:capture:start"]
    await visit.post("cancel")
    await visit.settle("ended")


async def test_a_session_is_recorded_drafted_and_filed(practice):
    visit = await begin_recording(practice)
    await capture(visit, "stop")
    await send(visit)
    view = await visit.view()
    assert {(one["source"], one["speaker"]) for one in view["segments"]} == {("session", "unknown")}
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200
    await visit.settle("reviewing")
    view = await visit.accept_all()
    assert "recording of the session (transcribed by an AI speech model)" in view["made"]
    assert {"label": "Consent on file", "value": "AI drafting, recording"} in view["head"]
    assert (await visit.file())["outcome"] == "filed"
    assert ("visit:capture:stop", "clinician") in visit.door.owed


async def test_recording_revoked_stops_the_microphone_and_destroys_the_recording_alone(practice):
    visit = await begin_recording(practice)
    await send(visit)
    await visit.post("typed", {"text": "Typed beside it.", "observations": ""})
    await revoke(practice, "ada-marlowe-recording")
    view = await until(visit, lambda view: view["phase"] == "choosing")
    assert view["capture"]["state"] == "off"
    assert [one["text"] for one in view["segments"]] == ["Typed beside it."]
    assert view["taken_back"]["labels"] == ["Recording the session"]
    assert view["taken_back"]["words"] == (
        "No longer permitted: recording. The patient took back the yes to recording "
        "(Consent/ada-marlowe-recording/_history/2). "
        "The recording and the draft are destroyed; what you dictated or typed is kept."
    )
    assert offered(view) == {"dictate", "type", "tidy", "write"}
    await asyncio.sleep(0.05)
    assert ("visit:material:destroy", "recording") in visit.door.owed
    assert ("visit:consent:decide", "refusal.revoked") in visit.door.owed
    assert (await visit.post("way", {"way": "type", "format": "soap"})).json()["taken_back"] is None
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200  # what was typed is still there
    await visit.settle("reviewing")


async def test_ai_drafting_revoked_destroys_all_material(practice):
    visit = await begin_recording(practice)
    await send(visit)
    await visit.post("typed", {"text": "Typed beside it.", "observations": "Calm."})
    await revoke(practice, "ada-marlowe-ai-drafting")
    view = await until(visit, lambda view: view["phase"] == "choosing")
    assert view["segments"] == []
    assert view["typed"] == {"text": "", "observations": ""}
    assert offered(view) == {"write"}
    assert "What was recorded, dictated, typed and drafted is destroyed." in view["taken_back"]["words"]


async def test_what_was_recorded_goes_although_another_way_was_chosen_since(practice):
    visit = await begin_recording(practice)
    await send(visit)
    await capture(visit, "stop")
    assert (await visit.post("way", {"way": "dictate", "format": "soap"})).status_code == 200
    assert (await capture(visit))["capture"]["state"] == "on"
    await revoke(practice, "ada-marlowe-recording")
    view = await until(visit, lambda view: view["taken_back"] is not None)
    assert (view["phase"], view["way"], view["capture"]["state"]) == ("gathering", "dictate", "on")
    assert view["segments"] == []


async def test_a_note_that_may_rest_on_a_recording_is_not_filed_once_its_consent_is_gone(practice):
    visit = await begin_recording(practice)
    await send(visit)
    await capture(visit, "stop")
    await visit.type_note("P: See again next week.")
    await visit.accept_all()
    await revoke(practice, "ada-marlowe-recording")
    view = await visit.file()
    assert (view["phase"], view["way"], view["outcome"]) == ("gathering", "type", None)
    assert [one["source"] for one in view["segments"]] == ["typed"]
    assert await visit.notes("ada-marlowe") == []


async def test_a_transcript_that_is_still_being_made_goes_too(practice):
    visit = await begin_recording(practice)
    started = asyncio.Event()

    class Slow(ScriptedTranscriber):
        def transcribe(self, samples, cancel, on_progress):
            visit.visit._loop.call_soon_threadsafe(started.set)
            cancel.wait(5)
            yield from ScriptedTranscriber(HEARD).transcribe(samples, cancel, on_progress)

    object.__setattr__(visit.visit.tools, "transcriber", Slow(HEARD))
    reply = await visit.http.post("/api/dictation", content=sound(), headers={"Content-Type": "audio/wav"})
    assert reply.status_code == 200
    await started.wait()
    await revoke(practice, "ada-marlowe-recording")
    view = await until(visit, lambda view: view["phase"] == "choosing")
    assert view["segments"] == []
    assert (await visit.post("way", {"way": "type", "format": "soap"})).status_code == 200
    await asyncio.sleep(0.1)
    assert (await visit.view())["segments"] == []
    assert visit.visit.contents.audio == b""


async def test_a_notification_is_acted_on_at_once(practice):
    slow = RULES.model_copy(update={"watch": Watch(every_seconds=15.0)})
    visit = await begin_recording(practice, rules=slow)
    await revoke(practice, "ada-marlowe-recording")
    began = asyncio.get_running_loop().time()
    assert (await visit.http.post("/internal/consent-changed")).status_code == 202
    await until(visit, lambda view: view["phase"] == "choosing")
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_notification_outside_of_capture_shows_the_new_answer(practice):
    visit = await practice.open()
    await revoke(practice, "ada-marlowe-ai-drafting")
    await visit.http.post("/internal/consent-changed")
    view = await until(visit, lambda view: not answer_of(view, "ai-drafting")["permitted"])
    assert (view["phase"], offered(view)) == ("choosing", {"write"})


async def test_a_permit_that_runs_out_stops_the_microphone_at_that_moment(practice):
    consent = await practice.record.read("Consent", "ada-marlowe-recording")
    end = datetime.now(UTC) + timedelta(seconds=1.2)
    consent["provision"]["period"] = {"end": end.isoformat(timespec="milliseconds")}
    await practice.record.update(consent)
    visit = await begin_recording(practice, rules=RULES)
    view = await until(visit, lambda view: view["phase"] == "choosing")
    assert answer_of(view, "recording")["code"] == "expired"
    assert timedelta(0) <= datetime.now(UTC) - end < timedelta(seconds=1)


async def test_a_silent_ehr_pauses_the_microphone_after_the_grace_and_loses_nothing(practice):
    visit = await begin_recording(practice)
    await send(visit)
    practice.arm(ArmedFault(Fault.STATUS_503, kind="search", type="Consent", times=None))
    view = await until(visit, lambda view: view["capture"]["state"] == "paused")
    assert view["capture"]["words"].startswith("For 0 seconds it could not be confirmed that consent still holds")
    assert len(view["segments"]) == len(HEARD)
    assert ("visit:capture:pause", "grace") in visit.door.owed
    assert (await visit.post("capture", {"do": "start"})).status_code == 200  # it still does not answer
    view = await visit.settle()
    assert (view["capture"]["state"], view["problem"]["code"]) == ("paused", "consent.unread")
    practice.plan.clear()
    assert (await capture(visit))["capture"] | {"checked_at": None} == {"state": "on", "words": "", "checked_at": None}


async def test_consent_gone_during_the_silence_is_found_when_the_clinician_goes_on(practice):
    visit = await begin_recording(practice)
    practice.arm(ArmedFault(Fault.STATUS_503, kind="search", type="Consent", times=None))
    await until(visit, lambda view: view["capture"]["state"] == "paused")
    await revoke(practice, "ada-marlowe-recording")
    practice.plan.clear()
    view = await capture(visit)
    assert (view["phase"], view["capture"]["state"]) == ("choosing", "off")


async def test_the_microphone_stays_off_when_the_log_cannot_be_written(practice):
    door = RecordingDoor()
    visit = await practice.open(transcriber=speech(), door=door)
    await visit.post("way", {"way": "record", "format": "soap"})
    door.broken = True
    view = await capture(visit)
    assert (view["capture"]["state"], view["problem"]["code"]) == ("off", "ledger.unwritten")


async def test_a_log_that_breaks_while_recording_pauses_it_but_a_revocation_still_stops_it(practice):
    visit = await begin_recording(practice)
    visit.door.broken = True
    await until(visit, lambda view: view["capture"]["state"] == "paused")
    visit.door.broken = False
    await capture(visit)
    visit.door.broken = True
    await revoke(practice, "ada-marlowe-recording")
    await until(visit, lambda view: view["phase"] == "choosing")


@pytest.mark.parametrize("way", ["type", "tidy", "write"])
async def test_a_way_without_a_microphone_opens_none(practice, way):
    visit = await practice.open(transcriber=speech())
    await visit.post("way", {"way": way, "format": "soap"})
    await visit.settle()
    assert (await visit.post("capture", {"do": "start"})).status_code == 409


async def test_without_a_speech_model_nothing_is_recorded(practice):
    visit = await practice.open()
    assert (await visit.post("way", {"way": "record", "format": "soap"})).json()["error"]["code"] == "speech.missing"
    await visit.post("way", {"way": "type", "format": "soap"})
    assert (await visit.post("capture", {"do": "start"})).json()["error"]["code"] == "speech.missing"


async def test_the_clinician_pauses_goes_on_and_stops(practice):
    visit = await begin_recording(practice)
    assert (await capture(visit, "pause"))["capture"] | {"checked_at": ""} == {
        "state": "paused",
        "words": "",
        "checked_at": "",
    }
    assert (await visit.post("draft", {"format": "soap"})).status_code == 409
    assert (await capture(visit))["capture"]["state"] == "on"
    assert (await capture(visit, "stop"))["capture"]["state"] == "off"
    assert (await capture(visit, "stop"))["capture"]["state"] == "off"
    assert [event for event in visit.door.owed if event[0] == "visit:capture:stop"] == [
        ("visit:capture:stop", "clinician")
    ]


async def test_a_permit_that_is_over_when_a_way_is_chosen_permits_none(practice):
    consent = await practice.record.read("Consent", "ada-marlowe-ai-drafting")
    end = datetime.now(UTC) + timedelta(seconds=0.5)
    consent["provision"]["period"] = {"end": end.isoformat(timespec="milliseconds")}
    await practice.record.update(consent)
    visit = await practice.open()
    assert "type" in offered(await visit.view())
    await asyncio.sleep(0.6)
    assert (await visit.post("way", {"way": "type", "format": "soap"})).status_code == 409
    assert answer_of(await visit.view(), "ai-drafting")["code"] == "expired"


# Asking the patient -------------------------------------------------------------------------------------------------


async def test_the_words_to_read_with_the_patient_come_in_each_language(practice):
    visit = await practice.open()
    page = (await visit.http.get("/api/wording", params={"language": "es"})).json()
    assert [one["activity"] for one in page["questions"]] == ["telehealth", "recording", "ai-drafting"]
    assert all(len(one["parts"]) == 7 for one in page["questions"])
    refused = await visit.http.get("/api/wording", params={"language": "xx"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "visit.language")
    languages = (await visit.view())["asking"]["languages"]
    assert languages == [{"id": "en", "label": "English"}, {"id": "es", "label": "Español"}]


async def test_an_answer_is_written_read_back_and_counts(practice):
    visit = await practice.open("clara-nystrom", consent=WRITES)
    asked = YES | {"answers": {"ai-drafting": "yes", "recording": "no"}}
    reply = await visit.post("answers", asked)
    assert reply.status_code == 200, reply.text
    view = reply.json()
    assert answer_of(view, "ai-drafting")["permitted"]
    assert answer_of(view, "recording")["code"] == "refused"
    assert answer_of(view, "telehealth")["code"] == "missing"
    written = await practice.record.search("Consent", ("patient", "clara-nystrom"))
    assert {one["provision"]["type"] for one in written} == {"permit", "deny"}
    assert len(await practice.record.search("Provenance", ("target", f"Consent/{written[0]['id']}"))) == 1
    assert ("visit:consent:ask", "") in visit.door.owed
    await visit.type_note("P: See again next week.")
    await visit.accept_all()
    assert (await visit.file())["outcome"] == "filed"


async def test_an_answer_counts_although_the_search_does_not_show_it_yet(practice):
    visit = await practice.open("clara-nystrom", consent=WRITES)
    practice.arm(ArmedFault(Fault.STALE_SEARCH, kind="search", type="Consent", times=None))
    view = (await visit.post("answers", YES | {"answers": {"ai-drafting": "yes"}})).json()
    assert answer_of(view, "ai-drafting")["permitted"]


async def test_a_no_counts_at_once_even_where_it_cannot_be_written(practice):
    visit = await begin_recording(practice, consent=WRITES)
    await send(visit)
    practice.arm(ArmedFault(Fault.STATUS_503, kind="create", type="Consent", times=None))
    reply = await visit.post("answers", YES | {"performer": "Patient/ada-marlowe", "answers": {"recording": "no"}})
    assert reply.status_code == 422
    view = await visit.view()
    assert (view["phase"], view["capture"]["state"], view["segments"]) == ("choosing", "off", [])
    assert answer_of(view, "recording")["words"] == "The patient said no to recording in this visit."
    assert "record" not in offered(view)
    practice.plan.clear()
    view = (
        await visit.post("answers", YES | {"performer": "Patient/ada-marlowe", "answers": {"recording": "yes"}})
    ).json()
    assert answer_of(view, "recording")["permitted"]


async def test_a_changed_mind_stops_the_recording(practice):
    visit = await begin_recording(practice, consent=WRITES)
    reply = await visit.post("answers", YES | {"performer": "Patient/ada-marlowe", "answers": {"recording": "no"}})
    assert reply.status_code == 200, reply.text
    view = reply.json()
    assert (view["phase"], view["capture"]["state"]) == ("choosing", "off")
    assert (await practice.record.read("Consent", "ada-marlowe-recording"))["status"] == "inactive"


async def test_nobody_is_asked_where_the_ehr_takes_no_answer(practice):
    visit = await practice.open("clara-nystrom")
    view = await visit.view()
    assert (view["asking"]["how"], bool(view["asking"]["words"])) == ("refuse", True)
    reply = await visit.post("answers", YES | {"answers": {"ai-drafting": "yes"}})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "consent.not-asked")


async def test_an_attested_answer_counts_for_this_visit_and_stands_in_the_note(practice):
    visit = await practice.open("clara-nystrom", consent=Consents(answers="attest"))
    view = (await visit.post("answers", YES | {"answers": {"ai-drafting": "yes"}})).json()
    assert answer_of(view, "ai-drafting")["permitted"]
    assert await practice.record.search("Consent", ("patient", "clara-nystrom")) == []
    assert ("visit:consent:attest", "") in visit.door.entries
    await visit.type_note("P: See again next week.")
    view = await visit.accept_all()
    line = next(one["value"] for one in view["head"] if one["label"] == "Consent in this visit")
    assert line == ("The patient said yes to AI drafting, answered aloud in this visit, attested by the clinician.")
    assert (await visit.file())["outcome"] == "filed"
    again = await practice.open("clara-nystrom", consent=Consents(answers="attest"))
    assert answer_of(await again.view(), "ai-drafting")["code"] == "missing"


async def test_an_attested_yes_never_overrules_a_no_of_the_record(practice):
    visit = await practice.open("bruno-castellan", consent=Consents(answers="attest"))
    asked = YES | {"performer": "Patient/bruno-castellan", "answers": {"recording": "yes"}}
    assert answer_of((await visit.post("answers", asked)).json(), "recording")["code"] == "refused"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"answers": {}}, "consent.nothing-answered"),
        ({"performer": "Patient/somebody"}, "consent.performer"),
        ({"language": "xx"}, "consent.language"),
        ({"given_at": "2020-01-01T10:00"}, "consent.moment"),
        ({"how": "guessed"}, "visit.body"),
        ({"answers": {"everything": "yes"}}, "visit.body"),
    ],
)
async def test_what_is_no_answer_is_refused_and_changes_nothing(practice, change, code):
    visit = await practice.open("clara-nystrom", consent=WRITES)
    reply = await visit.post("answers", YES | {"answers": {"ai-drafting": "yes"}} | change)
    assert reply.json()["error"]["code"] == code
    assert await practice.record.search("Consent", ("patient", "clara-nystrom")) == []
    assert not any(one["permitted"] for one in (await visit.view())["consents"])


# Everyone in the room -----------------------------------------------------------------------------------------------


async def test_a_partner_is_listed_and_her_answer_counts(practice):
    visit = await practice.open("henry-quill")
    view = await visit.view()
    [partner] = view["people"]["list"]
    assert (partner["added"], set(partner["answers"].values())) == (False, {"open"})
    assert answer_of(view, "ai-drafting")["code"] == "others-unanswered"
    assert next(way["why"] for way in view["ways"] if way["id"] == "type") == (
        "Not permitted: not everyone in the room has been asked about AI drafting."
    )
    view = (await visit.post("person", {"id": partner["id"], "answers": {"ai-drafting": "yes"}})).json()
    assert "type" in offered(view)
    view = (await visit.post("person", {"id": partner["id"], "answers": {"ai-drafting": "no"}})).json()
    assert answer_of(view, "ai-drafting")["code"] == "refused-by-other"
    assert offered(view) == {"write"}
    assert ("visit:person:answer", "") in visit.door.owed


async def test_the_others_answers_stand_in_the_note_by_role_and_nobody_is_named(practice):
    visit = await practice.open("henry-quill")
    [partner] = (await visit.view())["people"]["list"]
    await visit.post("person", {"id": partner["id"], "answers": {"ai-drafting": "yes"}})
    await visit.type_note("P: See both again next week.")
    view = await visit.accept_all()
    line = next(one["value"] for one in view["head"] if one["label"] == "Others in the room")
    assert line.endswith(": AI drafting yes")
    assert "Iris" not in line
    assert (await visit.file())["outcome"] == "filed"


async def test_one_whom_the_record_does_not_know_is_added_and_taken_back(practice):
    visit = await practice.open()
    view = (await visit.post("person", {"role": "friend", "answers": {"recording": "no"}})).json()
    [friend] = view["people"]["list"]
    assert (friend["role"], friend["added"]) == ("Friend", True)
    assert answer_of(view, "recording")["code"] == "refused-by-other"
    assert answer_of(view, "ai-drafting")["code"] == "others-unanswered"
    view = (await visit.post("person-left", {"id": friend["id"]})).json()
    assert all(one["permitted"] for one in view["consents"])


async def test_where_one_party_is_enough_only_a_spoken_no_counts(practice):
    one = RULES.model_copy(update={"parties": Parties(telehealth="one", recording="one", ai_drafting="one")})
    visit = await practice.open("henry-quill", rules=one)
    view = await visit.view()
    assert "type" in offered(view)
    [partner] = view["people"]["list"]
    view = (await visit.post("person", {"id": partner["id"], "answers": {"ai-drafting": "no"}})).json()
    assert offered(view) == {"write"}


async def test_a_no_of_anybody_stops_a_running_recording(practice):
    visit = await practice.open("henry-quill", transcriber=speech(), rules=QUICK)
    [partner] = (await visit.view())["people"]["list"]
    await visit.post("person", {"id": partner["id"], "answers": {"recording": "yes", "ai-drafting": "yes"}})
    await visit.post("way", {"way": "record", "format": "soap"})
    assert (await capture(visit))["capture"]["state"] == "on"
    refused = await visit.post("person", {"role": "friend", "answers": {}})
    assert "Pause the microphone first" in refused.json()["error"]["message"]
    view = (await visit.post("person", {"id": partner["id"], "answers": {"recording": "no"}})).json()
    assert (view["phase"], view["capture"]["state"]) == ("choosing", "off")
    assert "said no to recording" in view["taken_back"]["words"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("person", {"id": "p9", "answers": {}}, "visit.person"),
        ("person", {"role": "stranger", "answers": {}}, "visit.role"),
        ("person-left", {"id": "p9"}, "visit.person"),
        ("person-left", {"id": "p1"}, "visit.person"),  # the record names her
    ],
)
async def test_who_is_not_there_cannot_answer(practice, path, body, code):
    visit = await practice.open("henry-quill")
    assert (await visit.post(path, body)).json()["error"]["code"] == code


async def test_the_chosen_encounter_brings_its_own_people(practice):
    visit = await practice.open("henry-quill", encounter=None)
    await visit.post("person", {"role": "friend", "answers": {}})
    [choice] = [one for one in (await visit.view())["encounter_choices"] if one["id"] == "henry-quill-today"]
    view = (await visit.post("encounter", {"id": choice["id"]})).json()
    assert [(one["id"], one["added"]) for one in view["people"]["list"]] == [("p1", False), ("p2", True)]


async def test_tidying_puts_her_own_sentences_under_the_headings(practice):
    visit = await practice.open(note=Note())
    await visit.post("way", {"way": "tidy", "format": "soap"})
    note = "S: Slept badly. P: Sleep diary. See again in a week."
    await visit.post("typed", {"text": note, "observations": ""})
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200
    view = await visit.settle("reviewing")
    assert view["drafter"]["kind"] == "outline"
    shown = [one["text"] for section in view["sections"] for one in section["statements"]]
    assert set(shown) <= {"Slept badly.", "Sleep diary.", "See again in a week."}


# The EHR's own log ----------------------------------------------------------------------------------------------------


async def test_each_decision_is_told_to_an_ehr_that_keeps_audit_events(practice):
    visit = await practice.open("bruno-castellan", consent=Consents(audit_events=True))
    async with asyncio.timeout(5):
        while len(told := await practice.record.search("AuditEvent", ("patient", "bruno-castellan"))) < 3:
            await asyncio.sleep(0.01)
    assert sorted(one["outcome"] for one in told) == ["0", "0", "4"]
    assert [event for event, _ in visit.door.entries].count("visit:consent:decide") == 3


async def test_an_ehr_that_takes_no_audit_event_stops_nothing(practice):
    practice.arm(ArmedFault(Fault.STATUS_503, kind="create", type="AuditEvent", times=None))
    visit = await practice.open(consent=Consents(audit_events=True))
    assert (await visit.type_note("P: See again next week."))["phase"] == "reviewing"


async def test_an_ehr_without_audit_events_is_told_nothing(practice):
    await practice.open()
    assert await practice.record.search("AuditEvent", ("patient", "ada-marlowe")) == []
