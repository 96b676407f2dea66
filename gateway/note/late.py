"""The drafter whose text model is loaded with the first draft, in the visit that drafts.

In: what is known of the model beforehand, and how its drafter is made. Out: a ``Drafter``. It is for weights that no
process can share with those forked from it, as on a GPU. Never loads while a visit is composed.
"""

import threading
from collections.abc import Callable, Collection, Iterator

from gateway.capture.material import Material
from gateway.note.draft import ModelDrafter
from gateway.note.formats import NoteFormat
from gateway.note.live import LiveDraft
from gateway.note.statement import DrafterInfo, Statement
from gateway.note.textmodel import Cancelled


class LateDrafter:
    """A ``Drafter`` that makes another one at its first use, and hands everything on to it.

    Args:
        name: of the model, for the page and the Provenance.
        sha256: of its weights, in hex.
        prompt_sha256: of the prompts that it will be given.
        make: loads the model; called once it is needed, again only where it failed.
    """

    def __init__(self, name: str, sha256: str, prompt_sha256: str, make: Callable[[], ModelDrafter]) -> None:
        self._name, self._sha256, self._prompt_sha256 = name, sha256, prompt_sha256
        self._make = make
        self._made: ModelDrafter | None = None
        self._closed = False
        self._lock = threading.Lock()

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """See ``Drafter``."""
        return DrafterInfo("model", self._name, self._sha256, self._prompt_sha256, note_format.sha256)

    def find_loader(self) -> Callable[[], object] | None:
        """See ``Drafter``. Where loading failed it is tried again."""
        return self._open if self._made is None else None

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        """See ``Drafter``."""
        yield from self._open().write(material, note_format, cancel, only)

    def follow(self, note_format: NoteFormat, cancel: threading.Event, language: str = "en") -> LiveDraft:
        """See ``Drafter``."""
        return self._open().follow(note_format, cancel, language)

    def forget(self) -> None:
        """See ``Drafter``."""
        with self._lock:
            if self._made is not None:
                self._made.forget()

    def close(self) -> None:
        """See ``Drafter``."""
        with self._lock:
            self._closed = True
            if self._made is not None:
                self._made.close()

    def _open(self) -> ModelDrafter:
        with self._lock:
            if self._closed:
                raise Cancelled
            if self._made is None:
                self._made = self._make()
            return self._made
