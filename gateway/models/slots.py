"""Compute slots: as much model work at once as there are cores, in all processes together; speech before drafts.

Who may work holds ``flock`` on one of the slot files; nothing is ever written in them. The kernel frees the lock when
its holder ends, however it ends. Who waits to draft stands in a line of places, each a file of its own: one enters at
the last place and moves up while the place before is free, so the line keeps its order and closes up when a waiting
process is killed. Who waits to transcribe holds a shared lock on the file ``speech``, and no draft starts meanwhile.

``flock`` belongs to the open file description, which a fork shares: a visit that used its parent's would share its
locks with every other visit. So whoever forks calls ``open_slot_files`` anew for each child (before it is confined: a
visit can open no file) and closes its own copies after the fork. Linux only.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

POLL_SECONDS = 0.02
PLACES = 16
"""Drafts that can stand in line; those beyond it wait for the last place."""


class Work(StrEnum):
    """What a slot is asked for."""

    SPEECH = "speech"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class SlotFiles:
    """File descriptors, open for this process alone."""

    slots: tuple[int, ...]
    places: tuple[int, ...]
    speech: int

    def close(self) -> None:
        for descriptor in (*self.slots, *self.places, self.speech):
            os.close(descriptor)


def slots_folder(run_dir: Path) -> Path:
    """Where a gateway keeps them."""
    return run_dir / "slots"


def open_slot_files(folder: Path, slots: int = 0) -> SlotFiles:
    """Open the files anew, and make those that are not there yet; ``slots`` of 0 is one for each core."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    count = slots or len(os.sched_getaffinity(0))

    def open_file(name: str) -> int:
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    return SlotFiles(
        tuple(open_file(f"slot-{number}") for number in range(count)),
        tuple(open_file(f"place-{number}") for number in range(PLACES)),
        open_file("speech"),
    )


def remove_slot_files(folder: Path) -> None:
    """At the end of all visits: whoever still holds one of them holds a file without a name."""
    if folder.is_dir():
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        folder.rmdir()


class ComputeSlots:
    """This process's way to the slots; its threads share it."""

    def __init__(self, files: SlotFiles, poll_seconds: float = POLL_SECONDS) -> None:
        self._files = files
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._held: set[int] = set()  # flock lets the same process in twice
        self._speech_waiting = 0

    @contextmanager
    def hold(
        self, work: Work, cancel: threading.Event, on_place: Callable[[int], None] = lambda place: None
    ) -> Iterator[bool]:
        """Wait for a slot, hold it, let it go.

        Args:
            work: speech is let in before drafts.
            cancel: once set, waiting ends.
            on_place: hears of each new place in line, 1 for the next; 0 once it is one's turn. Speech hears of 0 only.

        Yields:
            Whether it holds a slot; False where ``cancel`` came first.
        """
        slot = self._wait_as_speech(cancel) if work is Work.SPEECH else self._wait_in_line(cancel, on_place)
        try:
            if slot is not None:
                on_place(0)
            yield slot is not None
        finally:
            if slot is not None:
                self._unlock(slot)

    @contextmanager
    def hold_if_free(self) -> Iterator[bool]:
        """Hold a slot for a draft that can wait, unless anybody waits for one: drafts that are waited for go first.

        Yields:
            Whether it holds one; it never waits.
        """
        slot = None if self.speech_waits() or self._drafts_wait() else self._lock_any()
        try:
            yield slot is not None
        finally:
            if slot is not None:
                self._unlock(slot)

    def speech_waits(self) -> bool:
        """Whether a draft should let go of its slot at the next chance: a transcription waits for one."""
        with self._lock:
            if self._speech_waiting:
                return True
            if not _try_lock(self._files.speech):
                return True
            fcntl.flock(self._files.speech, fcntl.LOCK_UN)
            return False

    def _wait_as_speech(self, cancel: threading.Event) -> int | None:
        with self._lock:
            self._speech_waiting += 1
            if self._speech_waiting == 1:
                fcntl.flock(self._files.speech, fcntl.LOCK_SH)  # others hold it for no longer than a look
        try:
            while (slot := self._lock_any()) is None:
                if cancel.wait(self._poll_seconds):
                    return None
            return slot
        finally:
            with self._lock:
                self._speech_waiting -= 1
                if not self._speech_waiting:
                    fcntl.flock(self._files.speech, fcntl.LOCK_UN)

    def _wait_in_line(self, cancel: threading.Event, on_place: Callable[[int], None]) -> int | None:
        places = self._files.places
        at = len(places)  # not in line yet
        try:
            while not cancel.is_set():
                moved = False
                while at > 0 and self._lock_one(places[at - 1]):
                    if at < len(places):
                        self._unlock(places[at])
                    at, moved = at - 1, True
                if moved and at > 0:
                    on_place(at + 1)
                if at == 0:
                    if not self.speech_waits() and (slot := self._lock_any()) is not None:
                        return slot
                    if moved:
                        on_place(1)
                cancel.wait(self._poll_seconds)
            return None
        finally:
            if at < len(places):
                self._unlock(places[at])

    def _drafts_wait(self) -> bool:
        """Whether the first place in line is taken."""
        if not self._lock_one(self._files.places[0]):
            return True
        self._unlock(self._files.places[0])
        return False

    def _lock_any(self) -> int | None:
        return next((slot for slot in self._files.slots if self._lock_one(slot)), None)

    def _lock_one(self, descriptor: int) -> bool:
        with self._lock:
            if descriptor in self._held or not _try_lock(descriptor):
                return False
            self._held.add(descriptor)
            return True

    def _unlock(self, descriptor: int) -> None:
        with self._lock:
            self._held.discard(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
