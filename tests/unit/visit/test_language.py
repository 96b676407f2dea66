"""Which language counts, and when there is no AI draft."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.errors import DraftError
from gateway.note.risk import read_risk_rules
from gateway.visit.contents import Contents
from gateway.visit.language import find_language

RULES = read_risk_rules(Path(__file__).parents[3] / "config" / "risk")


@dataclass
class ExpectingChart:
    """All of a chart that is asked here."""

    language: str


def make_contents(expected: str, heard: str | None = None, typed: str | None = None) -> Contents:
    return Contents(chart=ExpectingChart(expected), heard_language=heard, typed_language=typed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "heard", "typed", "code", "differs", "drafting"),
    [
        ("en", None, None, "en", None, True),
        ("en-GB", "en", None, "en-GB", None, True),
        ("en", "es", None, "es", "es", False),
        ("en", None, "es", "es", "es", False),
        ("en", "en", "es", "es", "es", False),
        ("en", "es", "en", "es", "es", False),
        ("es", None, None, "es", None, False),
        ("es-MX", "es", None, "es", None, False),
        ("es", "en", None, "en", "en", True),
        ("es", None, "en", "en", "en", True),
        ("und", None, None, "und", None, False),
        ("en", None, "und", "und", "und", False),
    ],
)
def test_what_is_heard_counts_before_what_was_expected(expected, heard, typed, code, differs, drafting) -> None:
    found = find_language(make_contents(expected, heard, typed), RULES)
    assert (found.code, found.heard, found.drafting) == (code, differs, drafting)
    assert bool(found.words) is not drafting


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (make_contents("es"), "This visit is expected to be in Spanish."),
        (make_contents("en", "pt"), "What was said or typed seems to be in Portuguese."),
        (make_contents("en", "nl"), "What was said or typed seems to be in the language “nl”."),
        (make_contents("und"), "This visit is expected to be in a language that is not known here."),
    ],
)
def test_the_page_says_why_there_is_no_draft(contents: Contents, words: str) -> None:
    found = find_language(contents, RULES)
    assert found.words.startswith(words)
    with pytest.raises(DraftError, match="Write without AI"):
        found.require_drafting()


def test_without_a_chart_it_is_english() -> None:
    assert find_language(Contents(), RULES).code == "en"
