"""What drafting needs of a text model, whoever runs it: one conversation in memory, one sentence at a time.

``read`` holds a text in mind, ``ask`` starts an answer about it, ``write_sentence`` writes the answer's next sentence.
Each ``ask`` begins again from what was read, so that every section of a note is asked of the same cache. Adapters:
``note/llama`` (the engine) and ``note/scripted`` (tests). Calls come from one thread at a time; ``close`` from any.
"""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import DraftError


class Cancelled(DraftError):
    """The draft was asked to stop, or the model was closed under it: an end, not a failure."""

    def __init__(self) -> None:
        super().__init__("draft.cancelled", "Drafting was stopped; start it again when you want a draft.")


@dataclass(frozen=True, slots=True)
class Bound:
    """Until when a model may work: a deadline on the monotonic clock, and an event that stops it at once."""

    cancel: threading.Event
    deadline_seconds: float

    def check(self) -> None:
        """Raises:
        Cancelled: ``cancel`` is set.
        DraftError: the deadline has passed.
        """
        if self.cancel.is_set():
            raise Cancelled
        if time.monotonic() > self.deadline_seconds:
            raise DraftError(
                "draft.late",
                "The draft took too long and was stopped; try again, or write the note yourself.",
            )


def require_room(count: int, room: int) -> None:
    """Raises:
    DraftError: so many tokens are more than a model's room.
    """
    if count > room:
        raise DraftError(
            "draft.room",
            "This is more text than the text model can hold at once; shorten it, or write the note yourself.",
            f"{count} of {room} tokens",
        )


class TextModel(Protocol):
    """A small chat model that answers in single sentences."""

    @property
    def name(self) -> str:
        """The model's own name, for the Provenance."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of its file, in hex."""
        ...

    @property
    def room(self) -> int:
        """Tokens that one conversation may hold: instruction, text, question and answer."""
        ...

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` takes."""
        ...

    def read(self, instruction: str, text: str, bound: Bound) -> None:
        """Hold ``instruction`` (the system turn) and ``text`` (the user's turn, still open), and nothing else.

        Where it begins as what was read before, only the rest takes time: a text that grows by whole lines is read
        line by line.

        Raises:
            Cancelled, DraftError: see ``Bound``; or the text is longer than the model's room.
        """
        ...

    def ask(self, question: str, heading: str, bound: Bound) -> None:
        """Begin again from what was read: end the user's turn with ``question``, open the answer with ``heading``."""
        ...

    def write_sentence(self, pattern: str, may_end: bool, bound: Bound) -> str | None:
        """Write the answer's next sentence, which matches ``pattern`` (a regular expression) as a whole.

        With ``may_end``, None says that the model had nothing more to say. An empty string: the sentence came to no
        end within its length.
        """
        ...

    def forget(self) -> None:
        """Wipe what the model holds of the conversation; it can be given another text to read."""
        ...

    def close(self) -> None:
        """Wipe what the model holds of the conversation; a call in progress ends soon with ``Cancelled``."""
        ...
