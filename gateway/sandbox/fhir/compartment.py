"""Whose a resource is: the patient compartment (https://hl7.org/fhir/R4/compartmentdefinition-patient.html).

Pure. Enough for deciding whether a token for one patient may see a resource.
"""

import re
from collections.abc import Iterator
from typing import Any

from gateway.sandbox.fhir.backend import Resource

_PATIENT = re.compile(r"(?:.*/)?Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")

#: Where a resource of a type names the patients it belongs to. Types that are not listed are in no compartment.
_PATHS: dict[str, tuple[str, ...]] = {
    "AuditEvent": ("agent.who", "entity.what"),
    "Condition": ("subject", "asserter"),
    "Consent": ("patient",),
    "Device": ("patient",),
    "DocumentReference": ("subject", "author"),
    "Encounter": ("subject",),
    "Group": ("member.entity",),
    "MedicationStatement": ("subject",),
    "Patient": ("link.other",),
    "Provenance": ("target",),
    "RelatedPerson": ("patient",),
    "Binary": ("securityContext",),
}


def patients_of(resource: Resource) -> set[str]:
    """The ids of the patients in whose compartment a resource is; empty if it is in none.

    A Provenance belongs to the patients among its targets only; whoever guards one that targets a note has to look
    the note up. A couple's Encounter whose subject is a Group names no patient here either.
    """
    kind = resource.get("resourceType")
    own = {resource["id"]} if kind == "Patient" and isinstance(resource.get("id"), str) else set()
    found = (
        read_patient_id(reference)
        for path in _PATHS.get(str(kind), ())
        for element in walk(resource, path.split("."))
        if isinstance(element, dict) and isinstance(reference := element.get("reference"), str)
    )
    return own | {id_ for id_ in found if id_}


def read_patient_id(reference: str) -> str | None:
    """``Patient/1``, an absolute address or a versioned one → ``1``; anything else → None."""
    match = _PATIENT.fullmatch(reference)
    return match.group(1) if match else None


def walk(value: Any, path: list[str]) -> Iterator[Any]:
    """All elements at a dotted path, through lists."""
    if isinstance(value, list):
        for item in value:
            yield from walk(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from walk(value[path[0]], path[1:])
