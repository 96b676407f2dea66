"""What the rest of the program sees of a drafter: the real model, the outline, or a scripted one in tests."""

import threading
from collections.abc import Collection, Iterator
from typing import Protocol

from gateway.capture.material import Material
from gateway.note.formats import NoteFormat
from gateway.note.statement import DrafterInfo, Statement


class Drafter(Protocol):
    """Writes statements one by one; runs in a thread; never checks, cites or stores anything."""

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """What will write, for the page and the Provenance."""
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

    def close(self) -> None:
        """Wipe what the model still holds of the material."""
        ...
