"""Two hearings are compared in what matters and in nothing else."""

import pytest

from gateway.capture.differences import Kind, compare_hearings, count_negations, find_names, read_numbers

RISK = find_names(["better off dead", "kill myself", "cutting"])
MEDICATIONS = find_names(["sertraline", "Lithium Carbonate", ""])


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        ("I'd be better off fed.", "I'd be better off dead.", {Kind.RISK}),
        ("better off bed and breakfast", "better off dead and breakfast", {Kind.RISK}),
        ("Fifty milligrams in the morning.", "15 milligrams in the morning.", {Kind.NUMBER}),
        ("I take certain lean at night.", "I take sertraline at night.", {Kind.MEDICATION}),
        ("I can sleep.", "I can't sleep.", {Kind.NEGATION}),
        ("I have never cut.", "I have ever cut.", {Kind.NEGATION}),
        ("I will kill myself.", "I won't kill myself in 2 days.", {Kind.NUMBER, Kind.NEGATION}),
        ("", "Kill myself.", {Kind.RISK}),
    ],
)
def test_tells_what_differs(first: str, second: str, kinds: set[Kind]) -> None:
    assert compare_hearings(first, second, RISK, MEDICATIONS) == kinds
    assert compare_hearings(second, first, RISK, MEDICATIONS) == kinds


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("She slept well.", "She's slept, well..."),
        ("I take fifty milligrams.", "I take 50 milligrams."),
        ("Twenty-five days and 1,200 steps.", "25 days, twelve hundred steps"),
        ("I don’t want to.", "I do not want to."),
        ("I cannot sleep.", "I can't sleep."),
        ("Cutting, kill myself.", "kill myself, CUTTING"),
        ("Lithium carbonate it is.", "lithium carbonate, yes"),
        ("The colour of the bus.", "The collar of the boss."),
    ],
)
def test_other_words_may_differ(first: str, second: str) -> None:
    assert compare_hearings(first, second, RISK, MEDICATIONS) == frozenset()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("seven", {"7"}),
        ("one hundred and fifty", {"150"}),
        ("two thousand five hundred and six", {"2506"}),
        ("nineteen ninety", {"19", "90"}),
        ("five, six or seven", {"5", "6", "7"}),
        ("ninety over sixty", {"90", "60"}),
        ("7.50 and 007", {"7.5", "7"}),
        ("1,200.5", {"1200.5"}),
        ("50mg twice a day, half a tablet", {"50", "2×", "½"}),
        ("a hundred", set()),
        ("and so on", set()),
        ("item 9", {"9"}),
    ],
)
def test_reads_numbers_in_words_and_digits(text: str, numbers: set[str]) -> None:
    assert set(read_numbers(text)) == numbers


def test_counts_what_denies() -> None:
    assert count_negations("No. I don't know, nothing (not now); she denies it, he can't.") == 6
    assert count_negations("I know a knot and a note.") == 0


def test_a_name_is_found_as_a_whole_word() -> None:
    assert list(find_names(["ann"])("Joanne and Ann.")) == ["ann"]
