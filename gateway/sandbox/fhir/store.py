"""The versions of all resources, in memory, in the order in which they were written.

Nothing is ever overwritten: a search may look at the store as it was at an earlier write (``as_of``), which is what
keeps pages of one search together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.sandbox.fhir.backend import Resource


@dataclass(frozen=True, slots=True)
class Version:
    """One version. ``resource`` is None where this version is a deletion; ``method`` is what made it."""

    sequence: int
    type: str
    id: str
    number: int
    when: datetime
    method: str
    resource: Resource | None

    @property
    def etag(self) -> str:
        return f'W/"{self.number}"'

    @property
    def path(self) -> str:
        return f"{self.type}/{self.id}/_history/{self.number}"


class Store:
    """Keeps versions; decides nothing."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, list[Version]]] = {}
        self._next_id = 1000
        self.sequence = 0

    def history(self, type_: str, id_: str) -> list[Version]:
        """Oldest first; empty for an id that never was."""
        return self._versions.get(type_, {}).get(id_, [])

    def latest(self, type_: str, id_: str, as_of: int | None = None) -> Version | None:
        versions = self.history(type_, id_)
        return next((v for v in reversed(versions) if as_of is None or v.sequence <= as_of), None)

    def living(self, type_: str, as_of: int | None = None) -> Iterator[Version]:
        """The resources of a type that are not deleted, in the order in which they were created."""
        for id_ in self._versions.get(type_, {}):
            version = self.latest(type_, id_, as_of)
            if version and version.resource is not None:
                yield version

    def new_id(self, type_: str) -> str:
        """Digits, as HAPI gives them; clients may not choose such ids."""
        self._next_id += 1
        return str(self._next_id)

    def add(self, type_: str, id_: str, method: str, when: datetime, resource: Resource | None) -> Version:
        """Writes the next version; sets the resource's ``id``, ``meta.versionId`` and ``meta.lastUpdated``."""
        versions = self._versions.setdefault(type_, {}).setdefault(id_, [])
        number = len(versions) + 1
        self.sequence += 1
        if resource is not None:
            given = {k: v for k, v in resource.items() if k not in ("resourceType", "id", "meta")}
            meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
            stamp = when.isoformat(timespec="milliseconds")
            meta = {"versionId": str(number), "lastUpdated": stamp, **meta}
            resource = {"resourceType": type_, "id": id_, "meta": meta, **given}
        version = Version(self.sequence, type_, id_, number, when, method, resource)
        versions.append(version)
        return version
