"""The check as a whole: what is shown, what is withheld and why; it stands on the frozen truth and on real errors."""

import json
import random
import re
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.capture.typed import read_typed
from gateway.note.checking import FIRST_QUOTE, DraftChecker
from gateway.note.evidence import CheckedStatement, Verdict
from gateway.note.formats import read_formats
from gateway.note.risk import read_risk_rules
from gateway.note.statement import DrafterInfo, Origin, Statement, finish_draft

ROOT = Path(__file__).parents[3]
RULES = read_risk_rules(ROOT / "config" / "risk")
FORMATS = read_formats(ROOT / "config" / "formats")
TRUTH = json.loads((ROOT / "tests" / "truth" / "evidence.json").read_text(encoding="utf-8"))
ERRORS = ROOT.parent / "shared" / "data" / "draft-errors.json"

TALK = """C: How have you been sleeping?
P: Not great, maybe five hours a night.
C: Any nightmares?
P: No, not lately.
C: Are you still taking the sertraline?
P: Yes, fifty milligrams every morning.
C: Do you drink?
P: On weekends, two or three beers.
P: My sister smokes, it worries me.
P: I used to play the piano.
C: Have you had thoughts of hurting yourself?
P: Sometimes I think my family would be better off without me, but I'd never do anything.
C: I'd like to increase the sertraline to seventy five milligrams and see you in two weeks.
P: Okay. I'll try to walk every day. Call me if the pharmacy is closed."""
NOTES = """Pt c/o low mood x3 wks, worse in am. Sleep 5-6h, wakes at 3am.
Denies SI/HI/AVH.
Taking sertraline 50 mg daily, no SE.
Mother dx'd w/ breast CA, pt worried about her.
Affect constricted, tearful when talking about mother.
Plan: incr sertraline to 100. CBT weekly. f/u 2 wks."""

# What the frozen truth calls supported and the first version withholds. It may only become shorter. Five of them are
# about risk, which the note carries as a quote and never as a model's sentence.
BY_DESIGN = {"m06-01", "m06-02", "m08-02", "m08-03", "m08-06"}
LOST = {"m02-03", "m04-04", "m09-02", "m11-04", "m13-03", "m15-04"}
# Real errors that still pass, and true statements still lost. They may only become fewer.
STILL_PASS = {"va0-76", "va2-28", "va2-42", "va3-38", "va3-45", "va4-16", "va5-33"}
STILL_LOST = {f"{each}-lost" for each in ("va0-15", "va1-17", "va1-39", "va2-4", "va3-37", "va5-18", "va6-58")}


def make_checker(text: str, observations: str = "", format_id: str = "soap") -> DraftChecker:
    return DraftChecker(gather_material(read_typed(text, observations)), FORMATS[format_id], RULES)


def check(checker: DraftChecker, text: str, section: str = "subjective", number: int = 1) -> CheckedStatement:
    checked = checker.check(Statement(number, section, text, Origin.MODEL))
    assert checked is not None
    return checked


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("subjective", "The patient sleeps about 5 hours a night."),
        ("subjective", "The patient denies nightmares."),
        ("subjective", "The patient takes sertraline 50 mg every morning."),
        ("subjective", "The patient drinks two or three beers on weekends."),
        ("subjective", "The patient no longer plays the piano."),
        ("plan", "Increase sertraline to 75 mg."),
        ("plan", "Follow up in two weeks."),
    ],
)
def test_shows_what_a_conversation_carries(section: str, text: str) -> None:
    checked = check(make_checker(TALK), text, section)
    assert checked.verdict is Verdict.SUPPORTED, checked
    assert checked.segments


@pytest.mark.parametrize(
    ("section", "text", "reason"),
    [
        ("subjective", "The patient sleeps eight hours a night.", "nobody said eight hours: it was 5 hours"),
        ("subjective", "The patient has nightmares.", "the answer was no"),
        ("subjective", "The patient denies drinking beer.", "nobody denied it"),
        ("subjective", "The patient takes lorazepam.", "nobody said lorazepam"),
        ("subjective", "The patient smokes.", "another person"),
        ("subjective", "The patient plays the piano.", "past"),
        ("subjective", "The patient takes sertraline 75 mg.", "planned"),
        ("subjective", "The patient wants to increase sertraline.", "the clinician said that"),
        ("plan", "Follow up in three weeks.", "nobody said three weeks: it was 2 weeks"),
        ("plan", "Sleep five hours a night.", "no plan was said"),
        ("subjective", "The patient feels anxious about his marriage.", "nobody said"),
    ],
)
def test_withholds_with_a_reason_what_a_conversation_does_not_carry(section: str, text: str, reason: str) -> None:
    checked = check(make_checker(TALK), text, section)
    assert checked.withheld
    assert reason in checked.reason


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("subjective", "The patient reports low mood for three weeks, worse in the morning."),
        ("subjective", "The patient sleeps 5 to 6 hours and wakes at 3 a.m."),
        ("subjective", "The patient takes sertraline 50 mg daily and has no side effects."),
        ("subjective", "The patient's mother was diagnosed with breast cancer."),
        ("objective", "Affect was constricted; tearful when talking about mother."),
        ("plan", "Increase sertraline to 100 mg."),
        ("plan", "Weekly CBT."),
        ("plan", "Follow up in two weeks."),
    ],
)
def test_shows_what_telegraphic_notes_carry(section: str, text: str) -> None:
    checked = check(make_checker(NOTES), text, section)
    assert checked.verdict is Verdict.SUPPORTED, checked


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("subjective", "The patient was diagnosed with breast cancer."),
        ("subjective", "The patient reports side effects."),
        ("plan", "Follow up in four weeks."),
        ("plan", "Refer to psychiatry."),
        ("plan", "Increase lorazepam to 100 mg."),
    ],
)
def test_withholds_what_telegraphic_notes_do_not_carry(section: str, text: str) -> None:
    assert check(make_checker(NOTES), text, section).withheld


def test_cites_the_answer_with_its_question() -> None:
    assert check(make_checker(TALK), "The patient denies nightmares.").segments == (3, 4)


def test_names_the_words_at_fault() -> None:
    assert check(make_checker(TALK), "The patient takes lorazepam.").fault_words == ("lorazepam",)


def test_risk_by_the_model_is_withheld_and_the_patient_s_line_quoted() -> None:
    checker = make_checker(TALK)
    checked = check(checker, "The patient has had thoughts of hurting herself.")
    assert checked.reason == "risk is quoted, not drafted"
    (quote,) = checker.quotes()
    assert quote.statement.number == FIRST_QUOTE
    assert quote.section == "subjective"
    assert quote.statement.text == (
        'Clinician: "Have you had thoughts of hurting yourself?" '
        'Patient: "Sometimes I think my family would be better off without me, but I\'d never do anything."'
    )


def test_notes_about_risk_are_quoted_as_noted_and_a_dictated_question_brings_its_answer() -> None:
    (noted,) = make_checker(NOTES).quotes()
    assert noted.statement.text == 'Noted: "Denies SI/HI/AVH."'
    dictated = gather_material(
        Segment(0, Source.DICTATION, Speaker.CLINICIAN, text)
        for text in ("Sleeps well.", "I asked about thoughts of suicide.", "She denied them.", "She works.")
    )
    (quote,) = DraftChecker(dictated, FORMATS["soap"], RULES).quotes()
    assert quote.statement.text == 'Dictated: "I asked about thoughts of suicide." Dictated: "She denied them."'


def test_the_material_s_own_words_are_carried_by_their_segment_and_placed_once() -> None:
    checker = make_checker(NOTES)
    own = Statement(1, "plan", "CBT weekly.", Origin.MATERIAL, (11,))
    checked = checker.check(own)
    assert checked is not None
    assert checked.verdict is Verdict.SUPPORTED
    assert checker.check(Statement(2, "plan", "CBT weekly.", Origin.MATERIAL, checked.segments)) is None


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        ("Asked whether she has thoughts of ending her life; she said no.\nTakes sertraline 50 mg.", 1),
        ("Asked whether she has thoughts of ending her life; she said no.\nShe said none since spring.", 2),
        ("Asked whether she has thoughts of ending her life.\nOnly in the spring.", 2),
    ],
)
def test_a_line_of_notes_that_holds_its_answer_does_not_draw_in_the_next(answer: str, quoted: int) -> None:
    (quote,) = make_checker(answer).quotes()
    assert quote.segments == tuple(range(1, quoted + 1))


def test_the_material_s_own_words_about_risk_stand_as_the_quote_alone() -> None:
    checker = make_checker(NOTES)
    assert checker.check(Statement(1, "subjective", "Denies SI/HI/AVH.", Origin.MATERIAL, (3,))) is None


def test_words_that_only_claim_to_be_the_material_s_are_checked() -> None:
    checked = make_checker(NOTES).check(Statement(1, "plan", "Refer to surgery.", Origin.MATERIAL, (1,)))
    assert checked is not None
    assert checked.withheld


def test_drops_a_double_and_keeps_a_statement_that_says_more() -> None:
    checker = make_checker(TALK)
    check(checker, "The patient takes sertraline 50 mg every morning.")
    again = Statement(2, "subjective", "The patient is taking sertraline every morning.", Origin.MODEL)
    assert checker.check(again) is None
    assert check(checker, "The patient takes sertraline and drinks two beers on weekends.", number=3) is not None


def test_routes_by_who_said_it() -> None:
    assert check(make_checker(TALK), "The patient drinks two or three beers on weekends.", "assessment").section == (
        "subjective"
    )
    observed = make_checker("Sleeps well.", "Wringing hands throughout.")
    assert check(observed, "The patient was wringing hands.").section == "objective"


def test_finish_puts_all_quotes_and_shown_statements_in_order() -> None:
    checker = make_checker(TALK)
    statements = (
        Statement(1, "plan", "Follow up in two weeks.", Origin.MODEL),
        Statement(2, "subjective", "The patient sleeps five hours a night.", Origin.MODEL),
        Statement(3, "subjective", "The patient takes lorazepam.", Origin.MODEL),
    )
    checker.check(statements[0])
    closed = checker.finish(finish_draft("soap", statements, DrafterInfo("model", "m")))
    assert [item.statement.number for item in closed.shown] == [2, FIRST_QUOTE, 1]
    assert [item.statement.number for item in closed.withheld] == [3]


def test_a_language_without_data_shows_no_model_s_sentence() -> None:
    material = gather_material(read_typed("Die Patientin schläft gut."), language="de")
    checker = DraftChecker(material, FORMATS["soap"], RULES)
    assert check(checker, "Die Patientin schläft gut.").withheld


def test_empty_material_carries_nothing() -> None:
    checker = make_checker("")
    assert checker.quotes() == ()
    assert check(checker, "The patient sleeps well.").withheld


# ---- Properties ----


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from(list(Origin)))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_it_raise(material: str, text: str, origin: Origin) -> None:
    checker = make_checker(material, text)
    checker.check(Statement(1, "subjective", text, origin, (1, 99)))
    checker.finish(finish_draft("soap", (Statement(2, "nowhere", material, origin),), DrafterInfo("model", "m")))


@pytest.mark.parametrize("piece", ["word ", "no ", "1 ", "?", "\u202e", "a,", "my brother and "])
def test_200_000_characters_take_seconds_not_minutes(piece: str) -> None:
    text = (piece * 200_000)[:200_000]
    segment = Segment(0, Source.TYPED, Speaker.CLINICIAN, text)
    started = time.perf_counter()
    checker = DraftChecker(gather_material([segment]), FORMATS["soap"], RULES)
    checker.check(Statement(1, "subjective", text, Origin.MODEL))
    assert time.perf_counter() - started < 60


def make_material(name: str, without: Collection[int] = (), more: tuple[str, ...] = ()) -> Material:
    given = TRUTH["materials"][name]["segments"]
    kept = [each for each in given if each["number"] not in without]
    segments = [Segment(0, Source(each["source"]), Speaker(each["speaker"]), each["text"]) for each in kept]
    last = segments[-1] if segments else Segment(0, Source.TYPED, Speaker.CLINICIAN, "")
    return gather_material([*segments, *(Segment(0, last.source, Speaker.CLINICIAN, text) for text in more)])


def check_case(case: dict[str, str], material: Material) -> CheckedStatement:
    by_section = {section.id: form for form in reversed(FORMATS.values()) for section in form.sections}
    note_format = FORMATS["soap"] if case["section"] in ("subjective", "plan") else by_section[case["section"]]
    return check(DraftChecker(material, note_format, RULES), case["text"], case["section"])


def test_taking_away_what_carries_a_statement_never_leaves_it_supported_by_less() -> None:
    for case in TRUTH["cases"]:
        checked = check_case(case, make_material(case["material"]))
        if not checked.withheld:
            assert check_case(case, make_material(case["material"], without=set(checked.segments))).withheld, case["id"]


UNRELATED = ("The printer in the hallway jammed.", "Parking permits get renewed by reception.", "Umbrella stand moved.")


def test_adding_unrelated_lines_turns_no_verdict() -> None:
    for case in TRUTH["cases"]:
        before = check_case(case, make_material(case["material"]))
        after = check_case(case, make_material(case["material"], more=UNRELATED))
        assert (before.verdict, before.segments) == (after.verdict, after.segments), case["id"]


def test_a_verdict_does_not_depend_on_chance() -> None:
    cases = list(TRUTH["cases"])
    first = [check_case(case, make_material(case["material"])).verdict for case in cases]
    random.Random(4).shuffle(cases)
    again = {case["id"]: check_case(case, make_material(case["material"])).verdict for case in cases}
    assert first == [again[case["id"]] for case in TRUTH["cases"]]


# ---- Truth and real errors ----


def test_shows_nothing_that_the_frozen_truth_withholds() -> None:
    shown = [
        case["id"]
        for case in TRUTH["cases"]
        if case["expected"] == "withheld" and not check_case(case, make_material(case["material"])).withheld
    ]
    assert shown == []


def test_shows_what_the_frozen_truth_supports_but_for_the_known_ones() -> None:
    supported = [case for case in TRUTH["cases"] if case["expected"] == "supported"]
    checked = {case["id"]: check_case(case, make_material(case["material"])) for case in supported}
    assert {each for each, item in checked.items() if item.withheld} == BY_DESIGN | LOST
    for case in supported:
        item = checked[case["id"]]
        assert item.withheld or set(item.segments) & set(case["segments"]), case["id"]


def read_errors() -> list[dict[str, str]]:
    if not ERRORS.is_file():
        pytest.skip("the collected draft errors are not on this machine")
    found: list[dict[str, str]] = json.loads(ERRORS.read_text(encoding="utf-8"))
    return found


def test_real_errors_that_still_pass_are_known_and_only_become_fewer() -> None:
    passing, lost = set(), set()
    for case in read_errors():
        lines = [re.match(r"^(?:([CP]): )?(.*)$", line, re.DOTALL) for line in case["text"]]
        segments = [
            Segment(0, Source.DICTATION, Speaker.PATIENT if line[1] == "P" else Speaker.CLINICIAN, line[2])
            for line in lines
            if line
        ]
        closing = Segment(0, Source.DICTATION, Speaker.PATIENT, "okay .")  # so that it stays a conversation
        checker = DraftChecker(gather_material([*segments, closing]), FORMATS["soap"], RULES)
        withheld = check(checker, case["statement"], case["section"].lower()).withheld
        if case["expected"] == "withhold" and not withheld:
            passing.add(case["id"])
        if case["expected"] == "support" and withheld:
            lost.add(case["id"])
    assert passing == STILL_PASS
    assert lost == STILL_LOST


def test_a_statement_takes_a_few_milliseconds_in_a_material_of_fifty_segments() -> None:
    checker = make_checker("\n".join([TALK] * 4))
    texts = [case["text"] for case in TRUTH["cases"]]
    for number, text in enumerate(texts):  # the first time fills the cache of words
        checker.check(Statement(number, "subjective", text, Origin.MODEL))
    started = time.process_time()
    for number, text in enumerate(texts):
        checker.check(Statement(number, "subjective", text, Origin.MODEL))
    assert (time.process_time() - started) / len(texts) < 0.010
