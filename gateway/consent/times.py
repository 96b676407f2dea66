"""The times of a Consent: FHIR dates that may be partial and without a zone, as instants.

An end covers all of what it names (FHIR R4, 2.24.0, Period): ``2026-11-30`` is over when that day is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from gateway.ehr.dates import Span, parse_date

_NO_END = "9999"  # how many records write that there is none
_NO, _MAYBE, _YES = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Times:
    """From ``start`` to ``end``, each open where None; ``end`` is the first instant that is outside."""

    start: Span | None
    end: Span | None

    def holds(self, at: datetime) -> int:
        """0: certainly outside, 2: certainly inside, 1: a zone that is not known leaves it open."""
        start, end = self.start, self.end
        if (start is not None and at < start.earliest_start) or (end is not None and at >= end.latest_end):
            return _NO
        if (start is None or at >= start.latest_start) and (end is None or at < end.earliest_end):
            return _YES
        return _MAYBE

    def begins_after(self, at: datetime) -> bool:
        """Whether it may begin later than this moment."""
        return self.start is not None and at < self.start.latest_start

    def is_over(self, at: datetime) -> bool:
        """Whether its end may have passed."""
        return self.end is not None and at >= self.end.earliest_end

    def instants(self) -> Iterator[datetime]:
        if self.start is not None:
            yield self.start.earliest_start
            yield self.start.latest_start
        if self.end is not None:
            yield self.end.earliest_end
            yield self.end.latest_end


@lru_cache(maxsize=2048)
def read_date(text: str, zone: tzinfo | None) -> Span | None:
    """A dateTime as the span that it covers, a second or a fraction of one included; None where it is none."""
    span = parse_date(text, zone)
    if span is None or not span.precise:
        return span
    fraction = re.search(r"\.(\d+)", text)
    digits = min(len(fraction[1]), 6) if fraction else 0
    try:
        after = span.earliest_start + timedelta(microseconds=10 ** (6 - digits))
    except OverflowError:
        return None
    return Span(span.earliest_start, span.latest_start, after, after, precise=True)


@lru_cache(maxsize=2048)
def read_times(start: str | None, end: str | None, zone: tzinfo | None) -> Times | None:
    """A Period; None where it has neither start nor end, one that can't be read, or ends before it starts."""
    first = read_date(start, zone) if start is not None else None
    if end is not None and end.startswith(_NO_END):
        return Times(first, None) if first or start is None else None
    last = read_date(end, zone) if end is not None else None
    if (first is None) == (start is not None) or (last is None) == (end is not None):
        return None
    if first is None and last is None:
        return None
    if first and last and first.earliest_start >= last.latest_end:
        return None
    return Times(first, last)


def is_certainly_before(earlier: Span | None, later: Span | None) -> bool:
    """Whether all that the one covers is over when the other begins; what has no date is before nothing."""
    return earlier is not None and later is not None and earlier.latest_end <= later.earliest_start
