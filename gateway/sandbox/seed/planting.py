"""Puts the seed into a record, by update under its own ids: a second start finds the same people."""

from collections.abc import Iterable

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirClient


async def plant_seed(record: FhirClient, resources: Iterable[Resource]) -> None:
    """Stores each resource, one after another.

    Raises:
        FhirRefused: the record does not take one of them.
    """
    for resource in resources:
        await record.update(resource)


async def move_visits(record: FhirClient, resources: Iterable[Resource]) -> None:
    """Stores today's visits alone: a record that was planted yesterday gets them for a new day."""
    for resource in resources:
        if resource["resourceType"] == "Encounter" and resource["id"].endswith("-today"):
            await record.update(resource)
