"""FHIR dates: partial ones, those without a zone, and how they read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ehr.dates import format_day, format_period, is_later, parse_date, parse_moment


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_full_date_time_is_one_moment():
    span = parse_date("2026-11-23T10:00:00.5+02:00")
    assert span is not None
    assert span.precise
    assert {span.earliest_start, span.latest_start, span.earliest_end, span.latest_end} == {
        datetime(2026, 11, 23, 8, 0, 0, 500_000, tzinfo=UTC)
    }


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026", at(2026, 1, 1), at(2027, 1, 1)),
        ("2026-11", at(2026, 11, 1), at(2026, 12, 1)),
        ("2026-12", at(2026, 12, 1), at(2027, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
    ],
)
def test_a_partial_date_is_all_of_it(text, first, after):
    span = parse_date(text, UTC)
    assert span is not None
    assert (span.earliest_start, span.latest_start) == (first, first)
    assert (span.earliest_end, span.latest_end) == (after, after)


def test_a_moment_keeps_its_own_offset():
    moment = parse_moment("2026-11-23T10:00:00-05:00")
    assert moment is not None
    assert moment.isoformat() == "2026-11-23T10:00:00-05:00"
    assert parse_moment("2026-11-23") is None


def test_without_a_zone_a_day_may_be_any_of_the_earths():
    span = parse_date("2026-11-23")
    assert span is not None
    assert (span.earliest_start, span.latest_start) == (at(2026, 11, 22, 10), at(2026, 11, 23, 12))
    assert (span.earliest_end, span.latest_end) == (at(2026, 11, 23, 10), at(2026, 11, 24, 12))


def test_a_day_of_a_zone_knows_its_summer_time():
    span = parse_date("2026-10-25", ZoneInfo("Europe/Berlin"))
    assert span is not None
    assert span.earliest_end - span.earliest_start == (at(2026, 1, 2, 1) - at(2026, 1, 1))


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "26", "2026-13", "2026-02-30", "2026-11-23T10:00:00", "2026-11-23T25:00:00Z", "0000", "9999", "0001",
     "2026-11-23T10:00:00Z ",
     "2026-1-1", "2026-11-23\n", "2026-11-23T10:00:00Z\n", "٢٠٢٦-١١", "0001-01-01T00:00:00+14:00"],
)  # fmt: skip
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None


@given(st.text())
def test_no_text_raises(text):
    parse_date(text)
    format_day(text)


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        ("2026-11-24", "2026-11-23", True),
        ("2026-11-23", "2026-11-23", False),
        ("2026-11", "2026-11-23", False),
        ("2026-11-23T10:00:01Z", "2026-11-23T11:00:00+01:00", True),
        ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00+01:00", False),
        ("2026-11-25", "2026-11-23T10:00:00Z", True),
        ("2026-11-24T11:00:00Z", "2026-11-23", False),
        ("2026-11-24T12:00:00Z", "2026-11-23", True),
        ("2026-11-24", None, False),
        (None, "2026-11-24", False),
    ],
)
def test_later_means_certainly_later(one, other, later):
    assert is_later(one, other) is later


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-03", "3 Nov 2026"),
        ("2026-11", "Nov 2026"),
        ("2026", "2026"),
        ("2026-11-03T01:00:00Z", "3 Nov 2026"),
        ("x", ""),
    ],
)
def test_a_day_in_words(text, words):
    assert format_day(text) == words


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-11-23T09:00:00-05:00", "2026-11-23T09:50:00-05:00", "23 Nov 2026, 09:00–09:50"),
        ("2026-11-23T09:00:00Z", "", "23 Nov 2026, 09:00"),
        ("2026-11-23", "", "from 23 Nov 2026"),
        ("2026-11-23", "2026-11-23", "23 Nov 2026"),
        ("2026-11-23T22:00:00Z", "2026-11-24T01:00:00Z", "23 Nov 2026, 22:00 – 24 Nov 2026, 01:00"),
        ("2026-11-23", "2026-12", "23 Nov 2026 – Dec 2026"),
        ("", "2026-11-23", "until 23 Nov 2026"),
        ("", "", ""),
    ],
)
def test_a_period_in_words(start, end, words):
    assert format_period(start, end) == words
