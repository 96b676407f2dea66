"""FHIR dates and dateTimes, which may be partial and without a zone (FHIR R4, 2.24.0.1).

``2026-11`` is a month, and where no zone is known it begins at midnight somewhere between UTC+14 and UTC-12. A
``Span`` keeps both ends of that doubt, so that whoever decides can take the safe one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_FULL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_FIRST_ZONE = timezone(timedelta(hours=14))  # where a day begins, and ends, first
_LAST_ZONE = timezone(timedelta(hours=-12))


@dataclass(frozen=True, slots=True)
class Span:
    """The time a FHIR date means. All four are UTC; for a full dateTime or a known zone the doubt is nil."""

    earliest_start: datetime
    latest_start: datetime
    earliest_end: datetime
    latest_end: datetime
    precise: bool


def parse_date(text: object, zone: tzinfo | None = None) -> Span | None:
    """Read a FHIR date, dateTime or instant.

    Args:
        text: what stands in the resource.
        zone: the zone that a date without one is meant in; None: it is not known.

    Returns:
        The span, its end exclusive; None where it is no FHIR date.
    """
    if not isinstance(text, str):
        return None
    try:
        if _FULL.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            return Span(moment, moment, moment, moment, precise=True)
        match = _DATE.fullmatch(text)
        return _span_of_days(match, zone) if match else None
    except (ValueError, OverflowError):
        return None


def _span_of_days(match: re.Match[str], zone: tzinfo | None) -> Span:
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    first = datetime(year, month, day)
    if match[3]:
        after = first + timedelta(days=1)
    elif match[2]:
        after = datetime(year + month // 12, month % 12 + 1, 1)
    else:
        after = datetime(year + 1, 1, 1)
    soonest, latest = (zone, zone) if zone else (_FIRST_ZONE, _LAST_ZONE)
    return Span(
        earliest_start=first.replace(tzinfo=soonest).astimezone(UTC),
        latest_start=first.replace(tzinfo=latest).astimezone(UTC),
        earliest_end=after.replace(tzinfo=soonest).astimezone(UTC),
        latest_end=after.replace(tzinfo=latest).astimezone(UTC),
        precise=False,
    )


def parse_moment(text: str) -> datetime | None:
    """A full dateTime in its own offset; None where it is partial or none."""
    return datetime.fromisoformat(text) if _FULL.fullmatch(text) and parse_date(text) else None


def is_later(one: object, other: object) -> bool:
    """Whether the first FHIR date is certainly after the second; dates without a zone are of the same one."""
    first, second = parse_date(one), parse_date(other)
    if first is None or second is None:
        return False
    if first.precise and second.precise:
        return first.earliest_start > second.earliest_start
    if not first.precise and not second.precise:
        first, second = parse_date(one, UTC) or first, parse_date(other, UTC) or second
    return first.earliest_start >= second.latest_end


def format_day(text: object) -> str:
    """``3 Nov 2026`` for a person, of the date as written; partial dates stay partial; empty if it is none."""
    if parse_date(text) is None or not isinstance(text, str):
        return ""
    year, *rest = text.split("T")[0].split("-")
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    words = [str(int(rest[1]))] if len(rest) > 1 else []
    return " ".join([*words, *([months[int(rest[0]) - 1]] if rest else []), year])


def format_period(start: str, end: str) -> str:
    """``23 Nov 2026, 09:00–09:50`` as written in the record, in its own offset; empty where nothing is known."""
    first, last = format_day(start), format_day(end)
    first_time, last_time = _time_of(start), _time_of(end)
    if not first:
        return f"until {last}" if last else ""
    begin = f"{first}, {first_time}" if first_time else first
    if not last:
        return begin if first_time else f"from {first}"
    if first == last:
        return f"{begin}–{last_time}" if first_time and last_time else begin
    return f"{begin} – {last}" + (f", {last_time}" if last_time else "")


def _time_of(text: str) -> str:
    return text.split("T")[1][:5] if "T" in text else ""
