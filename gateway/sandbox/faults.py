"""Faults on request: an EHR that fails as EHRs and networks do, for tests.

A ``FaultPlan`` says what goes wrong, when and how often; ``FaultyBackend`` puts it in front of any ``FhirBackend``.
``create_fault_routes`` lets a test in another process set the plan over HTTP; mount them only in a sandbox that was
started for this. Faults of the connection need ``BreakableServer`` around the application (``fhir/connection.py``).
The chart page works on the backend behind the faults: they meet the EHR's clients, not the EHR.

Example: ``plan.arm(ArmedFault(Fault.DROP_REPLY, kind=Kind.CREATE, type="DocumentReference"))`` lets the next note be
stored and its answer be lost.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirBackend, FhirReply, FhirRequest, Resource, write_json
from gateway.sandbox.fhir.connection import ConnectionBroken
from gateway.sandbox.fhir.interaction import Interaction, Kind, read_interaction
from gateway.sandbox.fhir.outcome import Refusal, build_outcome, write_refusal

Next = Callable[[FhirRequest], Awaitable[FhirReply]]


class Fault(StrEnum):
    """What can go wrong."""

    DROP_REQUEST = "drop-request"  # never arrives; the connection closes without an answer
    DROP_REPLY = "drop-reply"  # is done; the connection closes without an answer
    RESET_BODY = "reset-body"  # is done; the connection is reset in the middle of the answer
    STALL = "stall"  # is done; nothing comes for ``seconds``, then the connection closes
    STATUS_401 = "401"
    STATUS_409 = "409"
    STATUS_412 = "412"
    STATUS_429 = "429"
    STATUS_500 = "500"
    STATUS_503 = "503"
    WRONG_OK = "wrong-ok"  # not done; 200 with something that was not asked for
    HTML = "html"  # not done; 200 with a page of a proxy
    STALE_SEARCH = "stale-search"  # the index has not seen what was written since the fault was armed
    FOREIGN_MATCH = "foreign-match"  # a search finds one resource that does not answer it
    DOUBLE_CREATE = "double-create"  # stored twice, If-None-Exist or not (HAPI before 8, under load)
    IGNORE_PRELIMINARY = "ignore-preliminary"  # a preliminary document is stored as final
    EPIC = "epic"  # answers as Epic documents it
    ORACLE = "oracle"  # answers as Oracle Health documents it


_STATUSES: dict[Fault, tuple[str, dict[str, str]]] = {
    Fault.STATUS_401: ("login", {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
    Fault.STATUS_409: ("conflict", {}),
    Fault.STATUS_412: ("conflict", {}),
    Fault.STATUS_429: ("throttled", {"Retry-After": "1"}),
    Fault.STATUS_500: ("exception", {}),
    Fault.STATUS_503: ("transient", {"Retry-After": "1"}),
}


@dataclass(frozen=True, slots=True)
class ArmedFault:
    """A fault and what it applies to.

    Args:
        kind: only this interaction; None for any.
        type: only this resource type; None for any.
        times: how often, None for always.
        after: so many matching requests pass first.
        seconds: how long a stall lasts.
        performed: for statuses, HTML and the wrong 200: the request is done all the same, only its answer is bad.
    """

    fault: Fault
    kind: Kind | None = None
    type: str | None = None
    times: int | None = 1
    after: int = 0
    seconds: float = 30.0
    performed: bool = False
    written_before: int = 0

    def applies_to(self, asked: Interaction) -> bool:
        return self.kind in (None, asked.kind) and self.type in (None, asked.type)


class FaultPlan:
    """Which faults are armed. Later ones are nearer to the client: a dropped reply may be armed over Epic's way."""

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []
        self._written: list[str] = []

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        return tuple(self._armed)

    def arm(self, fault: ArmedFault) -> None:
        """Adds a fault; what is written from now on is what a stale search does not see."""
        self._armed.append(replace(fault, written_before=len(self._written)))

    def clear(self) -> None:
        self._armed.clear()

    def note_written(self, reference: str) -> None:
        """``DocumentReference/1001`` was created or changed."""
        self._written.append(reference)

    def written_since(self, fault: ArmedFault) -> set[str]:
        return set(self._written[fault.written_before :])

    def take(self, asked: Interaction) -> list[ArmedFault]:
        """The faults that this request meets, in the order in which they were armed; each is counted as used."""
        due: list[ArmedFault] = []
        kept: list[ArmedFault] = []
        for armed in self._armed:
            if not armed.applies_to(asked):
                kept.append(armed)
            elif armed.after > 0:
                kept.append(replace(armed, after=armed.after - 1))
            else:
                due.append(armed)
                if armed.times is None:
                    kept.append(armed)
                elif armed.times > 1:
                    kept.append(replace(armed, times=armed.times - 1))
        self._armed = kept
        return due


class FaultyBackend:
    """A backend that fails as its plan says; without a plan it changes nothing.

    Args:
        backend: what answers; where it is a guarded one, faults come after the guard, as on the wire.
        plan: what goes wrong.
        record: the record behind a guard, for the resources that a foreign match adds; None: ``backend`` itself.
    """

    def __init__(self, backend: FhirBackend, plan: FaultPlan, record: FhirBackend | None = None) -> None:
        self._backend = backend
        self._plan = plan
        self._record = record or backend

    async def handle(self, request: FhirRequest) -> FhirReply:
        """Answers, or fails.

        Raises:
            ConnectionBroken: where no (whole) answer is to come.
        """
        try:
            asked = read_interaction(request)
        except Refusal:
            return await self._backend.handle(request)
        step: Next = self._perform
        for armed in self._plan.take(asked):
            step = self._wrap(armed, asked, step)
        return await step(request)

    async def _perform(self, request: FhirRequest) -> FhirReply:
        reply = await self._backend.handle(request)
        if request.method in ("POST", "PUT") and reply.status in (200, 201):
            address = (reply.header("location") or reply.header("content-location") or "").split("/_history/")[0]
            self._plan.note_written("/".join(address.split("/")[-2:]))
        return reply

    def _wrap(self, armed: ArmedFault, asked: Interaction, step: Next) -> Next:
        async def fail(request: FhirRequest) -> FhirReply:
            match armed.fault:
                case Fault.DROP_REQUEST:
                    raise ConnectionBroken
                case Fault.DROP_REPLY:
                    await step(request)
                    raise ConnectionBroken
                case Fault.RESET_BODY:
                    raise ConnectionBroken(await step(request))
                case Fault.STALL:
                    await step(request)
                    raise ConnectionBroken(stall_seconds=armed.seconds)
                case Fault.STALE_SEARCH:
                    return _hide(await step(request), asked, self._plan.written_since(armed))
                case Fault.FOREIGN_MATCH:
                    return await self._add_foreign(await step(request), asked)
                case Fault.DOUBLE_CREATE:
                    return await _create_twice(request, asked, step)
                case Fault.IGNORE_PRELIMINARY:
                    return await step(_finalise(request, asked))
                case Fault.EPIC:
                    return await _answer_as_epic(request, asked, step)
                case Fault.ORACLE:
                    return await _answer_as_oracle(request, asked, step)
                case Fault.WRONG_OK | Fault.HTML:
                    if armed.performed:
                        await step(request)
                    return _answer_wrongly(armed.fault)
                case (
                    Fault.STATUS_401 | Fault.STATUS_409 | Fault.STATUS_412 | Fault.STATUS_429 | Fault.STATUS_500
                    | Fault.STATUS_503
                ):  # fmt: skip
                    if armed.performed:
                        await step(request)
                    code, headers = _STATUSES[armed.fault]
                    return write_refusal(Refusal(int(armed.fault), code, "This fault was asked for."), headers)
                case _:
                    assert_never(armed.fault)

        return fail

    async def _add_foreign(self, reply: FhirReply, asked: Interaction) -> FhirReply:
        bundle = reply.resource()
        if asked.kind is not Kind.SEARCH or asked.type is None or bundle is None:
            return reply
        entries = bundle.setdefault("entry", [])
        known = {entry.get("fullUrl") for entry in entries}
        everything = (await self._record.handle(FhirRequest("GET", asked.type, (("_count", "200"),)))).resource() or {}
        strangers = [entry for entry in everything.get("entry", []) if entry.get("fullUrl") not in known]
        entries += strangers[:1]
        bundle["total"] = bundle.get("total", 0) + len(strangers[:1])
        return replace(reply, body=write_json(bundle))


def create_fault_routes(plan: FaultPlan, path: str = "/_faults") -> list[Route]:
    """GET lists what is armed, POST arms one (the fields of ``ArmedFault`` as JSON), DELETE clears."""

    async def list_faults(http: Request) -> Response:
        return JSONResponse([_describe(armed) for armed in plan.armed])

    async def arm_fault(http: Request) -> Response:
        try:
            armed = _read_fault(json.loads(await http.body()))
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"not a fault: {error}"}, status_code=400)
        plan.arm(armed)
        return JSONResponse(_describe(armed), status_code=201)

    async def clear_faults(http: Request) -> Response:
        plan.clear()
        return Response(status_code=204)

    return [
        Route(path, list_faults, methods=["GET"]),
        Route(path, arm_fault, methods=["POST"]),
        Route(path, clear_faults, methods=["DELETE"]),
    ]


def _read_fault(body: Any) -> ArmedFault:
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")
    unknown = set(body) - {"fault", "kind", "type", "times", "after", "seconds", "performed"}
    if unknown:
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
    kind = body.get("kind")
    times = body.get("times", 1)
    return ArmedFault(
        Fault(body["fault"]),
        Kind(kind) if kind is not None else None,
        body.get("type"),
        int(times) if times is not None else None,
        int(body.get("after", 0)),
        float(body.get("seconds", 30.0)),
        bool(body.get("performed", False)),
    )


def _describe(armed: ArmedFault) -> dict[str, Any]:
    return {
        "fault": armed.fault, "kind": armed.kind, "type": armed.type, "times": armed.times, "after": armed.after,
        "seconds": armed.seconds, "performed": armed.performed,
    }  # fmt: skip


def _is_document(asked: Interaction, *kinds: Kind) -> bool:
    return asked.type == "DocumentReference" and asked.kind in kinds


def _read_sent(request: FhirRequest) -> Resource:
    return FhirReply(200, body=request.body).resource() or {}


def _without(request: FhirRequest, *names: str) -> FhirRequest:
    return replace(request, headers={k: v for k, v in request.headers.items() if k.lower() not in names})


def _hide(reply: FhirReply, asked: Interaction, references: set[str]) -> FhirReply:
    bundle = reply.resource()
    if asked.kind is not Kind.SEARCH or bundle is None or "entry" not in bundle:
        return reply
    seen = [e for e in bundle["entry"] if "/".join(e.get("fullUrl", "").split("/")[-2:]) not in references]
    hidden = len(bundle["entry"]) - len(seen)
    shown = {k: v for k, v in bundle.items() if k != "entry"} | ({"entry": seen} if seen else {})
    if "total" in shown:
        shown["total"] -= hidden
    return replace(reply, body=write_json(shown))


async def _create_twice(request: FhirRequest, asked: Interaction, step: Next) -> FhirReply:
    reply = await step(request)
    if asked.kind is Kind.CREATE and reply.status == 201:
        await step(_without(request, "if-none-exist"))
    return reply


def _finalise(request: FhirRequest, asked: Interaction) -> FhirRequest:
    document = _read_sent(request)
    if _is_document(asked, Kind.CREATE, Kind.UPDATE) and document.get("docStatus") == "preliminary":
        return replace(request, body=write_json(document | {"docStatus": "final"}))
    return request


async def _answer_as_epic(request: FhirRequest, asked: Interaction, step: Next) -> FhirReply:
    """201, no body unless asked for, a relative Location, no ETag, no conditional create; nothing can be changed."""
    if asked.kind is Kind.CREATE and asked.type == "Provenance":
        return _refuse_interaction("Provenance can't be created here.")
    if _is_document(asked, Kind.UPDATE, Kind.DELETE):
        return _refuse_interaction("Notes can't be changed or deleted through this interface.")
    if asked.kind is not Kind.CREATE:
        return await step(request)
    reply = await step(_without(request, "if-none-exist"))
    if reply.status != 201:
        return reply
    location = (reply.header("location") or "").split("/_history/")[0]
    headers = {"Location": "/".join(location.split("/")[-2:])}
    if "return=representation" in (request.header("prefer") or ""):
        return FhirReply(201, headers | {"Content-Type": FHIR_JSON}, reply.body)
    return FhirReply(201, headers)


async def _answer_as_oracle(request: FhirRequest, asked: Interaction, step: Next) -> FhirReply:
    """Providers write final notes only; 201 without a body, absolute Location and ETag."""
    if _is_document(asked, Kind.CREATE) and _read_sent(request).get("docStatus") not in ("final", "amended"):
        return write_refusal(Refusal(422, "business-rule", "docStatus must be final.", "DocumentReference.docStatus"))
    reply = await step(request)
    if asked.kind is Kind.CREATE and reply.status == 201:
        kept = {k: v for k, v in reply.headers.items() if k in ("Location", "ETag", "Last-Modified")}
        return FhirReply(201, kept)
    return reply


def _refuse_interaction(words: str) -> FhirReply:
    return write_refusal(Refusal(405, "not-supported", words))


def _answer_wrongly(fault: Fault) -> FhirReply:
    if fault is Fault.HTML:
        page = b"<!doctype html><html><title>Sign in</title><body><h1>Your session has ended</h1></body></html>"
        return FhirReply(200, {"Content-Type": "text/html;charset=UTF-8"}, page)
    outcome = build_outcome("informational", "All is well.", "information")
    return FhirReply(200, {"Content-Type": FHIR_JSON}, write_json(outcome))
