"""What a sandbox is started with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from gateway.sandbox.fhir.backend import FhirBackend
from gateway.sandbox.smart.clients import Client
from gateway.sandbox.smart.policy import Policy


def read_clock() -> datetime:
    """Now, in this machine's own zone, which is the invented practice's too."""
    return datetime.now(UTC).astimezone()


async def fetch_json(url: str) -> Mapping[str, Any]:
    """Reads a client's JWKS; as at Epic, the address must not redirect.

    Raises:
        OSError: it can't be had, or is no JSON object.
    """
    try:
        async with httpx.AsyncClient(timeout=5, follow_redirects=False, trust_env=False) as http:
            reply = await http.get(url)
        value = reply.json() if reply.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise OSError("the JWKS can't be read") from error
    if not isinstance(value, dict):
        raise OSError("the JWKS URL did not answer with a JSON object")
    return value


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """
    Args:
        origin: the sandbox's own address, without a slash at its end.
        gateway_url: where Countersign listens, as browsers know it.
        fhir_url: another FHIR R4 server to be the record; empty: the sandbox's own, in memory.
        faults: serve ``/_faults`` and ``/_policy``, with which tests make the EHR misbehave.
        prefix: begins the ids of the seed; with another server as the record it keeps them apart.
        extra_clients: more registrations.
        backend: a record to use in place of the sandbox's own (tests).
        fetch: reads a JWKS URL.
        plant_at_start: put the invented practice into the record when the application starts (ASGI lifespan).
    """

    origin: str = "http://127.0.0.1:9000"
    gateway_url: str = "http://localhost:8000"
    fhir_url: str = ""
    faults: bool = False
    prefix: str = ""
    extra_clients: tuple[Client, ...] = ()
    policy: Policy = field(default_factory=Policy)
    clock: Callable[[], datetime] = read_clock
    backend: FhirBackend | None = None
    fetch: Callable[[str], Awaitable[Mapping[str, Any]]] = fetch_json
    plant_at_start: bool = True
