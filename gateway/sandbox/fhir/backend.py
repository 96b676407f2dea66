"""A FHIR server as seen by those who call it in-process: one request in, one reply out.

``MemoryBackend`` (the sandbox's own record), ``RemoteBackend`` (another FHIR server behind the sandbox) and
``FaultyBackend`` (either, with faults) are all ``FhirBackend``. Whoever is allowed to call is decided before: a backend
knows nothing of tokens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

FHIR_JSON = "application/fhir+json;charset=UTF-8"

#: A FHIR resource as JSON gives it. The only place where ``Any`` is at home.
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """A request below the base address.

    Args:
        method: ``GET``, ``HEAD``, ``POST``, ``PUT``, ``DELETE`` …
        path: without the base and without a slash before it: ``Patient/1``, ``Patient``, ``metadata``,
            ``DocumentReference/_search``, ``Patient/1/_history/2``; empty for the base itself (paging links of HAPI).
        query: decoded pairs, in order, names may repeat.
        headers: any spelling of the names; ask with ``header``.
        body: as received.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name."""
        return find_header(self.headers, name)


@dataclass(frozen=True, slots=True)
class FhirReply:
    """The answer: ``headers`` in their usual spelling, without Content-Length (who sends it adds that)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return find_header(self.headers, name)

    def resource(self) -> Resource | None:
        """The resource or bundle in the body, or None if there is none (or no JSON object)."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) and "resourceType" in value else None


class FhirBackend(Protocol):
    """Anything that answers FHIR requests."""

    async def handle(self, request: FhirRequest) -> FhirReply: ...


def find_header(headers: Mapping[str, str], name: str) -> str | None:
    """One header by its name, whatever its case."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), None)


def write_json(resource: Mapping[str, Any]) -> bytes:
    """A resource as it goes over the wire: UTF-8, compact."""
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
