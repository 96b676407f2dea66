"""A backend behind HTTP: FHIR under one base path, every request past a guard.

The guard is who decides: it sees each request and the bearer token before the backend does, and each reply before the
caller does. What is asked is told by ``interaction.read_interaction``, whose a resource is by
``compartment.patients_of``.
"""

from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox.fhir.backend import FhirBackend, FhirReply, FhirRequest
from gateway.sandbox.fhir.connection import BrokenResponse, ConnectionBroken
from gateway.sandbox.fhir.outcome import Refusal, write_refusal
from gateway.sandbox.fhir.validation import MAX_SIZE_BYTES

Grant = TypeVar("Grant")

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


class FhirGuard(Protocol[Grant]):
    """Who may ask what. ``Grant`` is the guard's own; it travels from ``allow`` to ``filter_reply`` untouched."""

    async def allow(self, request: FhirRequest, bearer: str | None) -> Grant:
        """Lets a request through or raises ``Refusal`` (401, 403). ``bearer`` is the token, None without one."""
        ...

    async def filter_reply(self, grant: Grant, request: FhirRequest, reply: FhirReply) -> FhirReply:
        """The reply as this grant may see it, or ``Refusal``."""
        ...


class OpenGuard:
    """Lets everyone in; for tests of the FHIR server by itself."""

    async def allow(self, request: FhirRequest, bearer: str | None) -> None:
        return None

    async def filter_reply(self, grant: None, request: FhirRequest, reply: FhirReply) -> FhirReply:
        return reply


def create_fhir_routes(backend: FhirBackend, guard: FhirGuard[Grant], *, base_path: str = "/fhir") -> list[Route]:
    """Routes for a Starlette or FastAPI application; the base path itself is one of them."""

    async def answer(http: Request) -> Response:
        try:
            request = await _read_request(http)
            grant = await guard.allow(request, _read_bearer(http))
            reply = await guard.filter_reply(grant, request, await backend.handle(request))
        except Refusal as refusal:
            challenge = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
            reply = write_refusal(refusal, challenge)
        except ConnectionBroken as broken:
            return BrokenResponse(broken)
        return Response(b"" if http.method == "HEAD" else reply.body, reply.status, dict(reply.headers))

    return [
        Route(base_path or "/", answer, methods=_METHODS),
        Route(f"{base_path}/{{path:path}}", answer, methods=_METHODS),
    ]


async def _read_request(http: Request) -> FhirRequest:
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_SIZE_BYTES:
            raise Refusal(413, "too-long", f"A request may have {MAX_SIZE_BYTES // 2**20} MiB at most.")
    path = http.path_params.get("path", "")
    query = tuple((name, value) for name, value in http.query_params.multi_items())
    return FhirRequest(http.method, path, query, dict(http.headers), bytes(body))


def _read_bearer(http: Request) -> str | None:
    scheme, _, token = http.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
