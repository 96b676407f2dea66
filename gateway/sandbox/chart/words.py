"""How the chart writes dates, names and ages. Pure; times are shown in the practice's own zone."""

from datetime import date, datetime, tzinfo

from gateway.sandbox.fhir.backend import Resource


def read_time(text: str | None, zone: tzinfo | None) -> datetime | None:
    """A FHIR dateTime with a time, in the zone of the practice; None for a date alone or for nothing."""
    if not text or "T" not in text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(zone)
    except ValueError:
        return None


def write_day(text: str | None, zone: tzinfo | None = None) -> str:
    """``2026-11-23`` or a dateTime → ``23 Nov 2026``; anything shorter stays as it is."""
    if not text:
        return ""
    moment = read_time(text, zone)
    try:
        day = moment.date() if moment else date.fromisoformat(text[:10])
    except ValueError:
        return text
    return f"{day.day} {day:%b %Y}"


def write_moment(text: str | None, zone: tzinfo | None) -> str:
    """A dateTime → ``23 Nov 2026, 09:00``."""
    moment = read_time(text, zone)
    return f"{moment.day} {moment:%b %Y, %H:%M}" if moment else write_day(text)


def write_name(resource: Resource | None) -> str:
    """A person's name as the chart heads it: ``Dr. Mara Ellison, PsyD``."""
    names = (resource or {}).get("name") or []
    if isinstance(names, str):
        return names
    if not names:
        return "Name not known"
    name = names[0]
    plain = name.get("text") or " ".join(
        [*name.get("prefix", []), *name.get("given", []), *([name["family"]] if name.get("family") else [])]
    )
    return ", ".join([plain or "Name not known", *name.get("suffix", [])])


def compute_age(birth_date: str | None, today: date) -> int | None:
    """Whole years; None where the birth date is not a whole date."""
    try:
        born = date.fromisoformat(birth_date or "")
    except ValueError:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def read_concept(concept: Resource | None) -> str:
    """The words of a CodeableConcept."""
    if not concept:
        return ""
    coding = (concept.get("coding") or [{}])[0]
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")
