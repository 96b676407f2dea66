"""A session that is recorded: frames in, segments out while it goes on. The desk behind the session's WebSocket.

In: frames and commands from the page, the transcriber. Out: ``Contents.heard`` grows by segments in order of time. It
takes nothing that the state machine does not permit at that moment, and holds the only copy of the session's sound:
dropping it is one assignment.
"""

import asyncio
import logging
import threading
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.frames import FrameLog, read_frame
from gateway.capture.hearer import PieceHearer
from gateway.capture.language import LanguageEar
from gateway.capture.material import Channel, Segment, Source, Speaker
from gateway.capture.session import LiveTranscript, PieceWork
from gateway.capture.spans import Span, merge_spans, subtract_spans
from gateway.capture.speakers import SpeakerMark
from gateway.errors import CaptureError, VisitError
from gateway.visit import events
from gateway.visit.events import Way
from gateway.visit.models import ModelThread
from gateway.visit.session_socket import Ack
from gateway.visit.stage import Stage, Working

log = logging.getLogger("countersign.visit")

LOOK_SECONDS = 0.5  # between two looks at what has come, while nothing waits to be heard
NOT_ON = "Nothing is recorded now: the microphone was stopped, or its consent has ended."
AROUND_SECONDS = 0.3  # of sound played before and after a segment


@dataclass(slots=True)
class _Stretch:
    """From one start of the microphone to its end; ``base_seconds`` is where it lies in the session."""

    log: FrameLog
    transcript: LiveTranscript
    base_seconds: float
    marks: list[SpeakerMark] = field(default_factory=list)
    silent_until: int = 0  # the sample up to which there is sound of speech alone
    finished: bool = False  # no more frames come
    heard: bool = False

    @property
    def end(self) -> int:
        """The last sample that has come, of any channel."""
        return max(self.log.acknowledge(channel).start for channel in self.log.channels)

    def place(self, segment: Segment) -> Segment:
        """With its times in the session."""
        if not self.base_seconds:
            return segment
        start, end = segment.start_seconds or 0.0, segment.end_seconds or 0.0
        return replace(segment, start_seconds=start + self.base_seconds, end_seconds=end + self.base_seconds)

    def span_of(self, segment: Segment, around_seconds: float = AROUND_SECONDS) -> Span:
        """Its samples, with a little around."""
        start = (segment.start_seconds or 0.0) - self.base_seconds - around_seconds
        end = (segment.end_seconds or 0.0) - self.base_seconds + around_seconds
        first = max(0, round(start * SAMPLE_RATE))
        return Span(first, max(first, min(self.end, round(end * SAMPLE_RATE))))


class SessionDesk:
    """One visit's recorded session, in one stretch or several.

    Attributes:
        bled: the two channels were once the same sound: a loudspeaker is heard in the room.
    """

    def __init__(self, stage: Stage, models: ModelThread, on_struck: Callable[[int], None]) -> None:
        """``on_struck`` hears of the last segment that still stands, by its number in the material."""
        self._stage = stage
        self._on_struck = on_struck
        self._models = models
        self._stretches: list[_Stretch] = []
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._pieces = 0  # that were given to be heard
        self._ear = LanguageEar()
        self._hearing: object | None = None  # names the loop that hears; None: there is none, or it is at its end
        self.bled = False

    @property
    def _now(self) -> _Stretch | None:
        """The stretch that goes on."""
        return self._stretches[-1] if self._stretches and not self._stretches[-1].finished else None

    @property
    def awaits_hearing(self) -> bool:
        """Whether sound of it is still to be heard, or to come."""
        return any(not one.heard for one in self._stretches)

    @property
    def pieces_waiting(self) -> bool:
        """Whether something that was said waits to be heard."""
        return any(stretch.transcript.pieces_waiting for stretch in self._stretches)

    # What the page says (session_socket.SessionDesk) -------------------------------------------------------------

    async def begin(self, channels: tuple[str, ...]) -> tuple[Ack, ...]:
        """The first message of a connection: a new stretch, or the one that was broken off.

        Raises:
            VisitError: the microphone is not permitted now. CaptureError: other channels than before.
        """
        state = self._stage.state
        if state.way is not Way.RECORD or state.capture == "off":
            raise VisitError("session.not-on", NOT_ON)
        wanted = _read_channels(channels)
        stretch = self._now
        if stretch is not None and stretch.log.channels != wanted:
            raise CaptureError("session.channels", "The session goes on with the microphones it began with. Reload.")
        if stretch is None and self._hearing is not None:
            self._start(wanted)  # the loop that hears the stretch before goes on with it
        elif stretch is None:
            while self._stage.state.transcribing:  # all was heard; it is being said
                await self._stage.wait_for_change(self._stage.version, LOOK_SECONDS)
            await self._stage.apply(events.AudioArrived(), before=lambda: self._start(wanted))
        going = self._now
        acks = (going.log.acknowledge(channel) for channel in wanted) if going else ()
        return tuple(Ack(one.channel.value, one.number, one.start) for one in acks)

    def _start(self, channels: tuple[Channel, ...]) -> None:
        last = self._stretches[-1] if self._stretches else None
        base_seconds = last.base_seconds + last.end / SAMPLE_RATE if last else 0.0
        frames = FrameLog(channels)
        self._stretches.append(_Stretch(frames, LiveTranscript(frames), base_seconds))
        self._closed, self._hearing = asyncio.Event(), self._hearing or object()

    async def take(self, message: bytes) -> Ack:
        """One frame. Raises VisitError where nothing may be taken now."""
        stretch = self._now
        if stretch is None or self._stage.state.capture == "off":
            raise VisitError("session.not-on", NOT_ON)
        ack = stretch.log.take(read_frame(message))
        self._news.set()
        return Ack(ack.channel.value, ack.number, ack.start)

    async def pause(self, at: int) -> None:
        if self._now is not None:
            self._now.log.pause(at)

    async def resume(self, at: int) -> None:
        if self._now is not None and self._stage.state.capture == "on":
            self._now.log.resume(at)

    async def strike(self, seconds: float, now: int) -> int:
        """Destroy the last seconds: the sound, what was heard of it, and what is still being heard."""
        stretch, contents = self._now, self._stage.contents
        if stretch is None:
            return now
        cut = stretch.log.strike(seconds, now)
        stretch.transcript.strike(cut)
        stretch.silent_until = min(stretch.silent_until, cut)
        limit_seconds = stretch.base_seconds + cut / SAMPLE_RATE
        before = len(contents.heard)
        contents.heard = [one for one in contents.heard if not _ends_after(one, limit_seconds)]
        contents.reading = None
        self._on_struck(contents.count_heard())
        await self._stage.tell_change()
        counts = {"seconds": round((now - cut) / SAMPLE_RATE), "segments": before - len(contents.heard)}
        self._stage.spawn(self._stage.tools.door.owe("visit:capture:strike", "clinician", counts))
        return cut

    async def mark(self, speaker: str, start: int, end: int) -> None:
        """Who spoke, by a key that the clinician held."""
        if speaker not in (Speaker.CLINICIAN, Speaker.PATIENT) or end <= start:
            raise CaptureError("session.mark", "That mark can't be read. Reload the page.")
        if self._now is not None:
            self._now.marks.append(SpeakerMark(Span(start, end), Speaker(speaker)))

    async def finish(self, counts: Mapping[str, int]) -> None:
        """No more frames come; one that is missing is a gap."""
        stretch = self._now
        if stretch is not None:
            for channel in stretch.log.channels:
                if stretch.log.acknowledge(channel).number < counts.get(channel.value, 0):
                    log.warning("visit.session.gap channel=%s", channel.value)
            self._end(stretch)

    async def closed(self) -> None:
        """Return once the visit itself has stopped the recording."""
        await self._closed.wait()

    # What the visit does ------------------------------------------------------------------------------------------

    def capture_closed(self) -> None:
        """The microphone was paused or stopped from the visit's side; what comes after that moment is not kept."""
        stretch = self._now
        if stretch is not None and self._stage.state.capture == "paused":
            stretch.log.pause(stretch.end)
        elif stretch is not None:
            self._end(stretch)
            self._closed.set()

    def _end(self, stretch: _Stretch) -> None:
        stretch.log.skip_missing()
        stretch.finished = True
        if self._hearing is not None:
            self._stage.working = Working("transcribing", "Transcribing the rest of the session")
        self._news.set()

    def drop(self) -> None:
        """Its consent has ended, or the clinician discards it: no sound and no work on it stays."""
        self._stretches, self._hearing, self.bled = [], None, False
        self._ear = LanguageEar()
        self._closed.set()
        self._news.set()

    async def hear(self, make_hearer: Callable[[threading.Event], PieceHearer]) -> None:
        """Hear it piece by piece until it is over and all of it heard, or dropped."""
        cancel, loop = self._models.begin(), self._hearing
        try:
            hearer = await self._models.run(lambda: make_hearer(cancel))
            while (stretch := next((one for one in self._stretches if not one.heard), None)) and not cancel.is_set():
                await self._hear_next(stretch, hearer)
        finally:
            if self._hearing is loop:
                self._hearing = None

    async def _hear_next(self, stretch: _Stretch, hearer: PieceHearer) -> None:
        finished = stretch.finished
        more = stretch.transcript.listen(finished)
        await self._collect(stretch)
        work = stretch.transcript.next_piece()
        if work is not None:
            await self._hear_piece(stretch, work, hearer)
        elif more:
            await asyncio.sleep(0)
        elif finished:
            stretch.heard = True
        else:
            await self._wait_for_news()

    async def _hear_piece(self, stretch: _Stretch, work: PieceWork, hearer: PieceHearer) -> None:
        marks = tuple(stretch.marks)
        self._pieces += 1
        number, ear = self._pieces, self._ear
        asks = ear.wants(number, len(work.samples) / SAMPLE_RATE)
        heard = await self._models.run(lambda: hearer.hear(work, marks, asks))
        if asks and ear is self._ear:
            ear.take(number, heard.language)
            self._stage.contents.heard_language = ear.heard
        self.bled = self.bled or heard.bled
        stretch.transcript.put(work, heard.segments)
        await self._collect(stretch)

    async def _collect(self, stretch: _Stretch) -> None:
        found = stretch.transcript.collect()
        if found and stretch in self._stretches:  # not dropped meanwhile
            for one in found:
                insort(self._stage.contents.heard, stretch.place(one), key=lambda each: each.start_seconds or 0.0)
            await self._stage.tell_change()
        self._forget_silence(stretch)

    def _forget_silence(self, stretch: _Stretch) -> None:
        """Let go of the sound in which nobody speaks, as soon as that is known: nothing of it is ever played."""
        until = int(min(stretch.transcript.heard_until, stretch.end)) - SAMPLE_RATE
        fresh = Span(stretch.silent_until, until)
        if fresh.length <= 0:
            return
        stretch.silent_until = until
        for channel in stretch.log.channels:
            spans = [stretch.span_of(one) for one in self._stage.contents.heard if one.channel is channel]
            for part in subtract_spans([fresh], merge_spans([one for one in spans if one.end > fresh.start])):
                stretch.log.forget(channel, part)

    async def _wait_for_news(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return

    # Sound that is still there ------------------------------------------------------------------------------------

    def has_sound(self, segment: Segment) -> bool:
        """Whether a segment's own seconds are here, as far as they were ever kept."""
        stretch, channel = self._find_stretch(segment), segment.channel
        if stretch is None or channel is None:
            return False
        own = stretch.span_of(segment, 0.0)
        return stretch.log.holds(channel, own) and not stretch.log.has_forgotten(channel, own)

    def play(self, segment: Segment) -> Samples | None:
        """float32 (samples,), 16 kHz: the seconds of a segment, with a little before and after; None: it is gone."""
        stretch, channel = self._find_stretch(segment), segment.channel
        if stretch is None or channel is None or not self.has_sound(segment):
            return None
        return stretch.log.read(channel, stretch.span_of(segment))

    def holds_sound(self, besides: Sequence[Segment] = ()) -> bool:
        """Whether there is any sound but that of these segments."""
        return any(stretch.log.holds(channel, span) for stretch, channel, span in self._list_sound(besides))

    def forget_sound(self, keep: Sequence[Segment] = ()) -> None:
        """Let go of the sound, but that of these segments."""
        for stretch, channel, span in self._list_sound(keep):
            stretch.log.forget(channel, span)

    def forget_line(self, segment: Segment, others: Iterable[Segment]) -> None:
        """Let go of one segment's sound, but of what is needed to hear the rest, and to play the others.

        A marked one among them keeps the little before and after it, any other its own seconds.
        """
        stretch, channel = self._find_stretch(segment), segment.channel
        if stretch is None or channel is None:
            return
        span = stretch.span_of(segment)
        heard = Span(span.start, int(min(span.end, stretch.transcript.heard_until)))
        playable = [
            one
            for one in others
            if one.channel is channel and not one.settled and self._find_stretch(one) is stretch and self.has_sound(one)
        ]
        kept = [stretch.span_of(one, AROUND_SECONDS if one.look else 0.0) for one in playable]
        for part in subtract_spans([heard], kept):
            stretch.log.forget(channel, part)

    def _list_sound(self, without: Sequence[Segment]) -> Iterator[tuple[_Stretch, Channel, Span]]:
        for stretch in self._stretches:
            for channel in stretch.log.channels:
                own = [one for one in without if one.channel is channel and self._find_stretch(one) is stretch]
                for span in subtract_spans([Span(0, stretch.end)], [stretch.span_of(one) for one in own]):
                    yield stretch, channel, span

    def _find_stretch(self, segment: Segment) -> _Stretch | None:
        """The one that a segment was heard in; none where it was heard in no session."""
        start, channel = segment.start_seconds or 0.0, segment.channel
        found = (one for one in reversed(self._stretches) if one.base_seconds <= start and channel in one.log.channels)
        return next(found, None)


def _read_channels(names: tuple[str, ...]) -> tuple[Channel, ...]:
    try:
        return tuple(Channel(name) for name in dict.fromkeys(names))
    except ValueError:
        raise CaptureError("session.channels", "That microphone is not known here. Reload the page.") from None


def _ends_after(segment: Segment, seconds: float) -> bool:
    is_of_session = segment.source in (Source.SESSION, Source.SILENCE)
    return is_of_session and (segment.end_seconds or 0.0) > seconds
