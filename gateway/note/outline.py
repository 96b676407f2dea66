"""The drafter without a model: it arranges the material's own words under the format's headings.

It can't invent: each statement is one segment, word for word, without the heading it may have begun with, and each
segment is placed once. It is what a site drafts with where no text model is installed, and says so.
"""

import threading
from collections.abc import Collection, Iterator

from gateway.capture.material import Material, Segment
from gateway.note.formats import NoteFormat
from gateway.note.place import Said, place_lines
from gateway.note.prompt import PromptSet, sort_segments
from gateway.note.statement import DrafterInfo, Origin, Statement


class OutlineDrafter:
    """A ``Drafter`` that needs no weights. ``prompts`` gives the cues and headings of a language."""

    def __init__(self, prompts: PromptSet) -> None:
        self._prompts = prompts

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """See ``Drafter``. The prompt's hash stands for the cues by which lines are placed."""
        return DrafterInfo(
            "outline",
            "Outline (no text model)",
            prompt_sha256=self._prompts.sha256,
            format_sha256=note_format.sha256,
        )

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        """See ``Drafter``. In the order of the format, in a section in the order of the material."""
        placed: list[tuple[str, Segment, str]] = []
        for kind, segments in sort_segments(material.segments).items():
            said = [Said(segment.text, segment.speaker, segment.source) for segment in segments]
            places = place_lines(said, note_format, self._prompts.prompts[kind])
            placed += [(place.section.id, segment, place.text) for segment, place in zip(segments, places, strict=True)]
        placed.sort(key=lambda each: each[1].number)
        number = 0
        for section in note_format.sections:
            if only and section.id not in only:
                continue
            for section_id, segment, text in placed:
                if cancel.is_set():
                    return
                if section_id == section.id and text:
                    number += 1
                    yield Statement(number, section.id, text, Origin.MATERIAL, (segment.number,))

    def find_loader(self) -> None:
        """See ``Drafter``. There is nothing to load."""

    def follow(self, note_format: NoteFormat, cancel: threading.Event, language: str = "en") -> None:
        """See ``Drafter``. There is nothing to gain from beginning early."""

    def forget(self) -> None:
        """See ``Drafter``. Nothing is held between two calls."""

    def close(self) -> None:
        """See ``Drafter``. Nothing is held between two calls."""
