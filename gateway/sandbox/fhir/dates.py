"""FHIR dates as spans of time, and what a search prefix asks of two spans.

A partial date is a whole span: ``2026-03`` is every instant of March (https://hl7.org/fhir/R4/search.html#date).
Dates without a zone count as UTC. Pure.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` (in it) to ``end`` (no longer in it), both UTC-aware."""

    start: datetime
    end: datetime


def read_span(text: str) -> Span:
    """The span that a date, dateTime or instant means.

    Raises:
        ValueError: it is none.
    """
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:40]!r} is not a FHIR date")
    part = match.groupdict()
    try:
        start = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int((part["fraction"] or "0").ljust(6, "0")[:6]),
            tzinfo=_read_zone(part["zone"]),
        )
        return Span(start.astimezone(UTC), _find_end(start, part).astimezone(UTC))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{text[:40]!r} is no such day or time") from error


def read_period(period: object) -> Span | None:
    """The span of a Period; a side that is missing is open. None for a Period that says nothing readable."""
    if not isinstance(period, dict) or not ("start" in period or "end" in period):
        return None
    try:
        start = read_span(period["start"]).start if "start" in period else BEGINNING
        end = read_span(period["end"]).end if "end" in period else END
    except (ValueError, TypeError):
        return None
    return Span(start, end)


def compare_spans(prefix: str, asked: Span, found: Span) -> bool:
    """Whether a resource's span answers a search for ``prefix`` + ``asked``."""
    match prefix:
        case "eq":
            return asked.start <= found.start and found.end <= asked.end
        case "ne":
            return not compare_spans("eq", asked, found)
        case "gt":
            return found.end > asked.end
        case "lt":
            return found.start < asked.start
        case "ge":
            return found.end > asked.start
        case "le":
            return found.start < asked.end
        case "sa":
            return found.start >= asked.end
        case "eb":
            return found.end <= asked.start
        case _:
            raise ValueError(f"no such prefix: {prefix}")


def split_prefix(value: str) -> tuple[str, str]:
    """``ge2026`` → (``ge``, ``2026``); without a prefix it is ``eq``."""
    return (value[:2], value[2:]) if value[:2] in PREFIXES else ("eq", value)


def _read_zone(zone: str | None) -> timezone:
    if zone is None or zone == "Z":
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return timezone(-offset if zone[0] == "-" else offset)


def _find_end(start: datetime, part: dict[str, str | None]) -> datetime:
    if part["month"] is None:
        return start.replace(year=start.year + 1)
    if part["day"] is None:
        return (start + timedelta(days=31)).replace(day=1)
    if part["hour"] is None:
        return start + timedelta(days=1)
    if part["second"] is None:
        return start + timedelta(minutes=1)
    if part["fraction"] is None:
        return start + timedelta(seconds=1)
    return start + timedelta(microseconds=10 ** max(0, 6 - len(part["fraction"])))
