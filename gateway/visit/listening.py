"""Listening: lines are corrected, marked ones are played and decided, and their sound is let go in time.

In: the clinician's calls, and the state of the visit. Out: lines with her words in place of what was heard, the review
checked again, a line's sound as a WAV in memory. The sound of a line goes when she has decided it, that of lines that
nothing marks when the draft has been ready for the site's time, all of it when the note leaves or the visit ends.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from gateway.capture.audio import encode_wav
from gateway.capture.hearings import NOT_HEARD
from gateway.capture.material import Segment, gather_material
from gateway.capture.typed import clean_text
from gateway.errors import CaptureError, VisitError
from gateway.note.rechecking import recheck_review
from gateway.note.review import Review
from gateway.visit import events
from gateway.visit.events import Way
from gateway.visit.session import SessionDesk
from gateway.visit.stage import Stage
from gateway.visit.state import Phase

LONGEST_LINE = 2_000
"""Characters of one line: a few long sentences."""

Outcome = Literal["confirmed", "second", "own"]


class ListeningDesk:
    """One visit's."""

    def __init__(self, stage: Stage, session: SessionDesk) -> None:
        self._stage = stage
        self._session = session
        self._timer: asyncio.TimerHandle | None = None
        self._until: datetime | None = None

    # What the clinician does ----------------------------------------------------------------------------------

    async def correct(self, number: int, heard: str, text: str) -> None:
        """Put her words in the place of what was heard; the same words: she has listened, and it was heard well.

        Args:
            number: of the line in what is gathered.
            heard: the text that the page showed.
            text: what it says. Empty only for a line that was not understood: nothing in it matters.

        Raises:
            VisitError: lines can't be decided now, there is no such line, or it says something else by now.
            CaptureError: these are no words for a line.
        """
        contents = self._stage.contents
        self._require_open()
        line = contents.find_heard(number)
        if line.text != heard.strip():
            raise VisitError("line.changed", "That line says something else by now. Look at it again, then decide.")
        settled, outcome = settle_line(line, text)
        if self._stage.state.phase is Phase.REVIEWING:
            await self._correct_reviewed(line, settled)
        else:
            self._take(settled)
            await self._stage.tell_change()
        look = line.look.value if line.look else "none"
        await self._stage.tools.door.owe("visit:segment:correct", outcome, {"look": look})

    async def _correct_reviewed(self, line: Segment, settled: Segment) -> None:
        contents, rules = self._stage.contents, self._stage.tools.risk_rules
        review, material = contents.review, contents.gather()
        assert review is not None  # only a note without AI is reviewed before there is one
        changed = gather_material(
            (settled if one.number == line.number else one for one in material.segments), material.language
        )

        def recheck() -> Review:
            return recheck_review(review, line, changed, rules, contents.read(changed, rules))

        following = await asyncio.to_thread(recheck)
        if contents.review is not review:
            raise VisitError("visit.stale", "The note has changed meanwhile. Look at the line again, then decide.")

        def take() -> None:
            contents.review = following
            self._take(settled)

        await self._stage.apply(events.DecisionMade(following.open_decisions), before=take)

    def _take(self, settled: Segment) -> None:
        contents = self._stage.contents
        contents.replace_heard(settled.number, settled)
        self._session.forget_line(settled, contents.heard)

    def _require_open(self) -> None:
        state = self._stage.state
        if state.phase not in (Phase.GATHERING, Phase.REVIEWING):
            raise VisitError(
                "visit.not-now", "Lines can be decided while they are gathered and in the review, not now."
            )
        if state.way is Way.WRITE:
            raise VisitError("visit.not-now", "This note is written without the lines. Go back to use them.")

    def has_sound(self, line: Segment) -> bool:
        """Whether a line can be played now."""
        return not line.settled and self._session.has_sound(line)

    def play(self, number: int) -> bytes | None:
        """The sound of one line as a WAV (16 kHz, mono, 16 bit), with a little before and after; None: it is gone."""
        segments = self._stage.contents.gather().segments
        line = segments[number - 1] if 0 < number <= len(segments) else None
        if line is None or not self.has_sound(line):
            return None
        samples = self._session.play(line)
        return encode_wav(samples) if samples is not None else None

    # When the sound goes --------------------------------------------------------------------------------------

    @property
    def sound_until(self) -> datetime | None:
        """When the sound of lines that nothing marks is let go; None: not before the draft is ready, or it is gone."""
        return self._until if self._until and self._session.holds_sound(besides=self._list_marked()) else None

    def follow(self) -> None:
        """The state has changed: the time of the sound begins with the review, and ends where there is no draft."""
        match self._stage.state.phase:
            case Phase.REVIEWING:
                self.begin_retention()
            case Phase.DRAFTING | Phase.FILING:
                pass  # begun with the review that was: it goes on
            case Phase.HANDING_OVER:
                self._stop()
                self._let_go("hand-over", [])
            case _:
                self._stop()

    def begin_retention(self) -> None:
        """The draft is ready: let the sound of lines that nothing marks go when the site's time is over."""
        if self._timer is not None or not self._session.holds_sound(besides=self._list_marked()):
            return
        seconds = self._stage.tools.sound_seconds
        if not seconds:
            self._let_go("retention", self._list_marked())
            return
        self._until = self._stage.tools.now() + timedelta(seconds=seconds)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end_retention)

    def _end_retention(self) -> None:
        self._stop()
        self._let_go("retention", self._list_marked())
        self._stage.spawn(self._stage.tell_change())

    def _let_go(self, why: str, but: Sequence[Segment]) -> None:
        if self._session.holds_sound(besides=but):
            self._session.forget_sound(keep=but)
            self._stage.spawn(self._stage.tools.door.owe("visit:audio:forget", why, {"kept": len(but)}))

    def _stop(self) -> None:
        timer, self._timer, self._until = self._timer, None, None
        if timer is not None:
            timer.cancel()

    def _list_marked(self) -> list[Segment]:
        """Also the unclear lines that nothing rests on now: a section that was struck may be taken back."""
        return [one for one in self._stage.contents.heard if one.look is not None]


def settle_line(line: Segment, text: str) -> tuple[Segment, Outcome]:
    """The line as a person decided it, and whose words it has: those of the first hearing, of the second, or hers.

    Raises:
        CaptureError: no words, though the line has some, or too many.
    """
    if text.strip() == line.text:
        return _settle(line, line.text), "confirmed"
    if line.heard_two_ways and text.strip() in _name_second(line):
        return _settle(line, "" if line.heard_also == NOT_HEARD else line.heard_also.strip()), "second"
    words = " ".join(clean_text(text).split())
    if len(words) > LONGEST_LINE:
        raise CaptureError("line.long", f"That is more than {LONGEST_LINE:,} characters for one line. Shorten it.")
    if not any(sign.isalnum() for sign in words):
        raise CaptureError("line.blank", "There are no words in it. Write what was said, or leave it as it is.")
    return _settle(line, words), "own"


def _name_second(line: Segment) -> tuple[str, ...]:
    """What the page may send for the second hearing; where that one heard nothing, also nothing."""
    return (line.heard_also.strip(), "") if line.heard_also == NOT_HEARD else (line.heard_also.strip(),)


def _settle(line: Segment, text: str) -> Segment:
    confidence = line.confidence if text == line.text else None  # the model's own, of its own words
    return replace(line, text=text, unclear=False, heard_also="", confidence=confidence, settled=True)
