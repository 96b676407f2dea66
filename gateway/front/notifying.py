"""Has an EHR tell when a patient's Consents change, for as long as her visit runs (R4 Subscription, rest-hook).

In: a visit that is open at a site with ``consent.subscription``, and the EHR's notifications at ``/notify/<token>``.
Out: the visit's process is told to read its consents again, at most once a second and never too few times. Nothing of
a notification is kept or believed: it is empty, anybody who knows the token may send one, and all it does is cause a
read. The timer of the visit stands without it, so nothing here is ever waited for, and a failure stops nothing.

https://hl7.org/fhir/R4/subscription.html
"""

import asyncio
import hmac
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.ehr.client import FhirClient
from gateway.ehr.exchange import require_success, send_request
from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError, VisitError
from gateway.front.access import Access, BearerAuth
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger

log = logging.getLogger("countersign.notices")

SUBSCRIPTION_SCOPES = "system/Subscription.crud"
NOTIFY_PATH = "/notify/"
REASON = "Countersign reads the consents of a visit again when one of them changes."
TOKEN_BYTES = 24
MAX_BODY_BYTES = 16 * 1024  # read and dropped, so that the EHR's connection stays whole; an empty one was asked for
PAUSE_SECONDS = 1.0  # between two messages to one visit
STOP_SECONDS = 2.0  # for the deletions that are under way when the front ends; `end` lapses what they don't reach


@dataclass(slots=True, eq=False)
class _Followed:
    """One visit whose patient's Consents are followed."""

    visit_id: str
    site: EhrSite
    patient_id: str
    digest: bytes  # of its token; the token itself is known to the EHR alone
    until: datetime
    forward: Callable[[], Awaitable[None]] = field(repr=False)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def entry(self, event: str, outcome: str = "") -> Entry:
        return Entry(event, outcome, visit=self.visit_id, site=self.site.id, patient=self.patient_id)


class ConsentNotices:
    """The Subscriptions of the visits that run.

    Args:
        accesses: by site, its backend client with ``SUBSCRIPTION_SCOPES``; a site that is not in it is not followed.
        verify: how EHRs prove who they are.
        public_url: the address at which the EHR reaches this front.
        new_token: makes an unguessable URL-safe text of that many random bytes (``secrets.token_urlsafe``).
    """

    def __init__(
        self,
        accesses: Mapping[str, Access],
        verify: ssl.SSLContext,
        ledger: Ledger,
        public_url: str,
        new_token: Callable[[int], str],
    ) -> None:
        self._accesses = accesses
        self._verify = verify
        self._ledger = ledger
        self._address = public_url.rstrip("/") + NOTIFY_PATH
        self._new_token = new_token
        self._followed: dict[bytes, _Followed] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(
        self, visit_id: str, site: EhrSite, patient_id: str, until: datetime, forward: Callable[[], Awaitable[None]]
    ) -> None:
        """From now on ``forward`` is called when this patient's Consents change, where the site offers that.

        Args:
            until: the visit's deadline; the EHR itself ends the Subscription then.
            forward: tells the visit; it raises VisitError where it can't.
        """
        if not site.consent.subscription or site.id not in self._accesses:
            return
        token = self._new_token(TOKEN_BYTES)
        followed = _Followed(visit_id, site, patient_id, _digest(token), until, forward)
        self._followed[followed.digest] = followed
        task = asyncio.create_task(self._keep(followed, self._address + token))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def take(self, token: str) -> bool:
        """Whether a visit is told, soon, because of this token."""
        digest = _digest(token)
        followed = self._followed.get(digest)  # by its digest: how long this takes says nothing about a token
        if followed is None or not hmac.compare_digest(followed.digest, digest):
            return False
        followed.told.set()
        return True

    def end(self, visit_id: str) -> None:
        """The visit is over: its token is unknown from now on, and the EHR is asked to drop the Subscription."""
        for digest, followed in list(self._followed.items()):
            if followed.visit_id == visit_id:
                del self._followed[digest]
                followed.over.set()

    async def stop(self) -> None:
        """Let deletions end that are under way, for a moment."""
        for followed in list(self._followed.values()):
            self.end(followed.visit_id)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, followed: _Followed, endpoint: str) -> None:
        """One Subscription from its creation to its deletion."""
        telling = asyncio.create_task(_pass_on(followed))
        try:
            created = await self._create(followed, endpoint)
            await followed.over.wait()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        if created:
            await self._delete(followed, created)

    async def _create(self, followed: _Followed, endpoint: str) -> str:
        """Its reference at the EHR; empty where there is none, or nobody knows."""
        event = "front:subscription:create"
        site = followed.site
        subscription = build_subscription(followed.patient_id, endpoint, followed.until)
        try:
            await self._ledger.append(followed.entry(event))
            async with self._open(site) as http:
                client = FhirClient(http, site.issuer, timeout_seconds=site.timeout_seconds)
                created = str((await client.create(subscription)).reference)
        except CountersignError as error:
            log.warning("notices.create.failed visit=%s code=%s", followed.visit_id, error.code)
            self._ledger.owe(followed.entry(event, error.code))
            return ""
        log.info("notices.created visit=%s", followed.visit_id)
        self._ledger.owe(followed.entry(event, "done"))
        return created

    async def _delete(self, followed: _Followed, reference: str) -> None:
        event, site = "front:subscription:delete", followed.site
        self._ledger.owe(followed.entry(event))
        try:
            async with self._open(site) as http:
                request = http.build_request("DELETE", f"{site.issuer.rstrip('/')}/{reference}")
                require_success(await send_request(http, request, timeout_seconds=site.timeout_seconds))
        except CountersignError as error:
            log.warning("notices.delete.failed visit=%s code=%s", followed.visit_id, error.code)
            self._ledger.owe(followed.entry(event, error.code))
            return
        self._ledger.owe(followed.entry(event, "done"))

    def _open(self, site: EhrSite) -> httpx.AsyncClient:
        return httpx.AsyncClient(auth=BearerAuth(self._accesses[site.id]), verify=self._verify, trust_env=False)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("notices.failed error=%s", type(error).__name__)


def build_subscription(patient_id: str, endpoint: str, until: datetime) -> dict[str, Any]:
    """For one patient's Consents, empty notifications (no ``channel.payload``), over by itself at ``until``."""
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "end": until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reason": REASON,
        "criteria": f"Consent?patient={patient_id}",
        "channel": {"type": "rest-hook", "endpoint": endpoint},
    }


def create_notify_route(notices: ConsentNotices) -> Route:
    """Where EHRs send notifications. A server is behind them, so there is no origin to check; the token is the proof.

    The body is dropped as it comes; what is longer than anything that was asked for is not read to its end.
    """

    async def notify(request: Request) -> Response:
        if not notices.take(request.path_params["token"]):
            sentence = "There is nothing at this address. Open Countersign again from the EHR."
            return JSONResponse({"error": {"code": "front.path", "message": sentence}}, status_code=404)
        size_bytes = 0
        async for chunk in request.stream():
            size_bytes += len(chunk)
            if size_bytes > MAX_BODY_BYTES:
                break
        return Response(status_code=202)

    return Route(NOTIFY_PATH + "{token}", notify, methods=["POST", "PUT"])


async def _pass_on(followed: _Followed) -> None:
    """Tell the visit, once for all notifications that came since it was last told."""
    while True:
        await followed.told.wait()
        followed.told.clear()
        try:
            await followed.forward()
        except VisitError as error:
            log.warning("notices.forward.failed visit=%s code=%s", followed.visit_id, error.code)
            followed.told.set()  # again in a moment: the last one is never lost while the visit runs
        await asyncio.sleep(PAUSE_SECONDS)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
