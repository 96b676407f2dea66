"""Watches filed notes until the EHR says what became of them, then forgets them.

In: references to filed notes, kept sealed across restarts. Out: for each, the latest news in the page's words. Each
look is a read, so it has its ledger entry first. Who looks: the site's Backend Services client, else the session's
own tokens where their scopes are the user's; nobody otherwise, and then the answer is *unknown*, not *unsigned*, and
nothing is kept. At the end of a watch the reference and the tokens are destroyed, and the ledger says so.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, assert_never

import httpx

from gateway.ehr.client import FhirClient
from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError
from gateway.filing.signature import (
    AwaitingSignature,
    NotKnown,
    SignatureStatus,
    SignedNote,
    Withdrawn,
    check_signature,
)
from gateway.front.access import Access, BearerAuth, SessionAccess
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger
from gateway.store.database import Awaiting, Database

log = logging.getLogger("countersign.signature")


class SignatureWatch(Protocol):
    """Who looks."""

    def wants_session(self, note: Awaiting, access: Access) -> bool:
        """Whether the session's own tokens are kept to look with."""
        ...

    def may_look(self, note: Awaiting, access: Access | None) -> bool:
        """Whether anybody may look at all, with ``access`` or without."""
        ...

    async def look(self, note: Awaiting, access: Access | None) -> SignatureStatus:
        """Look once.

        Raises:
            EhrError, LaunchError: it could not.
        """
        ...


class EhrWatch:
    """Looks in the EHR itself, with the site's backend client or the user's own session."""

    def __init__(
        self,
        sites: Mapping[str, EhrSite],
        backends: Mapping[str, Access],
        verify: ssl.SSLContext,
        clock: Callable[[], datetime],
    ) -> None:
        self._sites = sites
        self._backends = backends
        self._verify = verify
        self._clock = clock

    def wants_session(self, note: Awaiting, access: Access) -> bool:
        return note.site not in self._backends and isinstance(access, SessionAccess) and access.is_user_level()

    def may_look(self, note: Awaiting, access: Access | None) -> bool:
        return note.site in self._sites and (note.site in self._backends or access is not None)

    async def look(self, note: Awaiting, access: Access | None) -> SignatureStatus:
        site, allowed = self._sites.get(note.site), self._backends.get(note.site, access)
        if site is None or allowed is None:
            return NotKnown("nobody-may-look", self._clock())
        async with httpx.AsyncClient(auth=BearerAuth(allowed), verify=self._verify, trust_env=False) as http:
            client = FhirClient(http, site.issuer, timeout_seconds=site.timeout_seconds)
            return await check_signature(client, note.document, note.patient_id, self._clock())


@dataclass(slots=True)
class SignatureNews:
    """What is known of one note's signature; ``changed`` is set and renewed at each news."""

    status: str = "awaiting"
    words: str = "In the chart, awaiting your signature."
    seen_at: datetime | None = None
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def to_view(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "words": self.words,
            "seen_at": self.seen_at.isoformat() if self.seen_at else None,
        }

    def tell(self, status: str, words: str, seen_at: datetime) -> None:
        is_news = (status, words) != (self.status, self.words)
        self.status, self.words, self.seen_at = status, words, seen_at
        if is_news:
            self.version += 1
            self.changed.set()
            self.changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watch holds from now on, until it sees the signature or ``until``."""

    news: SignatureNews
    until: datetime
    keeps_reference: bool  # sealed in the database
    keeps_access: bool


def word_status(status: SignatureStatus) -> tuple[str, str, bool]:
    """The page's status and words, and whether that is the end of it."""
    match status:
        case SignedNote():
            return "signed", "Signed in the EHR.", True
        case AwaitingSignature():
            return "awaiting", "In the chart, awaiting your signature.", False
        case Withdrawn():
            return "changed", "The EHR says that this note was withdrawn or replaced. Look at it in the EHR.", True
        case NotKnown():
            return "unknown", status.words, False
        case _:
            assert_never(status)


class SignatureDesk:
    """One task for each note that awaits its signature.

    Args:
        watch: looks at one note, where anybody may.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        watch: SignatureWatch,
        *,
        watch_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._watch = watch
        self._watch_seconds = watch_seconds
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> int:
        """Go on with what an earlier front had not seen signed; how many notes that is.

        That front's tokens are gone with it: where no backend client may look, the reference goes too.
        """
        now = self._clock()
        for note in await asyncio.to_thread(self._database.list_awaiting):
            if note.deadline <= now or not self._watch.may_look(note, None):
                await self._forget(note, "deadline" if note.deadline <= now else "nobody-may-look")
            else:
                self._spawn(note, SignatureNews(), None)
        await asyncio.to_thread(self._database.forget_overdue, now)  # what could not be unsealed is among them
        return len(self._tasks)

    async def follow(self, note: Awaiting, access: Access) -> Watched:
        """Watch a note that was filed just now; what the watch does not need is destroyed here."""
        news = SignatureNews(seen_at=note.filed_at)
        kept = access if self._watch.wants_session(note, access) else None
        if kept is None:
            access.forget()
        if not self._watch.may_look(note, kept):
            word, words, _ = word_status(NotKnown("nobody-may-look", note.filed_at))
            news.tell(word, words, note.filed_at)
            return Watched(news, note.filed_at, keeps_reference=False, keeps_access=False)
        is_sealed = True
        try:
            await asyncio.to_thread(self._database.keep_awaiting, note)
        except Exception as error:  # noqa: BLE001 - the note is in the record; only the watch would not outlive us
            log.error("signature.keep.failed visit=%s error=%s", note.visit, type(error).__name__)
            is_sealed = False
        self._spawn(note, news, kept)
        return Watched(news, note.deadline, keeps_reference=is_sealed, keeps_access=kept is not None)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, note: Awaiting, news: SignatureNews, access: Access | None) -> None:
        task = asyncio.create_task(self._follow(note, news, access))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, note: Awaiting, news: SignatureNews, access: Access | None) -> None:
        seen: str | None = None
        try:
            while self._clock() < note.deadline and seen is None:
                seen = await self._look(note, news, access)
                if seen is None:
                    left_seconds = (note.deadline - self._clock()).total_seconds()
                    await asyncio.sleep(max(0.0, min(self._watch_seconds, left_seconds)))
        finally:
            if access is not None:
                access.forget()
        await self._forget(note, seen or "deadline")

    async def _forget(self, note: Awaiting, why: str) -> None:
        """The end of a watch: nothing of the note is held here any more."""
        try:
            await asyncio.to_thread(self._database.forget_awaiting, note.visit)
        except Exception as error:  # noqa: BLE001 - the next start forgets it
            log.error("signature.forget.failed visit=%s error=%s", note.visit, type(error).__name__)
            return
        self._ledger.owe(Entry("front:signature:forget", why, visit=note.visit, site=note.site))

    async def _look(self, note: Awaiting, news: SignatureNews, access: Access | None) -> str | None:
        """One look; what was seen, where that is the end of the watch."""
        status: SignatureStatus
        try:
            entry = Entry("front:signature:read", visit=note.visit, site=note.site, patient=note.patient_id)
            await self._ledger.append(entry)
            status = await self._watch.look(note, access)
        except CountersignError as error:
            log.error("signature.look.failed visit=%s code=%s", note.visit, error.code)
            status = NotKnown(error.code, self._clock())
        else:
            if isinstance(status, NotKnown):
                log.warning("signature.look.unknown visit=%s code=%s", note.visit, status.code)
        word, words, is_end = word_status(status)
        news.tell(word, words, status.seen_at)
        if is_end:
            log.info("signature.seen visit=%s status=%s", note.visit, word)
            self._ledger.owe(Entry("front:signature:seen", word, visit=note.visit, site=note.site))
        return word if is_end else None
