"""The gateway, but that its visits tell of a session's sound how much there is and how it hashes, never the sound.

``python -m tests.browser.watched_visit serve`` runs it; the module is also the composition that its visits come from.
``GET api/watched`` answers with what the frames' logs took, and with each piece that was given to the speech model.
"""

import hashlib
import weakref
from typing import Any

import numpy as np
from fastapi import FastAPI

from gateway.capture.frames import Ack, Frame, FrameLog
from gateway.capture.hearer import HeardWork, PieceHearer
from gateway.capture.material import Channel
from gateway.capture.session import PieceWork
from gateway.front.environment import set_up_logging
from gateway.front.supervisor import serve
from gateway.settings import read_settings
from gateway.visit import composition, hearing, session
from gateway.visit.process import VisitRoom

prepare_visits = composition.prepare_visits
list_readable = composition.list_readable
require_room = composition.require_room

logs: list["weakref.ref[WatchedLog]"] = []
pieces: list[dict[str, Any]] = []


class WatchedLog(FrameLog):
    """Hashes what it takes of each channel, in order and once: the log itself lets go of sound in which nobody speaks.

    Attributes:
        arrivals: how many frames came, the same one twice too.
        digests: of each channel, behind each frame: the sample that it ends at, and the hash of all before it.
    """

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.arrivals = 0
        self.digests: dict[Channel, list[tuple[int, str]]] = {channel: [] for channel in self.channels}
        self._hashes = {channel: hashlib.sha256() for channel in self.channels}
        logs.append(weakref.ref(self))

    def take(self, frame: Frame) -> Ack:
        self.arrivals += 1
        before = self.acknowledge(frame.channel).number
        ack = super().take(frame)
        if ack.number > before:
            assert (frame.number, ack.number) == (before, before + 1), "over one line, frames come in order"
            self._hashes[frame.channel].update(frame.pcm)
            self.digests[frame.channel].append((ack.start, self._hashes[frame.channel].copy().hexdigest()))
        return ack


class WatchedHearer(PieceHearer):
    def hear(self, work: PieceWork, *given: Any, **more: Any) -> HeardWork:
        spans = [[span.start, span.end] for span in work.piece.spans]
        pieces.append({"channel": work.channel.value, "spans": spans, "sha256": hash_samples(work.samples)})
        return super().hear(work, *given, **more)


def hash_samples(samples: np.ndarray) -> str:
    """Of float32 (samples,), [-1, 1], as the int16 that they came from."""
    return hashlib.sha256(np.rint(samples * 32768.0).astype("<i2").tobytes()).hexdigest()


def describe_log(log: WatchedLog) -> dict[str, Any]:
    channels = {
        channel.value: {
            "frames": log.acknowledge(channel).number,
            "digests": log.digests[channel],
            "missing": log.missing(channel),
            "gaps": [(gap.start, gap.end) for gap in log.gaps(channel)],
        }
        for channel in log.channels
    }
    return {"arrivals": log.arrivals, **channels}


def compose_visit(room: VisitRoom) -> FastAPI:
    session.FrameLog = WatchedLog  # type: ignore[attr-defined]
    hearing.PieceHearer = WatchedHearer  # type: ignore[attr-defined]
    app = composition.compose_visit(room)

    @app.get("/api/watched")
    async def watched() -> dict[str, Any]:
        held = [log for reference in logs if (log := reference()) is not None]
        return {"stretches": [describe_log(log) for log in held], "pieces": pieces}

    return app


if __name__ == "__main__":
    set_up_logging()
    serve(read_settings(), composition="tests.browser.watched_visit")
