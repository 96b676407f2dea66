"""The workflow: runs the effects of the state machine for one visit.

In come the clinician's calls (``visit/api``) and the launch; out go FHIR requests and ledger entries through the
front. It holds the only copy of the visit's data, in memory, and drops all of it when the visit ends. It decides
nothing by itself: what may happen is ``visit/state``'s, what is permitted is ``consent/decision``'s.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.capture.audio import decode_audio
from gateway.capture.language import read_language
from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.capture.typed import read_typed
from gateway.consent.decision import Permit
from gateway.consent.room import describe_answers
from gateway.ehr.chart import choose_encounter, read_chart
from gateway.ehr.context import LaunchContext
from gateway.errors import CountersignError, DraftError, VisitError
from gateway.filing.document import VisitFacts
from gateway.filing.handover import confirm_handover, offer_text
from gateway.filing.writer import FiledNote, NotFiled, UnsignedRefusal, file_note
from gateway.note.checking import DraftChecker
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
from gateway.note.statement import DrafterInfo, finish_draft
from gateway.visit import events
from gateway.visit import state as machine
from gateway.visit.consenting import ConsentDesk
from gateway.visit.contents import Contents
from gateway.visit.door import EndReport
from gateway.visit.drafting import WRITING, DraftDesk
from gateway.visit.events import Effect, Event, Outcome, Telehealth, Way
from gateway.visit.hearing import guess_language, hear_in_turn, make_hearer
from gateway.visit.listening import ListeningDesk
from gateway.visit.models import ModelThread
from gateway.visit.permissions import list_permitted
from gateway.visit.session import SessionDesk
from gateway.visit.stage import Stage, Tools
from gateway.visit.state import Phase, State

Item = TypeVar("Item")
NOTHING_WRITES = DrafterInfo("none", "Written by the clinician, without AI")


class Visit(Stage):
    """One visit. Every public coroutine is one thing the clinician does; it returns when the visit has taken it in."""

    def __init__(self, tools: Tools, initial: State | None = None) -> None:
        super().__init__(tools, initial)
        self.consent = ConsentDesk(self)
        self.document: str | None = None
        self._identifier = f"urn:uuid:{tools.new_id()}"  # one for the visit: a second try is the same note
        self._models = ModelThread()
        self.session = SessionDesk(self, self._models, lambda last: self.drafting.strike(last))
        self.listening = ListeningDesk(self, self.session)
        self.drafting = DraftDesk(self, self._models, self.session)

    # What the clinician and the front do ---------------------------------------------------------------------

    def open(self, context: LaunchContext) -> None:
        """Take over a launch and begin to read the chart."""
        if self.contents.chart is not None or self.is_busy:
            raise VisitError("visit.opened", "This visit is already open.")
        self.spawn(self._read_chart(context))

    async def choose_encounter(self, encounter_id: str | None) -> None:
        """The visit's encounter, and with it who else takes part."""
        chart = self.require_chart()
        chosen = choose_encounter(chart, encounter_id, self.tools.site)

        def take() -> None:
            self.contents.chart = chosen
            self.consent.meet_people(chosen)

        await self.apply(events.EncounterChosen(Telehealth(chosen.telehealth)), before=take)
        await self.consent.decide_again()

    async def answer_telehealth(self, remote: bool) -> None:
        await self.apply(events.TelehealthAnswered(remote))

    async def choose_way(self, way: Way, format_id: str) -> None:
        chosen = self.drafting.find_format(format_id)
        if way in machine.CAPTURING:
            self._require_speech()
        if self.consent.any_expired():
            await self.consent.decide_again()

        def take() -> None:
            self.drafting.note_format = chosen
            self.consent.taken_back = None

        await self.apply(events.WayChosen(way), before=take)

    async def ask_capture(self) -> None:
        """Raises DraftError where no speech model is installed."""
        self._require_speech()
        await self.consent.ask_capture()

    async def discard_capture(self) -> None:
        """Stop the microphone and destroy what was recorded, heard or not; where nothing was, it stops."""
        await self.consent.stop_capture()
        before = len(self.contents.heard)

        def drop() -> None:
            self.session.drop()
            self.drafting.drop()
            self.contents.drop_recorded(keep_audio=False)

        if self.state.way is Way.RECORD and self.state.has_recorded:
            await self.apply(events.RecordingDiscarded(), before=drop)
            counts = {"segments": before - len(self.contents.heard)}
            await self.tools.door.owe("visit:capture:discard", "clinician", counts)

    async def take_audio(self, audio: bytes) -> None:
        """WAV or FLAC bytes, of the session or of a dictation. Raises DraftError where no speech model is installed."""
        self._require_speech()
        if self.session.awaits_hearing:
            raise VisitError("visit.not-now", "The session is being recorded. End it first.")
        await self.apply(events.AudioArrived(), before=lambda: self._hold_audio(audio))

    async def set_typed(self, text: str, observations: str) -> None:
        read_typed(text, observations)  # refuses before anything changes
        contents = self.contents
        kept = contents.typed, contents.observations
        contents.typed, contents.observations = text, observations
        try:
            await self.apply(events.TypedChanged(contents.has_other))
        except VisitError:
            contents.typed, contents.observations = kept
            raise
        contents.typed_language = read_language(f"{text}\n{observations}")

    async def ask_draft(self, format_id: str) -> None:
        chosen = self.drafting.find_format(format_id)
        self.drafting.require_language()
        await self.apply(events.DraftAsked(), before=lambda: setattr(self.drafting, "note_format", chosen))

    async def ask_format(self, format_id: str) -> None:
        await self.drafting.change_format(format_id)

    async def ask_material(self) -> None:
        await self.apply(events.MaterialAsked(), before=lambda: self.contents.drop_draft())

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
        await self.apply(events.FilingAsked(attested))

    async def confirm_handover(self) -> None:
        chart, text = self.require_chart(), self.contents.handover
        if text is not None:
            confirm_handover(text, chart.context.practitioner, self.tools.now())
        await self.apply(events.HandOverConfirmed())

    async def cancel(self) -> None:
        await self.apply(events.Cancelled())

    async def expire(self) -> None:
        await self.apply(events.DeadlinePassed())

    # Running effects ---------------------------------------------------------------------

    def follow_state(self) -> None:
        self.listening.follow()

    async def run(self, effect: Effect) -> None:
        match effect:
            case events.StopModels():
                self._stop_models()
            case events.CloseCapture():
                self.consent.close_watch()
                self.session.capture_closed()
            case events.Destroy(lost):
                self.session.drop()
                self.drafting.drop()
                await self.consent.destroy(lost)
            case events.Purge(outcome):
                await self._end(outcome)
            case events.Transcribe() if self.session.awaits_hearing:
                self.spawn(self._transcribe())  # it goes on as long as people talk
                self.spawn(self.drafting.follow_session())
            case events.Transcribe():
                self.begin(self._transcribe(), "transcribing", "Transcribing what was said")
            case events.RereadConsent():
                self.begin(self.consent.reread(), "consent", "Reading the patient's consents again")
            case events.OpenCapture():
                self.begin(self.consent.open_capture(), "consent", "Opening the microphone")
            case events.StartDraft():
                self.begin(self._draft(), "drafting", WRITING)
            case events.OpenReview():
                self.begin(self._open_empty_review(), "opening", "Opening an empty note")
            case events.WriteNote():
                self.begin(self._write_note(), "filing", "Filing the note and reading it back")
            case events.ShowText():
                self.begin(self._show_text(), "handing-over", "Preparing the text for the EHR's own editor")

    async def _read_chart(self, context: LaunchContext) -> None:
        async def read() -> Event:
            tools = self.tools
            chart = await read_chart(tools.fhir, context, tools.site, tools.now())
            await self.consent.take_chart(chart)
            permitted = list_permitted(self.contents.consents)
            return events.ChartRead(permitted, Telehealth(chart.telehealth), chart.encounter is not None)

        await self.attempt(read, events.ChartFailed())

    # Material and draft ---------------------------------------------------------------------------------------

    async def _transcribe(self) -> None:
        recorded = self.state.way is Way.RECORD

        def closed() -> Event:
            contents = self.contents
            has_recorded = contents.has_recorded or self.session.holds_sound()  # what nobody spoke in is recorded too
            return events.TranscriptClosed(has_recorded if recorded else contents.has_other)

        async def transcribe() -> Event:
            await self.tools.door.log("visit:audio:transcribe", "session" if recorded else "dictation")
            transcriber, audio, self.contents.audio = self.tools.transcriber, self.contents.audio, b""
            assert transcriber is not None
            if recorded and self.session.awaits_hearing:
                rules, slots, medications = self.tools.risk_rules, self.tools.slots, self.require_chart().medications
                await self.session.hear(lambda cancel: make_hearer(transcriber, rules, medications, slots, cancel))
                await self.tools.door.log("visit:audio:transcribed", "", {"segments": len(self.contents.heard)})
                return closed()
            cancel = self._models.begin()
            samples = await self._models.run(lambda: decode_audio(audio))
            slots = self.tools.slots
            self.contents.heard_language = await self._models.run(
                lambda: guess_language(samples, transcriber, slots, cancel)
            )
            found: list[Segment] = []
            pieces = transcriber.transcribe(samples, cancel, lambda done: self.tell_working(done=done))
            async for segment in self._models.iterate(hear_in_turn(pieces, slots, cancel)):
                found.append(segment)
            if cancel.is_set():
                raise DraftError("speech.cancelled", "The transcription was stopped.")
            if recorded:  # one microphone: who spoke is not known
                found = [replace(one, source=Source.SESSION, speaker=Speaker.UNKNOWN) for one in found]
            self.contents.heard.extend(found)
            await self.tools.door.log("visit:audio:transcribed", "", {"segments": len(found)})
            return closed()

        await self.attempt(transcribe, closed())

    async def _draft(self) -> None:
        await self.attempt(self.drafting.write, events.DraftFailed())

    async def _open_empty_review(self) -> None:
        """Write without AI: the same review and filing, with no model and no material."""

        async def open_empty() -> Event:
            await self.tools.door.log(
                "visit:review:open", NOTHING_WRITES.kind, {"format": self.drafting.note_format.id}
            )
            nothing = gather_material(())
            empty = DraftChecker(nothing, self.drafting.note_format, self.tools.risk_rules)
            draft = empty.finish(finish_draft(self.drafting.note_format.id, (), NOTHING_WRITES))
            self.contents.review = open_review(draft, self.drafting.note_format, nothing)
            return events.DecisionMade(self.contents.review.open_decisions)

        await self.attempt(open_empty, events.MaterialAsked())

    async def _decide(self, decide: Callable[[Review], Review]) -> None:
        review = self.contents.review
        if review is None or self.state.phase is not Phase.REVIEWING:
            raise VisitError("visit.not-now", "There is no draft to review right now.")
        following = decide(review)
        await self.apply(
            events.DecisionMade(following.open_decisions), before=lambda: setattr(self.contents, "review", following)
        )

    # Filing ---------------------------------------------------------------------------------------------------

    def facts(self) -> VisitFacts:
        """What the note's head and its making rest on besides the chart."""
        contents = self.contents
        sources = (
            ("recording of the session", contents.has_recorded),
            ("dictation", any(one.source is Source.DICTATION for one in contents.heard)),
            ("typed notes", contents.typed.strip()),
        )
        permits = tuple(answer for answer in contents.own.values() if isinstance(answer, Permit))
        needed = machine.needed_consents(self.state.way or Way.WRITE, self.state.telehealth)
        return VisitFacts(
            started_at=self.started_at,
            telehealth=self.state.telehealth.value,
            sources=tuple(name for name, content in sources if content) if self.state.way is not Way.WRITE else (),
            permits=tuple(permit for permit in permits if permit.activity in needed),
            others=describe_answers(contents.people),
        )

    def _approve(self, attested: bool) -> ApprovedNote:
        review, chart = self.contents.review, self.require_chart()
        if review is None:
            raise VisitError("visit.not-now", "There is no draft to review right now.")
        return approve_note(review, attested, chart.context.practitioner, self.tools.now())

    async def _write_note(self) -> None:
        async def write() -> Event:
            await self.tools.door.log("visit:note:file")
            note, tools = self._approve(attested=True), self.tools
            result = await file_note(
                tools.fhir, note, self.require_chart(), self.facts(), tools.site, self._identifier, tools.now
            )
            match result:
                case FiledNote():
                    self.document = result.reference
                    await tools.door.owe("visit:note:filed", result.read_back)
                    return events.NoteStored()
                case UnsignedRefusal():
                    await tools.door.owe("visit:note:refused", "unsigned-notes")
                    return events.UnsignedRefused()
                case NotFiled():
                    await tools.door.owe("visit:note:not-filed", result.error.code)
                    raise result.error

        await self.attempt(write, events.NoteNotStored())

    async def _show_text(self) -> None:
        try:
            await self.tools.door.log("visit:note:hand-over")
        except CountersignError as error:
            self.problem = error
        else:
            self.contents.handover = offer_text(
                self._approve(attested=True), self.require_chart(), self.facts(), self.tools.site.note
            )
        self.working = None
        await self.tell_change()

    # The end --------------------------------------------------------------------------------------------------

    def _stop_models(self) -> None:
        self.run_number += 1
        self._models.stop()
        self.working = None

    async def _end(self, outcome: Outcome) -> None:
        """Destroy first, then tell; nothing here waits for the EHR, the disk or the ledger."""
        destroyed = self.contents.list_kinds()
        self.contents = Contents()
        self.session.drop()
        self.drafting.drop()
        await self.tell_change()
        problem = (self.problem.code, self.problem.public) if self.problem else None
        await self.tools.door.report_end(EndReport(outcome, self.document, destroyed, problem))
        models = (self.tools.drafter, self.tools.tidier, self.tools.transcriber)
        self._models.close(*(model.close for model in models if model is not None))
        self.tools.leave()

    # Small parts ----------------------------------------------------------------------------------------------

    def _hold_audio(self, audio: bytes) -> None:
        self.contents.audio = audio

    def _require_speech(self) -> None:
        if self.tools.transcriber is None:
            raise DraftError("speech.missing", "No speech model is installed here, so type your notes instead.")
