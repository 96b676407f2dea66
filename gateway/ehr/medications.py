"""The active medications of a patient by name, where the site has them read: so that they are heard right.

In: a client and the launch. Out: ``FoundMedications``: names, and what was read or why not, for the page's list. They
are never written from. What the EHR refuses or garbles stops no visit; a medication of another patient does.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.ehr.client import FhirClient, Resource
from gateway.ehr.context import LaunchContext
from gateway.ehr.naming import clean_text, describe_reference, list_objects
from gateway.ehr.reference import points_to, reference_of
from gateway.ehr.scopes import covers
from gateway.ehr.site import EhrSite
from gateway.errors import EhrError, EhrGarbled

log = logging.getLogger("countersign.chart")

OTHER_PATIENT = (
    "The EHR answered with a medication of another patient, so nothing is shown. "
    "Close Countersign and open it again from this patient's chart."
)
NOT_GRANTED = "not granted"


@dataclass(frozen=True, slots=True)
class FoundMedications:
    """``names`` as the record has them, each once; ``rows`` are (reference, what it is) for the list of what was read.

    What could not be read is a row too, and says by which code.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


async def read_medications(client: FhirClient, context: LaunchContext, site: EhrSite) -> FoundMedications:
    """The active ones; none where the site does not have them read.

    Raises:
        EhrGarbled: one of them is another patient's.
    """
    type_ = site.chart.medications
    if type_ == "none":
        return FoundMedications()
    if not covers(context.scopes, f"patient/{type_}.s"):
        return _tell_unread(type_, NOT_GRANTED)
    try:
        found = await client.search(type_, {"patient": context.patient_id, "status": "active"})
    except EhrError as error:
        return _tell_unread(type_, error.code)
    if not all(points_to(one.get("subject"), "Patient", context.patient_id, site.issuer) for one in found.matches):
        raise EhrGarbled("chart.other-patient", OTHER_PATIENT, "a medication's subject differs from the launch")
    if found.problems:
        log.warning("chart.medications.incomplete problems=%d", len(found.problems))
    active = [one for one in found.matches if _is_taken(one)]
    names = (_name_medication(one) for one in active)
    rows = [(reference_of(one), "Medication") for one in active]
    if found.problems:
        rows.append((type_, "Medications (not all could be read)"))
    return FoundMedications(tuple(dict.fromkeys(name for name in names if name)), tuple(rows))


def _tell_unread(type_: str, code: str) -> FoundMedications:
    log.warning("chart.medications.unread code=%s", code.replace(" ", "-"))
    return FoundMedications(rows=((type_, f"Medications (could not be read: {code})"),))


def _is_taken(resource: Resource) -> bool:
    """A server may ignore a parameter; and a request may say what is not to be given (R4, doNotPerform)."""
    return resource.get("status") == "active" and resource.get("doNotPerform") is not True


def _name_medication(resource: Resource) -> str:
    """Its name in words: its concept's, the reference's or that of the Medication inside it; a code alone is none."""
    if name := _name_concept(resource.get("medicationCodeableConcept")):
        return name
    pointed = resource.get("medicationReference")
    if name := describe_reference(pointed):
        return name
    wanted = pointed.get("reference") if isinstance(pointed, Mapping) else None
    inside = (one for one in list_objects(resource.get("contained")) if f"#{one.get('id')}" == wanted)
    return next((name for one in inside if (name := _name_concept(one.get("code")))), "")


def _name_concept(concept: Any) -> str:
    if not isinstance(concept, Mapping):
        return ""
    displays = (clean_text(coding.get("display")) for coding in list_objects(concept.get("coding")))
    return clean_text(concept.get("text")) or next((words for words in displays if words), "")
