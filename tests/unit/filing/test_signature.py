"""The signature: only what the EHR says of this patient's note, or of what replaced it, counts."""

from typing import Any

import pytest

from gateway.filing.signature import (
    AwaitingSignature,
    NotKnown,
    SignedNote,
    Withdrawn,
    check_signature,
    read_status,
)
from gateway.proof import ForgedProof, Maker
from gateway.sandbox.faults import Fault
from gateway.sandbox.fhir.backend import FhirRequest
from gateway.sandbox.fhir.interaction import Kind
from tests.unit.filing.invented import LATER

PATIENT = "invented-patient"


def make_document(id_: str, status: str = "current", doc_status: str | None = "preliminary", **more: Any):
    document = {
        "resourceType": "DocumentReference",
        "id": id_,
        "status": status,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGk="}}],
    } | more
    return document | ({"docStatus": doc_status} if doc_status else {})


def replacing(id_: str, code: str = "replaces") -> dict[str, Any]:
    return {"relatesTo": [{"code": code, "target": {"reference": f"DocumentReference/{id_}"}}]}


async def put(record, *documents) -> None:
    for document in documents:
        await record.direct.update(document)


async def check(record, id_: str = "note"):
    return await check_signature(record.client, f"DocumentReference/{id_}", PATIENT, LATER)


@pytest.mark.parametrize(
    ("status", "doc_status", "expected"),
    [
        ("current", "preliminary", AwaitingSignature(LATER)),
        ("entered-in-error", "preliminary", Withdrawn("entered-in-error", LATER)),
        ("current", "entered-in-error", Withdrawn("entered-in-error", LATER)),
        ("current", None, NotKnown("status", LATER)),
        ("superseded", "final", NotKnown("status", LATER)),
    ],
)
def test_a_document_says_this_of_itself(status, doc_status, expected) -> None:
    assert read_status(make_document("note", status, doc_status), LATER) == expected


@pytest.mark.parametrize("doc_status", ["final", "amended"])
async def test_a_note_that_was_made_final_is_signed(record, doc_status) -> None:
    await put(record, make_document("note"), make_document("note", doc_status=doc_status))
    found = await check(record)
    assert isinstance(found, SignedNote)
    assert (found.reference, found.doc_status, found.seen_at) == ("DocumentReference/note", doc_status, LATER)


async def test_a_replacement_that_is_final_is_the_signed_note(record) -> None:
    await put(
        record,
        make_document("note", "superseded"),
        make_document("second", "superseded", **replacing("note")),
        make_document("third", doc_status="final", **replacing("second")),
    )
    found = await check(record)
    assert isinstance(found, SignedNote)
    assert found.reference == "DocumentReference/third"


async def test_a_replacement_that_is_still_a_draft_awaits_its_signature(record) -> None:
    await put(record, make_document("note", "superseded"), make_document("second", **replacing("note")))
    assert await check(record) == AwaitingSignature(LATER)


async def test_a_replaced_note_without_a_replacement_to_be_seen_is_withdrawn(record) -> None:
    await put(record, make_document("note", "superseded"))
    assert await check(record) == Withdrawn("superseded", LATER)


async def test_a_document_that_only_appends_replaces_nothing(record) -> None:
    appendix = make_document("second", doc_status="final", **replacing("note", "appends"))
    await put(record, make_document("note", "superseded"), appendix)
    assert await check(record) == Withdrawn("superseded", LATER)


async def test_a_server_that_ignores_relatesto_does_not_pass_another_signed_note_for_this_one(record) -> None:
    def answer(request, reply):
        if request.method != "GET" or request.path != "DocumentReference":
            return reply
        return everything

    await put(record, make_document("note", "superseded"), make_document("older", doc_status="final"))
    everything = await record.odd.backend.handle(search_all())
    record.odd.answer = answer
    assert await check(record) == Withdrawn("superseded", LATER)


async def test_another_patient_s_replacement_is_none(record) -> None:
    stranger = make_document("second", doc_status="final", **replacing("note"))
    await put(
        record,
        make_document("note", "superseded"),
        stranger | {"subject": {"reference": "Patient/other-patient"}},
    )
    everything = await record.odd.backend.handle(search_all())
    record.odd.answer = lambda request, reply: everything if request.path == "DocumentReference" else reply
    assert await check(record) == Withdrawn("superseded", LATER)


async def test_notes_that_replace_each_other_end(record) -> None:
    await put(record, make_document("note"), make_document("second"))
    await put(
        record,
        make_document("note", "superseded", **replacing("second")),
        make_document("second", "superseded", **replacing("note")),
    )
    assert await check(record) == NotKnown("replaced-again", LATER)


async def test_a_note_that_is_now_another_patient_s_is_not_known_to_be_signed(record) -> None:
    await put(record, make_document("note", doc_status="final") | {"subject": {"reference": "Patient/other-patient"}})
    assert await check(record) == NotKnown("other-patient", LATER)


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.STATUS_401, "ehr.401"), (Fault.STATUS_503, "ehr.503"), (Fault.HTML, "ehr.garbled")]
)
async def test_an_ehr_that_does_not_say_leaves_it_unknown(record, fault, code) -> None:
    await put(record, make_document("note", doc_status="final"))
    record.arm(fault, Kind.READ)
    assert await check(record) == NotKnown(code, LATER)


async def test_a_search_that_fails_leaves_it_unknown(record) -> None:
    await put(record, make_document("note", "superseded"))
    record.arm(Fault.STATUS_503, Kind.SEARCH)
    assert await check(record) == NotKnown("ehr.503", LATER)


async def test_a_note_that_is_gone_or_never_was_is_not_known_to_be_signed(record) -> None:
    assert await check(record, "none-such") == NotKnown("ehr.404", LATER)
    await put(record, make_document("note"))
    await record.direct.delete("DocumentReference", "note")
    assert await check(record) == NotKnown("ehr.410", LATER)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("nobody-may-look", "no access of its own"),
        ("other-patient", "another patient's chart"),
        ("status", "does not tell"),
        ("replaced-again", "again and again"),
        ("ehr.404", "no longer where it was filed"),
        ("ehr.403", "does not let"),
        ("token.invalid_client", "does not let"),
        ("ledger.unwritable", "log can't be written"),
        ("ehr.503", "asks again"),
        ("ehr.no-answer", "asks again"),
    ],
)
def test_each_reason_why_it_is_not_known_has_its_own_words(code, words) -> None:
    told = NotKnown(code, LATER).words
    assert words in told
    assert told.endswith(".")


def test_nobody_else_can_say_that_a_note_is_signed() -> None:
    with pytest.raises(ForgedProof):
        SignedNote(Maker("elsewhere"), "DocumentReference/1", "final", LATER)


def search_all():
    return FhirRequest("GET", "DocumentReference", (("patient", f"{PATIENT},other-patient"),))
