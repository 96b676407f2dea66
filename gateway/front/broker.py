"""The broker: one small ASGI app for each visit, on ``<visit>.ehr.sock``; the visit's only way to anything.

``/fhir/*`` goes to this EHR's base and nowhere else: the token is added here, the ledger has an entry before
anything is sent, redirects are never followed. Answers pass as streams. ``POST /ledger`` appends or owes an entry;
``POST /ended`` is the visit's report of its own end. Nothing that passes is parsed, logged or kept.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import httpx
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError, LedgerError, VisitError
from gateway.front.access import Access
from gateway.front.scope import Call, May, Own, Refused, judge_call
from gateway.ledger.entry import MOST_RESOURCES, Entry
from gateway.ledger.log import Ledger
from gateway.visit.peer import talk_only_to

log = logging.getLogger("countersign.broker")

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REPORT_BYTES = 64 * 1024
# What a FHIR call says in its head. Nothing else is passed on: some servers take a method or an identity from it.
SENT_ON = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "cache-control", "content-type"),
        *("prefer", "if-match", "if-none-exist", "if-none-match", "if-modified-since"),
    }
)
NOT_SENT_BACK = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "set-cookie"}
)


Report = TypeVar("Report", bound=BaseModel)


Words = Annotated[str, StringConstraints(max_length=4000)]


class EndReport(BaseModel):
    """What a visit says of its own end: codes and the filed note's reference; ``problem`` is for its page alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: str = Field(pattern=r"^[a-z][a-z-]{0,19}$")
    document: str | None = Field(None, pattern=r"^DocumentReference/[A-Za-z0-9\-._]{1,128}$")
    destroyed: tuple[Words, ...] = Field((), max_length=20)
    problem: tuple[Words, Words] | None = None


class _LedgerAsk(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event: str = Field(pattern="^visit:")  # what the front does, it says itself
    outcome: str = ""
    counts: dict[str, int | str] = {}
    resources: tuple[Annotated[str, StringConstraints(max_length=400)], ...] = Field((), max_length=MOST_RESOURCES)
    owe: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Whose visit this is; known once the launch has held."""

    patient_id: str
    encounter_id: str | None
    user: str
    access: Access


class Broker:
    """The EHR's side of one visit.

    Args:
        http: reaches the EHR; follows no redirects.
        on_ended: called once with the visit's report; must not wait.
    """

    def __init__(
        self,
        visit_id: str,
        site: EhrSite,
        http: httpx.AsyncClient,
        ledger: Ledger,
        on_ended: Callable[[EndReport], None],
    ) -> None:
        self._visit_id = visit_id
        self._site = site
        self._base = site.issuer.rstrip("/")
        self._may = May(site.consent.answers == "write", site.consent.audit_events, site.chart.medications)
        self._http = http
        self._ledger = ledger
        self._on_ended = on_ended
        self._session: Session | None = None
        self._visitor: int | None = None
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self.app = Starlette(
            routes=[
                Route("/fhir", self._pass_call, methods=["GET", "POST", "PUT"]),
                Route("/fhir/{path:path}", self._pass_call, methods=["GET", "POST", "PUT"]),
                Route("/ledger", self._write_entry, methods=["POST"]),
                Route("/ended", self._take_report, methods=["POST"]),
            ],
            exception_handlers={CountersignError: _refuse},
        )

    def expect(self, pid: int) -> None:
        """From now on this process, and no other, is heard on the socket."""
        self._visitor = pid

    def admit(self, session: Session) -> None:
        """From now on the visit may read and write as this session."""
        self._session = session

    async def listen(self, path: Path) -> None:
        """Serve on the visit's socket, in this very loop."""
        config = uvicorn.Config(
            self.app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_keep_alive=3600
        )
        config.load()
        protocol = talk_only_to(lambda pid: pid == self._visitor)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: protocol(config=config, server_state=self._state, app_state={}), path=str(path)
        )

    def close(self) -> None:
        """Stop serving and break off what is under way; nothing is sent to the EHR any more."""
        self._session = None
        if self._server is not None:
            self._server.close()
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()

    def entry(self, event: str, outcome: str = "", **codes: str | int | bool | None) -> Entry:
        """An entry about this visit, with its patient and user where they are known."""
        session = self._session
        return Entry(
            event,
            outcome,
            visit=self._visit_id,
            site=self._site.id,
            patient=session.patient_id if session else "",
            user=session.user if session else "",
            codes=codes,
        )

    async def _write_entry(self, request: Request) -> Response:
        ask = _read(_LedgerAsk, await _read_body(request, MAX_REPORT_BYTES))
        entry = replace(self.entry(ask.event, ask.outcome, **ask.counts), resources=ask.resources)
        if ask.owe:
            self._ledger.owe(entry)
            return Response(status_code=202)
        await self._ledger.append(entry)
        return Response(status_code=204)

    async def _take_report(self, request: Request) -> Response:
        self._on_ended(_read(EndReport, await _read_body(request, MAX_REPORT_BYTES)))
        return Response(status_code=202)

    async def _pass_call(self, request: Request) -> Response:
        session = self._session
        if session is None:
            raise VisitError("broker.early", "The visit is not open yet. Open Countersign again from the EHR.")
        path = request.scope["raw_path"].decode("latin-1").removeprefix("/fhir").removeprefix("/")
        query = request.scope["query_string"].decode("latin-1")
        condition = request.headers.get("if-none-exist")
        own = Own(session.patient_id, session.encounter_id, session.user)
        match = request.headers.get("if-match")
        call = judge_call(request.method, path, query, own, self._base, condition, match, self._may)
        if isinstance(call, Refused):
            self._ledger.owe(self.entry("front:fhir:refused", call.code))
            log.error("broker.refused visit=%s code=%s", self._visit_id, call.code)
            return _say("broker.refused", "This visit may not ask the EHR for that.", 403)
        body = await _read_body(request, MAX_BODY_BYTES) if call.action in ("create", "update") else None
        token = await session.access.take_token()
        await self._ledger.append(self.entry(f"front:fhir:{call.action}", type=call.type))
        response = await self._send(call, query, request, body, token)
        if response.status_code == 401:
            with contextlib.suppress(CountersignError):  # no other token: the EHR's own 401 is the answer
                token = await session.access.renew_token(token)
                await self._ledger.append(self.entry(f"front:fhir:{call.action}", "again", type=call.type))
                await response.aclose()
                response = await self._send(call, query, request, body, token)
        return _Passed(response)

    async def _send(self, call: Call, query: str, request: Request, body: bytes | None, token: str) -> httpx.Response:
        """Raises:
        VisitError: it was certainly not sent (503), or nobody knows what became of it (504).
        """
        url = f"{self._base}/{call.path}".rstrip("/") + (f"?{query}" if query else "")
        headers = [(name, value) for name, value in request.headers.items() if name in SENT_ON]
        headers.append(("authorization", f"Bearer {token}"))
        timeout = httpx.Timeout(self._site.timeout_seconds)
        outgoing = self._http.build_request(request.method, url, headers=headers, content=body, timeout=timeout)
        try:
            return await self._http.send(outgoing, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            log.error("broker.unreached visit=%s error=%s", self._visit_id, type(error).__name__)
            raise _Unreached("broker.unreached", "The EHR could not be reached. Try again in a moment.") from error
        except httpx.HTTPError as error:
            log.error("broker.unanswered visit=%s error=%s", self._visit_id, type(error).__name__)
            raise _Unanswered("broker.unanswered", "The EHR did not answer. Try again in a moment.") from error


class _Unreached(VisitError):
    status = 503


class _Unanswered(VisitError):
    status = 504


class _Passed(Response):
    """An EHR's answer, passed on as it comes: still compressed, chunk by chunk."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = [pair for pair in self._response.headers.raw if pair[0].lower().decode() not in NOT_SENT_BACK]
            status = self._response.status_code
            await send(
                {"type": "http.response.start", "status": status, "headers": [(n.lower(), v) for n, v in headers]}
            )
            async for chunk in _raw_chunks(self._response):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._response.aclose()


async def _raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """Ends early where the EHR breaks off: the visit sees a short body on a closed connection, as it was."""
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        raise ConnectionAbortedError(type(error).__name__) from error


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, CountersignError)
    return _say(error.code, error.public, error.status)


def _say(code: str, message: str, status: int) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise VisitError("broker.size", "That is more than one note can hold. Shorten it.")
    return bytes(body)


def _read(model: type[Report], body: bytes) -> Report:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise LedgerError(
            "ledger.content", "The step was not taken: its log entry was not in order.", f"{error.error_count()} faults"
        ) from None
