"""The engine against the oracle: not one permit where the oracle refuses, and none that outlasts the oracle's.

The oracle (tests/truth/consent_oracle.md) was written from the rules alone, by another hand, and is never changed.
Where the engine is the stricter, the reason stands in ``STRICTER``.
"""

import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decision import Permit, Refusal
from tests.truth import consent_oracle
from tests.truth.consent_oracle import FINITE_MODEL, Question, Site
from tests.unit.consent.oracle import decide

ROOT = Path(__file__).parents[3]
ELEMENTS = [path for path in FINITE_MODEL if not path.startswith(("question.", "site"))]
# Where the engine refuses and the oracle permits, and why that is right.
STRICTER = {
    "unreadable element": (
        re.compile(r"has a [\w.]+ that can't be read"),
        "a Consent of the wrong shape is a no whatever it is about; the oracle first asks what it is about",
    ),
}
Case = tuple[list[Any], Question, Site]


def compare(consents: list[Any], question: Question, site: Site) -> str:
    """Hold one case against the oracle; the kind of agreement."""
    answer = decide(consents, question, site)
    expected = consent_oracle.permits(consents, question, site)
    if isinstance(answer, Permit):
        assert expected, ("permitted", answer.grounds, consent_oracle.explain(consents, question, site))
        ends = consent_oracle.holds_until(consents, question, site)
        assert ends is None or (answer.until is not None and answer.until <= ends), (answer.until, ends)
        return "permit"
    return f"stricter: {explain_strictness(answer)}" if expected else "refusal"


def explain_strictness(answer: Refusal) -> str:
    found = [name for name, (words, _) in STRICTER.items() if words.search(answer.words)]
    assert found, ("the oracle permits", answer.words)
    return found[0]


# Draws: mostly a yes that some elements change, alone or beside others ------------------------------------------------


def changes(paths: list[str], most: int) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Other values for a few of these elements; the list is short more often than not."""
    one = st.sampled_from(paths).flatmap(lambda path: st.tuples(st.just(path), st.sampled_from(FINITE_MODEL[path])))
    return st.lists(one, max_size=most, unique_by=lambda change: change[0])


@st.composite
def consents(draw: st.DrawFn, number: int, most: int) -> Any:
    activity = draw(st.sampled_from(["recording", "recording", "recording", "ai-drafting"]))
    consent = consent_oracle.build_consent(
        activity, draw(st.sampled_from(["permit", "permit", "deny"])), id=f"c{number}"
    )
    if draw(st.integers(0, 3)) == 0:  # named by its provision
        consent["category"] = [consent_oracle.concept(consent_oracle.LOINC, "59284-0")]
        consent["provision"]["code"] = [consent_oracle.concept(consent_oracle.OWN, activity)]
    for path, value in draw(changes(ELEMENTS, most)):
        consent = consent_oracle._with(consent, path, value)
    return consent


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.sampled_from([1, 1, 2, 2, 3]))
    stack = [draw(consents(number, draw(st.sampled_from([1, 2, 4])))) for number in range(count)]
    question, site = consent_oracle.QUESTION, draw(st.sampled_from(FINITE_MODEL["site"]))
    if draw(st.booleans()):
        stack.append(
            consent_oracle.build_consent(id="yes", dateTime=draw(st.sampled_from(["2026-05-20", "2026-06-15"])))
        )
    if draw(st.integers(0, 2)) == 0:
        asked = [path for path in FINITE_MODEL if path.startswith("question.")]
        values = {path.removeprefix("question."): value for path, value in draw(changes(asked, 2))}
        question = replace(question, **values)
    if draw(st.integers(0, 7)) == 0:
        site = replace(site, newer_yes_over=("Consent/c0",))
    return stack, question, site


COUNTS: Counter[str] = Counter()


@settings(settings.get_profile("oracle"))
@given(cases())
def check_draw(case: Case) -> None:
    COUNTS[compare(*case)] += 1


def test_draws_of_the_finite_model() -> None:
    COUNTS.clear()
    check_draw()
    assert COUNTS["permit"] > sum(COUNTS.values()) / 20, COUNTS  # else the draws show little
    if kept := os.environ.get("CONSENT_FUZZ"):
        write_result(Path(kept), COUNTS)


def test_every_small_case() -> None:
    counts = Counter(compare(*case) for case in consent_oracle.every_small_case())
    assert counts.total() == 6732
    assert counts["permit"] == 1024


@pytest.mark.parametrize(
    ("changes", "site"),
    [
        ({}, Site()),
        ({"purposes": ()}, Site()),
        ({"actors": ()}, Site()),
        ({"purposes": ((consent_oracle.ACT_REASON, "HRESCH"),)}, Site()),
    ],
)
def test_a_question_that_is_none_is_refused_by_both(changes, site) -> None:
    question = replace(consent_oracle.QUESTION, **changes)
    assert compare([consent_oracle.build_consent()], question, site) == ("refusal" if changes else "permit")


def test_the_oracle_is_the_one_that_was_frozen() -> None:
    source = Path(consent_oracle.__file__).read_bytes()
    assert hashlib.sha256(source).hexdigest() in (ROOT / "tests/truth/consent_oracle.md").read_text(encoding="utf-8")


def write_result(file: Path, counts: Counter[str]) -> None:
    kinds = {name: counts[name] for name in sorted(counts)}
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        json.dumps({"cases": counts.total(), **kinds, "wrong permits": 0}, indent=2) + "\n", encoding="utf-8"
    )
