"""The visits that this front holds: opened at the callback, watched while they run, purged when they end.

In: a launch that held and a process that was forked meanwhile. Out: a running visit behind its relay and its broker;
afterwards the receipt. However a visit ends (its own report, its deadline, a crash, the front's own end), it ends
here, once: process killed if need be, sockets gone, tokens forgotten, row closed, ledger entry owed.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from gateway.ehr.context import LaunchContext
from gateway.ehr.site import EhrSite
from gateway.errors import LaunchError, VisitError
from gateway.front.access import Access
from gateway.front.broker import Broker, EndReport, Session
from gateway.front.forking import VisitProcess, start_process
from gateway.front.holding import Holding
from gateway.front.notifying import ConsentNotices
from gateway.front.relay import Relay
from gateway.front.watching import SignatureDesk, SignatureNews
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger
from gateway.store.database import Awaiting, Database
from gateway.visit.purge import PurgeReceipt, Settled, purge_visit, remove_leftovers

log = logging.getLogger("countersign.visits")

EXPIRE_SECONDS = 10.0  # for a visit that is told its time is over
ANSWER_SECONDS = 1.0  # for the answers that are on their way when a visit says it has ended
SWEEP_SECONDS = 3600.0
LOST, STOPPED, EXPIRED = "lost", "stopped", "expired"


ACCESS = "the visit's access to the EHR (tokens)"
REFERENCE = "the filed note's reference and the patient's id at the EHR, encrypted in the gateway's database"
UNSTORED = "The visit was not opened: the gateway's database can't be written. Ask the operator to look at its disk."
OVER = "This visit is over. Open Countersign again from the EHR."
OTHER_USER = (
    "Another clinician has this visit open in Countersign. It can be opened again once it is filed or stopped there."
)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What every visit is given. ``run_dir`` holds the sockets; ``clock`` gives aware UTC."""

    run_dir: Path
    http: httpx.AsyncClient
    ledger: Ledger
    database: Database
    clock: Callable[[], datetime]
    visit_hours: float
    ended_minutes: float
    watch_days: float
    row_days: float


@dataclass(slots=True)
class HeldVisit:
    """One visit, from its fork until its page is forgotten."""

    id: str
    holding: Holding
    site: EhrSite
    opened_at: datetime
    process: VisitProcess
    relay: Relay
    broker: Broker
    is_open: bool = False  # the launch was handed over
    session: Session | None = None
    report: EndReport | None = None
    receipt: PurgeReceipt | None = None
    news: SignatureNews | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)  # no request goes to the process any more
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # purged
    moved: asyncio.Event = field(default_factory=asyncio.Event)  # to another browser; renewed at each move
    reported: asyncio.Event = field(default_factory=asyncio.Event)

    def end_streams(self) -> None:
        """Another browser holds the visit from now on: what the one before still listens to is over."""
        self.moved.set()
        self.moved = asyncio.Event()

    async def tell_of_consent(self) -> None:
        """The EHR says that a Consent has changed: have the visit read them again.

        Raises:
            VisitError: the process does not answer.
        """
        status = await self.relay.post("/internal/consent-changed", b"{}")
        if status >= 300:
            log.warning("visit.consent-changed.refused visit=%s status=%d", self.id, status)

    async def process_is_over(self) -> None:
        """Wait for the end of a process that no longer answers, a moment at most.

        Raises:
            VisitError: it runs, but does not answer.
        """
        try:
            await asyncio.wait_for(self.over.wait(), ANSWER_SECONDS)
        except TimeoutError:
            raise VisitError("visit.busy", "The visit does not answer. Wait a moment and try again.") from None


class Visits:
    """All of them, by id."""

    def __init__(self, rooms: Rooms, signatures: SignatureDesk, notices: ConsentNotices) -> None:
        self._rooms = rooms
        self._signatures = signatures
        self._notices = notices
        self._held: dict[str, HeldVisit] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, visit_id: str) -> HeldVisit | None:
        return self._held.get(visit_id)

    def is_visit(self, pid: int) -> bool:
        """Whether a process is one of these visits'."""
        return any(held.process.pid == pid for held in self._held.values())

    def count_running(self) -> int:
        return sum(1 for visit in self._held.values() if not visit.gone.is_set())

    async def start(self, site: EhrSite) -> HeldVisit:
        """Have a process forked and its two sockets ready; it can do nothing yet. Runs beside the token exchange.

        Raises:
            VisitError: no process could be started.
        """
        rooms, visit_id = self._rooms, secrets.token_urlsafe(16)

        def take_report(report: EndReport) -> None:
            held.report = held.report or report
            held.reported.set()

        broker = Broker(visit_id, site, rooms.http, rooms.ledger, take_report)
        await broker.listen(rooms.run_dir / f"{visit_id}.ehr.sock")
        try:
            process = await start_process(rooms.run_dir, visit_id, site.id)
        except BaseException:
            broker.close()
            (rooms.run_dir / f"{visit_id}.ehr.sock").unlink(missing_ok=True)
            raise
        broker.expect(process.pid)
        held = HeldVisit(
            id=visit_id,
            holding=Holding(rooms.clock, secrets.token_urlsafe),
            site=site,
            opened_at=rooms.clock(),
            process=process,
            relay=Relay(process.browser_socket),
            broker=broker,
        )
        self._held[visit_id] = held
        self._spawn(self._keep_watch(held))
        return held

    async def open(self, held: HeldVisit, context: LaunchContext, access: Access) -> None:
        """Hand the launch to the process, once the ledger and the database know of it.

        Raises:
            LedgerError: the ledger can't be written: nothing is opened.
            VisitError: the process did not take it, or the database can't be written.
        """
        held.session = Session(context.patient_id, context.encounter_id, context.practitioner, access)
        entry = held.broker.entry
        held.broker.admit(held.session)
        await asyncio.gather(
            self._rooms.ledger.append(entry("front:visit:open", encounter=bool(context.encounter_id))),
            self._add_row(held),
        )
        message = json.dumps(context.to_message()).encode()
        if await held.relay.post("/internal/open", message) >= 300:
            raise VisitError("visit.open", "The visit could not be opened. Open Countersign again from the EHR.")
        held.is_open = True
        until = held.opened_at + timedelta(hours=self._rooms.visit_hours)
        self._notices.follow(held.id, held.site, context.patient_id, until, held.tell_of_consent)
        log.info("visit.opened visit=%s pid=%d", held.id, held.process.pid)

    async def _add_row(self, held: HeldVisit) -> None:
        try:
            await asyncio.to_thread(self._rooms.database.add_visit, held.id, held.site.id, held.process.pid)
        except Exception as error:  # whatever a database driver raises
            raise VisitError("visit.store", UNSTORED, type(error).__name__) from error

    def find_running(self, site: EhrSite, context: LaunchContext) -> HeldVisit | None:
        """The visit of this patient and encounter that still runs, so that a fresh launch comes back to it.

        Raises:
            LaunchError: it is another clinician's.
        """
        of_launch = (site.id, context.patient_id, context.encounter_id)
        for held in self._held.values():
            session = held.session
            if session is None or held.over.is_set() or held.reported.is_set():
                continue
            if (held.site.id, session.patient_id, session.encounter_id) == of_launch:
                if session.user != context.practitioner:
                    raise LaunchError("launch.other-user", OTHER_USER)
                return held
        return None

    async def come_back(self, held: HeldVisit, context: LaunchContext, access: Access) -> None:
        """Go on with a running visit in the browser of this launch, with its tokens; the browser before is let go.

        Raises:
            LedgerError: the ledger can't be written: the visit goes on as it was.
        """
        await self._rooms.ledger.append(held.broker.entry("front:visit:come-back"))
        before = held.session
        held.session = Session(context.patient_id, context.encounter_id, context.practitioner, access)
        held.broker.admit(held.session)
        held.holding.begin_again()
        held.end_streams()
        if before is not None:
            before.access.forget()
        log.info("visit.came-back visit=%s", held.id)

    async def move(self, held: HeldVisit) -> None:
        """Go on with a running visit in the browser that brought its key; the browser before is let go.

        Raises:
            LedgerError: the ledger can't be written: the visit stays where it was.
            VisitError: it ended meanwhile.
        """
        await self._rooms.ledger.append(held.broker.entry("front:visit:move"))
        if held.over.is_set() or held.reported.is_set():
            raise VisitError("visit.over", OVER)
        held.holding.pass_on()
        held.end_streams()
        log.info("visit.moved visit=%s", held.id)

    async def abandon(self, held: HeldVisit, outcome: str = "failed") -> None:
        """End a visit from the front's side and wait until it is gone; never fails."""
        held.report = held.report or EndReport(outcome=outcome)
        held.reported.set()
        await held.gone.wait()

    async def stop(self) -> None:
        """End every visit, because the front ends."""
        await asyncio.gather(*(self.abandon(held, STOPPED) for held in list(self._held.values())))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def clean_up(self) -> None:
        """What an earlier front left: its processes ended with their lifelines; rows are closed and sockets removed."""
        rooms = self._rooms
        for row in await asyncio.to_thread(rooms.database.list_open_visits):
            await asyncio.to_thread(rooms.database.close_visit, row.id, LOST)
            rooms.ledger.owe(Entry("front:visit:purge", LOST, visit=row.id, site=row.site))
            log.info("visit.lost visit=%s pid=%d", row.id, row.pid)
        remove_leftovers(rooms.run_dir)
        self._spawn(self._delete_old_rows())

    async def _delete_old_rows(self) -> None:
        """Now and every hour: the rows of visits that ended long ago."""
        rooms = self._rooms
        while True:
            try:
                before = rooms.clock() - timedelta(days=rooms.row_days)
                deleted = await asyncio.to_thread(rooms.database.delete_ended_visits, before)
                if deleted:
                    rooms.ledger.owe(Entry("front:rows:delete", codes={"rows": deleted}))
            except Exception as error:  # noqa: BLE001 - tried again in an hour
                log.error("visit.rows.failed error=%s", type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _keep_watch(self, held: HeldVisit) -> None:
        """One visit from its fork to its purge, and until its page is forgotten."""
        await _wait_for_any(held.process.ended, held.reported, seconds=self._rooms.visit_hours * 3600)
        if not (held.process.ended.is_set() or held.reported.is_set()):
            with contextlib.suppress(VisitError, TimeoutError):
                async with asyncio.timeout(EXPIRE_SECONDS):
                    await held.relay.post("/internal/expire", b"{}")
                    await _wait_for_any(held.process.ended, held.reported, seconds=EXPIRE_SECONDS)
            held.report = held.report or EndReport(outcome=EXPIRED)
        if held.report is None and held.process.ended.is_set():
            await asyncio.sleep(0)  # a report that arrived together with the end counts
        report = held.report or EndReport(outcome=LOST)
        await held.relay.let_answers_out(ANSWER_SECONDS)
        await self._purge(held, report)
        if held.is_open:
            await asyncio.sleep(self._rooms.ended_minutes * 60)
        self._held.pop(held.id, None)

    async def _purge(self, held: HeldVisit, report: EndReport) -> None:
        rooms = self._rooms
        held.over.set()
        self._notices.end(held.id)
        entry = held.broker.entry("front:visit:purge", report.outcome)
        held.relay.close()
        held.broker.close()
        status = held.process.read_exit_status() if held.process.ended.is_set() else None
        settling = asyncio.create_task(self._settle(held, report))
        try:
            held.receipt = await purge_visit(
                held.process.give_up(held.opened_at),
                report.outcome,
                settling,
                document=report.document,
                destroyed=report.destroyed,
                clock=rooms.clock,
            )
            log.info("visit.purged visit=%s outcome=%s status=%s", held.id, report.outcome, status)
        except VisitError as error:
            entry = replace(entry, event="front:visit:purge-failed")
            log.error("visit.purge.failed %s", error.detail)
            await settling
        rooms.ledger.owe(entry)
        try:
            await asyncio.to_thread(rooms.database.close_visit, held.id, report.outcome)
        except Exception as error:  # noqa: BLE001 - the row is closed at the next start; ending never fails
            log.error("visit.row.failed visit=%s error=%s", held.id, type(error).__name__)
        held.gone.set()

    async def _settle(self, held: HeldVisit, report: EndReport) -> Settled:
        """Let go of the session's tokens, or give them and a filed note's reference to the watch."""
        session, held.session = held.session, None
        if session is None:
            return Settled()
        if not report.document:
            session.access.forget()
            return Settled(destroyed=(ACCESS,))
        now = self._rooms.clock()
        deadline = now + timedelta(days=self._rooms.watch_days)
        note = Awaiting(held.id, held.site.id, report.document, session.patient_id, now, deadline)
        watched = await self._signatures.follow(note, session.access)
        held.news = watched.news
        until = f"until the signature is seen, at most until {watched.until:%Y-%m-%d %H:%M} UTC"
        kept = [f"{REFERENCE}, {until}; then deleted"] if watched.keeps_reference else []
        if watched.keeps_access:
            kept.append(f"{ACCESS}, in the gateway's memory, to look for the signature, {until}; then destroyed")
        return Settled(() if watched.keeps_access else (ACCESS,), tuple(kept))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("visit.watch.failed error=%s", type(error).__name__)


async def _wait_for_any(*events: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
