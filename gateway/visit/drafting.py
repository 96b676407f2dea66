"""One visit's draft: begun while people talk, finished when the clinician asks for it, moved to another format.

In: the material as it grows, a drafter, the compute slots. Out: ``Contents.progress`` (what is checked so far) and, at
the end, ``Contents.review``. Hearing goes first: no step of drafting begins while a piece waits to be heard. Every
statement is checked while the next is written, and all of them once more against the whole material at the end.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from gateway.capture.material import Material
from gateway.errors import CountersignError, DraftError, VisitError
from gateway.note.checking import DraftChecker
from gateway.note.drafter import Drafter
from gateway.note.evidence import CheckedDraft, carry_withheld
from gateway.note.formats import NoteFormat
from gateway.note.live import LiveDraft
from gateway.note.reformat import Reformatted, find_new_home, reformat_statements
from gateway.note.review import REPLACED, Review, open_review, reopen_review
from gateway.note.statement import Statement, finish_draft
from gateway.visit import events
from gateway.visit.events import Event, Way
from gateway.visit.faults import locate_fault
from gateway.visit.hearing import draft_in_turn
from gateway.visit.language import VisitLanguage, find_language
from gateway.visit.models import ModelThread
from gateway.visit.session import SessionDesk
from gateway.visit.stage import Stage
from gateway.visit.state import Phase

log = logging.getLogger("countersign.visit")

LOOK_SECONDS = 0.5  # between two looks for something to draft, while nothing changes
WRITING = "Writing the draft and looking for the words it rests on"


@dataclass(slots=True, eq=False)
class _Following:
    """A live draft, its statements as they were checked last, and what stops it at any token."""

    drafter: Drafter
    note_format: NoteFormat
    live: LiveDraft
    cancel: threading.Event
    material: Material | None = None
    checker: DraftChecker | None = None


class DraftDesk:
    """One visit's draft.

    Attributes:
        note_format: the format that is, or will be, drafted in.
    """

    def __init__(self, stage: Stage, models: ModelThread, session: SessionDesk) -> None:
        self.note_format = next(iter(stage.tools.formats.values()))
        self._stage = stage
        self._models = models
        self._session = session
        self._following: _Following | None = None
        self._follows = False  # while people talk
        self._drops = 0  # how often what was drafted had to go
        self._rest: Reformatted | None = None  # moved to another format; what is new there is still to be asked for
        self._turn = asyncio.Lock()  # a live draft is not for two at once

    @property
    def drafter(self) -> Drafter:
        """What writes in this way of working."""
        tools = self._stage.tools
        return tools.tidier if self._stage.state.way is Way.TIDY else tools.drafter

    def find_format(self, format_id: str) -> NoteFormat:
        """Raises VisitError: this site has no such format."""
        if format_id not in self._stage.tools.formats:
            raise VisitError("visit.format", "There is no such note format here. Reload the page.")
        return self._stage.tools.formats[format_id]

    @property
    def language(self) -> VisitLanguage:
        return find_language(self._stage.contents, self._stage.tools.risk_rules)

    def require_language(self) -> None:
        """Raises DraftError: there is no AI draft of this material; an outline makes none."""
        if self.drafter.describe(self.note_format).kind == "model":
            self.language.require_drafting()

    def drop(self) -> None:
        """What was drafted may not stay: no word of it, in the models neither."""
        following, self._following, self._rest = self._following, None, None
        self._drops += 1
        self._stage.contents.drop_draft()
        if following is not None:
            following.cancel.set()
            if not self._stage.ended:  # the end closes the models itself
                self._stage.spawn(self._models.run(following.drafter.forget))

    def strike(self, last: int) -> None:
        """No segment after ``last`` stands any more: what rested on one is not shown, and the models forget it."""
        contents = self._stage.contents
        contents.progress = [one for one in contents.progress if max(one.segments, default=0) <= last]
        if self._following is not None:
            self._stage.spawn(self._wipe(self._following))

    async def _wipe(self, following: _Following) -> None:
        async with self._turn:
            if following is self._following:
                await self._models.run(following.live.wipe)
                following.checker = None

    # While people talk ----------------------------------------------------------------------------------------

    async def follow_session(self) -> None:
        """Draft what is heard until the clinician asks for the draft; what fails here is drafted then."""
        if self._follows:
            return
        self._follows = True
        try:
            drops = self._drops
            if await self._load(self.drafter) and (drops != self._drops or self._stage.state.phase != Phase.GATHERING):
                return
            if not self.language.drafting or self._begin(self.note_format, self.language.code) is None:
                return
            await self._stage.tools.door.log("visit:draft:follow", "", {"format": self.note_format.id})
            while self._stage.state.phase is Phase.GATHERING and self._following is not None:
                seen = self._stage.version
                if not await self._take_step():
                    await self._stage.wait_for_change(seen, LOOK_SECONDS)
        except CountersignError as error:
            log.warning("visit.draft.follow code=%s", error.code)
            self._following = None
        except Exception as error:  # noqa: BLE001 - the session goes on, and is drafted at its end
            log.error("visit.draft.follow error=%s at=%s", type(error).__name__, locate_fault(error.__traceback__))
            self._following = None
        finally:
            self._follows = False

    async def _load(self, drafter: Drafter) -> bool:
        """Load the drafter's model, if that is still to be done; whether anything could have changed meanwhile."""
        load = drafter.find_loader()
        if load is None:
            return False
        await self._models.run(load)
        return True

    def _begin(self, note_format: NoteFormat, language: str) -> _Following | None:
        """The live draft that goes on, or a new one; None where this drafter only writes what is there."""
        drafter = self.drafter
        if self._following is None or self._following.drafter is not drafter:
            cancel = threading.Event()
            live = drafter.follow(note_format, cancel, language)
            self._following = _Following(drafter, note_format, live, cancel) if live is not None else None
        return self._following

    async def _take_step(self) -> bool:
        """One piece of work, if there is one and nothing goes before it."""
        async with self._turn:
            following = self._following
            if following is None or self._stage.state.phase is not Phase.GATHERING:
                return False
            if not self.language.drafting:  # heard meanwhile: what is there was not to be drafted
                self.drop()
                return False
            self._take_news(following)
            if not self._session.awaits_hearing:
                following.live.close()
            if self._session.pieces_waiting or not following.live.has_work:
                return False
            did, statement = await self._models.run(lambda: self._step(following))
            if statement is not None and following is self._following:
                await self._check_live(following, statement)
                await self._stage.tell_change()
            return did

    def _take_news(self, following: _Following) -> None:
        material = self._stage.contents.gather()
        if following.material is None or material.segments != following.material.segments:
            gone = following.live.take(material)
            following.material, following.checker = material, None
            contents = self._stage.contents
            contents.progress = [one for one in contents.progress if one.statement.number not in gone]

    def _step(self, following: _Following) -> tuple[bool, Statement | None]:
        """In the models' thread. It never waits for a slot there: what is to be heard would wait behind it."""
        slots = self._stage.tools.slots
        with slots.hold_if_free() if slots else nullcontext(True) as is_held:
            return is_held, following.live.step() if is_held else None

    async def _check_live(self, following: _Following, statement: Statement) -> None:
        """Against what was heard so far; where there is more of it than at the last statement, all of them anew."""
        contents, material = self._stage.contents, following.material
        assert material is not None
        if following.checker is not None:
            checked = [await asyncio.to_thread(following.checker.check, statement)]
            shown = contents.progress
        else:
            statements = following.live.statements
            checker = await self._make_checker(material, following.note_format)
            checked = await asyncio.to_thread(lambda: [checker.check(one) for one in statements])
            following.checker, shown = checker, list(checker.quotes())
        if following is self._following:
            last = len(contents.gather().segments)  # some may have been struck meanwhile
            found = (one for one in checked if one is not None)
            contents.progress = [one for one in (*shown, *found) if max(one.segments, default=0) <= last]

    # The draft that was asked for -----------------------------------------------------------------------------

    async def write(self) -> Event:
        """Write what is not written yet, check all of it, open the review.

        Raises:
            DraftError, ModelError: it can't be drafted; the material stands.
        """
        async with self._turn:
            rest, self._rest = self._rest, None
            if rest is None:
                self._stage.contents.drop_draft()
                draft = await self._write_whole()
                review = open_review(draft, self.note_format, self._stage.contents.gather())
            else:
                draft = await self._write_rest(rest)
                review = self._reopen(draft)
            self._stage.contents.review = review
            counts = {"shown": len(draft.shown), "withheld": len(draft.withheld)}
            await self._stage.tools.door.log("visit:draft:finish", draft.drafter.kind, counts)
            return events.DraftClosed(review.open_decisions)

    async def _write_whole(self) -> CheckedDraft:
        self.require_language()
        self._stage.contents.language = self.language.code
        material, note_format, drafter = self._stage.contents.gather(), self.note_format, self.drafter
        await self._stage.tools.door.log("visit:draft:start", "", {"format": note_format.id})
        await self._load(drafter)
        following = self._begin(note_format, material.language)
        if following is None:
            cancel = self._models.begin()
            return await self._complete(material, note_format, (), drafter.write(material, note_format, cancel), cancel)
        self._take_news(following)
        draft = await self._complete(
            material, following.note_format, following.live.statements, following.live.finish(), following.cancel
        )
        if following.note_format.id == note_format.id:
            return draft
        return await self._ask_rest(reformat_statements(draft.shown, following.note_format, note_format), material)

    async def _write_rest(self, rest: Reformatted) -> CheckedDraft:
        codes: dict[str, int | str] = {"format": self.note_format.id, "sections": len(rest.asked)}
        await self._stage.tools.door.log("visit:draft:start", "", codes)
        return await self._ask_rest(rest, self._stage.contents.gather())

    async def _ask_rest(self, rest: Reformatted, material: Material) -> CheckedDraft:
        """What was moved to this format, and what the drafter writes for the sections that are new in it."""
        self._following = None  # its model is asked for something else
        cancel, first = self._models.begin(), len(rest.statements) + 1
        writing = self.drafter.write(material, self.note_format, cancel, rest.asked) if rest.asked else iter(())
        numbered = (replace(one, number=number) for number, one in enumerate(writing, first))
        return await self._complete(material, self.note_format, rest.statements, numbered, cancel)

    async def _complete(
        self,
        material: Material,
        note_format: NoteFormat,
        given: Sequence[Statement],
        writing: Iterator[Statement],
        cancel: threading.Event,
    ) -> CheckedDraft:
        """Check what there is while the rest is written, and each statement of that while the next is."""
        stage, run_number = self._stage, self._stage.run_number
        checker = await self._make_checker(material, note_format)
        stage.contents.progress = list(checker.quotes())
        written = list(given)
        in_turn = draft_in_turn(writing, stage.tools.slots, cancel, self._show_place)
        following = asyncio.ensure_future(self._models.run(lambda: next(in_turn, None)))
        try:
            for statement in given:
                await self._show(checker, statement)
            await stage.tell_change()
            while (new := await following) is not None and run_number == stage.run_number:
                following = asyncio.ensure_future(self._models.run(lambda: next(in_turn, None)))
                written.append(new)
                await self._show(checker, new)
                await stage.tell_change()
        finally:
            await asyncio.wait([following])
            await self._models.run(in_turn.close)
        if cancel.is_set() or run_number != stage.run_number:
            raise DraftError("draft.cancelled", "The draft was stopped.")
        info = self.drafter.describe(note_format)
        return await asyncio.to_thread(checker.finish, finish_draft(note_format.id, tuple(written), info))

    async def _make_checker(self, material: Material, note_format: NoteFormat) -> DraftChecker:
        contents, rules = self._stage.contents, self._stage.tools.risk_rules

        def make() -> DraftChecker:
            return DraftChecker(material, note_format, rules, contents.read(material, rules))

        return await asyncio.to_thread(make)

    async def _show(self, checker: DraftChecker, statement: Statement) -> None:
        checked = await asyncio.to_thread(checker.check, statement)
        if checked is not None:
            self._stage.contents.progress.append(checked)

    def _show_place(self, place: int) -> None:
        """Called from the models' thread: where the draft stands in line for the machine."""
        waits = f"Other visits are drafting on this machine: place {place} in line"
        self._stage.tell_working(waits if place else WRITING)

    # Another format -------------------------------------------------------------------------------------------

    async def change_format(self, format_id: str) -> None:
        """Show what is checked in another format at once; have the model asked for what is new in it.

        Raises:
            VisitError: there is no draft to move now, or it changed meanwhile.
        """
        contents, new = self._stage.contents, self.find_format(format_id)
        review = contents.review
        if review is None or self._stage.state.phase is not Phase.REVIEWING:
            raise VisitError("visit.not-now", "There is no draft to review right now.")
        if new.id == review.note_format.id:
            return
        material, kind = contents.gather(), review.draft.drafter.kind
        async with self._turn:
            rest = self._move(review, material, new)
            checker = await self._make_checker(material, new)
            draft = await asyncio.to_thread(self._check_moved, checker, review, rest, new)
        if contents.review is not review:
            raise VisitError("visit.stale", "The note has changed meanwhile. Choose the format again.")
        moved = reopen_review(review, draft, new, material)
        asks = kind == "model" and bool(rest.asked)

        def take() -> None:
            contents.review, self.note_format, self._rest = moved, new, rest if asks else None

        await self._stage.apply(events.FormatAsked(moved.open_decisions, asks), before=take)

    def _move(self, review: Review, material: Material, new: NoteFormat) -> Reformatted:
        """Her own words for a section stand for its lines; an outline is made anew, which takes no time."""
        if review.draft.drafter.kind == "outline":
            return Reformatted(tuple(self.drafter.write(material, new, threading.Event())), ())
        kept = [one for one in review.draft.shown if review.decisions[one.section] not in REPLACED]
        return reformat_statements(kept, review.note_format, new)

    def _check_moved(self, checker: DraftChecker, review: Review, rest: Reformatted, new: NoteFormat) -> CheckedDraft:
        info = replace(review.draft.drafter, format_sha256=new.sha256)
        draft = checker.finish(finish_draft(new.id, rest.statements, info))
        return self._carry(review, draft, new)

    def _carry(self, review: Review, draft: CheckedDraft, new: NoteFormat) -> CheckedDraft:
        if draft.drafter.kind != "model":
            return draft
        old = review.note_format
        return carry_withheld(draft, review.withheld, lambda section: find_new_home(old.find_section(section), new).id)

    def _reopen(self, draft: CheckedDraft) -> Review:
        """The review as it stood when the rest was asked for, with the rest in it."""
        review = self._stage.contents.review
        assert review is not None
        draft = self._carry(review, draft, self.note_format)
        return reopen_review(review, draft, self.note_format, self._stage.contents.gather())
