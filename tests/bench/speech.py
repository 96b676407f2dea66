"""What hearing a piece of a session costs beside the engine alone: the same pieces, by turns, in one process.

Ours is the way that a visit goes: ``PieceHearer`` with one hearing, a compute slot, a thread with a deadline, sentences
with speakers. Theirs is faster-whisper's own pipeline, opened and called by its documentation, with the same options.
Compared is the processor time of the whole process in the quietest of several rounds: what else a machine does can only
add to it.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gateway.capture.audio import SAMPLE_RATE, decode_audio
from gateway.capture.engine import keep_at_home
from gateway.capture.frames import Frame, FrameLog
from gateway.capture.hearer import PieceHearer
from gateway.capture.hotwords import Hotwords
from gateway.capture.material import Channel
from gateway.capture.session import LiveTranscript, PieceWork
from gateway.capture.whisper import WhisperTranscriber
from gateway.models.installed import InstalledModel
from gateway.models.slots import ComputeSlots, Work, open_slot_files

ROUNDS = 6
Figures = dict[str, float]


def measure_hearing(model: InstalledModel, sample: Path, threads: int = 0) -> Figures:
    """``transcribe_overhead_ratio``: processor time by the gateway's way, by that of the engine's own."""
    threads = threads or len(os.sched_getaffinity(0))
    pieces = cut_pieces(sample)
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        files = open_slot_files(Path(folder), threads)
        slots, cancel = ComputeSlots(files), threading.Event()

        def hold_slot() -> AbstractContextManager[bool]:
            return slots.hold(Work.SPEECH, cancel)

        transcriber = WhisperTranscriber(model, threads)
        hearer = PieceHearer(transcriber, Hotwords(), lambda first, second: False, hold_slot)
        pipeline = open_pipeline(model, threads)
        ours: list[float] = []
        theirs: list[float] = []
        for turn in range(ROUNDS + 1):
            heard, took = time_all(pieces, lambda work: " ".join(one.text for one in hearer.hear(work).segments))
            written, took_alone = time_all(pieces, lambda work: transcribe_alone(pipeline, work))
            assert heard.split() == written.split()  # the same work was done
            if turn:  # the first opens the model and warms both
                ours.append(took)
                theirs.append(took_alone)
        transcriber.close()
        files.close()
    return {"transcribe_overhead_ratio": min(ours) / min(theirs)}


def cut_pieces(sample: Path) -> list[PieceWork]:
    """The pieces that a session of one channel with this sound is heard in."""
    pcm = (decode_audio(sample.read_bytes()) * 32767).astype("<i2")
    log = FrameLog([Channel.ROOM])
    for number, start in enumerate(range(0, len(pcm), SAMPLE_RATE)):
        log.take(Frame(Channel.ROOM, number, start, pcm[start : start + SAMPLE_RATE].tobytes()))
    transcript = LiveTranscript(log)
    while transcript.listen(finished=True):
        pass
    pieces = []
    while (work := transcript.next_piece()) is not None:
        pieces.append(work)
    return pieces


def open_pipeline(model: InstalledModel, threads: int) -> Any:
    keep_at_home()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    whisper = WhisperModel(
        str(model.path), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
    )
    return BatchedInferencePipeline(whisper)


def transcribe_alone(pipeline: Any, work: PieceWork) -> str:
    windows, _ = pipeline.transcribe(
        work.samples,
        language="en",
        clip_timestamps=[{"start": 0, "end": work.piece.length / SAMPLE_RATE}],
        batch_size=1,
        beam_size=5,
        temperature=0.0,
        without_timestamps=True,
        word_timestamps=True,
        max_new_tokens=224,
    )
    return " ".join(window.text.strip() for window in windows)


def time_all(pieces: list[PieceWork], hear: Callable[[PieceWork], str]) -> tuple[str, float]:
    """What was heard in all of them, and the process's seconds of processor time."""
    started = time.process_time()
    heard = [hear(work) for work in pieces]
    return " ".join(heard), time.process_time() - started
