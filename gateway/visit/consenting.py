"""Consent through a visit: read, decided, asked of everyone in the room, watched while the microphone is on.

In: the clinician's calls and what the EHR says. Out: ``ConsentReread`` and the events of capture; what a permission
that ended had given is dropped here, before anything else happens. What permits is ``consent/decision``'s to say.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.consent.asking import AskedAnswers, Performer, attest_answers, list_performers
from gateway.consent.decision import Activity, Permit, Refusal
from gateway.consent.room import ROLES, Present, Said, add_present, answer_for, list_present
from gateway.consent.writing import write_answers
from gateway.ehr.chart import Chart
from gateway.ehr.reference import parse_reference
from gateway.errors import ConsentNotTaken, EhrError, LedgerError, VisitError
from gateway.filing.auditing import send_audit_event
from gateway.visit import events
from gateway.visit import state as machine
from gateway.visit.events import Event, Way
from gateway.visit.permissions import Decider, find_end, list_permitted, reread
from gateway.visit.stage import Stage, Working
from gateway.visit.watch import ConsentWatch

log = logging.getLogger("countersign.visit")
NOT_ASKED = "This EHR takes no answer from here, and your practice does not take one without it. Record it in the EHR."


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A permission that ended: of what, and what became of the material, in words."""

    activities: tuple[Activity, ...]
    words: str


class ConsentDesk:
    """One visit's. ``taken_back`` and ``paused_words`` are for the page, ``read_at`` is when consent was last read."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._tools = stage.tools
        self._decider = Decider(stage.tools.site, stage.tools.consent_rules, stage.tools.door)
        self._deciding = asyncio.Lock()
        self._watch: ConsentWatch[Chart] | None = None
        self.taken_back: TakenBack | None = None
        self.paused_words = ""
        self.read_at: datetime | None = None

    # What the clinician and the EHR say -----------------------------------------------------------------------

    async def ask_capture(self) -> None:
        """Open the microphone, or open it again: once consent has been read and the log knows."""
        await self._stage.apply(events.CaptureAsked())

    async def pause_capture(self) -> None:
        await self._stage.apply(events.CapturePaused())
        await self._tools.door.owe("visit:capture:pause", "clinician")

    async def stop_capture(self) -> None:
        was_open = self._stage.state.capture != "off"
        await self._stage.apply(events.CaptureStopped())
        if was_open:
            await self._tools.door.owe("visit:capture:stop", "clinician")

    async def notice(self) -> None:
        """The EHR says that a Consent of this patient has changed: look at once."""
        if self._watch is not None:
            self._watch.tell()
        elif self._stage.contents.chart is not None and not self._stage.ended:
            self._stage.spawn(self._look())

    async def answer_person(self, person: str | None, role: str, answers: Mapping[Activity, Said]) -> None:
        """What somebody else in the room answered; without an id, one whom the record does not know."""
        people = self._stage.contents.people
        if person is None:
            if role not in ROLES:
                raise VisitError("visit.role", "Choose from the list who it is.")
            if self._stage.state.capture == "on":
                raise VisitError("visit.not-now", "Pause the microphone first, then say who came in.")
            changed, kind = add_present(people, role, answers), role
        else:
            changed, kind = answer_for(people, person, answers), self._find_person(person).kind
        said = {activity.value.replace("-", "_"): one.value for activity, one in answers.items()}
        await self._change_people(changed, "visit:person:answer", {"role": kind, **said})

    async def take_person_back(self, person: str) -> None:
        """One whom the clinician added by mistake, or who has left."""
        found = self._find_person(person)
        if not found.added:
            raise VisitError("visit.person", "The record names this person for the visit. Say what they answered.")
        people = tuple(one for one in self._stage.contents.people if one is not found)
        await self._change_people(people, "visit:person:leave", {"role": found.kind})

    def _find_person(self, person: str) -> Present:
        found = next((one for one in self._stage.contents.people if one.id == person), None)
        if found is None:
            raise VisitError("visit.person", "That person is not in the list any more. Look again.")
        return found

    async def _change_people(self, people: tuple[Present, ...], event: str, codes: Mapping[str, str]) -> None:
        async with self._deciding:
            if Said.NO.value in codes.values():  # a no never waits for the log
                await self._tools.door.owe(event, "", codes)
            else:
                await self._tools.door.log(event, "", codes)
            self._stage.contents.people = people
            await self._decide_and_tell()

    # Asking the patient ---------------------------------------------------------------------------------------

    def list_performers(self) -> tuple[Performer, ...]:
        """Who may answer here."""
        chart = self._stage.contents.chart
        return list_performers(chart, self._tools.consent_rules, self._tools.now()) if chart else ()

    async def take_answers(self, asked: AskedAnswers) -> None:
        """What was answered: a no counts at once, a yes when the record has it (or, where it takes none, attested).

        Raises:
            ConsentNotTaken: it is no answer, or not all of it is in the record; the sentence says what is.
            LedgerError: the log can't be written, so nothing was.
        """
        tools, chart = self._tools, self._stage.require_chart()
        if tools.site.consent.answers == "refuse":
            raise ConsentNotTaken("consent.not-asked", NOT_ASKED)
        answers = attest_answers(asked, chart, tools.consent_rules, tools.wordings, tools.now())
        attests = tools.site.consent.answers == "attest"
        codes: dict[str, str] = {one.activity.value.replace("-", "_"): one.says for one in answers}
        codes |= {"how": asked.how, "witness": asked.witness, "wording": tools.wordings[asked.language].sha256[:12]}
        event = "visit:consent:attest" if attests else "visit:consent:ask"
        refusals = {one.activity: one for one in answers if one.says == "no"}
        if refusals:  # it stops what it refuses before anything is written anywhere
            self._stage.contents.attested |= refusals
            await self._tools.door.owe(event, "", codes)
            await self.decide_again()
        else:
            await self._tools.door.log(event, "", codes)
        if attests:
            self._stage.contents.attested |= {one.activity: one for one in answers}
            await self.decide_again()
        else:
            await self._write_answers(asked)

    async def _write_answers(self, asked: AskedAnswers) -> None:
        stage, tools = self._stage, self._tools
        stage.working = stage.working or Working("answers", "Writing the answers to the record and reading them back")
        await stage.tell_change()
        try:
            chart = await self._read()
            wording, rules = tools.wordings[asked.language], tools.consent_rules
            try:
                written = await write_answers(
                    tools.fhir, chart, tools.site, rules, wording, asked, tools.now(), tools.new_id
                )
            except ConsentNotTaken as error:
                self._note_written(error.written)
                raise
            self._note_written(tuple(one.reference for one in written))
            for activity in asked.answers:  # the record says it now
                stage.contents.attested.pop(activity, None)
        finally:
            if stage.working is not None and stage.working.what == "answers":
                stage.working = None
            chart_again = await self._try_read()
            if chart_again is not None:
                await self._settle(chart_again)
            await stage.tell_change()

    def _note_written(self, references: Sequence[str]) -> None:
        found = (parse_reference(one) for one in references)
        self._stage.contents.written += tuple(one for one in found if one is not None)

    # Reading and deciding -------------------------------------------------------------------------------------

    async def take_chart(self, chart: Chart) -> None:
        """The first decision of the visit.

        Raises:
            LedgerError: the log can't be written.
        """
        self._stage.contents.chart, self.read_at = chart, self._tools.now()
        self.meet_people(chart)
        await self._decide()

    def meet_people(self, chart: Chart) -> None:
        """Whom the chosen encounter names; whom the clinician added stays."""
        contents = self._stage.contents
        named = list_present(chart.encounter.attendees) if chart.encounter else ()
        added = (one for one in contents.people if one.added)
        contents.people = (*named, *(replace(one, id=f"p{n}") for n, one in enumerate(added, len(named) + 1)))

    async def decide_again(self) -> None:
        """From what is at hand: another encounter with other people, or a permit whose time is over."""
        async with self._deciding:
            await self._decide_and_tell()

    def any_expired(self) -> bool:
        """Whether a permit is over: it is asked for its end at each use."""
        now = self._tools.now()
        answers = self._stage.contents.consents.values()
        return any(isinstance(one, Permit) and not one.holds_at(now) for one in answers)

    async def reread(self) -> None:
        """Read consent again for what waits for it."""

        async def again() -> Event:
            chart = await self._read()
            async with self._deciding:
                self._stage.contents.chart, self.read_at = chart, self._tools.now()
                await self._decide()
                return events.ConsentReread(list_permitted(self._stage.contents.consents))

        await self._stage.attempt(again, events.ConsentUnread())

    async def _read(self) -> Chart:
        stage = self._stage
        return await reread(self._tools.fhir, stage.contents, stage.require_chart(), self._tools.now())

    async def _decide(self) -> None:
        """Raises:
        LedgerError: the log can't be written; the answers stay as they were.
        """
        state = self._stage.state
        needed = machine.needed_consents(state.way, state.telehealth) if state.way else frozenset()
        await self._decider.decide(self._stage.contents, self._tools.now(), needed)
        if self._tools.site.consent.audit_events:
            self._stage.spawn(self._tell_ehr(tuple(self._stage.contents.consents.values())))

    async def _tell_ehr(self, decided: Sequence[Permit | Refusal]) -> None:
        """Each decision as an AuditEvent in the EHR; nothing waits for it."""
        tools, chart = self._tools, self._stage.contents.chart
        if chart is not None:
            sent = (send_audit_event(tools.fhir, chart, tools.site, tools.consent_rules, one) for one in decided)
            taken = await asyncio.gather(*sent)
            if not all(taken):
                log.warning("visit.audit-event.untaken count=%d", taken.count(False))

    async def _decide_and_tell(self) -> None:
        await self._decide()
        permitted = list_permitted(self._stage.contents.consents)
        if self._stage.state.phase is not machine.Phase.OPENING:
            await self._stage.apply(events.ConsentReread(permitted), problem=self._stage.problem)

    # While the microphone is on -------------------------------------------------------------------------------

    async def open_capture(self) -> None:
        """Have the log know, then let the microphone be opened, and watch."""

        async def open_it() -> Event:
            way = self._stage.state.way or Way.WRITE
            await self._tools.door.log("visit:capture:start", "", {"way": way.value})
            self.paused_words = ""
            return events.CaptureOpened()

        await self._stage.attempt(open_it, events.CaptureNotOpened())
        if self._stage.state.capture == "on" and self._watch is None:
            watch = self._tools.consent_rules.watch
            self._watch = ConsentWatch(
                self._try_read,
                self._settle,
                self._pause_unconfirmed,
                lambda: find_end(self._stage.contents.consents),
                self._tools.now,
                every_seconds=watch.every_seconds,
                grace_seconds=watch.grace_seconds,
            )
            self._watch.start()

    def close_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    async def _try_read(self) -> Chart | None:
        try:
            return await self._read()
        except EhrError as error:
            log.warning("visit.consent.unread code=%s", error.code)
            return None

    async def _look(self) -> None:
        chart = await self._try_read()
        if chart is not None:
            await self._settle(chart)

    async def _settle(self, chart: Chart) -> bool:
        """Decide upon what was read while nothing waits for it; False where the log can't take it: not confirmed."""
        async with self._deciding:
            if self._stage.ended:
                return True
            self._stage.contents.chart, self.read_at = chart, self._tools.now()
            try:
                await self._decide_and_tell()
            except LedgerError as error:
                log.error("visit.consent.unlogged code=%s", error.code)
                return False
            return True

    async def _pause_unconfirmed(self) -> None:
        """The record has been silent for the grace: nothing is lost, but nothing more is taken."""
        seconds = self._tools.consent_rules.watch.grace_seconds
        self.paused_words = (
            f"For {seconds:.0f} seconds it could not be confirmed that consent still holds, since the EHR does not "
            "answer. The microphone is paused; what was said until then is kept. Go on when the EHR answers again."
        )
        await self._stage.apply(events.GraceOver(), problem=self._stage.problem)
        await self._tools.door.owe("visit:capture:pause", "grace")

    async def destroy(self, lost: frozenset[Activity]) -> None:
        """Drop what rested on permissions that have ended; it waits for nothing, its log entry is owed."""
        contents = self._stage.contents
        segments, audio_bytes = len(contents.heard), len(contents.audio)
        if lost == {Activity.RECORDING}:
            contents.drop_recorded(keep_audio=self._stage.state.way is not None)
        else:
            contents.drop_material()
        self.taken_back = TakenBack(tuple(one for one in Activity if one in lost), self._tell_loss(lost))
        counts = {"segments": segments - len(contents.heard), "audio_bytes": audio_bytes - len(contents.audio)}
        self._stage.spawn(self._tools.door.owe("visit:material:destroy", "+".join(sorted(lost)), counts))

    def _tell_loss(self, lost: frozenset[Activity]) -> str:
        """What happened, and why; which ways remain, the page shows below it."""
        named = [activity for activity in Activity if activity in lost]
        why = self._stage.contents.consents[named[0]].words
        if lost == {Activity.RECORDING}:
            gone = "The recording and the draft are destroyed; what you dictated or typed is kept."
        else:
            gone = "What was recorded, dictated, typed and drafted is destroyed."
        return f"No longer permitted: {' and '.join(one.words for one in named)}. {why} {gone}"
