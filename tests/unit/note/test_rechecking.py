"""A line of the material is corrected: its statements are judged by the new words, and nothing else changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.note.checking import DraftChecker
from gateway.note.formats import read_formats
from gateway.note.rechecking import recheck_review
from gateway.note.review import Decision, Review, RiskDecision, decide_risk, decide_section, open_review, take_statement
from gateway.note.risk import read_risk_rules
from gateway.note.statement import DrafterInfo, Origin, Statement, finish_draft

CONFIG = Path(__file__).parents[3] / "config"
SOAP = read_formats(CONFIG / "formats")["soap"]
RISK = read_risk_rules(CONFIG / "risk")
MODEL = DrafterInfo("model", "test")


def say(text: str, source: Source = Source.SESSION, **marks: object) -> Segment:
    speaker = Speaker.UNKNOWN if source is Source.SESSION else Speaker.CLINICIAN
    return Segment(0, source, speaker, text, **marks)


def write(section: str, *texts: str, origin: Origin = Origin.MODEL) -> list[Statement]:
    return [Statement(0, section, text, origin) for text in texts]


def open_checked(material: Material, statements: list[Statement]) -> Review:
    numbered = tuple(replace(one, number=number) for number, one in enumerate(statements, start=1))
    checker = DraftChecker(material, SOAP, RISK)
    return open_review(checker.finish(finish_draft("soap", numbered, MODEL)), SOAP, material)


def correct(review: Review, material: Material, number: int, text: str) -> Review:
    """What the clinician does in the review."""
    lines = list(material.segments)
    before = lines[number - 1]
    lines[number - 1] = replace(before, text=text, unclear=False, heard_also="", settled=True)
    return recheck_review(review, before, gather_material(lines), RISK)


def shown(review: Review, section: str) -> list[str]:
    return [item.statement.text for item in review.statements_of(section)]


SESSION = gather_material(
    [
        say("I slept five hours a night this week.", unclear=True),
        say("My appetite was good."),
        say("I argued with my sister about the kitchen.", heard_also="I agreed with my sister about the kitchen."),
        say("We will keep a sleep diary until next week."),
    ]
)


@pytest.fixture
def review() -> Review:
    told = write("subjective", "The patient slept five hours a night this week.", "The patient's appetite was good.")
    return open_checked(SESSION, told + write("plan", "Keep a sleep diary until next week."))


def test_a_statement_that_lost_its_words_is_withheld_and_opens_its_section_alone(review: Review) -> None:
    for section in review.decisions:
        review = decide_section(review, section, Decision.ACCEPTED)
    assert len(shown(review, "subjective")) == 2
    again = correct(review, SESSION, 1, "I slept nine hours a night this week.")
    assert shown(again, "subjective") == ["The patient's appetite was good."]
    assert [item.statement.text for item in again.withheld] == ["The patient slept five hours a night this week."]
    assert {part for part, decision in again.decisions.items() if decision is Decision.OPEN} == {"subjective"}
    assert again.marks == (3,)


def test_words_that_carry_as_before_leave_every_decision(review: Review) -> None:
    for section in review.decisions:
        review = decide_section(review, section, Decision.ACCEPTED)
    again = correct(review, SESSION, 1, SESSION.segments[0].text)
    assert again.decisions == review.decisions
    assert again.draft == review.draft
    assert (review.marks, again.marks) == ((1, 3), (3,))


def test_a_withheld_statement_that_the_new_words_carry_is_shown() -> None:
    material = gather_material([say("I slept fife ours a night.", unclear=True), say("My appetite was good.")])
    review = open_checked(material, write("subjective", "The patient slept five hours a night."))
    assert shown(review, "subjective") == []
    assert shown(correct(review, material, 1, "I slept five hours a night."), "subjective") != []


def test_her_own_words_stay_whatever_becomes_of_the_lines(review: Review) -> None:
    edited = decide_section(review, "subjective", Decision.EDITED, "Sleep is short; appetite is good.")
    again = correct(edited, SESSION, 1, "I slept nine hours a night this week.")
    assert again.decisions["subjective"] is Decision.EDITED
    assert again.edits["subjective"] == "Sleep is short; appetite is good."


def test_a_statement_that_she_took_over_is_hers_and_does_not_come_back_beside_her_words() -> None:
    material = gather_material([say("I slept fife ours a night.", unclear=True), say("My appetite was good.")])
    review = open_checked(material, write("subjective", "The patient slept five hours a night."))
    taken = decide_section(take_statement(review, 1, "Slept five hours."), "subjective", Decision.ACCEPTED)
    again = correct(taken, material, 1, "I slept five hours a night.")
    assert shown(again, "subjective") == []
    assert (again.taken, again.decisions["subjective"]) == (taken.taken, Decision.ACCEPTED)
    assert len(again.draft.withheld) == 1  # still counted as what it was


def test_a_double_comes_back_when_what_it_doubled_is_gone() -> None:
    material = gather_material(
        [say("I slept five hours a night and I drank three beers."), say("I slept five hours a night.")]
    )
    both = ("The patient slept five hours a night and drank three beers.", "The patient slept five hours a night.")
    review = open_checked(material, write("subjective", *both))
    assert shown(review, "subjective") == [both[0]]
    assert [one.text for one in review.draft.doubles] == [both[1]]
    again = correct(review, material, 1, "My brother came to visit.")
    assert shown(again, "subjective") == [both[1]]


def test_risk_lines_are_quoted_anew_and_keep_their_decision_where_they_read_the_same() -> None:
    material = gather_material(
        [
            say("Sometimes I think about killing myself."),
            say("I want to be dead.", unclear=True),
            say("The kitchen is fed up.", heard_also="The kitten is better off dead."),
            say("Sometimes I think about killing myself."),
        ]
    )
    review = open_checked(material, [])
    quotes = [item.statement for item in review.draft.shown]
    assert [quote.hints for quote in quotes] == [(1,), (2,), (3,), (4,)]
    decided = review
    for quote in quotes:
        decided = decide_risk(decided, quote.number, RiskDecision.KEPT)
    decided = decide_risk(decided, quotes[3].number, RiskDecision.STRUCK)  # the same words, said again
    again = correct(decided, material, 2, "I want to be in bed.")
    found = {item.segments: again.risks.get(item.statement.number) for item in again.draft.shown if item.risk}
    assert found == {(1,): RiskDecision.KEPT, (3,): RiskDecision.KEPT, (4,): RiskDecision.STRUCK}


def test_an_outline_line_stays_the_words_of_its_segment() -> None:
    lines = [say("Plan: keep a sleep dairy.", Source.DICTATION), say("She sleeps fife hours.", Source.DICTATION)]
    material = gather_material(lines)
    placed = [
        Statement(0, "plan", "keep a sleep dairy.", Origin.MATERIAL, (1,)),
        Statement(0, "subjective", "She sleeps fife hours.", Origin.MATERIAL, (2,)),
    ]
    review = open_checked(material, placed)
    again = correct(review, material, 1, "Plan: keep a sleep diary.")
    assert shown(again, "plan") == ["keep a sleep diary."]
    assert shown(again, "subjective") == ["She sleeps fife hours."]
    assert again.draft.withheld == ()
    moved = correct(review, material, 1, "Homework: keep a sleep diary.")  # another heading: it is not that line's rest
    assert (shown(moved, "plan"), [item.statement.text for item in moved.withheld]) == ([], ["keep a sleep dairy."])


def test_a_line_in_which_nothing_was_said_carries_nothing() -> None:
    material = gather_material([say("I drank two beers.", heard_also="…"), say("My appetite was good.")])
    review = open_checked(material, write("subjective", "The patient drank two beers."))
    again = correct(review, material, 1, "")
    assert shown(again, "subjective") == []
    assert len(again.withheld) == 1
