"""Filing against an EHR that fails: the clinician is told, nothing is lost, and never two notes."""

import pytest

from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.fhir.interaction import Kind

NOTE = "Pt slept five hours a night.\nPlan: sleep diary until next Tuesday."
STATUSES = [Fault.STATUS_409, Fault.STATUS_412, Fault.STATUS_429, Fault.STATUS_500, Fault.STATUS_503]


async def open_reviewed(practice, **options):
    visit = await practice.open(**options)
    await visit.type_note(NOTE)
    await visit.accept_all()
    return visit


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.RESET_BODY])
async def test_a_lost_reply_is_settled_by_searching(practice, fault: Fault) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(fault, kind=Kind.CREATE, type="DocumentReference"))
    view = await visit.file()
    assert (view["phase"], view["outcome"]) == ("ended", "filed")
    assert len(await visit.notes("ada-marlowe")) == 1


@pytest.mark.parametrize("fault", [*STATUSES, Fault.DROP_REQUEST, Fault.WRONG_OK, Fault.HTML, Fault.STATUS_401])
async def test_a_refused_create_keeps_the_note_for_another_try(practice, fault: Fault) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(fault, kind=Kind.CREATE, type="DocumentReference"))
    view = await visit.file()
    assert view["phase"] == "reviewing"
    assert view["problem"]["message"].endswith(".")
    assert view["open_decisions"] == 0
    assert await visit.notes("ada-marlowe") == []
    view = await visit.file()
    assert view["outcome"] == "filed"
    assert len(await visit.notes("ada-marlowe")) == 1


async def test_an_answer_that_was_done_but_said_no_is_found_and_not_repeated(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.STATUS_503, kind=Kind.CREATE, type="DocumentReference", performed=True))
    view = await visit.file()
    assert view["outcome"] == "filed"
    assert len(await visit.notes("ada-marlowe")) == 1


async def test_a_note_that_was_stored_twice_is_reported_and_nothing_is_destroyed(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.DOUBLE_CREATE, kind=Kind.CREATE, type="DocumentReference"))
    practice.arm(ArmedFault(Fault.STATUS_503, kind=Kind.CREATE, type="DocumentReference", performed=True))
    view = await visit.file()
    assert view["phase"] == "reviewing"
    assert view["problem"]["code"] == "filing.doubled"


async def test_an_ehr_that_makes_it_final_is_reported_and_nothing_is_destroyed(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.IGNORE_PRELIMINARY, kind=Kind.CREATE, type="DocumentReference"))
    view = await visit.file()
    assert view["phase"] == "reviewing"
    assert view["problem"]["code"] == "filing.not-preliminary"
    assert view["sections"]


async def test_epic_s_answer_is_enough(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.EPIC, times=None))
    view = await visit.file()
    assert view["outcome"] == "filed"


async def test_oracle_s_refusal_becomes_a_hand_over(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.ORACLE, times=None))
    view = await visit.file()
    assert view["phase"] == "handing-over"
    assert "sleep diary" in view["handover_text"]
    assert await visit.notes("ada-marlowe") == []


async def test_a_record_that_takes_no_provenance_still_gets_the_note(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.STATUS_503, kind=Kind.CREATE, type="Provenance"))
    assert (await visit.file())["outcome"] == "filed"


async def test_consents_that_can_not_be_read_again_start_nothing_and_lose_nothing(practice) -> None:
    visit = await open_reviewed(practice)
    practice.arm(ArmedFault(Fault.STATUS_503, kind=Kind.SEARCH, type="Consent"))
    view = await visit.file()
    assert view["phase"] == "reviewing"
    assert view["problem"]["code"] == "consent.unread"
    assert await visit.notes("ada-marlowe") == []
    assert (await visit.file())["outcome"] == "filed"


async def test_a_ledger_that_can_not_be_written_starts_nothing(practice) -> None:
    visit = await open_reviewed(practice)
    visit.door.broken = True
    view = await visit.file()
    assert view["problem"]["code"].startswith("ledger")
    assert await visit.notes("ada-marlowe") == []
    assert (await visit.post("cancel")).status_code == 200
    assert (await visit.settle("ended"))["outcome"] == "cancelled"


async def test_an_ehr_that_is_down_at_the_launch_ends_in_one_sentence(practice) -> None:
    practice.arm(ArmedFault(Fault.STATUS_503, kind=Kind.READ, type="Patient"))
    visit = await practice.open()
    view = await visit.view()
    assert (view["phase"], view["outcome"]) == ("ended", "failed")
    assert view["problem"]["message"].endswith(".")
    assert visit.left == [True]


async def test_another_patient_s_resource_in_a_search_shows_nothing(practice) -> None:
    practice.arm(ArmedFault(Fault.FOREIGN_MATCH, kind=Kind.SEARCH, type="Consent"))
    view = await (await practice.open()).view()
    assert not any(item["permitted"] for item in view["consents"])
