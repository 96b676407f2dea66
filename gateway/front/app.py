"""The front's HTTP side, as the browser sees it: launch, callback, the page, and the relay to visits.

In: the browser's requests. Out: redirects to the EHR, the page's files, and whatever the visit answers, passed on as
it is. It decides who may talk to a visit (the browser that holds it, by its cookie) and nothing else about it.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError, LaunchError, VisitError
from gateway.front.ended import follow_ended, show_ended
from gateway.front.headers import SecurityHeaders, make_csp, origin_of
from gateway.front.launching import LaunchDesk
from gateway.front.notifying import NOTIFY_PATH, ConsentNotices, create_notify_route
from gateway.front.pages import STYLE, SUBMIT_SCRIPT, show_error, show_form, show_start
from gateway.front.session_relay import SessionRelay
from gateway.front.visits import OVER, HeldVisit, Visits
from gateway.visit.faults import FaultGuard
from gateway.visit.session_socket import SESSION_PATH

log = logging.getLogger("countersign.front")

KEEP_ALIVE_SECONDS = 15.0
KEYS_SECONDS = 300
LAUNCH_COOKIE, VISIT_COOKIE = "__Host-launch-", "__Host-visit-"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_front(
    sites: Mapping[str, EhrSite],
    desk: LaunchDesk,
    visits: Visits,
    notices: ConsentNotices,
    *,
    public_url: str,
    page_dir: Path,
    is_ready: Callable[[], bool],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The ASGI app that browsers and the EHR reach at ``public_url``."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(FaultGuard, answer=_tell_fault, log=log, event="front.fault")
    # the outermost: faults have its headers too
    app.add_middleware(SecurityHeaders, public_url=public_url, from_servers=(NOTIFY_PATH,))

    @app.exception_handler(CountersignError)
    async def refuse(request: Request, error: CountersignError) -> Response:
        log.error("front.refused code=%s detail=%s", error.code, error.detail)
        return _tell(request, error)

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, error: HTTPException) -> Response:
        return await refuse(request, _nothing_there())

    @app.get("/")
    async def start() -> Response:
        return show_start(sites.values())

    @app.get("/health")
    async def health() -> Response:
        ready = is_ready()
        return JSONResponse({"ready": ready, "visits": visits.count_running()}, status_code=200 if ready else 503)

    @app.get("/.well-known/jwks.json")
    async def keys() -> Response:
        return _Cached(desk.published_keys(), KEYS_SECONDS)

    @app.get("/launch")
    async def launch(request: Request) -> Response:
        """SMART 2.2, 2.0.8: an EHR launch has ``iss`` and ``launch``, a standalone one neither (here: ``site``)."""
        given = request.query_params
        site = _find_site(sites, given.get("iss"), given.get("site"))
        request.state.site = site
        departure = await desk.begin(site, given.get("launch"))
        if departure.fields is None:
            answer: Response = RedirectResponse(departure.url, status_code=303)
        else:
            answer = show_form(departure.url, departure.fields, site, origin_of(departure.url))
        _set_cookie(answer, _launch_cookie(departure.state), departure.secret, seconds=int(desk.launch_seconds))
        return answer

    @app.get("/callback")
    async def callback(request: Request) -> Response:
        """SMART 2.2, 2.0.10: the token exchange, while the visit's process is forked and given its sockets."""
        state = request.query_params.get("state", "")
        pending = desk.find(state)
        cookie = _launch_cookie(state)
        if pending is None or not hmac.compare_digest(
            request.cookies.get(cookie, "").encode(), pending.secret.encode()
        ):
            sentence = "This sign-in is over or began in another browser. Open Countersign again from the EHR."
            raise LaunchError("launch.state", sentence)
        request.state.site = pending.site
        held = await _open_visit(desk, visits, pending.site, state, dict(request.query_params))
        answer = RedirectResponse(f"/visit/{held.id}/", status_code=303)
        answer.raw_headers.append((b"set-cookie", _cookie(cookie, "", seconds=0)))
        _set_cookie(answer, VISIT_COOKIE + held.id, held.holding.secret)
        return answer

    @app.post("/visit/{visit_id}/tab")
    async def offer_tab(visit_id: str, request: Request) -> Response:
        """For a frame without a microphone: an address at which a tab takes the visit over, once, within a minute."""
        held = _require_running(visits, visit_id)
        shown = request.cookies.get(VISIT_COOKIE + held.id, "")
        if not (held.holding.is_holder(shown) or held.holding.passed_it_on(shown)):
            raise _not_the_holder(held, shown)
        return JSONResponse({"url": f"/visit/{held.id}/tab?key={held.holding.make_key()}"})

    @app.get("/visit/{visit_id}/tab")
    async def take_over(visit_id: str, request: Request) -> Response:
        """The key is good once, so it is not taken by a look ahead, and does not stay in the address bar."""
        held = _require_running(visits, visit_id)
        request.state.site = held.site
        if not _is_own_step(request) or not held.holding.take_key(request.query_params.get("key", "")):
            sentence = "This address was already used or is over. Open the visit in a tab again, or from the EHR."
            raise _Forbidden("visit.key", sentence)
        await visits.move(held)
        answer = RedirectResponse(f"/visit/{held.id}/", status_code=303)
        _set_cookie(answer, VISIT_COOKIE + held.id, held.holding.secret)
        return answer

    @app.get("/visit/{visit_id}/")
    async def page(visit_id: str) -> Response:
        held = _require_visit(visits, visit_id)
        csp = make_csp(held.site.frame_ancestors)
        return FileResponse(page_dir / "index.html", headers={"Content-Security-Policy": csp})

    @app.get("/page/{name:path}")
    async def page_file(name: str) -> Response:
        file = _find_page_file(page_dir, name)
        return FileResponse(file, media_type=PAGE_TYPES[file.suffix])

    @app.get("/front.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    @app.get("/front.js")
    async def script() -> Response:
        return Response(SUBMIT_SCRIPT, media_type="text/javascript")

    app.router.routes.append(create_notify_route(notices))
    app.router.routes.append(Route("/visit/{visit_id}/api/{path:path}", endpoint=_VisitApi(visits)))
    sessions = SessionRelay(lambda connection: _require_holder(_require_running, visits, connection))
    app.router.routes.append(WebSocketRoute("/visit/{visit_id}" + SESSION_PATH, endpoint=sessions))
    return app


PAGE_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".woff2": "font/woff2",
}


class _NotThere(VisitError):
    status = 404


def _nothing_there() -> CountersignError:
    return _NotThere("front.path", "There is nothing at this address. Open Countersign again from the EHR.")


class _Forbidden(VisitError):
    status = 403


class _Fault(CountersignError):
    """An error that nobody expected."""


def _tell_fault(scope: Scope) -> Response:
    sentence = "Something went wrong in Countersign, so this was not done. Open it again from the EHR."
    return _tell(Request(scope), _Fault("front.fault", sentence))


def _tell(request: Request, error: CountersignError) -> Response:
    """The sentence, as the page's modules or as a person reads it."""
    if _wants_json(request):
        body = {"error": {"code": error.code, "message": error.public}}
        return JSONResponse(body, status_code=error.status)
    return show_error(error, getattr(request.state, "site", None))


class _Cached(JSONResponse):
    """Public keys: the one answer that may be kept (SMART 2.2, 5.1: JWKS with Cache-Control)."""

    def __init__(self, content: object, seconds: int) -> None:
        super().__init__(content, headers={"Cache-Control": f"public, max-age={seconds}"})


class _VisitApi:
    """``/visit/{id}/api/*`` as plain ASGI: relayed while the visit runs, answered here once it is over."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        held = _require_holder(_require_visit, self._visits, request)
        path = _api_path(scope, held.id)
        if path == "/api/events":
            receive = _until_moved(held, receive)
        if not held.over.is_set():
            try:
                await held.relay.pass_request(scope, receive, send, path)
                return
            except VisitError:
                if request.method not in ("GET", "HEAD"):
                    raise
                await held.process_is_over()
        answer = await self._answer_ended(held, path, request.method)
        await answer(scope, receive, send)

    async def _answer_ended(self, held: HeldVisit, path: str, method: str) -> Response:
        await held.gone.wait()
        if method == "GET" and path == "/api/view":
            return JSONResponse(show_ended(held))
        if method == "GET" and path == "/api/events":
            return StreamingResponse(follow_ended(held, KEEP_ALIVE_SECONDS), media_type="text/event-stream")
        raise VisitError("visit.over", OVER)


def _until_moved(held: HeldVisit, receive: Receive) -> Receive:
    """As if the browser went away at the moment in which another one takes the visit over."""
    moved = held.moved

    async def receive_until() -> Message:
        asked, leaving = asyncio.ensure_future(receive()), asyncio.ensure_future(moved.wait())
        try:
            await asyncio.wait({asked, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else {"type": "http.disconnect"}
        finally:
            asked.cancel()
            leaving.cancel()

    return receive_until


def _is_own_step(request: Request) -> bool:
    """Whether a browser went here from this gateway's own page (Fetch Metadata), where it says so."""
    came_from, purpose = request.headers.get("sec-fetch-site"), request.headers.get("sec-purpose", "")
    return came_from in (None, "same-origin") and "prefetch" not in purpose


def _not_the_holder(held: HeldVisit, shown: str) -> CountersignError:
    if held.holding.passed_it_on(shown):
        return _Forbidden("visit.moved", "This visit goes on in another tab: go on there, or take it back here.")
    sentence = "This visit was opened in another browser window. Open Countersign again from the EHR."
    return _Forbidden("visit.browser", sentence)


async def _open_visit(
    desk: LaunchDesk, visits: Visits, site: EhrSite, state: str, parameters: Mapping[str, str]
) -> HeldVisit:
    """Exchange the code and fork the process side by side; a launch that does not hold leaves no process.

    A launch for a visit that the same clinician still has running comes back to it, and needs no new process.
    """
    starting = asyncio.create_task(visits.start(site))
    try:
        context, access = await desk.complete(state, parameters)
        if visits.find_running(site, context) is None:  # who has one running comes back where no other would fit
            await starting
        running = visits.find_running(site, context)
        if running is not None:
            await visits.come_back(running, context, access)
            await _let_go(visits, starting)
            return running
        held = starting.result()
        await visits.open(held, context, access)
    except BaseException:
        await _let_go(visits, starting)
        raise
    return held


async def _let_go(visits: Visits, starting: asyncio.Task[HeldVisit]) -> None:
    """End a process that is not needed, if there came to be one."""
    started = (await asyncio.gather(starting, return_exceptions=True))[0]
    if isinstance(started, HeldVisit):
        await visits.abandon(started)


def _find_page_file(page_dir: Path, name: str) -> Path:
    """A file of the page, of a type that a page has, inside its folder.

    Raises:
        VisitError: there is none.
    """
    folder = page_dir.resolve()
    if "\x00" in name:
        raise _nothing_there()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder) or file.suffix not in PAGE_TYPES or not file.is_file():
        raise _nothing_there()
    return file


def _find_site(sites: Mapping[str, EhrSite], issuer: str | None, site_id: str | None) -> EhrSite:
    """The configured EHR with exactly this issuer; a standalone launch may name it by its id instead.

    Raises:
        LaunchError: there is none: nobody else is ever talked to.
    """
    for site in sites.values():
        if issuer is not None and site.issuer == issuer:
            return site
    if issuer is None and site_id is not None and site_id in sites:
        return sites[site_id]
    sentence = "This EHR is not set up here. Ask the operator to add it to Countersign's EHRs."
    raise LaunchError("launch.issuer", sentence)


def _require_visit(visits: Visits, visit_id: str) -> HeldVisit:
    held = visits.find(visit_id)
    if held is None or not held.is_open:
        raise _NotThere("visit.unknown", OVER)
    return held


def _require_running(visits: Visits, visit_id: str) -> HeldVisit:
    held = _require_visit(visits, visit_id)
    if held.over.is_set() or held.reported.is_set():
        raise VisitError("visit.over", OVER)
    return held


def _require_holder(
    require: Callable[[Visits, str], HeldVisit], visits: Visits, connection: HTTPConnection
) -> HeldVisit:
    """The visit of this path, if this browser holds it.

    Raises:
        VisitError: it does not, or ``require`` finds no such visit.
    """
    held = require(visits, connection.path_params["visit_id"])
    shown = connection.cookies.get(VISIT_COOKIE + held.id, "")
    if not held.holding.is_holder(shown):
        raise _not_the_holder(held, shown)
    return held


def _api_path(scope: Scope, visit_id: str) -> str:
    """``/api/…`` as the browser sent it, undecoded: the relay changes nothing.

    Raises:
        VisitError: the visit's own part is written in another way than the page writes it.
    """
    raw: bytes = scope["raw_path"]
    before = f"/visit/{visit_id}".encode("ascii")
    if not raw.startswith(before + b"/api/") or not raw.isascii():
        raise _nothing_there()
    return raw.decode("ascii").removeprefix(before.decode("ascii"))


def _wants_json(request: Request) -> bool:
    return "/api/" in request.url.path or request.method == "POST"


def _launch_cookie(state: str) -> str:
    """One for each launch, so that two tabs may sign in at once; only characters that a cookie's name may have."""
    return LAUNCH_COOKIE + "".join(char for char in state[:16] if char.isalnum() and char.isascii())


def _cookie(name: str, value: str, seconds: int | None = None) -> bytes:
    """Comes back in a frame of another site too, but only under the page that it was set under (CHIPS)."""
    age = f"; Max-Age={seconds}" if seconds is not None else ""
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned{age}".encode("ascii")


def _set_cookie(answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    answer.raw_headers.append((b"set-cookie", _cookie(name, value, seconds)))
