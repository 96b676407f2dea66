"""What every answer of the front carries, and who may ask it to change anything.

In: an ASGI request. Out: the same, with headers that keep a page from being stored, framed by strangers or reaching
out (CSP Level 3); a POST without this gateway's own ``Origin``, or ``Sec-Fetch-Site: same-origin``, goes no further,
but for the paths at which servers call and no browser has anything to gain; nor does a WebSocket without the origin.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD"})
ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=(self), clipboard-read=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


def make_csp(frame_ancestors: Iterable[str] = (), form_action: str = "'self'") -> str:
    """The page's own address only; no inline script or style; a worklet (``worker-src``) for the microphone.

    Args:
        frame_ancestors: origins that may frame this answer; none: nobody.
    """
    ancestors = " ".join(frame_ancestors) or "'none'"
    return "; ".join(
        (
            "default-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            f"form-action {form_action}",
            f"frame-ancestors {ancestors}",
        )
    )


class SecurityHeaders:
    """The outermost layer. An answer that has its own Content-Security-Policy keeps it.

    Args:
        from_servers: how paths begin at which an EHR calls: without an origin.
    """

    def __init__(self, app: ASGIApp, public_url: str, from_servers: tuple[str, ...] = ()) -> None:
        self._app = app
        self._origin = origin_of(public_url)
        self._from_servers = from_servers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", make_csp())
                message["headers"] = headers.raw
            await send(message)

        if not self._may_pass(scope):
            sentence = "This did not come from Countersign's own page. Open Countersign again from the EHR."
            refusal = JSONResponse({"error": {"code": "front.origin", "message": sentence}}, status_code=403)
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _may_pass(self, scope: Scope) -> bool:
        """A WebSocket by its origin alone (RFC 6455, 10.2): every browser sends it; about the rest they differ."""
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            return headers.get("origin") == self._origin
        open_to_all = scope["method"] in SAFE_METHODS or scope["path"].startswith(self._from_servers)
        return open_to_all or self._is_own(headers)

    def _is_own(self, headers: Headers) -> bool:
        """Browsers set both and pages can't change either (Fetch Metadata; Fetch standard, section 3.2)."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        if origin is not None:
            return origin == self._origin
        return site == "same-origin"


def origin_of(url: str) -> str:
    """``https://host[:port]`` of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
