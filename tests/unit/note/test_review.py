"""The review: nothing is approved that was not decided."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.errors import ReviewError
from gateway.note.evidence import MAKER, CheckedDraft, CheckedStatement, Verdict
from gateway.note.formats import read_formats
from gateway.note.review import (
    ApprovedNote,
    Decision,
    Review,
    RiskDecision,
    approve_note,
    compose_section,
    decide_risk,
    decide_section,
    open_review,
    reopen_review,
    take_statement,
)
from gateway.note.statement import DrafterInfo, Origin, Statement
from gateway.proof import ForgedProof, Maker

DAP = read_formats(Path(__file__).parents[3] / "config" / "formats")["dap"]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CLINICIAN = "Practitioner/1"


def make_statement(number: int, section: str, text: str, verdict: Verdict, risk: bool = False) -> CheckedStatement:
    reason = "" if verdict is Verdict.SUPPORTED else "nobody said so"
    statement = Statement(number, section, text, Origin.MATERIAL if risk else Origin.MODEL)
    return CheckedStatement(MAKER, statement, section, verdict, (1,), reason, (), risk)


@pytest.fixture
def review() -> Review:
    shown = (
        make_statement(1, "data", "The patient slept five hours.", Verdict.SUPPORTED),
        make_statement(1001, "data", 'Dictated: "Denies SI."', Verdict.SUPPORTED, risk=True),
        make_statement(2, "plan", "Sleep diary until next week.", Verdict.SUPPORTED),
    )
    withheld = (make_statement(3, "plan", "Start sertraline 50 mg.", Verdict.UNSUPPORTED),)
    return open_review(
        CheckedDraft(MAKER, "dap", shown, withheld, DrafterInfo("model", "test")), DAP, gather_material(())
    )


def make_line(number: int, text: str = "Sleeps badly.", **marks: object) -> Segment:
    return Segment(number, Source.SESSION, Speaker.UNKNOWN, text, **marks)


MARKED = gather_material(
    [
        make_line(1, "Five hours a night.", unclear=True),  # a statement and the risk line rest on it
        make_line(2, unclear=True),  # nothing does
        make_line(3, heard_also="Sleeps sadly."),
        make_line(4, ""),
        make_line(5, heard_also="Sleeps madly.", settled=True),
        make_line(6, "A diary.", unclear=True),
    ]
)


@pytest.fixture
def marked() -> Review:
    """The plan rests on an unclear line, the data and the risk line on another; two lines are marked whatever rests."""
    plan = Statement(2, "plan", "Sleep diary.", Origin.MODEL)
    shown = (
        make_statement(1, "data", "The patient slept five hours.", Verdict.SUPPORTED),
        make_statement(1001, "data", 'Said: "Five hours a night."', Verdict.SUPPORTED, risk=True),
        CheckedStatement(MAKER, plan, "plan", Verdict.SUPPORTED, (6,)),
    )
    return open_review(CheckedDraft(MAKER, "dap", shown, (), DrafterInfo("model", "test")), DAP, MARKED)


def decide_all(review: Review) -> Review:
    for part in DAP.sections:
        review = decide_section(review, part.id, Decision.ACCEPTED)
    return decide_risk(review, 1001, RiskDecision.KEPT)


def test_counts_every_section_and_every_risk_line_as_open(review: Review) -> None:
    assert review.open_decisions == len(DAP.sections) + 1


@pytest.mark.parametrize("left", ["data", "assessment", "plan", "risk"])
def test_refuses_while_one_decision_is_open(review: Review, left: str) -> None:
    for part in DAP.sections:
        if part.id != left:
            review = decide_section(review, part.id, Decision.ACCEPTED)
    if left != "risk":
        review = decide_risk(review, 1001, RiskDecision.STRUCK)
    with pytest.raises(ReviewError, match="Decide every section"):
        approve_note(review, True, CLINICIAN, NOW)


def test_every_line_heard_two_ways_or_not_understood_is_to_be_decided_and_unclear_ones_that_are_rested_on(
    marked: Review,
) -> None:
    assert marked.marks == (1, 3, 4, 6)
    assert marked.open_decisions == len(DAP.sections) + 1 + 4


def test_an_unclear_line_under_a_struck_section_is_not_needed_but_one_under_a_risk_line_is(marked: Review) -> None:
    assert decide_section(marked, "plan", Decision.STRUCK).marks == (1, 3, 4)
    struck = decide_section(decide_risk(marked, 1001, RiskDecision.STRUCK), "data", Decision.STRUCK)
    assert struck.marks == (1, 3, 4, 6)
    assert decide_section(decide_section(marked, "plan", Decision.STRUCK), "plan", Decision.OPEN).marks == marked.marks


def test_refuses_while_a_marked_line_is_open(marked: Review) -> None:
    decided = decide_section(decide_all(marked), "plan", Decision.STRUCK)
    assert decided.open_decisions == 3
    with pytest.raises(ReviewError, match="marked line"):
        approve_note(decided, True, CLINICIAN, NOW)
    settled = gather_material([replace(line, settled=True) for line in MARKED.segments])
    note = approve_note(reopen_review(decided, decided.draft, DAP, settled), True, CLINICIAN, NOW)
    assert note.counts.lines_settled == 6


def test_refuses_without_the_attestation(review: Review) -> None:
    with pytest.raises(ReviewError, match="Confirm"):
        approve_note(decide_all(review), False, CLINICIAN, NOW)


def test_approved_note_says_what_was_accepted_and_nothing_withheld(review: Review) -> None:
    note = approve_note(decide_all(review), True, CLINICIAN, NOW)
    words = {section.id: section.text for section in note.sections}
    assert words["data"] == 'The patient slept five hours.\nDictated: "Denies SI."'
    assert words["assessment"] == "Not assessed."
    assert words["plan"] == "Sleep diary until next week."
    assert (note.counts.shown, note.counts.withheld, note.counts.risk_kept) == (3, 1, 1)


def test_struck_section_is_gone_but_its_kept_risk_line_stays(review: Review) -> None:
    note = approve_note(decide_section(decide_all(review), "data", Decision.STRUCK), True, CLINICIAN, NOW)
    assert {section.id: section.text for section in note.sections}["data"] == 'Dictated: "Denies SI."'
    note = approve_note(decide_section(decide_all(review), "plan", Decision.STRUCK), True, CLINICIAN, NOW)
    assert "plan" not in {section.id for section in note.sections}


def test_edited_section_is_filed_in_her_words(review: Review) -> None:
    edited = decide_section(decide_all(review), "plan", Decision.EDITED, "  See again on Monday.\r\nBring the diary. ")
    note = approve_note(edited, True, CLINICIAN, NOW)
    assert note.sections[-1].text == "See again on Monday.\nBring the diary."
    assert note.counts.sections_edited == 1


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u200b\u00a0\ufeff"])
def test_an_edit_without_words_is_refused(review: Review, text: str) -> None:
    with pytest.raises(ReviewError, match="no words"):
        decide_section(review, "plan", Decision.EDITED, text)


def test_an_endless_edit_is_refused(review: Review) -> None:
    with pytest.raises(ReviewError, match="Shorten"):
        decide_section(review, "plan", Decision.EDITED, "x" * 200_001)


def test_taking_a_withheld_statement_opens_its_section_again(review: Review) -> None:
    taken = take_statement(decide_all(review), 3, "Sertraline to be discussed with the GP.")
    assert taken.decisions["plan"] is Decision.OPEN
    assert taken.withheld == ()
    assert compose_section(taken, "plan").endswith("Sertraline to be discussed with the GP.")
    with pytest.raises(ReviewError, match="not among the withheld"):
        take_statement(taken, 3, "again")


@pytest.mark.parametrize("number", [1, 3, 77])
def test_only_a_risk_line_takes_a_risk_decision(review: Review, number: int) -> None:
    with pytest.raises(ReviewError, match="no such risk line"):
        decide_risk(review, number, RiskDecision.KEPT)


def test_an_unknown_section_is_refused(review: Review) -> None:
    with pytest.raises(ReviewError, match="no such section"):
        decide_section(review, "objective", Decision.ACCEPTED)


def test_a_note_without_a_word_is_refused(review: Review) -> None:
    for part in DAP.sections:
        review = decide_section(review, part.id, Decision.STRUCK)
    with pytest.raises(ReviewError, match="empty"):
        approve_note(decide_risk(review, 1001, RiskDecision.STRUCK), True, CLINICIAN, NOW)


def test_an_empty_note_of_accepted_empty_sections_is_refused() -> None:
    empty = open_review(CheckedDraft(MAKER, "dap", (), (), DrafterInfo("none", "her own")), DAP, gather_material(()))
    for part in DAP.sections:
        empty = decide_section(empty, part.id, Decision.ACCEPTED)
    with pytest.raises(ReviewError, match="empty"):
        approve_note(empty, True, CLINICIAN, NOW)


def test_a_decision_leaves_the_earlier_review_as_it_was(review: Review) -> None:
    decide_section(review, "plan", Decision.ACCEPTED)
    assert review.decisions["plan"] is Decision.OPEN


def test_an_approved_note_can_not_be_made_elsewhere(review: Review) -> None:
    note = approve_note(decide_all(review), True, CLINICIAN, NOW)
    with pytest.raises(ForgedProof):
        ApprovedNote(Maker("me"), "dap", "DAP", note.sections, note.drafter, note.counts, CLINICIAN, NOW)
