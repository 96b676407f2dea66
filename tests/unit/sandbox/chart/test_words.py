"""How the chart writes dates, names and ages."""

from datetime import UTC, date, timedelta, timezone

import pytest

from gateway.sandbox.chart.words import compute_age, read_concept, read_time, write_day, write_moment, write_name

CENTRAL = timezone(timedelta(hours=-6))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-03", "3 Nov 2026"),
        ("2026-11", "2026-11"),
        (None, ""),
        ("", ""),
        ("2026-11-03T23:30:00Z", "3 Nov 2026"),
    ],
)
def test_a_day_is_written_short(text: str | None, words: str) -> None:
    assert write_day(text, UTC) == words


def test_a_time_is_shown_in_the_zone_of_the_practice() -> None:
    assert write_moment("2026-11-24T03:30:00Z", CENTRAL) == "23 Nov 2026, 21:30"
    assert read_time("2026-11-24", CENTRAL) is None
    assert read_time("T", CENTRAL) is None


def test_names_are_written_as_charts_head_them() -> None:
    name = {"prefix": ["Dr."], "given": ["Mara"], "family": "Ellison", "suffix": ["PsyD"]}
    assert write_name({"name": [name]}) == "Dr. Mara Ellison, PsyD"
    assert write_name({"name": "A place"}) == "A place"
    assert write_name({}) == write_name(None) == write_name({"name": [{}]}) == "Name not known"


@pytest.mark.parametrize(("birth", "age"), [("2000-11-24", 25), ("2000-11-23", 26), ("2000", None), (None, None)])
def test_ages_are_whole_years(birth: str | None, age: int | None) -> None:
    assert compute_age(birth, date(2026, 11, 23)) == age


def test_a_concept_reads_by_its_text_its_display_or_its_code() -> None:
    assert read_concept({"text": "A", "coding": [{"display": "B"}]}) == "A"
    assert read_concept({"coding": [{"display": "B", "code": "C"}]}) == "B"
    assert read_concept({"coding": [{"code": "C"}]}) == "C"
    assert read_concept(None) == ""
