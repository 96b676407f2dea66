from datetime import UTC, datetime

import pytest

from gateway.sandbox.fhir.dates import BEGINNING, END, Span, compare_spans, read_period, read_span, split_prefix


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", at(2026, 1, 1), at(2027, 1, 1)),
        ("2026-02", at(2026, 2, 1), at(2026, 3, 1)),
        ("2026-12", at(2026, 12, 1), at(2027, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2026-03-01T10:00Z", at(2026, 3, 1, 10), at(2026, 3, 1, 10, 1)),
        ("2026-03-01T10:00:00+01:00", at(2026, 3, 1, 9), at(2026, 3, 1, 9, 0, 1)),
        ("2026-03-01T10:00:00-05:30", at(2026, 3, 1, 15, 30), at(2026, 3, 1, 15, 30, 1)),
        ("2026-03-01T10:00:00.5", at(2026, 3, 1, 10, 0, 0, 500_000), at(2026, 3, 1, 10, 0, 0, 600_000)),
    ],
)
def test_a_partial_date_is_a_whole_span(text, start, end):
    assert read_span(text) == Span(start, end)


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-02-30", "26", "2026-3-1", "2026-03-01T25:00", "9999", "now", "٢٠٢٦"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match="is"):
        read_span(text)


def test_a_period_is_open_where_it_says_nothing():
    assert read_period({"start": "2026"}) == Span(at(2026, 1, 1), END)
    assert read_period({"end": "2026"}) == Span(BEGINNING, at(2027, 1, 1))
    assert read_period({}) is None
    assert read_period({"start": "soon"}) is None


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("eq", "in"), ("ne", "before over after"), ("gt", "over after"), ("lt", "before over"), ("ge", "in over after"),
     ("le", "before in over"), ("sa", "after"), ("eb", "before")],
)  # fmt: skip
def test_each_prefix_against_spans_before_in_over_and_after(prefix, found):
    asked = read_span("2026-03")
    spans = {"before": read_span("2026-02"), "in": read_span("2026-03-15"), "over": read_span("2026"),
             "after": read_span("2026-04")}  # fmt: skip
    assert " ".join(name for name, span in spans.items() if compare_spans(prefix, asked, span)) == found


def test_prefixes_are_split_off():
    assert split_prefix("ge2026") == ("ge", "2026")
    assert split_prefix("2026") == ("eq", "2026")
