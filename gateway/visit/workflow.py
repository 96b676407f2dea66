"""The workflow: runs the effects of the state machine for one visit.

In come the clinician's calls (``visit/api``) and the launch; out go FHIR requests and ledger entries through the
front. It holds the only copy of the visit's data, in memory, and drops all of it when the visit ends. It decides
nothing by itself: what may happen is ``visit/state``'s, what is permitted is ``consent/decision``'s.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from gateway.capture.audio import decode_audio
from gateway.capture.material import Material, Segment, gather_material
from gateway.capture.transcriber import Transcriber
from gateway.capture.typed import read_typed
from gateway.consent.decision import Activity, Permit, Refusal, ask, decide_consent, read_consents
from gateway.consent.rules import ConsentRules
from gateway.ehr.chart import Chart, choose_encounter, read_chart, reread_consents
from gateway.ehr.client import FhirClient
from gateway.ehr.context import LaunchContext
from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError, DraftError, EhrUnreachable, VisitError
from gateway.filing.document import VisitFacts
from gateway.filing.handover import HandOverText, confirm_handover, offer_text
from gateway.filing.writer import FiledNote, NotFiled, UnsignedRefusal, file_note
from gateway.note.checking import DraftChecker
from gateway.note.drafter import Drafter
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import NoteFormat
from gateway.note.review import (
    ApprovedNote,
    Decision,
    Review,
    RiskDecision,
    approve_note,
    decide_risk,
    decide_section,
    open_review,
    take_statement,
)
from gateway.note.risk import RiskRules
from gateway.note.statement import DrafterInfo, Statement, finish_draft
from gateway.visit import state as machine
from gateway.visit.door import Door, EndReport
from gateway.visit.faults import locate_fault
from gateway.visit.state import Effect, Event, Outcome, Phase, State, Telehealth, Way

log = logging.getLogger("countersign.visit")
FAULT = "Something went wrong in Countersign, so this was not done. Nothing is lost; try again, or cancel the visit."
Item = TypeVar("Item")
NOTHING_WRITES = DrafterInfo("none", "Written by the clinician, without AI")


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a visit is given from outside."""

    site: EhrSite
    consent_rules: ConsentRules
    risk_rules: RiskRules
    formats: Mapping[str, NoteFormat]
    fhir: FhirClient
    door: Door
    drafter: Drafter
    transcriber: Transcriber | None
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    leave: Callable[[], None]  # ends the process, soon


@dataclass(slots=True)
class Working:
    """What is going on right now, for the page. ``done`` runs from 0 to 1."""

    what: str
    words: str
    done: float = 0.0


@dataclass(slots=True)
class Contents:
    """The patient's data, all in one place, so that ending a visit drops one object."""

    chart: Chart | None = None
    consents: Mapping[Activity, Permit | Refusal] = field(default_factory=dict)
    dictated: list[Segment] = field(default_factory=list)
    typed: str = ""
    observations: str = ""
    audio: bytes = b""
    progress: list[CheckedStatement] = field(default_factory=list)
    review: Review | None = None
    handover: HandOverText | None = None


class Visit:
    """One visit. Every public coroutine is one thing the clinician does; it returns when the visit has taken it in."""

    def __init__(self, tools: Tools, initial: State | None = None) -> None:
        self.tools = tools
        self.state = initial or State(unsigned_notes=tools.site.note.unsigned == "yes")
        self.contents = Contents()
        self.note_format = next(iter(tools.formats.values()))
        self.started_at = tools.now()
        self.version = 0
        self.working: Working | None = None
        self.problem: CountersignError | None = None
        self.document: str | None = None
        self._identifier = f"urn:uuid:{tools.new_id()}"  # one for the visit: a second try is the same note
        self._changed = asyncio.Condition()
        self._cancel = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # One thread for the models: llama.cpp's and OpenMP's own threads belong to the thread that calls them.
        self._models = ThreadPoolExecutor(max_workers=1, thread_name_prefix="models")

    @property
    def ended(self) -> bool:
        return self.state.phase is Phase.ENDED

    # What the clinician and the front do ---------------------------------------------------------------------

    def open(self, context: LaunchContext) -> None:
        """Take over a launch and begin to read the chart."""
        if self.contents.chart is not None or self._tasks:
            raise VisitError("visit.opened", "This visit is already open.")
        self._loop = asyncio.get_running_loop()
        self._spawn(self._read_chart(context))

    async def choose_encounter(self, encounter_id: str | None) -> None:
        chart = self._require_chart()
        chosen = choose_encounter(chart, encounter_id, self.tools.site)
        await self._apply(
            machine.EncounterChosen(Telehealth(chosen.telehealth)),
            before=lambda: setattr(self.contents, "chart", chosen),
        )

    async def answer_telehealth(self, remote: bool) -> None:
        await self._apply(machine.TelehealthAnswered(remote))

    async def choose_way(self, way: Way, format_id: str) -> None:
        chosen = self._find_format(format_id)
        await self._apply(machine.WayChosen(way), before=lambda: self._use_format(chosen))

    async def take_dictation(self, audio: bytes) -> None:
        """WAV or FLAC bytes. Raises CaptureError where no speech model is installed."""
        if self.tools.transcriber is None:
            raise DraftError("speech.missing", "No speech model is installed here, so type your notes instead.")
        await self._apply(machine.AudioArrived(), before=lambda: self._hold_audio(audio))

    async def set_typed(self, text: str, observations: str) -> None:
        read_typed(text, observations)  # refuses before anything changes
        kept = self.contents.typed, self.contents.observations
        self.contents.typed, self.contents.observations = text, observations
        try:
            await self._apply(machine.TypedChanged(self._has_material()))
        except VisitError:
            self.contents.typed, self.contents.observations = kept
            raise

    async def ask_draft(self, format_id: str) -> None:
        chosen = self._find_format(format_id)
        await self._apply(machine.DraftAsked(), before=lambda: self._use_format(chosen))

    async def ask_material(self) -> None:
        await self._apply(machine.MaterialAsked(), before=self._drop_draft)

    async def decide_section(self, section: str, decision: Decision, text: str) -> None:
        await self._decide(lambda review: decide_section(review, section, decision, text))

    async def decide_risk(self, number: int, decision: RiskDecision) -> None:
        await self._decide(lambda review: decide_risk(review, number, decision))

    async def take_statement(self, number: int, text: str) -> None:
        await self._decide(lambda review: take_statement(review, number, text))

    async def ask_filing(self, attested: bool, version: int) -> None:
        """File exactly what the page showed at ``version``."""
        if version != self.version:
            raise VisitError("visit.stale", "The note has changed since this page showed it. Look again, then file.")
        if self.state.phase is Phase.REVIEWING and not self.state.open_decisions:
            self._approve(attested)  # refuses an empty note before anything is asked of the record
        await self._apply(machine.FilingAsked(attested))

    async def confirm_handover(self) -> None:
        chart, text = self._require_chart(), self.contents.handover
        if text is not None:
            confirm_handover(text, chart.context.practitioner, self.tools.now())
        await self._apply(machine.HandOverConfirmed())

    async def cancel(self) -> None:
        await self._apply(machine.Cancelled())

    async def expire(self) -> None:
        await self._apply(machine.DeadlinePassed())

    async def wait_for_change(self, seen: int, timeout_seconds: float) -> int:
        """Wait until the version differs from ``seen``, or the time is over; returns the version."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: self.version != seen)
        except TimeoutError:
            pass
        return self.version

    # Applying events and running effects ---------------------------------------------------------------------

    async def _apply(
        self, event: Event, before: Callable[[], None] | None = None, problem: CountersignError | None = None
    ) -> None:
        try:
            following, effects = machine.step(self.state, event)
        except machine.NotNow as no:
            raise VisitError("visit.not-now", str(no)) from no
        if before is not None:
            before()
        self.state, self.problem = following, problem
        await self._touch()
        for effect in effects:
            await self._run(effect)

    async def _run(self, effect: Effect) -> None:
        match effect:
            case machine.StopModels():
                self._stop_models()
            case machine.Purge(outcome):
                await self._end(outcome)
            case machine.Transcribe():
                self._begin(self._transcribe(), "transcribing", "Transcribing your dictation")
            case machine.RereadConsent():
                self._begin(self._reread_consent(), "consent", "Reading the patient's consents again")
            case machine.StartDraft():
                words = "Writing the draft and looking for the words it rests on"
                self._begin(self._draft(), "drafting", words)
            case machine.OpenReview():
                self._begin(self._open_empty_review(), "opening", "Opening an empty note")
            case machine.WriteNote():
                self._begin(self._write_note(), "filing", "Filing the note and reading it back")
            case machine.ShowText():
                self._begin(self._show_text(), "handing-over", "Preparing the text for the EHR's own editor")

    def _begin(self, work: Coroutine[None, None, None], what: str, words: str) -> None:
        self.working = Working(what, words)
        self._spawn(work)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _touch(self) -> None:
        async with self._changed:
            self.version += 1
            self._changed.notify_all()

    async def _attempt(self, work: Callable[[], Awaitable[Event]], failed: Event) -> None:
        """Run one piece of work that ends in an event; where it fails, the clinician is told why, and ``failed`` is."""
        problem: CountersignError | None = None
        try:
            event = await work()
        except CountersignError as error:
            event, problem = failed, error
        except Exception as error:  # noqa: BLE001 - the visit goes on, and says so; the text may be the patient's
            log.error("visit.work.failed error=%s at=%s", type(error).__name__, locate_fault(error.__traceback__))
            event, problem = failed, VisitError("visit.fault", FAULT, type(error).__name__)
        self.working = None
        if not self.ended:
            await self._apply(event, problem=problem)

    # Chart and consent ----------------------------------------------------------------------------------------

    async def _read_chart(self, context: LaunchContext) -> None:
        async def read() -> Event:
            chart = await read_chart(self.tools.fhir, context, self.tools.site, self.tools.now())
            self.contents.chart = chart
            permitted = await self._decide_consents(chart)
            return machine.ChartRead(permitted, Telehealth(chart.telehealth), chart.encounter is not None)

        await self._attempt(read, machine.ChartFailed())

    async def _decide_consents(self, chart: Chart) -> frozenset[Activity]:
        now, rules = self.tools.now(), self.tools.consent_rules
        readings = read_consents(chart.consents, rules)
        answers = {
            activity: decide_consent(
                readings, chart.consent_problems, ask(activity, chart, self.tools.site, rules, now), rules
            )
            for activity in Activity
        }
        self.contents.consents = answers
        for activity, answer in answers.items():
            await self.tools.door.log(
                "visit:consent:decide",
                "permit" if isinstance(answer, Permit) else f"refusal.{answer.code}",
                {"activity": activity.value, "grounds": len(answer.grounds), "rules": rules.id},
            )
        return frozenset(activity for activity, answer in answers.items() if isinstance(answer, Permit))

    async def _reread_consent(self) -> None:
        async def reread() -> Event:
            before = self._require_chart()
            chart = await reread_consents(self.tools.fhir, before, self.tools.now())
            if set(chart.consent_problems) - set(before.consent_problems):
                raise EhrUnreachable(
                    "consent.unread",
                    "The patient's consents could not be read again, so nothing was started. Try again in a moment.",
                )
            self.contents.chart = chart
            return machine.ConsentReread(await self._decide_consents(chart))

        await self._attempt(reread, machine.ConsentUnread())
        if self.state.phase is Phase.CHOOSING:
            self._drop_material()

    # Material and draft ---------------------------------------------------------------------------------------

    async def _transcribe(self) -> None:
        async def transcribe() -> Event:
            await self.tools.door.log("visit:dictation:transcribe")
            self._cancel.clear()
            transcriber, audio, self.contents.audio = self.tools.transcriber, self.contents.audio, b""
            assert transcriber is not None
            samples = await self._on_models(lambda: decode_audio(audio))
            found: list[Segment] = []
            pieces = transcriber.transcribe(samples, self._cancel, self._show_progress)
            async for segment in self._iterate(pieces):
                found.append(segment)
            self.contents.dictated.extend(found)
            await self.tools.door.log("visit:dictation:transcribed", "", {"segments": len(found)})
            return machine.TranscriptClosed(self._has_material())

        await self._attempt(transcribe, machine.TranscriptClosed(self._has_material()))

    def _show_progress(self, done: float) -> None:
        """Called from the models' thread; the page is told at most every twentieth of the way."""
        working = self.working
        if working is not None and self._loop is not None and done - working.done >= 0.05:
            working.done = done
            asyncio.run_coroutine_threadsafe(self._touch(), self._loop)

    async def _draft(self) -> None:
        async def draft() -> Event:
            tools, contents, note_format = self.tools, self.contents, self.note_format
            await tools.door.log("visit:draft:start", "", {"format": note_format.id})
            self._cancel.clear()
            info = tools.drafter.describe(note_format)
            material = self._gather()
            checker = DraftChecker(material, note_format, tools.risk_rules)
            contents.progress, contents.review = list(checker.quotes()), None
            await self._touch()
            written: list[Statement] = []
            async for statement in self._iterate(tools.drafter.write(material, note_format, self._cancel)):
                written.append(statement)
                checked = checker.check(statement)
                if checked is not None:
                    contents.progress.append(checked)
                    await self._touch()
            if self._cancel.is_set():
                raise DraftError("draft.cancelled", "The draft was stopped.")
            finished = checker.finish(finish_draft(note_format.id, tuple(written), info))
            contents.review = open_review(finished, note_format)
            counts = {"shown": len(finished.shown), "withheld": len(finished.withheld)}
            await tools.door.log("visit:draft:finish", info.kind, counts)
            return machine.DraftClosed(contents.review.open_decisions)

        await self._attempt(draft, machine.DraftFailed())

    async def _open_empty_review(self) -> None:
        """Write without AI: the same review and filing, with no model and no material."""

        async def open_empty() -> Event:
            await self.tools.door.log("visit:review:open", NOTHING_WRITES.kind, {"format": self.note_format.id})
            empty = DraftChecker(gather_material(()), self.note_format, self.tools.risk_rules)
            draft = empty.finish(finish_draft(self.note_format.id, (), NOTHING_WRITES))
            self.contents.review = open_review(draft, self.note_format)
            return machine.DecisionMade(self.contents.review.open_decisions)

        await self._attempt(open_empty, machine.MaterialAsked())

    async def _decide(self, decide: Callable[[Review], Review]) -> None:
        review = self.contents.review
        if review is None or self.state.phase is not Phase.REVIEWING:
            raise VisitError("visit.not-now", "There is no draft to review right now.")
        following = decide(review)
        await self._apply(
            machine.DecisionMade(following.open_decisions), before=lambda: setattr(self.contents, "review", following)
        )

    # Filing ---------------------------------------------------------------------------------------------------

    def facts(self) -> VisitFacts:
        """What the note's head and its making rest on besides the chart."""
        sources = (("dictation", self.contents.dictated), ("typed notes", self.contents.typed.strip()))
        permits = tuple(answer for answer in self.contents.consents.values() if isinstance(answer, Permit))
        needed = machine.needed_consents(self.state.way or Way.WRITE, self.state.telehealth)
        return VisitFacts(
            started_at=self.started_at,
            telehealth=self.state.telehealth.value,
            sources=tuple(name for name, content in sources if content) if self.state.way is not Way.WRITE else (),
            permits=tuple(permit for permit in permits if permit.activity in needed),
        )

    def _approve(self, attested: bool) -> ApprovedNote:
        review, chart = self.contents.review, self._require_chart()
        if review is None:
            raise VisitError("visit.not-now", "There is no draft to review right now.")
        return approve_note(review, attested, chart.context.practitioner, self.tools.now())

    async def _write_note(self) -> None:
        async def write() -> Event:
            await self.tools.door.log("visit:note:file")
            note, tools = self._approve(attested=True), self.tools
            result = await file_note(
                tools.fhir, note, self._require_chart(), self.facts(), tools.site, self._identifier, tools.now
            )
            match result:
                case FiledNote():
                    self.document = result.reference
                    await tools.door.owe("visit:note:filed", result.read_back)
                    return machine.NoteStored()
                case UnsignedRefusal():
                    await tools.door.owe("visit:note:refused", "unsigned-notes")
                    return machine.UnsignedRefused()
                case NotFiled():
                    await tools.door.owe("visit:note:not-filed", result.error.code)
                    raise result.error

        await self._attempt(write, machine.NoteNotStored())

    async def _show_text(self) -> None:
        try:
            await self.tools.door.log("visit:note:hand-over")
        except CountersignError as error:
            self.problem = error
        else:
            self.contents.handover = offer_text(
                self._approve(attested=True), self._require_chart(), self.facts(), self.tools.site.note
            )
        self.working = None
        await self._touch()

    # The end --------------------------------------------------------------------------------------------------

    def _stop_models(self) -> None:
        self._cancel.set()
        self.working = None

    async def _end(self, outcome: Outcome) -> None:
        """Destroy first, then tell; nothing here waits for the EHR, the disk or the ledger."""
        destroyed = self._list_contents()
        self.contents = Contents()
        await self._touch()
        problem = (self.problem.code, self.problem.public) if self.problem else None
        await self.tools.door.report_end(EndReport(outcome, self.document, destroyed, problem))
        for model in (self.tools.drafter, self.tools.transcriber):
            if model is not None:
                self._models.submit(model.close)
        self._models.shutdown(wait=False)
        self.tools.leave()

    def _list_contents(self) -> tuple[str, ...]:
        contents = self.contents
        kinds = (
            ("chart and consents", contents.chart),
            ("dictated audio", contents.audio),
            ("transcript", contents.dictated),
            ("typed notes", contents.typed or contents.observations),
            ("draft and its review", contents.review or contents.progress),
            ("text for hand-over", contents.handover),
        )
        return tuple(name for name, held in kinds if held)

    # Small parts ----------------------------------------------------------------------------------------------

    def _require_chart(self) -> Chart:
        if self.contents.chart is None:
            raise VisitError("visit.no-chart", "The chart is not read yet.")
        return self.contents.chart

    def _find_format(self, format_id: str) -> NoteFormat:
        if format_id not in self.tools.formats:
            raise VisitError("visit.format", "There is no such note format here. Reload the page.")
        return self.tools.formats[format_id]

    def _use_format(self, chosen: NoteFormat) -> None:
        self.note_format = chosen

    def _hold_audio(self, audio: bytes) -> None:
        self.contents.audio = audio

    def segments(self) -> tuple[Segment, ...]:
        """Everything gathered so far, numbered as the draft will see it."""
        return self._gather().segments

    def _gather(self) -> Material:
        contents = self.contents
        return gather_material([*contents.dictated, *read_typed(contents.typed, contents.observations)])

    def _has_material(self) -> bool:
        return bool(self.segments())

    def _drop_draft(self) -> None:
        self.contents.progress, self.contents.review = [], None

    def _drop_material(self) -> None:
        """Consent is gone, or no material is wanted: what rested on it goes too."""
        self._drop_draft()
        self.contents.dictated, self.contents.typed, self.contents.observations = [], "", ""

    async def _on_models(self, work: Callable[[], Item]) -> Item:
        return await asyncio.get_running_loop().run_in_executor(self._models, work)

    async def _iterate(self, pieces: Iterator[Item]) -> AsyncIterator[Item]:
        """What a model yields in its own thread, one by one, while the page is served."""
        end = object()
        while True:
            piece = await self._on_models(lambda: next(pieces, end))
            if piece is end:
                return
            yield piece  # type: ignore[misc]  # not the end mark, so an Item
