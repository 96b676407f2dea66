"""From the end of a session to its last checked statement, with the real text model: how it grows, and against what.

Each ratio is of two runs in this process, in the drafting thread's own processor time, so that it holds on a machine
that does other things too; on a quiet one that is the time on the clock. While the invented session goes on, windows
are read but not answered (that is the session's time, not the wait's); the plan is read for as in a visit.

``COUNTERSIGN_BENCH_MINUTES`` (50) and ``COUNTERSIGN_BENCH_TOKENS`` (8000) make it shorter where a machine is slow.
"""

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp

from gateway.capture.material import Material
from gateway.note.checking import DraftChecker
from gateway.note.draft import ModelDrafter
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import read_formats
from gateway.note.llama import LlamaTextModel, Weights, load_weights
from gateway.note.prompt import read_prompts
from gateway.note.reading import read_material
from gateway.note.reformat import reformat_statements
from gateway.note.risk import read_risk_rules
from gateway.note.statement import Origin, Statement
from gateway.note.textmodel import Bound
from gateway.settings import ROOT
from tests.bench.session import WORDS_A_MINUTE, make_session
from tests.evals.plain import NOTE_GRAMMAR, PlainWriter

MINUTES = int(os.environ.get("COUNTERSIGN_BENCH_MINUTES", "50"))
TOKENS = int(os.environ.get("COUNTERSIGN_BENCH_TOKENS", "8000"))
SHORT_MINUTES = 5
NOTE_TOKENS = 400  # the plain path's note is cut there
FORMATS = read_formats(ROOT / "config" / "formats")
RULES = read_risk_rules(ROOT / "config" / "risk")
Figures = dict[str, float]


class DozingModel(LlamaTextModel):
    """Answers nothing until it is woken; then it holds what it was last given to read, and is the real one."""

    asleep = True
    last: tuple[str, str] | None = None

    def read(self, instruction: str, text: str, bound: Bound) -> None:
        if self.asleep:
            self.last = instruction, text
        else:
            super().read(instruction, text, bound)

    def ask(self, question: str, heading: str, bound: Bound) -> None:
        if not self.asleep:
            super().ask(question, heading, bound)

    def write_sentence(self, pattern: str, may_end: bool, bound: Bound) -> str | None:
        return None if self.asleep else super().write_sentence(pattern, may_end, bound)

    def wake(self, bound: Bound) -> None:
        self.asleep = False
        if self.last is not None:
            super().read(*self.last, bound)


class GrammarClock:
    """Thread seconds of writing sentences, and of these in llama.cpp's decode."""

    def __init__(self) -> None:
        self.writing = self.decoding = 0.0

    @contextmanager
    def watch(self) -> Iterator[None]:
        decode, write = llama_cpp.llama_decode, LlamaTextModel.write_sentence
        inside = False

        def timed_decode(*arguments: object) -> int:
            started = time.thread_time()
            result = int(decode(*arguments))
            if inside:
                self.decoding += time.thread_time() - started
            return result

        def timed_write(model: LlamaTextModel, pattern: str, may_end: bool, bound: Bound) -> str | None:
            nonlocal inside
            started, inside = time.thread_time(), True
            try:
                return write(model, pattern, may_end, bound)
            finally:
                inside = False
                self.writing += time.thread_time() - started

        llama_cpp.llama_decode, LlamaTextModel.write_sentence = timed_decode, timed_write  # type: ignore[method-assign]
        try:
            yield
        finally:
            llama_cpp.llama_decode, LlamaTextModel.write_sentence = decode, write  # type: ignore[method-assign]


def measure_drafting(model_path: Path, threads: int = 0) -> Figures:
    """Every figure of drafting; ``model_path`` is the text model's GGUF file."""
    threads = threads or len(os.sched_getaffinity(0))
    weights = load_weights(model_path)
    clock = GrammarClock()
    with clock.watch():
        short = measure_wait(weights, threads, make_session(SHORT_MINUTES * WORDS_A_MINUTE))
        long = measure_wait(weights, threads, make_session(MINUTES * WORDS_A_MINUTE))
        session = make_session_of_tokens(weights, TOKENS)
        ours = measure_wait(weights, threads, session)
    theirs = measure_plain(weights, threads, session)
    weights.close()
    return {
        "end_to_draft_s": long,
        "end_to_draft_growth": long / short,
        "end_to_draft_speedup_8k": theirs / ours,
        "grammar_cost_ratio": (clock.writing - clock.decoding) / clock.decoding,
    }


def measure_wait(weights: Weights, threads: int, material: Material) -> float:
    """Thread seconds from the end of the session to its last checked statement."""
    model, plan_model = DozingModel(weights, threads, 2048), LlamaTextModel(weights, threads, 4096)
    drafter = ModelDrafter(model, read_prompts(), 7200.0, plan_model)
    live = drafter.follow(FORMATS["soap"], threading.Event())
    live.add(material.segments)
    while live.has_work:
        live.step()
    model.wake(Bound(threading.Event(), time.monotonic() + 7200))
    reading = read_material(material.segments, RULES)  # it grew with the session
    started = time.thread_time()
    checker = DraftChecker(material, FORMATS["soap"], RULES, reading)
    written = [checker.check(statement) for statement in live.finish()]
    ended = time.thread_time()
    drafter.close()
    assert written
    return ended - started


def make_session_of_tokens(weights: Weights, tokens: int) -> Material:
    words = 200
    while len(weights.tokenise_text(write_transcript(make_session(words)))) < tokens:
        words += 100
    return make_session(words)


def write_transcript(material: Material) -> str:
    return "".join(f"{segment.speaker.value[0].upper()}: {segment.text}\n" for segment in material.segments)


def measure_plain(weights: Weights, threads: int, material: Material) -> float:
    plain = PlainWriter(weights, threads, TOKENS + 1024 + NOTE_TOKENS)
    note = plain.write(write_transcript(material), NOTE_TOKENS, NOTE_GRAMMAR, time.thread_time)
    plain.close()
    return note.read_seconds + note.write_seconds


def measure_reformat() -> Figures:
    """From the wish for another format to the first statement that was moved and checked anew, and to the last.

    The material was read while the session went on, as in a visit. Needs no model: the statements are a 50-minute
    session's own lines, as a drafter would word them.
    """
    material = make_session(50 * WORDS_A_MINUTE)
    reading = read_material(material.segments, RULES)
    checker = DraftChecker(material, FORMATS["soap"], RULES, reading)
    lines = [segment for segment in material.segments if len(segment.text) < 200][-120:]
    statements = [
        Statement(number, "subjective", f"The patient said: {segment.text}", Origin.MODEL)
        for number, segment in enumerate(lines, 1)
    ]
    checked = [each for each in map(checker.check, statements) if each is not None and not each.withheld]
    first, last = [], []
    for _ in range(5):
        started = time.thread_time()
        moved = reformat_statements(checked, FORMATS["soap"], FORMATS["birp"])
        again = DraftChecker(material, FORMATS["birp"], RULES, reading)
        results: list[CheckedStatement | None] = []
        for statement in moved.statements:
            results.append(again.check(statement))
            if len(results) == 1:
                first.append(time.thread_time() - started)
        last.append(time.thread_time() - started)
        assert any(each is not None and not each.withheld for each in results)
    return {"reformat_ms": 1000 * statistics.median(first), "reformat_all_ms": 1000 * statistics.median(last)}
