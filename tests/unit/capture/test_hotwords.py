"""Hotwords: the most important first, never more than the model has room for, and what is missing is said."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.hotwords import Hotwords, PhraseGroup, fit_hotwords, group_medications


def count_words(line: str) -> int:
    return len(line.split())


GROUPS = (
    PhraseGroup("suicide", ("kill myself", "want to die")),
    PhraseGroup("psychosis", ("hearing voices", "voices tell me")),
    PhraseGroup("suicide", ("better off without me",)),
)


def test_takes_phrases_by_priority_while_there_is_room() -> None:
    assert fit_hotwords(GROUPS, count_words, 100) == Hotwords(
        "kill myself, want to die, hearing voices, voices tell me, better off without me",
        14,
        frozenset(("suicide", "psychosis")),
        frozenset(),
    )


def test_says_which_categories_are_not_or_not_wholly_covered() -> None:
    hotwords = fit_hotwords(GROUPS, count_words, 7)
    assert hotwords.line == "kill myself, want to die, hearing voices"
    assert hotwords.cut_short == {"suicide", "psychosis"}
    assert hotwords.uncovered(("suicide", "psychosis", "medication")) == {"medication"}
    assert fit_hotwords(GROUPS, count_words, 5).uncovered(("suicide", "psychosis")) == {"psychosis"}


def test_no_phrases_are_no_hotwords() -> None:
    assert fit_hotwords((), count_words, 7) == Hotwords()


def test_says_a_medication_as_people_do() -> None:
    displays = [
        "sertraline 50 MG Oral Tablet",
        "Sertraline 100 MG",
        "24 HR bupropion hydrochloride 150 MG Extended Release Oral Tablet",
        "Lithium carbonate ER 450 mg tablet",
        "insulin, regular",
        "sodium oxybate 500 MG/ML Oral Solution",
        "Folic acid 1 MG",
        "36437",
        "",
    ]
    names = ("sertraline", "bupropion", "lithium", "insulin", "sodium oxybate", "folic acid")
    assert group_medications(displays) == PhraseGroup("medication", names)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1), max_size=6), st.integers(0, 12))
def test_never_goes_over_the_budget_and_always_takes_the_first_that_fits(groups: list[list[str]], budget: int) -> None:
    given_groups = [PhraseGroup(str(index), tuple(phrases)) for index, phrases in enumerate(groups)]
    hotwords = fit_hotwords(given_groups, count_words, budget)
    assert hotwords.tokens == count_words(hotwords.line) <= budget
    chosen = hotwords.line.split(", ") if hotwords.line else []
    assert len(chosen) == len(set(chosen))
    wanted = list(dict.fromkeys(phrase for phrases in groups for phrase in phrases))
    assert chosen == wanted[: len(chosen)]
    assert bool(hotwords.cut_short) == (len(wanted) > budget)
