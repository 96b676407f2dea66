"""Compute slots across processes: never more work than slots, order kept, a killed holder leaves none taken."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.models.slots import ComputeSlots, Work, open_slot_files, remove_slot_files, slots_folder

ROOT = Path(__file__).resolve().parents[3]

HOLD = """
import sys, threading, time
from pathlib import Path
from gateway.models.slots import ComputeSlots, Work, open_slot_files

slots = ComputeSlots(open_slot_files(Path(sys.argv[1]), 1))
with slots.hold(Work(sys.argv[2]), threading.Event(), lambda place: print(f"place {place}", flush=True)):
    time.sleep(60)
"""


CONFINED = """
import ctypes, sys, threading
from pathlib import Path
from gateway.models.slots import ComputeSlots, Work, open_slot_files
from gateway.visit.confinement import limit_calls, limit_resources, restrict_files

folder = Path(sys.argv[1])
files = open_slot_files(folder, 1)
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # no new privileges
confined = restrict_files([])
limit_resources()
limit_calls()
if confined:
    try:
        open_slot_files(folder, 1)
    except OSError:
        pass
    else:
        raise SystemExit("it could open the files again")
with ComputeSlots(files).hold(Work.DRAFT, threading.Event()) as held:
    print(held)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "slots"


@pytest.fixture
def start_process(folder: Path) -> Iterator[Callable[[Work], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(work: Work) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(folder), work.value]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@contextmanager
def opened(folder: Path, slots: int = 1) -> Iterator[ComputeSlots]:
    files = open_slot_files(folder, slots)
    try:
        yield ComputeSlots(files, poll_seconds=0.002)
    finally:
        files.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


class Worker(threading.Thread):
    """Holds a slot until it is told to let go."""

    def __init__(self, slots: ComputeSlots, work: Work) -> None:
        super().__init__(daemon=True)
        self.slots, self.work = slots, work
        self.cancel, self.let_go = threading.Event(), threading.Event()
        self.places: list[int] = []
        self.held: bool | None = None
        self.start()

    def run(self) -> None:
        with self.slots.hold(self.work, self.cancel, self.places.append) as held:
            self.held = held
            if held:
                self.let_go.wait(20)

    def end(self) -> None:
        self.let_go.set()
        self.cancel.set()
        self.join(20)
        assert not self.is_alive()


def test_a_killed_process_frees_its_slot(folder: Path, start_process: Callable[[Work], subprocess.Popen[str]]) -> None:
    holder = start_process(Work.DRAFT)
    assert holder.stdout is not None
    wait_for_line(holder, "place 0")
    with opened(folder) as slots:
        worker = Worker(slots, Work.SPEECH)
        time.sleep(0.1)
        assert worker.held is None
        holder.send_signal(signal.SIGKILL)
        wait_for(lambda: worker.held is True)
        worker.end()


def test_the_line_closes_up_when_one_who_waits_is_killed(
    folder: Path, start_process: Callable[[Work], subprocess.Popen[str]]
) -> None:
    with opened(folder) as busy, opened(folder) as last:
        holder = Worker(busy, Work.DRAFT)
        wait_for(lambda: holder.held is True)
        waiting = start_process(Work.DRAFT)
        wait_for_line(waiting, "place 1")
        worker = Worker(last, Work.DRAFT)
        wait_for(lambda: worker.places[-1:] == [2])
        waiting.send_signal(signal.SIGKILL)
        wait_for(lambda: worker.places[-1:] == [1])
        holder.end()
        wait_for(lambda: worker.held is True)
        assert worker.places == [2, 1, 0]
        worker.end()


def wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert any(said.strip() == line for said in process.stdout)


def test_drafts_come_in_the_order_in_which_they_asked(folder: Path) -> None:
    with opened(folder) as first, opened(folder) as second, opened(folder) as third:
        workers = [Worker(first, Work.DRAFT)]
        wait_for(lambda: workers[0].held is True)
        for place, slots in enumerate((second, third), start=1):
            workers.append(Worker(slots, Work.DRAFT))
            wait_for(lambda place=place: workers[-1].places[-1:] == [place])
        workers[0].end()
        wait_for(lambda: workers[1].held is True)
        assert workers[2].held is None
        workers[1].end()
        wait_for(lambda: workers[2].held is True)
        workers[2].end()
        assert workers[2].places in ([2, 1, 0], [2, 0])  # at the head of the line it may find a slot at once


def test_speech_goes_before_a_draft_that_has_waited_longer(folder: Path) -> None:
    with opened(folder) as first, opened(folder) as second, opened(folder) as third:
        busy = Worker(first, Work.SPEECH)
        wait_for(lambda: busy.held is True)
        draft = Worker(second, Work.DRAFT)
        wait_for(lambda: draft.places == [1])
        assert not second.speech_waits()
        speech = Worker(third, Work.SPEECH)
        wait_for(second.speech_waits)
        busy.end()
        wait_for(lambda: speech.held is True)
        assert draft.held is None
        assert not second.speech_waits()
        speech.end()
        wait_for(lambda: draft.held is True)
        draft.end()


def test_never_more_work_than_slots_within_one_process(folder: Path) -> None:
    with opened(folder, 2) as slots:
        workers = [Worker(slots, Work.SPEECH) for _ in range(5)]
        wait_for(lambda: sum(worker.held is True for worker in workers) == 2)
        time.sleep(0.05)
        done = 0
        while done < len(workers):
            running = [worker for worker in workers if worker.held and worker.is_alive()]
            assert len(running) <= 2
            for worker in running:
                worker.end()
                done += 1
            time.sleep(0.02)


def test_who_gives_up_waiting_leaves_the_line(folder: Path) -> None:
    with opened(folder) as first, opened(folder) as second, opened(folder) as third:
        busy = Worker(first, Work.DRAFT)
        wait_for(lambda: busy.held is True)
        gone, speech = Worker(second, Work.DRAFT), Worker(third, Work.SPEECH)
        wait_for(lambda: gone.places == [1] and first.speech_waits())
        gone.end()
        speech.end()
        assert (gone.held, speech.held) == (False, False)
        assert not first.speech_waits()
        following = Worker(second, Work.DRAFT)
        wait_for(lambda: following.places == [1])
        busy.end()
        wait_for(lambda: following.held is True)
        following.end()


def test_a_confined_process_holds_a_slot_by_the_files_that_it_was_given(folder: Path) -> None:
    command = [sys.executable, "-c", CONFINED, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_opens_a_slot_for_each_core_and_writes_nothing(folder: Path) -> None:
    files = open_slot_files(folder)
    assert len(files.slots) == len(os.sched_getaffinity(0))
    with ComputeSlots(files).hold(Work.DRAFT, threading.Event()) as held:
        assert held
    files.close()
    assert {path.stat().st_size for path in folder.iterdir()} == {0}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_files_are_removed_at_the_end(tmp_path: Path) -> None:
    folder = slots_folder(tmp_path)
    files = open_slot_files(folder, 2)
    remove_slot_files(folder)
    assert list(tmp_path.iterdir()) == []
    files.close()
    remove_slot_files(folder)


def test_what_can_wait_holds_a_slot_only_where_nobody_waits(folder: Path) -> None:
    with opened(folder) as slots, opened(folder) as others:
        with slots.hold_if_free() as held:
            assert held
            with others.hold_if_free() as second:
                assert not second
        holder = Worker(others, Work.DRAFT)
        wait_for(lambda: holder.held is True)
        waiting = Worker(others, Work.DRAFT)
        wait_for(lambda: waiting.places[-1:] == [1])
        with slots.hold_if_free() as held:
            assert not held
        holder.end()
        wait_for(lambda: waiting.held is True)
        waiting.end()
        waiting.join()
        with slots.hold_if_free() as held:
            assert held


def test_what_can_wait_lets_speech_and_a_line_go_first_where_a_slot_is_free(folder: Path) -> None:
    files = open_slot_files(folder, 2)
    with opened(folder, 2) as slots:
        fcntl.flock(files.places[0], fcntl.LOCK_EX)  # somebody is the next to draft
        with slots.hold_if_free() as held:
            assert not held
        fcntl.flock(files.places[0], fcntl.LOCK_UN)
        fcntl.flock(files.speech, fcntl.LOCK_SH)
        with slots.hold_if_free() as held:
            assert not held
        fcntl.flock(files.speech, fcntl.LOCK_UN)
        with slots.hold_if_free() as held:
            assert held
    files.close()
