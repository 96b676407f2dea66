"""A patient's Consents straight from an EHR, for an operator who tries her rules on a test patient.

In: a client of the EHR that may read without a launch. Out: what a decision rests on, and no more of the patient than
her birth date. No visit has this: a visit's Consents come with its chart.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.ehr.client import FhirClient, Resource
from gateway.ehr.reference import make_relative, points_to
from gateway.errors import EhrRefused

READ_SCOPES = "system/Patient.r system/Consent.rs system/RelatedPerson.rs"
NO_PATIENT = "The EHR knows no patient of this id. Give the id of its Patient resource alone, without Patient/."


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """What one EHR holds about one patient's consent; ``problems`` says in sentences what could not be read of it.

    ``consents`` and ``related`` (RelatedPersons) are hers, references to this EHR made relative.
    """

    patient_id: str
    birth_date: str
    consents: tuple[Resource, ...]
    related: tuple[Resource, ...]
    problems: tuple[str, ...]

    def to_message(self) -> dict[str, Any]:
        """As it goes over the operator's socket."""
        return asdict(self)


def read_message(message: Mapping[str, Any]) -> ConsentRecord:
    """The other side of ``to_message``."""
    parts = {name: tuple(message[name]) for name in ("consents", "related", "problems")}
    return ConsentRecord(str(message["patient_id"]), str(message["birth_date"]), **parts)


async def read_consent_record(client: FhirClient, patient_id: str) -> ConsentRecord:
    """Read it, all at the same time.

    Raises:
        EhrError: there is no such patient, or one of the three can't be read.
    """
    reads = (
        client.read("Patient", patient_id),
        client.search("Consent", {"patient": patient_id}),
        client.search("RelatedPerson", {"patient": patient_id}),
    )
    patient, consents, related = await asyncio.gather(*reads, return_exceptions=True)
    if isinstance(patient, EhrRefused) and patient.http_status in (404, 410):
        raise EhrRefused("operator.patient", NO_PATIENT, patient.http_status) from None
    for one in (patient, consents, related):
        if isinstance(one, BaseException):
            raise one
    assert isinstance(patient, dict)
    assert not isinstance(consents, BaseException | dict)
    assert not isinstance(related, BaseException | dict)
    base = client.ehr_base
    own, foreign = _split(consents.matches, patient_id, base)
    persons, _ = _split(related.matches, patient_id, base)
    problems = list(consents.problems)
    if foreign:
        problems.append("Among the consents that the EHR sent is one of another patient, or of none.")
    born = patient.get("birthDate")
    return ConsentRecord(patient_id, born if isinstance(born, str) else "", own, persons, tuple(problems))


def _split(resources: tuple[Resource, ...], patient_id: str, base: str) -> tuple[tuple[Resource, ...], int]:
    """Those that are this patient's, and how many are not."""
    relative = [make_relative(one, base) for one in resources]
    own = tuple(one for one in relative if points_to(one.get("patient"), "Patient", patient_id))
    return own, len(relative) - len(own)
