"""Drafts a conversation while it goes on, so that little is left to wait for when it ends.

The material comes in as it grows (``take``); ``step`` does one piece of work (some lines read, or one sentence
written: a second or two of a 1.5B model on 2 cores) and gives the statement that came of it, if any. The caller decides
when to take the next step, so that transcription goes first on the same cores. A window is drafted as soon as it is
closed; the plan is asked of the whole at the end, in a second model that has read it by then. What a corrected or
struck segment touches is written again.

The memory is that of two contexts, however long the session: see ``note/lines`` for what the plan is asked of.
Statements are neither checked nor shown here. All of it runs in one thread.
"""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from gateway.capture.material import Material, Segment, Source, Speaker
from gateway.errors import DraftError
from gateway.note.asking import Reader, write_sentences
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.lines import Line, choose_planned, close_window, keep_end, list_segments, make_lines
from gateway.note.notes import write_notes
from gateway.note.place import has_cue
from gateway.note.prompt import MaterialKind, PromptSet, sort_segments
from gateway.note.statement import Origin, Statement
from gateway.note.textmodel import Bound, Cancelled, TextModel

FEWEST_WORDS = 8
ANSWER_TOKENS = 500  # kept free for instruction, question and answer
AHEAD_WORDS = 40  # fewer are not worth a step of their own


@dataclass(slots=True, eq=False)
class _Part:
    """Something that is drafted as one: a window with its lines, the plan, or the clinician's notes."""

    lines: list[Line] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)
    closed: bool = False  # nothing more will come
    done: bool = False


class LiveDraft:
    """One draft of one session. Made by ``ModelDrafter.follow``.

    Args:
        model: reads and answers window by window.
        plan_model: holds the whole for the plan; ``model`` itself if there is no other, and then only at the end.
        prompts: of the language that is drafted in.
        note_format: the sections to write.
        cancel: ends everything, at any token.
        limit_seconds: for one step while the session goes on, and for all that is left after ``finish``.
        only: ids of the sections to write; empty: all.
    """

    def __init__(
        self,
        model: TextModel,
        plan_model: TextModel,
        prompts: PromptSet,
        note_format: NoteFormat,
        cancel: threading.Event,
        limit_seconds: float,
        only: Collection[str] = (),
    ) -> None:
        self._prompt = prompts.prompts[MaterialKind.CONVERSATION]
        self._notes_prompt = prompts.prompts[MaterialKind.NOTES]
        self._format, self._only, self._cancel = note_format, only, cancel
        self._reader = Reader(model, self._prompt)
        self._plan_reader = self._reader if plan_model is model else Reader(plan_model, self._prompt)
        self._limit_seconds = limit_seconds
        self._deadline_seconds: float | None = None  # on the monotonic clock, once the session has ended
        self._windows = [_Part()]
        self._plan, self._notes = _Part(), _Part()
        self._talk: list[Segment] = []
        self._noted: list[Segment] = []
        self._given: list[Statement] = []
        self._count = 0  # statements ever given: numbers are not used twice
        self._known: dict[Line, tuple[bool, int]] = {}  # does it speak of the plan, and its tokens
        self._plan_lines: list[Line] | None = None  # None: to be chosen again
        self._doing: tuple[_Part, Iterator[Statement | None]] | None = None
        self._bound = Bound(cancel, 0.0)
        self._stopped = False  # the models were closed

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What stands now."""
        return tuple(self._given)

    @property
    def has_work(self) -> bool:
        """Is there anything for ``step`` to do?"""
        if self._cancel.is_set() or self._stopped:
            return False
        return self._doing is not None or self._find_work() is not None

    def take(self, material: Material) -> tuple[int, ...]:
        """Follow the material: what is new is added, what it no longer holds is forgotten, what was corrected is read
        again.

        Returns:
            The numbers of the statements that no longer stand; what they told of is written again.
        """
        segments = sort_segments(material.segments)
        self._deadline_seconds = None
        return (*self._take_notes(segments[MaterialKind.NOTES]), *self._take_talk(segments[MaterialKind.CONVERSATION]))

    def close(self) -> None:
        """The session seems to be over: what is left of it is drafted; should it go on, another window begins."""
        self._windows[-1].closed = self._plan.closed = True

    def wipe(self) -> tuple[int, ...]:
        """Overwrite what the models hold of the session; it is read again when it is needed.

        Returns:
            The numbers of the statements that no longer stand: those of the part that was being written.
        """
        self._reader.wipe()
        if self._plan_reader is not self._reader:
            self._plan_reader.wipe()
        return self._undo([self._doing[0]]) if self._doing is not None else ()

    def add(self, segments: Iterable[Segment]) -> None:
        """Take in what was said since; observations are the clinician's notes and are worded at the end."""
        given = list(segments)
        self._plan_lines = None
        self.add_notes(segment for segment in given if segment.source is Source.OBSERVATION)
        window = self._windows[-1]
        if window.closed:
            window = _Part()
            self._windows.append(window)
        window.lines += make_lines((each for each in given if each.source is not Source.OBSERVATION), self._prompt)
        while (end := close_window(window.lines)) is not None:
            rest = _Part(window.lines[end:])
            window.lines, window.closed = window.lines[:end], True
            self._windows.append(rest)
            window = rest

    def add_notes(self, segments: Iterable[Segment]) -> None:
        """Take in what the clinician wrote or dictated herself, to be worded at the end."""
        self._noted += segments

    def correct(self, segment: Segment) -> tuple[int, ...]:
        """Take another text for the segment of that number.

        Returns:
            The numbers of the statements that no longer stand; what they told of is written again.
        """
        return self._replace({segment.number: [segment]})

    def strike(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Forget these segments. Returns: see ``correct``."""
        return self._replace({number: [] for number in numbers})

    def step(self) -> Statement | None:
        """Do one piece of work; the statement that came of it, if any. Nothing after ``cancel``.

        Raises:
            DraftError: the model failed, or the step or what is left after the end took too long.
        """
        deadline = self._deadline_seconds or time.monotonic() + self._limit_seconds
        self._bound = Bound(self._cancel, deadline)
        if self._doing is None and (found := self._find_work()) is not None:
            self._doing = found
        if self._doing is None or self._cancel.is_set() or self._stopped:
            return None
        part, work = self._doing
        try:
            statement = next(work)
        except StopIteration:
            self._doing = None
            return None
        except Cancelled:
            self._stopped = True
            return None
        if statement is None:
            return None
        self._count += 1
        numbered = replace(statement, number=self._count)
        part.statements.append(numbered.number)
        self._given.append(numbered)
        return numbered

    def finish(self) -> Iterator[Statement]:
        """The session has ended: draft what is left; ends soon after ``cancel`` is set.

        Raises:
            DraftError: there is too little to draft from; otherwise see ``step``.
        """
        words = sum(len(line.said.text.split()) for window in self._windows for line in window.lines)
        if words + sum(len(segment.text.split()) for segment in self._noted) < FEWEST_WORDS:
            raise DraftError(
                "draft.too-little", "There is too little to draft from; dictate or type a few sentences first."
            )
        self._windows[-1].closed = self._plan.closed = self._notes.closed = True
        self._deadline_seconds = time.monotonic() + self._limit_seconds
        while self.has_work:
            statement = self.step()
            if statement is not None:
                yield statement

    # What is to be done next ---------------------------------------------------------------------------------

    def _find_work(self) -> tuple[_Part, Iterator[Statement | None]] | None:
        """Windows first, in order; then what the plan and the open window will be asked of is read ahead."""
        window = next((each for each in self._windows if each.closed and not each.done), None)
        if window is not None:
            return window, self._draft_window(window)
        if self._asks_plan_at_once and self._plan.closed and not self._plan.done:
            return self._plan, self._draft_plan()
        if self._noted and self._notes.closed and not self._notes.done:
            return self._notes, self._draft_notes()
        last = self._windows[-1]
        if self._asks_plan_at_once and not self._plan.closed and self._plan_reader is not self._reader:
            lines = self._choose_plan_lines()
            if self._plan_reader.lacks(lines) >= AHEAD_WORDS:
                return self._plan, self._read(self._plan_reader, lines)
        if not last.closed and self._reader.lacks(lines := self._list_lines(last)) >= AHEAD_WORDS:
            return last, self._read(self._reader, lines)
        return None

    @property
    def _asks_plan_at_once(self) -> bool:
        return len(self._windows) > 1 and any(section.kind is SectionKind.PLANNED for section in self._wanted)

    @property
    def _wanted(self) -> list[Section]:
        return [section for section in self._format.sections if not self._only or section.id in self._only]

    def _list_lines(self, window: _Part) -> list[Line]:
        """The window's lines behind the end of the last line before it, so that an answer keeps its question."""
        before = self._windows[: self._windows.index(window)]
        last = next((part.lines[-1:] for part in reversed(before) if part.lines), [])
        return [*(keep_end(line, self._prompt) for line in last), *window.lines]

    # The pieces of work --------------------------------------------------------------------------------------

    def _draft_window(self, window: _Part) -> Iterator[Statement | None]:
        at_once = self._asks_plan_at_once
        sections = [each for each in self._wanted if not (at_once and each.kind is SectionKind.PLANNED)]
        if window.lines:
            yield from self._ask_sections(self._reader, self._list_lines(window), sections, window.lines)
        window.done = True

    def _draft_plan(self) -> Iterator[Statement | None]:
        plans = [each for each in self._wanted if each.kind is SectionKind.PLANNED]
        lines = self._choose_plan_lines()
        yield from self._ask_sections(self._plan_reader, lines, plans, lines)
        self._plan.done = True

    def _draft_notes(self) -> Iterator[Statement | None]:
        self._reader.forget()
        yield from write_notes(
            self._reader.model,
            self._noted,
            self._format,
            self._notes_prompt,
            self._given,
            self._get_bound,
            self._only,
        )
        self._notes.done = True

    def _ask_sections(
        self, reader: Reader, lines: Sequence[Line], sections: Sequence[Section], cueing: Sequence[Line]
    ) -> Iterator[Statement | None]:
        """Ask these lines for the sections of which ``cueing`` speak: not the line before, which was asked already."""
        said = [line.said for line in cueing]
        sections = [section for section in sections if has_cue(section, said, self._prompt)]
        if not sections:
            return
        yield from self._read(reader, lines)
        hints = list_segments(lines)
        for section in sections:
            count = 0
            for sentence in write_sentences(
                reader.model, section, section.opening, self._prompt, self._given, self._get_bound
            ):
                yield Statement(0, section.id, sentence, Origin.MODEL, hints) if sentence else None
                count += sentence is not None
                if count == section.most:
                    break

    def _read(self, reader: Reader, lines: Sequence[Line]) -> Iterator[None]:
        return reader.read(lines, self._get_bound)

    def _get_bound(self) -> Bound:
        return self._bound

    def _choose_plan_lines(self) -> list[Line]:
        """See ``choose_planned``."""
        if self._plan_lines is None:
            lines = list(chain.from_iterable(window.lines for window in self._windows))
            cued, sizes = zip(*map(self._weigh_line, lines), strict=True) if lines else ((), ())
            chosen = choose_planned(cued, sizes, self._plan_reader.model.room - ANSWER_TOKENS)
            self._plan_lines = [lines[index] for index in chosen]
        return self._plan_lines

    def _weigh_line(self, line: Line) -> tuple[bool, int]:
        if line not in self._known:
            plans = (each for each in self._wanted if each.kind is SectionKind.PLANNED)
            cued = any(has_cue(section, [line.said], self._prompt) for section in plans)
            self._known[line] = cued, self._plan_reader.model.count_tokens(line.text + "\n")
        return self._known[line]

    # Corrections ---------------------------------------------------------------------------------------------

    def _replace(self, changed: dict[int, list[Segment]]) -> tuple[int, ...]:
        touched = [window for window in self._windows if _holds(self._list_lines(window), changed)]
        if touched:
            touched.append(self._plan)
        if any(segment.number in changed for segment in self._noted):
            touched.append(self._notes)
        self._plan_lines = None
        placed: set[int] = set()
        for window in self._windows:
            window.lines = list(self._exchange(window.lines, changed, placed))
        self._noted = [new for old in self._noted for new in changed.get(old.number, [old])]
        if self._deadline_seconds is not None:
            self._deadline_seconds = time.monotonic() + self._limit_seconds
        return self._undo(touched)

    def _take_notes(self, segments: list[Segment]) -> tuple[int, ...]:
        if segments == self._noted:
            return ()
        self._noted = segments
        self._notes.closed = False
        return self._undo([self._notes])

    def _take_talk(self, segments: list[Segment]) -> tuple[int, ...]:
        """A strike takes the last away; a correction changes one by its number, or gives words to what had none."""
        known = {segment.number: segment for segment in self._talk}
        last = max(known, default=0)
        found: dict[int, list[Segment]] = {number: [] for number in known}
        new: list[Segment] = []
        before: int | None = None
        for each in segments:
            old = known.get(each.number)
            if new or each.number > last or (old or before) is None or (old and not _is_same_place(each, old)):
                new.append(each)  # behind all that was known, or numbered anew from here on
            elif old is not None:
                found[each.number], before = [each], each.number
            elif before is not None:
                found[before].append(each)
        changed = {number: now for number, now in found.items() if _list_said(now) != _list_said([known[number]])}
        dropped = self._replace(changed) if changed else ()
        if new and self._plan.closed:
            self._plan.closed = False
            dropped += self._undo([self._plan])
        if new:
            self.add(new)
        self._talk = segments
        return dropped

    def _undo(self, parts: Iterable[_Part]) -> tuple[int, ...]:
        """Have these written again; the numbers of the statements that go with them."""
        dropped: list[int] = []
        for part in parts:
            part.done = False
            dropped += part.statements
            part.statements = []
            if self._doing is not None and self._doing[0] is part:
                self._doing = None
        self._given = [each for each in self._given if each.number not in dropped]
        return tuple(dropped)

    def _exchange(self, lines: Iterable[Line], changed: dict[int, list[Segment]], placed: set[int]) -> Iterator[Line]:
        """The new lines of a segment where its first line was; its other lines go."""
        for line in lines:
            if line.segment not in changed:
                yield line
            elif line.segment not in placed:
                placed.add(line.segment)
                yield from make_lines(changed[line.segment], self._prompt)


def _is_same_place(segment: Segment, old: Segment) -> bool:
    return (old.source, old.channel, old.start_seconds) == (segment.source, segment.channel, segment.start_seconds)


def _list_said(segments: Iterable[Segment]) -> list[tuple[str, Speaker]]:
    return [(segment.text, segment.speaker) for segment in segments]


def _holds(lines: Iterable[Line], changed: Collection[int]) -> bool:
    return any(line.segment in changed for line in lines)
