"""The sandbox EHR as one ASGI application: the record, its guard, the authorization server and the chart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.sandbox.chart.notes import find_lock
from gateway.sandbox.chart.pages import Pages
from gateway.sandbox.chart.routes import ChartServer, create_chart_routes
from gateway.sandbox.faults import FaultPlan, FaultyBackend, create_fault_routes
from gateway.sandbox.fhir.backend import FhirBackend
from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.fhir.connection import BreakableServer
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.remote import RemoteBackend
from gateway.sandbox.fhir.routes import OpenGuard, create_fhir_routes
from gateway.sandbox.practice import Practice
from gateway.sandbox.seed import build_seed, plant_seed
from gateway.sandbox.settings import SandboxSettings
from gateway.sandbox.smart.authorize import create_authorize_routes
from gateway.sandbox.smart.clients import Clients, register_clients
from gateway.sandbox.smart.discovery import create_discovery_routes
from gateway.sandbox.smart.grants import Grants
from gateway.sandbox.smart.guard import GuardedBackend, SmartGuard
from gateway.sandbox.smart.introspection import create_introspection_routes
from gateway.sandbox.smart.policy import Policy
from gateway.sandbox.smart.server import Addresses, SmartServer
from gateway.sandbox.smart.token import create_token_route

#: What an app calls from its own page in a browser; the chart is nobody else's to read.
_OPEN_TO_OTHER_ORIGINS = ("/fhir", "/auth/token", "/auth/jwks", "/auth/revoke", "/auth/.well-known")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a running sandbox, at ``app.state.sandbox``, for tests and for trying things."""

    addresses: Addresses
    backend: FhirBackend
    record: FhirClient
    practice: Practice
    clients: Clients
    grants: Grants
    policy: Policy
    chart: ChartServer
    faults: FaultPlan

    async def plant(self) -> None:
        """Puts the invented practice into the record (done at start-up)."""
        await plant_seed(self.record, build_seed(self.practice.clock(), self.practice.prefix))


def create_sandbox(settings: SandboxSettings) -> Starlette:
    """Builds a sandbox EHR; its start-up (ASGI lifespan) plants the seed."""
    addresses = Addresses(settings.origin)
    backend = _open_record(settings, addresses)
    record = FhirClient(backend)

    def now() -> float:
        return settings.clock().timestamp()

    practice = Practice(
        record, settings.clock, settings.prefix, f"{settings.prefix}mara-ellison", settings.clock().date()
    )
    registered = register_clients(settings.gateway_url, settings.extra_clients)
    clients = Clients(registered, addresses.endpoint("token"), settings.fetch, now)
    grants = Grants(settings.policy, now)
    pages = Pages(settings.gateway_url)
    smart = SmartServer(addresses, clients, grants, settings.policy, practice, pages, now)
    chart = ChartServer(practice, grants, addresses, pages, settings.gateway_url)
    sandbox = Sandbox(addresses, backend, record, practice, clients, grants, settings.policy, chart, FaultPlan())

    routes: list[BaseRoute] = [
        *create_discovery_routes(smart),
        *create_authorize_routes(smart),
        create_token_route(smart),
        *create_introspection_routes(smart),
        *create_fhir_routes(_guard_record(sandbox), OpenGuard()),
        *create_chart_routes(chart),
    ]
    if settings.faults:
        routes = [*_create_fault_routes(sandbox), *routes]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if settings.plant_at_start:
            await sandbox.plant()
        yield
        if isinstance(backend, RemoteBackend):
            await backend.close()
        elif isinstance(backend, MemoryBackend):
            await backend.subscriptions.close()

    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.sandbox = sandbox
    app.add_middleware(_CrossOrigin)
    # The chart has no password: a name that another site lets resolve to this machine must not reach it.
    hosts = ["127.0.0.1", "localhost", urlsplit(settings.origin).hostname or ""]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    if settings.faults:
        app.middleware_stack = BreakableServer(app.build_middleware_stack())
    return app


def _open_record(settings: SandboxSettings, addresses: Addresses) -> FhirBackend:
    def utc() -> datetime:
        return settings.clock().astimezone(UTC)

    if settings.backend is not None:
        return settings.backend
    if settings.fhir_url:
        return RemoteBackend(settings.fhir_url, addresses.fhir)
    return MemoryBackend(addresses.fhir, utc)


def _guard_record(sandbox: Sandbox) -> FhirBackend:
    """The record as apps meet it: behind the guard, and with the faults of the way there. The chart has neither."""
    guard = SmartGuard(sandbox.grants, sandbox.backend, sandbox.addresses, find_lock)
    return FaultyBackend(GuardedBackend(guard, sandbox.backend), sandbox.faults, sandbox.backend)


def _create_fault_routes(sandbox: Sandbox) -> list[Route]:
    """``/_faults`` for the record's faults, ``/_policy`` for those of the authorization server."""

    async def change_policy(http: Request) -> Response:
        try:
            sandbox.policy.change(await http.json())
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)
        return Response(status_code=204)

    async def expire_tokens(_: Request) -> Response:
        sandbox.grants.expire_access()
        return Response(status_code=204)

    return [
        *create_fault_routes(sandbox.faults),
        Route("/_policy", change_policy, methods=["PUT"]),
        Route("/_policy/expire", expire_tokens, methods=["POST"]),
    ]


class _CrossOrigin:
    """CORS for what apps call with a token of their own (SMART 2.2 asks for it); nothing for the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Location", "Content-Location", "ETag", "Last-Modified", "WWW-Authenticate"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and scope["path"].startswith(_OPEN_TO_OTHER_ORIGINS)
        await (self._open if is_open else self._plain)(scope, receive, send)
