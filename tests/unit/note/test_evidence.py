"""The contract of checked statements and drafts: what every later version of the check must keep."""

import pytest

from gateway.capture.material import Segment, Source, Speaker
from gateway.note.evidence import (
    CheckedDraft,
    CheckedStatement,
    Fault,
    Verdict,
    close_draft,
    judge_statement,
    quote_segments,
)
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.statement import DrafterInfo, Origin, Statement, finish_draft
from gateway.proof import ForgedProof, Maker

FORMAT = NoteFormat(
    "two",
    "Two",
    (
        Section("told", "Told", SectionKind.TOLD, "what was told", "what was told", takes_risk=True),
        Section("plan", "Plan", SectionKind.PLANNED, "what is planned", "what is planned"),
    ),
)
STATEMENT = Statement(1, "told", "The patient sleeps well.", Origin.MODEL)
DENIED = Fault(Verdict.CONTRADICTED, "the material denies it", ("well",))
PARTLY = Fault(Verdict.PARTLY, "only a part of it was said")


def test_only_its_own_module_makes_a_checked_statement() -> None:
    with pytest.raises(ForgedProof):
        CheckedStatement(Maker("elsewhere"), STATEMENT, "told", Verdict.SUPPORTED, (1,))


def test_only_its_own_module_makes_a_checked_draft() -> None:
    with pytest.raises(ForgedProof):
        CheckedDraft(Maker("elsewhere"), "two", (), (), DrafterInfo("none", ""))


def test_supports_what_has_segments_and_no_fault() -> None:
    checked = judge_statement(STATEMENT, "told", (3, 1, 3), ())
    assert (checked.verdict, checked.segments, checked.reason) == (Verdict.SUPPORTED, (1, 3), "")
    assert not checked.withheld


def test_never_supports_what_has_no_segment() -> None:
    checked = judge_statement(STATEMENT, "told", (), ())
    assert checked.withheld
    assert checked.reason


@pytest.mark.parametrize("verdict", [Verdict.PARTLY, Verdict.UNSUPPORTED, Verdict.CONTRADICTED])
def test_any_fault_withholds(verdict: Verdict) -> None:
    assert judge_statement(STATEMENT, "told", (1,), (Fault(verdict, "why"),)).withheld


def test_the_gravest_fault_is_the_one_that_is_told() -> None:
    checked = judge_statement(STATEMENT, "told", (1,), (PARTLY, DENIED))
    assert (checked.verdict, checked.reason, checked.fault_words) == (DENIED.verdict, DENIED.reason, ("well",))


def test_a_quote_holds_the_segments_word_for_word_under_who_said_it() -> None:
    segments = (
        Segment(4, Source.DICTATION, Speaker.CLINICIAN, "Any thoughts of suicide?"),
        Segment(5, Source.DICTATION, Speaker.PATIENT, "No — never."),
    )
    quote = quote_segments(1001, "told", segments, conversation=True)
    assert quote.statement.text == 'Clinician: "Any thoughts of suicide?" Patient: "No — never."'
    assert quote.risk
    assert quote.segments == (4, 5)
    assert quote.statement.origin is Origin.MATERIAL


@pytest.mark.parametrize(
    ("source", "speaker", "voice"),
    [
        (Source.DICTATION, Speaker.CLINICIAN, "Dictated"),
        (Source.TYPED, Speaker.CLINICIAN, "Noted"),
        (Source.OBSERVATION, Speaker.CLINICIAN, "Noted"),
        (Source.DICTATION, Speaker.PATIENT, "Patient"),
        (Source.DICTATION, Speaker.UNKNOWN, "Said"),
    ],
)
def test_a_quote_names_its_voice(source: Source, speaker: Speaker, voice: str) -> None:
    quote = quote_segments(1001, "told", (Segment(1, source, speaker, "SI denied"),), conversation=False)
    assert quote.statement.text == f'{voice}: "SI denied"'


def test_a_draft_is_closed_in_the_order_of_the_format_with_quotes_last_in_their_section() -> None:
    plan = judge_statement(Statement(1, "plan", "Call.", Origin.MODEL), "plan", (1,), ())
    told = judge_statement(Statement(2, "told", "Sleeps.", Origin.MODEL), "told", (2,), ())
    held = judge_statement(Statement(3, "told", "Runs.", Origin.MODEL), "told", (), ())
    quote = quote_segments(1001, "told", (Segment(3, Source.TYPED, Speaker.CLINICIAN, "no SI"),), conversation=False)
    draft = finish_draft("two", (), DrafterInfo("model", "m"))
    closed = close_draft(draft, FORMAT, (plan, told, held), (quote,))
    assert [item.statement.number for item in closed.shown] == [2, 1001, 1]
    assert [item.statement.number for item in closed.withheld] == [3]
    assert closed.drafter == draft.drafter
