"""Whose a resource is, where the resource alone does not say: a couple's visit, what a Provenance is about.

Asks the record for the Group or the targets behind a reference; ``fhir.compartment`` tells what a resource says itself.
"""

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirClient, FhirRefused
from gateway.sandbox.fhir.compartment import patients_of, read_patient_id, walk

#: Types that are about no patient and that a patient's token may read: who treats, and where.
SHARED = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService"})


class Compartment:
    """Answers for one record; remembers nothing, since a note's patient may be corrected."""

    def __init__(self, record: FhirClient) -> None:
        self._record = record

    async def may_see(self, resource: Resource, patient: str) -> bool:
        """Whether a token for this patient may see it."""
        kind = resource["resourceType"]
        if kind == "Patient":  # a linked patient is in the compartment, but not this token's business
            return resource.get("id") == patient
        if kind in SHARED:
            return True
        if kind == "Device" and "patient" not in resource:
            return True
        return patient in await self.find_patients(resource)

    async def belongs_only_to(self, resource: Resource, patients: set[str]) -> bool:
        """Whether a token for these patients may write it: it is about them and about nobody else."""
        kind = resource["resourceType"]
        if kind == "Patient":
            return resource.get("id") in patients
        if kind == "Device" and "patient" not in resource:
            return True
        named = await self.find_patients(resource)
        return bool(named) and named <= patients

    async def find_patients(self, resource: Resource) -> set[str]:
        """The patients whom a resource is about, looked up where it only points to something about them."""
        found = patients_of(resource)
        kind = resource["resourceType"]
        if kind in ("Encounter", "DocumentReference", "Condition", "MedicationStatement"):
            return found | await self._follow(resource, "subject", "Group")
        if kind == "Provenance":
            return found | await self._follow(resource, "target", None)
        return found

    async def _follow(self, resource: Resource, element: str, only: str | None) -> set[str]:
        """The patients of what the references in an element point to; what is no reference is about nobody."""
        found: set[str] = set()
        for reference in walk(resource, [element]):
            target = reference.get("reference") if isinstance(reference, dict) else None
            parts = str(target).split("/_history/")[0].split("/")[-2:]
            if len(parts) != 2 or (only and parts[0] != only) or read_patient_id("/".join(parts)):
                continue
            try:
                found |= patients_of(await self._record.read(parts[0], parts[1]))
            except FhirRefused:
                continue  # nor is what is not there
        return found
