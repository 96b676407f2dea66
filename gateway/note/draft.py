"""Material in, one-sentence statements out: the drafter with a text model.

A small model keeps to the text over a page, not over an hour. So a conversation is cut into windows of about 240
words; each is read once and every section of the format asked of the same cache. A section is asked for only where
the clinician speaks of such a thing; the model writes one sentence at a time and may end after each; what repeats is
dropped. The plan is asked for once, over the whole or what of it speaks of the plan: across windows it wanders. A
clinician's own dictation or notes already say what each line is: see ``note/notes``.

It is the same recipe for a conversation that goes on (``follow``) and for one that is over (``write``). Nothing is
checked, cited or withheld here: that is ``note/evidence`` and ``note/risk``.
"""

import threading
from collections.abc import Collection, Iterator

from gateway.capture.material import Material
from gateway.errors import DraftError
from gateway.note.formats import NoteFormat
from gateway.note.live import LiveDraft
from gateway.note.prompt import PromptSet
from gateway.note.statement import DrafterInfo, Statement
from gateway.note.textmodel import TextModel


class ModelDrafter:
    """A ``Drafter`` around a text model.

    Args:
        model: one visit's conversation; closed with the drafter.
        prompts: of the language that is drafted in.
        limit_seconds: a whole draft that takes longer is given up; where it is followed, what is left after the end.
        plan_model: a second conversation with the same weights, for ``follow``: it reads for the plan while the first
            drafts windows. Closed with the drafter; without one the plan is read for at the end.
    """

    def __init__(
        self,
        model: TextModel,
        prompts: PromptSet,
        limit_seconds: float = 1200.0,
        plan_model: TextModel | None = None,
    ) -> None:
        self._model = model
        self._plan_model = plan_model or model
        self._prompts = prompts
        self._limit_seconds = limit_seconds

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """See ``Drafter``."""
        return DrafterInfo("model", self._model.name, self._model.sha256, self._prompts.sha256, note_format.sha256)

    def find_loader(self) -> None:
        """See ``Drafter``. Its weights are loaded."""

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        """See ``Drafter``. The conversation window by window, its plan last; then the notes section by section.

        Raises:
            DraftError: too little material, another language, or the model failed or ran past its deadline.
        """
        live = self.follow(note_format, cancel, material.language, only)
        live.take(material)
        yield from live.finish()

    def follow(
        self, note_format: NoteFormat, cancel: threading.Event, language: str = "en", only: Collection[str] = ()
    ) -> LiveDraft:
        """See ``Drafter``."""
        if language.split("-")[0].lower() != self._prompts.language:
            raise DraftError(
                "draft.language", "There is no AI drafting for this language yet; write the note yourself."
            )
        return LiveDraft(self._model, self._plan_model, self._prompts, note_format, cancel, self._limit_seconds, only)

    def forget(self) -> None:
        """See ``Drafter``."""
        self._model.forget()
        self._plan_model.forget()

    def close(self) -> None:
        """See ``Drafter``."""
        self._model.close()
        self._plan_model.close()
