"""A text model and a drafter that say what they were told to: for tests, of this room and of those above it."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence

from gateway.capture.material import Material
from gateway.errors import DraftError
from gateway.note.formats import NoteFormat
from gateway.note.statement import DrafterInfo, Origin, Statement
from gateway.note.textmodel import Bound, Cancelled, require_room


class ScriptedTextModel:
    """A ``TextModel`` that answers each heading with its sentences, again from the first at each ``ask``.

    ``texts`` and ``questions`` are what it was given, for a test to look at; a text that only grew before it was asked
    about stands there once.
    """

    name = "scripted"
    sha256 = "0" * 64

    def __init__(self, script: Mapping[str, Sequence[str]], room: int = 4096) -> None:
        self.room = room
        self.texts: list[str] = []
        self.questions: list[str] = []
        self._script = {heading: tuple(sentences) for heading, sentences in script.items()}
        self._rest: list[str] = []
        self._grows = False
        self._closed = False

    def count_tokens(self, text: str) -> int:
        """One for each word."""
        return len(text.split())

    def read(self, instruction: str, text: str, bound: Bound) -> None:
        """See ``TextModel``."""
        self._check(bound)
        require_room(self.count_tokens(instruction) + self.count_tokens(text), self.room)
        if self._grows and self.texts and text.startswith(self.texts[-1]):
            self.texts[-1] = text
        else:
            self.texts.append(text)
        self._grows = True

    def ask(self, question: str, heading: str, bound: Bound) -> None:
        """See ``TextModel``."""
        self._check(bound)
        self._grows = False
        self.questions.append(question)
        self._rest = list(self._script.get(heading.strip().rstrip(":"), ()))

    def write_sentence(self, pattern: str, may_end: bool, bound: Bound) -> str | None:
        """See ``TextModel``; what matches ``pattern`` is up to the script. Without a script, "None."."""
        self._check(bound)
        if not self._rest:
            return None if may_end else "None of this was said."
        return self._rest.pop(0)

    def forget(self) -> None:
        """See ``TextModel``."""
        self.texts, self.questions, self._rest, self._grows = [], [], [], False

    def close(self) -> None:
        """See ``TextModel``."""
        self._closed = True
        self.forget()

    def _check(self, bound: Bound) -> None:
        if self._closed:
            raise Cancelled
        bound.check()


class ScriptedDrafter:
    """A ``Drafter`` that yields sentences by section, whatever the material; then ``failure``, if there is one."""

    def __init__(self, script: Mapping[str, Sequence[str]], failure: DraftError | None = None) -> None:
        self._script = script
        self._failure = failure

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """See ``Drafter``."""
        return DrafterInfo("model", "scripted", "0" * 64, "0" * 64, note_format.sha256)

    def find_loader(self) -> None:
        """See ``Drafter``. There is nothing to load."""

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        """See ``Drafter``. The hints are all segments."""
        hints = tuple(segment.number for segment in material.segments)
        number = 0
        for section in note_format.sections:
            for text in self._script.get(section.id, ()) if not only or section.id in only else ():
                if cancel.is_set():
                    return
                number += 1
                yield Statement(number, section.id, text, Origin.MODEL, hints)
        if self._failure is not None:
            raise self._failure

    def follow(self, note_format: NoteFormat, cancel: threading.Event, language: str = "en") -> None:
        """See ``Drafter``. It has it all at once."""

    def forget(self) -> None:
        """See ``Drafter``. It holds nothing."""

    def close(self) -> None:
        """See ``Drafter``. It holds nothing."""
