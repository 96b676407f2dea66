"""The practice at work: its record, its clock, who is signed in. What the chart and the authorization server share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gateway.sandbox.chart.words import read_concept, read_time, write_day, write_moment, write_name
from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.seed import build_seed, move_visits
from gateway.sandbox.smart.server import Choice

OPEN_STATUSES = "planned,arrived,triaged,in-progress,onleave"


@dataclass(slots=True)
class Practice:
    """``clock`` gives now in the practice's own zone; ``prefix`` begins the ids of the seed.

    ``day`` is the one that the visits are planned for.
    """

    record: FhirClient
    clock: Callable[[], datetime]
    prefix: str
    clinician: str
    day: date

    @property
    def user(self) -> str:
        """Who is signed in, as a relative reference."""
        return f"Practitioner/{self.clinician}"

    @property
    def organization(self) -> str:
        return f"Organization/{self.prefix}practice"

    async def begin_day(self) -> None:
        """After midnight, moves the invented visits to the new day; what became of notes and consents stays."""
        today = self.clock().date()
        if today != self.day:
            self.day = today
            await move_visits(self.record, build_seed(self.clock(), self.prefix))

    async def list_patients(self) -> Sequence[Choice]:
        """The practice's patients by family name."""
        patients = await self.record.search("Patient", ("organization", self.organization))
        return [
            Choice(patient["id"], write_name(patient), f"born {write_day(patient.get('birthDate'))}")
            for patient in sorted(patients, key=_family)
        ]

    async def list_encounters(self, patient: str) -> Sequence[Choice]:
        """The patient's visits that are not over."""
        encounters = await self.record.search("Encounter", ("patient", patient), ("status", OPEN_STATUSES))
        zone = self.clock().tzinfo
        return [
            Choice(
                encounter["id"],
                read_concept((encounter.get("type") or [None])[0]) or "Visit",
                write_moment((encounter.get("period") or {}).get("start"), zone),
            )
            for encounter in sorted(encounters, key=lambda one: _start(one, self.clock()))
        ]


def _family(patient: Resource) -> str:
    names = patient.get("name") or [{}]
    return str(names[0].get("family", ""))


def _start(encounter: Resource, now: datetime) -> float:
    moment = read_time((encounter.get("period") or {}).get("start"), now.tzinfo)
    return moment.timestamp() if moment else 0.0
