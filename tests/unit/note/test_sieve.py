"""The sieve leaves out nothing that could match, and most of what could not."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.note.lexicon import SYNONYMS
from gateway.note.risk import read_risk_rules
from gateway.note.sieve import ANYTHING, Rewriting, Sieve, find_pieces

ROOT = Path(__file__).parents[3]
RULES = read_risk_rules(ROOT / "config" / "risk")
RISK = [pattern for rule in RULES.rules for sieve in (rule.patterns, rule.shorthand) for pattern in sieve.patterns]
LOOKALIKES = [pattern for pattern, _ in RULES.lookalikes.steps]
WORDS = [re.compile(pattern) for pattern, _ in SYNONYMS]
PATTERNS = [*RISK, *LOOKALIKES, *WORDS]
LINES = [
    segment["text"]
    for path in sorted((ROOT / "tests" / "truth" / "therapy").glob("*.json"))
    for segment in json.loads(path.read_text(encoding="utf-8"))["segments"]
]


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (r"\bsuicid\w*", ("suicid",)),
        (r"\b(kill|hurt)(s|ed)? me\b", ("kill", "hurt")),
        (r"x(lorazepam|zopiclone)?y+z", ("x",)),
        (r"(?:wish|hope)s? to be", (" to be",)),
        (r"\b(mum|mama|mother)\b", ("um", "ama", "other")),
        (r"(?<=half )past(?! seven)", ("half ",)),
        (r"no(?=where)", ("where",)),
        (r"(?>left)|right", ("left", "right")),
        (r"re\b-start", ("re-start",)),
        (r"a{3}(bc)*", ("a",)),
        (r"(bc){0,2}", ANYTHING),
        (r"(a|)b?", ANYTHING),
        (r"[xy]\d", ANYTHING),
        (r"(kind)\1?", ("kind",)),
        (r"(?i)kind", ANYTHING),
        (r"(?i:kind)", ANYTHING),
        (r"", ANYTHING),
    ],
)
def test_reads_the_pieces_that_every_match_holds(pattern: str, pieces: tuple[str, ...]) -> None:
    assert find_pieces(re.compile(pattern)) == pieces


@given(st.data())
@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_text_made_for_a_pattern_passes_its_sieve(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(PATTERNS))
    text = data.draw(st.from_regex(pattern))
    assert list(Sieve([pattern]).sift(text)) == [pattern]


def test_what_matches_a_line_of_a_session_passes_in_order() -> None:
    sieve = Sieve(PATTERNS)
    for line in LINES[::5]:
        passed = list(sieve.sift(line))
        assert [pattern for pattern in passed if pattern.search(line)] == [
            pattern for pattern in PATTERNS if pattern.search(line)
        ]


def test_nearly_all_that_can_not_match_is_left_out() -> None:
    sieve = Sieve(RISK)
    passed = sum(len(list(sieve.sift(line.lower()))) for line in LINES)
    assert passed < 0.03 * len(RISK) * len(LINES)
    assert not [pattern.pattern for pattern in PATTERNS if find_pieces(pattern) == ANYTHING]


def test_each_replacement_sees_what_the_one_before_it_left() -> None:
    rewriting = Rewriting([(re.compile(r"\bmum\b"), "mother"), (re.compile(r"\bmother tongue\b"), "language")])
    assert rewriting.rewrite("her mum tongue") == "her language"


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=3).map(" ".join))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_rewriting_says_what_all_the_replacements_say(line: str) -> None:
    text = expected = line.lower()
    for pattern, new in SYNONYMS:
        expected = re.sub(pattern, new, expected)
    assert Rewriting((re.compile(pattern), new) for pattern, new in SYNONYMS).rewrite(text) == expected
