"""The question that is put to the Consents of one patient."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.codes import Code
from gateway.consent.rules import ConsentRules
from gateway.ehr.chart import Chart
from gateway.ehr.dates import parse_date
from gateway.ehr.naming import list_objects
from gateway.ehr.site import EhrSite

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Related:
    """A RelatedPerson of the patient, as read from the record: who may answer for her is the site's rule."""

    relationships: frozenset[Code]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """Is this activity permitted, for this patient, now, to those who act, for these purposes?

    Attributes:
        at: aware.
        patient: ``Patient/1``.
        actors: who acts: the clinician, her organization, this gateway as Device; relative references.
        purposes: each of them must be permitted.
        majority: when the patient comes of age; None: of age at any time.
        related: the RelatedPersons of this patient that were read, by relative reference.
    """

    activity: Activity
    at: datetime
    patient: str
    actors: frozenset[str]
    purposes: frozenset[Code]
    majority: datetime | None = None
    related: Mapping[str, Related] = field(default_factory=dict)


def ask(activity: Activity, chart: Chart, site: EhrSite, rules: ConsentRules, now: datetime) -> Question:
    """The question about one activity in this visit."""
    organization = chart.encounter.organization if chart.encounter else ""
    acting = (chart.context.practitioner, chart.practitioner.reference, organization, *site.acting_as)
    return Question(
        activity=activity,
        at=now,
        patient=chart.patient.reference,
        actors=frozenset(one for one in acting if one),
        purposes=rules.purpose_codes,
        majority=find_majority(chart.patient.birth_date, rules),
        related=read_related(chart.related),
    )


def find_majority(birth_date: str, rules: ConsentRules) -> datetime | None:
    """When a patient comes of age, at the latest; None where the site knows no minors. Unknown: not yet."""
    years = rules.proxies.majority_years
    if not years:
        return None
    if parse_date(birth_date) is None:
        return NEVER
    year, *rest = birth_date.split("T")[0].split("-")
    day = "-".join([f"{int(year) + years:04}", *rest]).replace("-02-29", "-03-01")
    grown = parse_date(day, rules.zone)
    if grown is None:
        return NEVER
    # A partial birth date: on the last day that it may mean.
    return grown.latest_start if len(rest) == 2 else grown.latest_end


def read_related(persons: Iterable[Mapping[str, Any]]) -> dict[str, Related]:
    """The RelatedPersons of one patient, by relative reference."""
    return {f"RelatedPerson/{one['id']}": _read_related(one) for one in persons}


def _read_related(person: Mapping[str, Any]) -> Related:
    """As this EHR gave it: what is no coding is left out."""
    pairs = {
        (system, code)
        for concept in list_objects(person.get("relationship"))
        for coding in list_objects(concept.get("coding"))
        if isinstance(system := coding.get("system"), str) and isinstance(code := coding.get("code"), str)
    }
    return Related(frozenset(pairs), person.get("active", True) is True)
