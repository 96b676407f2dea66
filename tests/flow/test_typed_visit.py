"""A whole visit with typed notes: from the launch to the signed note, and nothing left."""

import base64

import pytest

from gateway.ehr.site import Note

NOTE = """S: Pt reports sleeping five hours a night since March.
She worries about the work review on Friday.
O: Alert, speech quiet.
A: Generalized anxiety, a little better than last month.
P: Continue sleep diary. See again next Tuesday."""


def read_text(document: dict) -> str:
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode()


async def test_the_whole_way(practice) -> None:
    visit = await practice.open()
    view = await visit.view()
    assert view["patient"]["name"] == "Ada Marlowe"
    assert view["patient"]["birth_date"] == "1988-04-17"
    assert {item["activity"]: item["permitted"] for item in view["consents"]} == {
        "telehealth": True,
        "recording": True,
        "ai-drafting": True,
    }
    view = await visit.type_note(NOTE)
    assert view["phase"] == "reviewing"
    for section in view["sections"]:
        for statement in section["statements"]:
            assert statement["segments"], statement
    view = await visit.accept_all()
    assert view["open_decisions"] == 0
    view = await visit.file()
    assert view["phase"] == "ended"
    assert view["outcome"] == "filed"
    assert view["patient"] is None
    assert view["sections"] == view["segments"] == []
    assert visit.left == [True]

    [document] = await visit.notes("ada-marlowe")
    assert document["docStatus"] == "preliminary"
    assert document["status"] == "current"
    assert document["subject"]["reference"] == "Patient/ada-marlowe"
    assert document["context"]["encounter"][0]["reference"] == "Encounter/ada-marlowe-today"
    assert document["author"][0]["reference"] == "Practitioner/mara-ellison"
    assert "security" not in document.get("meta", {})  # her own words, arranged without a model
    text = read_text(document)
    assert "sleeping five hours a night since March" in text
    assert "See again next Tuesday" in text
    assert "How this note was made" in text
    assert "Modality: In person" in text
    [provenance] = await visit.record.search("Provenance", ("target", f"DocumentReference/{document['id']}"))
    assert {agent["type"]["coding"][0]["code"] for agent in provenance["agent"]} == {"author", "composer"}
    assert {agent["onBehalfOf"]["reference"] for agent in provenance["agent"]} == {"Organization/practice"}


async def test_every_step_has_its_entry_before_it(practice) -> None:
    visit = await practice.open()
    await visit.type_note(NOTE)
    await visit.accept_all()
    await visit.file()
    events = [event for event, _ in visit.door.entries]
    assert events.count("visit:consent:decide") == 9  # three questions, read three times
    assert events.index("visit:draft:start") < events.index("visit:draft:finish") < events.index("visit:note:file")
    assert visit.door.report is not None
    assert visit.door.report.document == f"DocumentReference/{(await visit.notes('ada-marlowe'))[0]['id']}"


@pytest.mark.parametrize(
    ("patient", "ways"),
    [
        ("ada-marlowe", {"type", "tidy", "write"}),  # no speech model in this visit
        ("bruno-castellan", {"type", "tidy", "write"}),
        ("clara-nystrom", {"write"}),
        ("dmitri-okoye", {"write"}),
        ("elena-whitcombe", {"write"}),
        ("farid-johansson", {"write"}),
        ("grace-abernathy", {"write"}),
        ("henry-quill", {"write"}),  # his partner has not been asked
        ("jonas-telford", {"type", "tidy", "write"}),
    ],
)
async def test_offers_only_what_the_patient_permits(practice, patient: str, ways: set[str]) -> None:
    view = await (await practice.open(patient)).view()
    assert [way["id"] for way in view["ways"]] == ["record", "dictate", "type", "tidy", "write"]
    assert {way["id"] for way in view["ways"] if way["offered"]} == ways
    assert all(way["why"] for way in view["ways"])


async def test_a_way_that_is_not_permitted_is_refused_by_the_server(practice) -> None:
    visit = await practice.open("dmitri-okoye")
    reply = await visit.post("way", {"way": "type", "format": "soap"})
    assert reply.status_code == 409
    assert "not permitted" in reply.json()["error"]["message"]


async def test_refused_ai_can_still_be_written_and_filed_without_it(practice) -> None:
    visit = await practice.open("dmitri-okoye")
    assert (await visit.post("way", {"way": "write", "format": "dap"})).status_code == 200
    view = await visit.settle("reviewing")
    assert [section["statements"] for section in view["sections"]] == [[], [], []]
    await visit.post("section", {"id": "data", "decision": "edited", "text": "Talked about the return to work."})
    for section in ("assessment", "plan"):
        await visit.post("section", {"id": section, "decision": "struck"})
    view = await visit.file()
    assert view["outcome"] == "filed"
    [document] = await visit.notes("dmitri-okoye")
    assert "security" not in document.get("meta", {})
    assert "The clinician wrote this note without AI" in read_text(document)


async def test_consent_revoked_before_the_draft_stops_it_and_drops_the_material(practice) -> None:
    visit = await practice.open()
    await visit.post("way", {"way": "type", "format": "soap"})
    await visit.post("typed", {"text": NOTE, "observations": ""})
    consent = await visit.record.read("Consent", "ada-marlowe-ai-drafting")
    await visit.record.update({**consent, "status": "inactive"})
    await visit.post("draft", {"format": "soap"})
    view = await visit.settle("choosing")
    assert view["segments"] == []
    assert view["typed"]["text"] == ""
    assert not next(item for item in view["consents"] if item["activity"] == "ai-drafting")["permitted"]


async def test_consent_revoked_before_filing_files_nothing(practice) -> None:
    visit = await practice.open()
    await visit.type_note(NOTE)
    await visit.accept_all()
    consent = await visit.record.read("Consent", "ada-marlowe-ai-drafting")
    await visit.record.update({**consent, "status": "inactive"})
    view = await visit.view()
    await visit.post("file", {"attested": True, "version": view["version"]})
    view = await visit.settle("choosing")
    assert await visit.notes("ada-marlowe") == []
    assert view["sections"] == []


async def test_the_server_refuses_what_the_page_should_not_send(practice) -> None:
    visit = await practice.open()
    view = await visit.type_note(NOTE)
    assert (await visit.post("file", {"attested": True, "version": view["version"]})).status_code == 409
    await visit.accept_all()
    stale = (await visit.view())["version"] - 1
    assert (await visit.post("file", {"attested": True, "version": stale})).status_code == 409
    now = (await visit.view())["version"]
    assert (await visit.post("file", {"attested": False, "version": now})).status_code == 409
    assert (await visit.post("file", {"version": now})).status_code == 409
    assert await visit.notes("ada-marlowe") == []


async def test_an_ehr_without_unsigned_notes_gets_the_text_handed_over(practice) -> None:
    visit = await practice.open(note=Note(unsigned="no"))
    assert not (await visit.view())["ehr"]["unsigned_notes"]
    await visit.type_note(NOTE)
    await visit.accept_all()
    view = await visit.file()
    assert view["phase"] == "handing-over"
    assert "See again next Tuesday" in view["handover_text"]
    assert (await visit.post("handed-over")).status_code == 200
    view = await visit.settle("ended")
    assert (view["outcome"], view["handover_text"]) == ("handed-over", None)
    assert await visit.notes("ada-marlowe") == []


async def test_cancel_destroys_and_reports(practice) -> None:
    visit = await practice.open()
    await visit.type_note(NOTE)
    assert (await visit.post("cancel")).status_code == 200
    view = await visit.settle("ended")
    assert view["outcome"] == "cancelled"
    assert visit.door.report is not None
    assert set(visit.door.report.destroyed) == {"chart and consents", "typed notes", "draft and its review"}
    assert (await visit.post("cancel")).status_code == 409


async def test_a_visit_without_an_encounter_is_offered_the_open_ones(practice) -> None:
    visit = await practice.open(encounter=None)
    view = await visit.view()
    assert view["encounter"] is None
    [choice] = view["encounter_choices"]
    assert not any(way["offered"] for way in view["ways"])
    assert (await visit.post("encounter", {"id": "other"})).status_code == 409
    assert (await visit.post("encounter", {"id": None})).status_code == 409
    view = (await visit.post("encounter", {"id": choice["id"]})).json()
    assert view["encounter"]["id"] == choice["id"]
    assert view["telehealth"] == "no"
    assert next(way for way in view["ways"] if way["id"] == "type")["offered"]
