"""What happens when an error comes that nobody expected: one sentence for the person, one line for the log.

In: an ASGI app. Out: the same, but such an error ends here. Its text may quote what it was given (a URL, a field of
a resource, a line of the note), so only its kind and its place are told.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from types import TracebackType

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import gateway

OWN = Path(gateway.__path__[0])


def locate_fault(trace: TracebackType | None) -> str:
    """Where it happened, as file and line; in the gateway's own code, where that was on the way."""
    frames = extract_tb(trace)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(OWN)]
    if not frames:
        return "unknown"
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


class FaultGuard:
    """Stands between an app and its server.

    Args:
        answer: the sentence, in the form that this request wants.
        log: whose line it is; ``event`` begins it.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[Scope], Response], log: logging.Logger, event: str) -> None:
        self._app = app
        self._answer = answer
        self._log = log
        self._event = event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text goes no further
            kind, place = type(error).__name__, locate_fault(error.__traceback__)
            self._log.error("%s error=%s at=%s", self._event, kind, place)
            if started or scope["type"] != "http":
                raise ConnectionAbortedError(kind) from None  # the server hangs up: what was sent is not whole
            await self._answer(scope)(scope, receive, send)
