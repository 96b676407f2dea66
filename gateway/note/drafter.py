"""What the rest of the program sees of a drafter: the real model, the outline, or a scripted one in tests."""

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from gateway.capture.material import Material
from gateway.note.formats import NoteFormat
from gateway.note.live import LiveDraft
from gateway.note.statement import DrafterInfo, Statement


class Drafter(Protocol):
    """Writes statements one by one; runs in a thread; never checks, cites or stores anything."""

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """What will write, for the page and the Provenance."""
        ...

    def find_loader(self) -> Callable[[], object] | None:
        """What to call in the models' thread before ``follow``: it loads what waited for a first use, or raises
        ModelError. None: all is loaded."""
        ...

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        """Yield statements as they are written, section by section; ends soon after ``cancel`` is set.

        ``only`` are the ids of the sections to write; empty: all of them.

        Raises:
            DraftError: the model failed or ran past its deadline.
        """
        ...

    def follow(self, note_format: NoteFormat, cancel: threading.Event, language: str = "en") -> LiveDraft | None:
        """Begin the draft of a session that goes on; one at a time, and not beside ``write``. None: it only writes what
        is there.

        Raises:
            DraftError: there are no prompts for this language.
        """
        ...

    def forget(self) -> None:
        """Wipe what the model holds of the material; it can write again."""
        ...

    def close(self) -> None:
        """Wipe what the model still holds of the material; it is of no use afterwards."""
        ...
