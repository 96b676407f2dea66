"""R4 Subscriptions of the sandbox's own record: rest-hook, empty notifications, to this machine only.

In: each write, as the resource before and after it. Out: an empty POST to every living Subscription whose criteria
match either. A write never waits for it, a notification that does not arrive is not sent again, and nothing leaves
this machine. https://hl7.org/fhir/R4/subscription.html
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

import httpx

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.matching import match_criterion
from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.parameters import PARAMETERS
from gateway.sandbox.fhir.query import Query, read_query

SEND_SECONDS = 5.0
_OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

#: Sends one empty notification; raises nothing that is expected.
Send = Callable[[str], Awaitable[None]]


async def send_notification(endpoint: str) -> None:
    """An empty POST, once, whatever is answered."""
    try:
        async with httpx.AsyncClient(timeout=SEND_SECONDS, follow_redirects=False, trust_env=False) as http:
            await http.post(endpoint)
    except httpx.HTTPError:
        return  # the one who is to be told is not there


@dataclass(frozen=True, slots=True)
class _Living:
    query: Query
    endpoint: str
    end: datetime | None


class Subscriptions:
    """Those that are active, by id; told of every write.

    Args:
        base_url: the record's own address, for absolute references.
    """

    def __init__(self, base_url: str, clock: Callable[[], datetime], send: Send = send_notification) -> None:
        self._base_url, self._clock, self._send = base_url, clock, send
        self._living: dict[str, _Living] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def note(self, type_: str, id_: str, before: Resource | None, after: Resource | None) -> None:
        """A resource was written; None: it was not there before, or is not any more."""
        if type_ == "Subscription":
            self._living.pop(id_, None)
            if after is not None and after["status"] == "active":
                end = datetime.fromisoformat(after["end"]) if "end" in after else None
                self._living[id_] = _Living(_read_criteria(after["criteria"]), after["channel"]["endpoint"], end)
            return
        for living in self._living.values():
            over = living.end is not None and self._clock() >= living.end
            if not over and living.query.type == type_ and any(self._matches(living.query, r) for r in (before, after)):
                task = asyncio.ensure_future(self._send(living.endpoint))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Break off what is being sent."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _matches(self, query: Query, resource: Resource | None) -> bool:
        return resource is not None and all(match_criterion(resource, c, self._base_url) for c in query.criteria)


def answer_request(resource: Resource) -> Resource:
    """What is stored: a Subscription that was asked for (``requested``, ``active``) becomes active, or an error
    that says why this server does not send it. Everything else stays as it is."""
    if resource["resourceType"] != "Subscription" or resource.get("status") not in ("requested", "active"):
        return resource
    why = _find_hindrance(resource)
    kept = {name: value for name, value in resource.items() if name != "error"}
    return kept | ({"status": "error", "error": why} if why else {"status": "active"})


def _find_hindrance(resource: Resource) -> str:
    channel = resource["channel"]
    if channel["type"] != "rest-hook" or "payload" in channel or "header" in channel:
        return "This server sends empty rest-hook notifications only."
    try:
        _read_criteria(resource["criteria"])
        address = urlsplit(channel.get("endpoint", ""))
        is_own = address.scheme in ("http", "https") and address.hostname in _OWN_HOSTS and address.port != 0
    except (Refusal, ValueError) as error:
        return (
            f"The criteria are no search of this server: {error.words}" if isinstance(error, Refusal) else "No address."
        )
    return "" if is_own else "This server notifies on its own machine only."


def _read_criteria(criteria: str) -> Query:
    """``Consent?patient=1``.

    Raises:
        Refusal: it is no search that this server knows.
    """
    type_, _, query = criteria.partition("?")
    if type_ not in PARAMETERS:
        raise Refusal(422, "not-supported", "The criteria do not begin with a resource type of this server.")
    return read_query(type_, parse_qsl(query, keep_blank_values=True))
