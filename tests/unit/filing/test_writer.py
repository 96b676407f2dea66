"""Filing: one note, for this patient and encounter, with these words; or a sentence that claims no more."""

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from gateway.errors import EhrUnreachable
from gateway.filing.writer import SETTLE_SECONDS, FiledNote, NotFiled, UnsignedRefusal
from gateway.proof import ForgedProof, Maker
from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.fhir.interaction import Kind
from tests.unit.filing.invented import IDENTIFIER, LATER, make_chart, make_encounter, make_note

UNCLEAR = [Fault.STATUS_409, Fault.STATUS_412, Fault.STATUS_500, Fault.STATUS_503, Fault.WRONG_OK, Fault.HTML]


async def test_a_filed_note_is_in_the_record_with_its_provenance(record) -> None:
    result = await record.file()
    [document] = await record.notes()
    [provenance] = await record.provenances()
    assert isinstance(result, FiledNote)
    assert result.reference == f"DocumentReference/{document['id']}"
    assert (result.version, result.identifier, result.read_back) == ("1", IDENTIFIER, "bytes")
    assert (result.provenance, result.filed_at) == (True, LATER)
    assert document["docStatus"] == "preliminary"
    assert provenance["target"][0]["reference"].startswith(result.reference)


async def test_nobody_else_can_say_that_a_note_is_filed() -> None:
    with pytest.raises(ForgedProof):
        FiledNote(Maker("elsewhere"), "DocumentReference/1", "", IDENTIFIER, "bytes", True, LATER)


async def test_a_second_filing_finds_the_first(record) -> None:
    first, second = await record.file(), await record.file()
    assert isinstance(first, FiledNote)
    assert isinstance(second, FiledNote)
    assert first.reference == second.reference
    assert len(await record.notes()) == 1


async def test_another_visit_s_note_is_another_note(record) -> None:
    await record.file()
    other = "urn:uuid:5f1f4f0e-3f7d-4f0a-8d53-0f6d7f3c2b11"
    assert isinstance(await record.file(identifier=other), FiledNote)
    assert len(await record.notes()) == 2


async def test_filings_at_the_same_moment_leave_one_note(record) -> None:
    for number in range(5):
        identifier = f"urn:uuid:5f1f4f0e-3f7d-4f0a-8d53-0f6d7f3c2b2{number}"
        tries = (record.file(identifier=identifier, settle_seconds=SETTLE_SECONDS) for _ in range(6))
        results = await asyncio.gather(*tries)
        notes = [note for note in await record.notes() if note["identifier"][0]["value"] == identifier]
        assert [f"DocumentReference/{note['id']}" for note in notes] == list({found.reference for found in results})


async def test_an_answer_that_finds_an_earlier_note_is_no_second_one(record) -> None:
    """The search before the create does not show it; the condition of the create does."""
    first = await record.file()
    record.arm(Fault.STALE_SEARCH, Kind.SEARCH)
    record.plan.note_written(first.reference)
    assert (await record.file()).reference == first.reference
    assert record.count("POST", "DocumentReference") == 2
    assert len(await record.notes()) == 1


# A lost answer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.RESET_BODY])
async def test_a_lost_answer_is_settled_by_searching_and_never_by_sending_again(record, fault) -> None:
    record.arm(fault)
    assert isinstance(await record.file(), FiledNote)
    assert record.count("POST", "DocumentReference") == 1
    assert len(await record.notes()) == 1


@pytest.mark.parametrize("fault", UNCLEAR)
async def test_an_unclear_answer_to_a_note_that_was_stored_is_settled_by_searching(record, fault) -> None:
    record.arm(fault, performed=True)
    assert isinstance(await record.file(), FiledNote)
    assert len(await record.notes()) == 1


@pytest.mark.parametrize("fault", [*UNCLEAR, Fault.DROP_REQUEST])
async def test_an_unclear_answer_and_nothing_found_is_told_as_not_known(record, fault) -> None:
    record.arm(fault)
    result = await record.file()
    assert isinstance(result, NotFiled)
    assert result.error.code == "filing.unknown"
    assert result.error.public.startswith("It is not known whether the EHR took the note")
    assert "look in the chart" in result.error.public
    assert isinstance(await record.file(), FiledNote)
    assert len(await record.notes()) == 1


async def test_a_note_that_the_index_does_not_show_yet_is_not_known_and_found_by_the_next_try(record) -> None:
    record.arm(Fault.STALE_SEARCH, Kind.SEARCH, times=3)  # before the create, and both looks after it
    record.arm(Fault.DROP_REPLY)
    assert await record.fail() == "filing.unknown"
    assert isinstance(await record.file(), FiledNote)
    assert len(await record.notes()) == 1


async def test_an_index_that_lags_a_little_is_looked_at_twice(record) -> None:
    record.arm(Fault.STALE_SEARCH, Kind.SEARCH, times=2)
    record.arm(Fault.DROP_REPLY)
    assert isinstance(await record.file(), FiledNote)


async def test_a_lost_answer_and_an_ehr_that_is_down_since_is_not_known(record) -> None:
    record.arm(Fault.STATUS_503, Kind.SEARCH, times=2, after=1)
    record.arm(Fault.DROP_REPLY)
    assert await record.fail() == "filing.unknown"


@pytest.mark.parametrize(("fault", "code"), [(Fault.STATUS_401, "ehr.401"), (Fault.STATUS_429, "ehr.429")])
async def test_a_clear_no_is_told_as_one(record, fault, code) -> None:
    record.arm(fault)
    assert await record.fail() == code
    assert await record.notes() == []


async def test_an_ehr_that_can_not_be_searched_first_is_sent_nothing(record) -> None:
    record.arm(Fault.STATUS_503, Kind.SEARCH)
    assert await record.fail() == "ehr.503"
    assert record.count("POST", "DocumentReference") == 0


async def test_an_ehr_that_was_never_reached_has_certainly_no_note(record, monkeypatch) -> None:

    async def unreached(*_, **__):
        raise EhrUnreachable("ehr.not-reached", "The EHR could not be reached. Check that it is up, then try again.")

    monkeypatch.setattr(record.client, "create", unreached)
    assert await record.fail() == "ehr.not-reached"


# Doubles and other patients ---------------------------------------------------------------------------------------


async def test_a_note_that_is_there_twice_is_told_and_not_filed(record) -> None:
    record.arm(Fault.DOUBLE_CREATE)
    record.arm(Fault.STATUS_503, performed=True)
    assert await record.fail() == "filing.doubled"


async def test_a_server_that_ignores_the_identifier_does_not_pass_another_note_for_this_one(record) -> None:
    other = "urn:uuid:5f1f4f0e-3f7d-4f0a-8d53-0f6d7f3c2b11"
    await record.file(identifier=other)

    def ignore_identifier(request, reply):
        if request.method != "GET" or request.path != "DocumentReference":
            return reply
        return replace(reply, body=json.dumps(everything).encode())

    everything = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one, "search": {"mode": "match"}} for one in await record.notes()],
    }
    record.odd.answer = ignore_identifier
    result = await record.file()
    assert isinstance(result, FiledNote)
    assert len(await record.notes()) == 2


async def test_a_stranger_s_note_in_the_search_is_not_taken_for_this_one(record) -> None:
    await record.direct.create(
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"reference": "Patient/other-patient"},
            "content": [{"attachment": {"contentType": "text/plain", "data": "aGk="}}],
        }
    )
    record.arm(Fault.FOREIGN_MATCH, Kind.SEARCH)
    assert isinstance(await record.file(), FiledNote)


async def test_a_search_that_can_not_be_read_to_its_end_files_nothing(record) -> None:
    def break_entry(request, reply):
        if request.method != "GET" or request.path != "DocumentReference":
            return reply
        return replace(
            reply, body=json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": 7}]}).encode()
        )

    record.odd.answer = break_entry
    assert await record.fail() == "filing.unsearched"
    assert await record.notes() == []


def put_into_another_chart(document):
    period = {"period": document["context"]["period"]}
    return document | {"subject": {"reference": "Patient/other-patient"}, "context": period}


async def test_a_note_in_another_patient_s_chart_is_reported_at_once(record) -> None:
    record.odd.store = put_into_another_chart
    assert await record.fail() == "filing.other-patient"
    assert await record.provenances() == []


async def test_a_note_that_a_search_shows_for_another_patient_is_reported(record) -> None:
    record.odd.store = put_into_another_chart
    await record.file()

    def show_all(request, reply):
        if request.method != "GET" or request.path != "DocumentReference":
            return reply
        return replace(reply, body=json.dumps(bundle).encode())

    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in await record.notes()],
    }
    record.odd.answer = show_all
    assert await record.fail() == "filing.other-patient"


# What the EHR made of it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "code"),
    [
        (lambda one: one | {"docStatus": "final"}, "filing.not-preliminary"),
        (lambda one: {k: v for k, v in one.items() if k != "docStatus"}, "filing.not-preliminary"),
        (lambda one: one | {"status": "superseded"}, "filing.not-preliminary"),
        (lambda one: one | {"context": {"period": one["context"]["period"]}}, "filing.without-encounter"),
        (lambda one: {k: v for k, v in one.items() if k != "context"}, "filing.without-encounter"),
        (
            lambda one: one | {"context": {"encounter": [{"reference": "Encounter/other-encounter"}]}},
            "filing.other-encounter",
        ),
        (
            lambda one: one | {"content": [{"attachment": {"contentType": "text/plain", "data": "aGk="}}]},
            "filing.other-words",
        ),
        (lambda one: one | {"content": [{"attachment": {"contentType": "text/plain"}}]}, "filing.unread"),
        (
            lambda one: one | {"content": [{"attachment": {"url": "https://elsewhere.example.org/Binary/1"}}]},
            "filing.unread",
        ),
    ],
)
async def test_what_the_ehr_changed_is_told_and_nothing_counts_as_filed(record, store, code) -> None:
    record.odd.store = store
    assert await record.fail() == code
    assert await record.provenances() == []


async def test_an_encounter_that_was_not_sent_must_not_appear(record) -> None:
    record.odd.store = lambda one: one | {"context": {"encounter": [{"reference": "Encounter/other-encounter"}]}}
    assert await record.fail(chart=make_chart(None)) == "filing.other-encounter"


async def test_absolute_and_versioned_references_to_this_ehr_are_the_same_places(record) -> None:
    def answer(request, reply):
        if request.method != "GET" or not request.path.startswith("DocumentReference/"):
            return reply
        held = json.loads(reply.body)
        held["subject"] = {"reference": "http://127.0.0.1:9000/fhir/Patient/invented-patient"}
        held["context"]["encounter"] = [{"reference": "Encounter/invented-encounter/_history/3"}]
        return replace(reply, body=json.dumps(held).encode())

    record.odd.answer = answer
    assert isinstance(await record.file(), FiledNote)


async def test_words_that_the_ehr_moved_to_a_binary_are_read_there(record) -> None:
    words = {}

    def move(document):
        words["data"] = document["content"][0]["attachment"]["data"]
        return document | {"content": [{"attachment": {"contentType": "text/plain", "url": "Binary/note"}}]}

    def answer(request, reply):
        if request.path != "Binary/note":
            return reply
        binary = {"resourceType": "Binary", "id": "note", "contentType": "text/plain", "data": words["data"]}
        return replace(reply, status=200, body=json.dumps(binary).encode())

    await record.direct.update({"resourceType": "Binary", "id": "note", "contentType": "text/plain", "data": "aGk="})
    record.odd.store = move
    assert await record.fail() == "filing.other-words"
    record.odd.answer = answer
    assert isinstance(await record.file(), FiledNote)


async def test_a_binary_that_may_not_be_read_leaves_it_unread(record) -> None:
    await record.direct.update({"resourceType": "Binary", "id": "note", "contentType": "text/plain", "data": "aGk="})
    record.odd.store = lambda one: (
        one | {"content": [{"attachment": {"url": "http://127.0.0.1:9000/fhir/Binary/note"}}]}
    )
    record.arm(Fault.STATUS_401, Kind.READ, "Binary")
    assert await record.fail() == "filing.unread"


@pytest.mark.parametrize("content", [[{}], [{"attachment": 7}], "none", [{"attachment": {"data": "a"}}]])
async def test_content_that_is_none_is_no_crash(record, content) -> None:
    def answer(request, reply):
        if request.method != "GET" or not request.path.startswith("DocumentReference/"):
            return reply
        return replace(reply, body=json.dumps(json.loads(reply.body) | {"content": content, "meta": 7}).encode())

    record.odd.answer = answer
    assert await record.fail() in ("filing.unread", "filing.other-words")


async def test_a_record_that_wraps_base64_in_lines_and_adds_a_rendition_holds_the_same_words(record) -> None:
    def answer(request, reply):
        if request.method != "GET" or not request.path.startswith("DocumentReference/"):
            return reply
        held = json.loads(reply.body)
        attachment = held["content"][0]["attachment"]
        attachment["data"] = base64.encodebytes(base64.b64decode(attachment["data"])).decode()
        held["content"].insert(0, {"attachment": {"contentType": "application/pdf", "data": "JVBERg=="}})
        held["meta"] = {}
        return replace(reply, body=json.dumps(held).encode())

    record.odd.answer = answer
    result = await record.file()
    assert isinstance(result, FiledNote)
    assert result.version == ""


async def test_a_note_that_can_not_be_read_back_at_once_is_read_again(record) -> None:
    record.arm(Fault.STATUS_503, Kind.READ)
    assert isinstance(await record.file(), FiledNote)


async def test_a_note_that_can_not_be_read_back_is_told_and_settled_by_the_next_try(record) -> None:
    record.arm(Fault.STATUS_503, Kind.READ, times=2)
    result = await record.file()
    assert isinstance(result, NotFiled)
    assert (result.error.code, result.error.detail) == ("filing.unread", "ehr.503")
    assert result.error.public.startswith("The EHR took the note")
    assert isinstance(await record.file(), FiledNote)
    assert len(await record.notes()) == len(await record.provenances()) == 1


async def test_a_note_edited_after_an_unknown_outcome_is_not_passed_for_the_one_in_the_chart(record) -> None:
    record.arm(Fault.STALE_SEARCH, Kind.SEARCH, times=3)
    record.arm(Fault.DROP_REPLY)
    await record.fail()
    assert await record.fail(note=make_note(text="Other words.")) == "filing.other-words"
    assert len(await record.notes()) == 1


# EHRs as they are -------------------------------------------------------------------------------------------------


async def test_epic_s_answer_is_enough(record) -> None:
    record.plan.arm(arm_always(Fault.EPIC))
    result = await record.file(conditional_create=False)
    assert isinstance(result, FiledNote)
    assert result.provenance is False
    assert record.odd.asked[1].header("if-none-exist") is None


async def test_a_relative_location_with_an_empty_body_is_enough(record) -> None:
    def strip(request, reply):
        if request.method != "POST" or request.path != "DocumentReference":
            return reply
        location = reply.header("location").split("/fhir/")[1].split("/_history")[0]
        return replace(reply, headers={"Location": location}, body=b"")

    record.odd.answer = strip
    assert isinstance(await record.file(), FiledNote)


async def test_oracle_s_refusal_is_that_it_takes_no_unsigned_notes(record) -> None:
    record.plan.arm(arm_always(Fault.ORACLE))
    result = await record.file()
    assert isinstance(result, UnsignedRefusal)
    assert "business-rule" in result.detail
    assert await record.notes() == []


async def test_another_refusal_is_not_taken_for_that(record) -> None:
    chart = make_chart(make_encounter(id="none-such"))
    result = await record.file(chart=chart)
    assert isinstance(result, NotFiled)
    assert result.error.code in ("ehr.400", "ehr.422")


@pytest.mark.parametrize("fault", [Fault.STATUS_503, Fault.DROP_REPLY])
async def test_a_provenance_that_is_not_taken_stops_nothing(record, fault) -> None:
    record.arm(fault, type_="Provenance")
    result = await record.file()
    assert isinstance(result, FiledNote)
    assert result.provenance is False


async def test_a_site_without_provenance_sends_none(record) -> None:
    result = await record.file(provenance=False)
    assert isinstance(result, FiledNote)
    assert result.provenance is False
    assert record.count("POST", "Provenance") == 0


def arm_always(fault: Fault) -> ArmedFault:

    return ArmedFault(fault, times=None)
