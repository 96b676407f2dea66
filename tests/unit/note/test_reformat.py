"""Another format: what was checked moves by its kind, what is new is asked for, and all of it is checked again."""

import itertools

import pytest

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.note.checking import DraftChecker
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import read_formats
from gateway.note.reformat import reformat_statements
from gateway.note.risk import read_risk_rules
from gateway.note.statement import Origin, Statement
from gateway.settings import ROOT

FORMATS = read_formats(ROOT / "config" / "formats")
RULES = read_risk_rules(ROOT / "config" / "risk")
LINES = (
    (Speaker.PATIENT, "I sleep about five hours a night since March."),
    (Speaker.CLINICIAN, "Your blood pressure is 120 over 80 today."),
    (Speaker.CLINICIAN, "I think you have generalized anxiety."),
    (Speaker.CLINICIAN, "Let's continue the sertraline 50 mg every morning."),
    (Speaker.CLINICIAN, "Any thoughts of killing yourself?"),
    (Speaker.PATIENT, "No, never."),
)
MATERIAL = gather_material(Segment(1, Source.SESSION, speaker, text) for speaker, text in LINES)
SOAP = (
    Statement(1, "subjective", "The patient sleeps about five hours a night since March.", Origin.MODEL),
    Statement(2, "objective", "Blood pressure is 120 over 80 today.", Origin.MODEL),
    Statement(3, "assessment", "Generalized anxiety.", Origin.MODEL),
    Statement(4, "plan", "Continue sertraline 50 mg every morning.", Origin.MODEL),
)


@pytest.fixture(scope="module")
def shown() -> list[CheckedStatement]:
    checker = DraftChecker(MATERIAL, FORMATS["soap"], RULES)
    checked = [checker.check(statement) for statement in SOAP]
    return [*(each for each in checked if each is not None and not each.withheld), *checker.quotes()]


def test_statements_move_to_the_section_of_their_kind(shown: list[CheckedStatement]) -> None:
    moved = reformat_statements(shown, FORMATS["soap"], FORMATS["dap"])

    assert [(each.number, each.section) for each in moved.statements] == [
        (1, "data"),
        (2, "data"),
        (3, "assessment"),
        (4, "plan"),
    ]
    assert [each.text for each in moved.statements] == [each.text for each in SOAP]
    assert moved.asked == ()


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        ("soap", "birp", ("intervention", "response")),
        ("birp", "soap", ("objective", "assessment")),
        ("birp", "girp", ()),
        ("girp", "pie", ()),
        ("soap", "pie", ("intervention", "evaluation")),
        ("soap", "intake", ("history", "life")),
        ("intake", "soap", ()),
        ("dap", "soap", ("objective",)),
        ("soap", "soap", ()),
    ],
)
def test_only_what_is_new_is_asked_for(old: str, new: str, asked: tuple[str, ...]) -> None:
    assert reformat_statements([], FORMATS[old], FORMATS[new]).asked == asked


@pytest.mark.parametrize(("old", "new"), list(itertools.product(FORMATS, FORMATS)))
def test_no_statement_is_lost_between_two_formats(old: str, new: str) -> None:
    checker = DraftChecker(MATERIAL, FORMATS[old], RULES)
    sections = [section.id for section in FORMATS[old].sections]
    statements = [Statement(number, section, SOAP[0].text, Origin.MODEL) for number, section in enumerate(sections, 1)]
    checked = [each for each in map(checker.check, statements) if each is not None]

    moved = reformat_statements(checked, FORMATS[old], FORMATS[new])

    places = [[section.id for section in FORMATS[new].sections].index(each.section) for each in moved.statements]
    assert len(moved.statements) == len(checked)
    assert places == sorted(places)


def test_what_moved_is_checked_again_and_risk_is_quoted_anew(shown: list[CheckedStatement]) -> None:
    moved = reformat_statements(shown, FORMATS["soap"], FORMATS["birp"])
    checker = DraftChecker(MATERIAL, FORMATS["birp"], RULES)

    [quote] = checker.quotes()
    again = [checker.check(each) for each in moved.statements]

    assert quote.section == "behavior"
    assert not any(each.risk for each in again if each is not None)
    assert all(each is not None and each.segments for each in again)
