"""A scripted visit server: the page alone, without a gateway, an EHR or a model.

It serves ``smart_app`` with the gateway's headers and answers the visit's API of ``docs/architecture.md`` from a
``ScriptedVisit`` for each visit id (``scripted_visit.py``). The id's first word names the scene (``plain``, ``long``,
``hostile`` …, see ``page_scenes.py``), so a person can open any of them: ``python -m tests.browser.page_server``
prints the addresses. Everything in it is invented.
"""

import asyncio
import functools
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.consent.wording import Wording, read_wordings
from tests.browser.page_scenes import SCENES, View
from tests.browser.scripted_sound import ScriptedSound
from tests.browser.scripted_visit import Refused, ScriptedVisit
from tests.browser.web_socket import WebSocket

PAGE = Path(__file__).resolve().parents[2] / "smart_app"
WORDINGS = read_wordings(PAGE.parent / "config" / "consent")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; media-src 'self' blob:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self' http://127.0.0.1:*"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def show_wording(wording: Wording) -> View:
    questions = [
        {"activity": activity.value, "parts": [{"heading": part.heading, "text": part.text} for part in parts]}
        for activity, parts in wording.questions.items()
    ]
    return {"language": wording.language, "title": wording.title, "lead": wording.lead, "questions": questions}


# The server --------------------------------------------------------------------------------------------------------


class PageServer:
    """The page and its scripted visits on a free port of localhost."""

    def __init__(self, pace_seconds: float = 0.05) -> None:
        self.pace_seconds = pace_seconds
        self.visits: dict[str, ScriptedVisit] = {}
        self.strays: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/visit/{visit}/", self._page),
                Route("/visit/{visit}/api/view", self._view),
                Route("/visit/{visit}/api/events", self._events),
                Route("/visit/{visit}/api/wording", self._wording),
                Route("/visit/{visit}/api/segments/{number:int}/sound", self._sound),
                Route("/visit/{visit}/api/{path:path}", self._post, methods=["POST"]),
                Route("/frame", self._frame),
                Mount("/page", StaticFiles(directory=PAGE)),
            ]
        )
        self.port = 0

    def visit(self, visit_id: str) -> ScriptedVisit:
        if visit_id not in self.visits:
            self.visits[visit_id] = ScriptedVisit(visit_id, self.pace_seconds)
        return self.visits[visit_id]

    def find_sound(self, path: str) -> ScriptedSound | None:
        """Where a visit takes its session's sound, by the path of the socket."""
        match = re.fullmatch(r"/visit/([^/]+)/api/session", path)
        visit = self.visit(match[1]) if match else None
        return visit.sound if visit is not None and visit.gone is None else None

    def url(self, visit_id: str) -> str:
        return f"http://localhost:{self.port}/visit/{visit_id}/"

    def frame_url(self, visit_id: str, allow: str = "") -> str:
        """A page on another origin that frames the visit, as an EHR does."""
        return f"http://127.0.0.1:{self.port}/frame?visit={visit_id}&allow={allow}"

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=HEADERS)

    async def _frame(self, request: Request) -> Response:
        allow, visit = request.query_params["allow"], request.query_params["visit"]
        return HTMLResponse(
            f'<!doctype html><html lang="en"><title>EHR</title><h1>Chart</h1>'
            f'<iframe title="Countersign" width="400" height="700" allow="{allow}" src="{self.url(visit)}"></iframe>'
        )

    def _find(self, request: Request) -> ScriptedVisit:
        visit = self.visit(request.path_params["visit"])
        if visit.gone is not None:
            raise Refused(visit.gone, "", "")
        return visit

    async def _view(self, request: Request) -> Response:
        try:
            visit = self._find(request)
            visit.refuse_if_told("view")
            answer = JSONResponse(visit.view, headers=HEADERS)
        except Refused as refused:
            answer = JSONResponse({}, refused.status)
        await asyncio.sleep(self.visit(request.path_params["visit"]).view_after_seconds)
        return answer

    async def _events(self, request: Request) -> Response:
        try:
            return StreamingResponse(self._find(request).follow(), media_type="text/event-stream", headers=HEADERS)
        except Refused as refused:
            return JSONResponse({}, refused.status)

    async def _wording(self, request: Request) -> Response:
        visit, language = self._find(request), request.query_params["language"]
        visit.wordings_asked.append(language)
        if visit.wording_fails:
            error = {"error": {"code": "wording", "message": "The page can't be read now. Try again in a moment."}}
            return JSONResponse(error, 503, headers=HEADERS)
        return JSONResponse(show_wording(WORDINGS[language]), headers=HEADERS)

    async def _sound(self, request: Request) -> Response:
        try:
            sound = self._find(request).play(request.path_params["number"])
        except Refused as refused:
            error = {"error": {"code": refused.code, "message": refused.message}} if refused.message else {}
            return JSONResponse(error, refused.status, headers=HEADERS)
        return Response(sound, media_type="audio/wav", headers=HEADERS)

    async def _post(self, request: Request) -> Response:
        path = request.path_params["path"]
        body: Any
        if path == "dictation":
            body = (request.headers["content-type"], await request.body())
        else:
            body = await request.json()
        try:
            visit = self._find(request)
            visit.take(path, body)
        except Refused as refused:
            error = {"error": {"code": refused.code, "message": refused.message}} if refused.message else {}
            return JSONResponse(error, refused.status, headers=HEADERS)
        return JSONResponse(visit.view, headers=HEADERS)


@contextmanager
def run_server(port: int = 0, pace_seconds: float = 0.05) -> Iterator[PageServer]:
    """Serve in a thread until the block ends."""
    listener = socket.create_server(("127.0.0.1", port))
    page_server = PageServer(pace_seconds)
    page_server.port = listener.getsockname()[1]
    sockets: Any = functools.partial(WebSocket, page_server.find_sound)  # a class to uvicorn: it makes one for each
    config = uvicorn.Config(
        page_server.app, ws=sockets, log_level="warning", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield page_server
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def main() -> None:
    """Serve until Ctrl-C and print where."""
    with run_server(port=8123, pace_seconds=0.4) as server:
        for scene in SCENES:
            print(server.url(f"{scene}-1"))
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
