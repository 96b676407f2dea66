"""The stage of a visit: its state, its data, and how an event is applied, whoever brings it.

In: events. Out: the state machine's effects, run by whoever stages the visit (``visit/workflow``). It decides nothing
by itself, and what was stopped meanwhile has no effect.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.capture.transcriber import Transcriber
from gateway.consent.rules import ConsentRules
from gateway.consent.wording import Wording
from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError, VisitError
from gateway.models.slots import ComputeSlots
from gateway.note.drafter import Drafter
from gateway.note.formats import NoteFormat
from gateway.note.risk import RiskRules
from gateway.visit import state as machine
from gateway.visit.contents import Contents
from gateway.visit.door import Door
from gateway.visit.events import Effect, Event
from gateway.visit.faults import locate_fault
from gateway.visit.state import Phase, State

log = logging.getLogger("countersign.visit")
FAULT = "Something went wrong in Countersign, so this was not done. Nothing is lost; try again, or cancel the visit."


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a visit is given from outside."""

    site: EhrSite
    consent_rules: ConsentRules
    wordings: Mapping[str, Wording]  # to read with the patient, by language
    risk_rules: RiskRules
    formats: Mapping[str, NoteFormat]
    fhir: FhirClient
    door: Door
    drafter: Drafter
    tidier: Drafter  # puts a note's own sentences under the headings, and no other word
    transcriber: Transcriber | None
    slots: ComputeSlots | None  # None: nobody else works on this machine
    sound_seconds: float  # how long the sound of unmarked lines is kept once the draft is ready; 0: not at all
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    leave: Callable[[], None]  # ends the process, soon


@dataclass(slots=True)
class Working:
    """What is going on right now, for the page. ``done`` runs from 0 to 1."""

    what: str
    words: str
    done: float = 0.0


class Stage(ABC):
    """One visit's state and data."""

    def __init__(self, tools: Tools, initial: State | None = None) -> None:
        self.tools = tools
        self.state = initial or State(unsigned_notes=tools.site.note.unsigned == "yes")
        self.contents = Contents()
        self.started_at = tools.now()
        self.version = 0
        self.working: Working | None = None
        self.problem: CountersignError | None = None
        self.run_number = 0  # of what the models and the record were asked for; what is older has no effect
        self._changed = asyncio.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ended(self) -> bool:
        return self.state.phase is Phase.ENDED

    @property
    def is_busy(self) -> bool:
        """Whether anything was ever begun that still runs."""
        return bool(self._tasks)

    @abstractmethod
    async def run(self, effect: Effect) -> None:
        """Do what the state machine orders; returns when it has begun."""

    @abstractmethod
    def follow_state(self) -> None:
        """Begin and end what goes with a phase, whichever event led to it; before anybody sees the new state."""

    def require_chart(self) -> Chart:
        if self.contents.chart is None:
            raise VisitError("visit.no-chart", "The chart is not read yet.")
        return self.contents.chart

    async def wait_for_change(self, seen: int, timeout_seconds: float) -> int:
        """Wait until the version differs from ``seen``, or the time is over; returns the version."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: self.version != seen)
        except TimeoutError:
            pass
        return self.version

    async def apply(
        self, event: Event, before: Callable[[], None] | None = None, problem: CountersignError | None = None
    ) -> None:
        try:
            following, effects = machine.step(self.state, event)
        except machine.NotNow as no:
            raise VisitError("visit.not-now", str(no)) from no
        if before is not None:
            before()
        self.state, self.problem = following, problem
        self.follow_state()
        for effect in effects:  # what stops and destroys is done before anybody sees the new state
            if not effect.starts:
                await self.run(effect)
        await self.tell_change()
        for effect in effects:
            if effect.starts:
                await self.run(effect)

    def begin(self, work: Coroutine[None, None, None], what: str, words: str) -> None:
        self.working = Working(what, words)
        self.spawn(work)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell_working(self, words: str = "", done: float = 0.0) -> None:
        """From any thread: what is going on now, or how far it has come; every twentieth of the way is told."""
        working = self.working
        if working is None or self._loop is None or (not words and done - working.done < 0.05):
            return
        working.words, working.done = words or working.words, max(working.done, done)
        asyncio.run_coroutine_threadsafe(self.tell_change(), self._loop)

    async def tell_change(self) -> None:
        async with self._changed:
            self.version += 1
            self._changed.notify_all()

    async def attempt(self, work: Callable[[], Awaitable[Event]], failed: Event) -> None:
        """Run one piece of work that ends in an event; where it fails, the clinician is told why, and ``failed`` is."""
        problem: CountersignError | None = None
        run_number = self.run_number
        try:
            event = await work()
        except CountersignError as error:
            event, problem = failed, error
        except Exception as error:  # noqa: BLE001 - the visit goes on, and says so; the text may be the patient's
            log.error("visit.work.failed error=%s at=%s", type(error).__name__, locate_fault(error.__traceback__))
            event, problem = failed, VisitError("visit.fault", FAULT, type(error).__name__)
        if self.ended or run_number != self.run_number:
            return  # it was stopped meanwhile: what it brought has no effect
        self.working = None
        try:
            await self.apply(event, problem=problem)
        except VisitError as late:  # the clinician was faster: what waited for this is gone
            log.info("visit.work.late code=%s", late.code)
