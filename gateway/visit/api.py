"""The visit's HTTP API, on its Unix socket: ``/api/*`` is the browser's (relayed), ``/internal/*`` the front's alone.

Bodies are read in memory only and within limits; a framework's form parsing, which spools to disk, is never used.
Every answer to the browser is the view, or ``{"error": {"code", "message"}}``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.exceptions import HTTPException

from gateway.consent.activity import Activity
from gateway.consent.asking import AskedAnswers
from gateway.consent.room import Said
from gateway.ehr.context import admit_launch
from gateway.errors import CaptureError, CountersignError, VisitError
from gateway.note.review import Decision, RiskDecision
from gateway.visit.consent_view import show_wording
from gateway.visit.events import Way
from gateway.visit.faults import FaultGuard
from gateway.visit.session_socket import add_session_route
from gateway.visit.stage import FAULT
from gateway.visit.view import show_view
from gateway.visit.workflow import Visit

log = logging.getLogger("countersign.visit")

MAX_AUDIO_BYTES = 100_000_000
MAX_JSON_BYTES = 4_000_000
KEEP_ALIVE_SECONDS = 15.0
AUDIO_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/flac", "audio/x-flac")
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Encounter(_Body):
    id: Id | None


class _Telehealth(_Body):
    remote: bool


class _Way(_Body):
    way: Way
    format: Id


class _Answers(_Body):
    language: Id
    performer: Id
    how: Literal["spoken", "signed"]
    witness: Literal["clinician", "staff", "nobody"]
    given_at: datetime | None = None
    answers: dict[Activity, Literal["yes", "no"]]


class _Capture(_Body):
    do: Literal["start", "pause", "stop", "discard"]


class _Person(_Body):
    id: Id | None = None
    role: str = ""
    answers: dict[Activity, Said] = {}


class _PersonLeft(_Body):
    id: Id


class _Typed(_Body):
    text: str
    observations: str = ""


class _DraftAsked(_Body):
    format: Id


class _Section(_Body):
    id: Id
    decision: Literal[Decision.ACCEPTED, Decision.EDITED, Decision.STRUCK, Decision.OPEN]
    text: str = ""


class _Risk(_Body):
    number: int
    decision: RiskDecision


class _Take(_Body):
    number: int
    text: str


class _Line(_Body):
    number: int
    heard: str
    text: str


class _File(_Body):
    attested: bool
    version: int


class _Nothing(_Body):
    pass


def create_visit_app(visit: Visit) -> FastAPI:
    """The ASGI app of one visit's process."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(FaultGuard, answer=lambda _: _error("visit.fault", FAULT, 500), log=log, event="visit.fault")

    def answer() -> JSONResponse:
        return JSONResponse(show_view(visit), headers={"Cache-Control": "no-store"})

    @app.exception_handler(CountersignError)
    async def refuse(_: Request, error: CountersignError) -> JSONResponse:
        log.info("visit.refused code=%s", error.code)
        return _error(error.code, error.public, error.status)

    @app.exception_handler(HTTPException)
    async def refuse_path(_: Request, error: HTTPException) -> JSONResponse:
        nothing = VisitError("visit.path", "The page asked for something that is not there. Reload it.")
        return _error(nothing.code, nothing.public, error.status_code)

    @app.get("/api/view")
    async def view() -> Response:
        return answer()

    @app.get("/api/events")
    async def events(request: Request) -> Response:
        return StreamingResponse(_follow(visit, request), media_type="text/event-stream", headers=_NO_STORE)

    @app.get("/api/wording")
    async def wording(language: str) -> Response:
        if language not in visit.tools.wordings:
            raise VisitError("visit.language", "There is no page to read with the patient in that language here.")
        return JSONResponse(show_wording(visit.tools.wordings[language]), headers=_NO_STORE)

    @app.get("/api/segments/{number:int}/sound")
    async def sound(number: int) -> Response:
        found = visit.listening.play(number)
        if found is None:
            gone = VisitError("visit.sound", "The sound of this line is not there any more. Read the line.")
            return _error(gone.code, gone.public, 404)
        return Response(found, media_type="audio/wav", headers=_NO_STORE)

    def on_post(path: str, model: type[_Body], act: Callable[..., Awaitable[None]]) -> None:
        async def handle(request: Request) -> Response:
            await act(await _read_json(request, model))
            return answer()

        app.add_api_route(f"/api/{path}", handle, methods=["POST"], response_model=None)

    capture = {
        "start": visit.ask_capture,
        "pause": visit.consent.pause_capture,
        "stop": visit.consent.stop_capture,
        "discard": visit.discard_capture,
    }
    on_post("encounter", _Encounter, lambda body: visit.choose_encounter(body.id))
    on_post("telehealth", _Telehealth, lambda body: visit.answer_telehealth(body.remote))
    on_post("way", _Way, lambda body: visit.choose_way(body.way, body.format))
    on_post("answers", _Answers, lambda body: visit.consent.take_answers(AskedAnswers(**dict(body))))
    on_post("person", _Person, lambda body: visit.consent.answer_person(body.id, body.role, body.answers))
    on_post("person-left", _PersonLeft, lambda body: visit.consent.take_person_back(body.id))
    on_post("capture", _Capture, lambda body: capture[body.do]())
    on_post("typed", _Typed, lambda body: visit.set_typed(body.text, body.observations))
    on_post("draft", _DraftAsked, lambda body: visit.ask_draft(body.format))
    on_post("format", _DraftAsked, lambda body: visit.ask_format(body.format))
    on_post("material", _Nothing, lambda _: visit.ask_material())
    on_post("segment", _Line, lambda body: visit.listening.correct(body.number, body.heard, body.text))
    on_post("section", _Section, lambda body: visit.decide_section(body.id, body.decision, body.text))
    on_post("risk", _Risk, lambda body: visit.decide_risk(body.number, body.decision))
    on_post("take", _Take, lambda body: visit.take_statement(body.number, body.text))
    on_post("file", _File, lambda body: visit.ask_filing(body.attested, body.version))
    on_post("handed-over", _Nothing, lambda _: visit.confirm_handover())
    on_post("cancel", _Nothing, lambda _: visit.cancel())

    @app.post("/api/dictation")
    async def dictation(request: Request) -> Response:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() not in AUDIO_TYPES:
            raise CaptureError("audio.type", "Only WAV and FLAC recordings can be taken. Choose such a file.")
        too_long = CaptureError("audio.size", "That recording is larger than 100 MB. Dictate it in parts.")
        await visit.take_audio(await _read_body(request, MAX_AUDIO_BYTES, too_long))
        return answer()

    add_session_route(app, lambda: visit.session)

    @app.post("/internal/open")
    async def open_visit(request: Request) -> Response:
        visit.open(admit_launch(await request.json()))
        return Response(status_code=202)

    @app.post("/internal/consent-changed")
    async def consent_changed() -> Response:
        await visit.consent.notice()
        return Response(status_code=202)

    @app.post("/internal/expire")
    async def expire() -> Response:
        await visit.expire()
        return Response(status_code=202)

    return app


_NO_STORE = {"Cache-Control": "no-store"}


async def _follow(visit: Visit, request: Request) -> AsyncIterator[bytes]:
    """Server-sent events: the version, at once and after each change; a comment keeps the line open."""
    seen = visit.version
    yield _event(seen)
    while not await request.is_disconnected():
        version = await visit.wait_for_change(seen, KEEP_ALIVE_SECONDS)
        yield _event(version) if version != seen else b": still here\n\n"
        seen = version
        await asyncio.sleep(0.05)  # several changes at once become one event


def _event(version: int) -> bytes:
    return b'event: changed\ndata: {"version": %d}\n\n' % version


async def _read_json(request: Request, model: type[_Body]) -> _Body:
    too_long = VisitError("visit.size", "That is too much text for one note. Shorten it.")
    body = await _read_body(request, MAX_JSON_BYTES, too_long)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # The input itself may be the patient's: only the field's name and pydantic's code for the fault are kept.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        detail = f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
        raise VisitError("visit.body", "The page sent something that can't be read. Reload it.", detail) from None


async def _read_body(request: Request, limit_bytes: int, too_long: CountersignError) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise too_long
    return bytes(body)


def _error(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=_NO_STORE)
