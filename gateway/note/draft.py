"""Windows of material in, one-sentence statements out: the drafter with a text model.

A small model keeps to the text over a page, not over an hour. So the material is cut into windows of about 240 words;
each is read once and every section of the format asked of the same cache. A section is asked for only where the
material speaks of such a thing; the model writes one sentence at a time and may end after each; what repeats is
dropped. The plan is asked for once, over the whole material where the model can hold it: across windows it wanders.

Nothing is checked, cited or withheld here: that is ``note/evidence`` and ``note/risk``.
"""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.capture.material import Material, Segment
from gateway.errors import DraftError
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.prompt import Prompt, PromptSet, name_kind
from gateway.note.statement import DrafterInfo, Origin, Statement
from gateway.note.textmodel import Bound, Cancelled, TextModel

FEWEST_WORDS = 8
WINDOW_WORDS = 240
REST_WORDS = 90  # a last window shorter than this joins the one before
ANSWER_TOKENS = 500  # kept free for question and answer
MOST_REPEATS = 2  # in a row: the model has nothing new to say
SAME_SHARE = 0.8  # of a sentence's words in one before it: the same again

# Exactly one sentence: a full stop inside only in a number, a time, a title.
SENTENCE = r"([^.\n\[\]?:]|[0-9][.:][0-9]|[ap]\.m\.|(Dr|Mr|Mrs|Ms)\. ){8,160}\."
ANY_OPENING = "[A-Z0-9]"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the prompt and the segment it comes from."""

    text: str
    segment: Segment

    @property
    def word_count(self) -> int:
        return max(len(self.text.split()), len(self.text) // 8)  # some scripts have no spaces


class ModelDrafter:
    """A ``Drafter`` around a text model.

    Args:
        model: one visit's conversation; closed with the drafter.
        prompts: of the language that is drafted in.
        limit_seconds: a whole draft that takes longer is given up.
    """

    def __init__(self, model: TextModel, prompts: PromptSet, limit_seconds: float = 1200.0) -> None:
        self._model = model
        self._prompts = prompts
        self._limit_seconds = limit_seconds

    def describe(self, note_format: NoteFormat) -> DrafterInfo:
        """See ``Drafter``."""
        return DrafterInfo("model", self._model.name, self._model.sha256, self._prompts.sha256, note_format.sha256)

    def write(self, material: Material, note_format: NoteFormat, cancel: threading.Event) -> Iterator[Statement]:
        """See ``Drafter``. Window by window, in each the sections in order; the plan last.

        Raises:
            DraftError: too little material, another language, or the model failed or ran past its deadline.
        """
        self._check_material(material)
        prompt = self._prompts.prompts[name_kind(material.segments)]
        lines = [Line(text, each) for each in material.segments for text in prompt.make_lines(each)]
        bound = Bound(cancel, time.monotonic() + self._limit_seconds)
        given: list[Statement] = []
        try:
            for part, sections in self._divide(lines, note_format, prompt):
                for statement in self._write_part(part, sections, prompt, given, bound):
                    numbered = replace(statement, number=len(given) + 1)
                    given.append(numbered)
                    yield numbered
        except Cancelled:
            return

    def close(self) -> None:
        """See ``Drafter``."""
        self._model.close()

    def _check_material(self, material: Material) -> None:
        if material.language.split("-")[0].lower() != self._prompts.language:
            raise DraftError(
                "draft-language", "There is no AI drafting for this language yet; write the note yourself."
            )
        if material.word_count < FEWEST_WORDS:
            raise DraftError(
                "draft-too-little", "There is too little to draft from; dictate or type a few sentences first."
            )

    def _divide(
        self, lines: Sequence[Line], note_format: NoteFormat, prompt: Prompt
    ) -> Iterator[tuple[Sequence[Line], list[Section]]]:
        """What is read together, and which sections are asked of it."""
        windows = cut_windows(lines)
        whole = prompt.make_text([line.text for line in lines])
        at_the_end = [section for section in note_format.sections if section.kind is SectionKind.PLANNED]
        if len(windows) == 1 or self._model.count_tokens(whole) + ANSWER_TOKENS > self._model.room:
            at_the_end = []
        for window in windows:
            yield window, [section for section in note_format.sections if section not in at_the_end]
        if at_the_end:
            yield lines, at_the_end

    def _write_part(
        self,
        part: Sequence[Line],
        sections: Sequence[Section],
        prompt: Prompt,
        given: Sequence[Statement],
        bound: Bound,
    ) -> Iterator[Statement]:
        segments = list({line.segment.number: line.segment for line in part}.values())
        asked = [section for section in sections if prompt.is_cued(section, segments)]
        if not asked:
            return
        self._model.read(prompt.system, prompt.make_text([line.text for line in part]), bound)
        hints = tuple(segment.number for segment in segments)
        for section in asked:
            opening = prompt.choose_opening(section)
            self._model.ask(prompt.make_question(section), f"{section.title}:\n", bound)
            for text in self._write_section(section, opening, prompt, given, bound):
                yield Statement(0, section.id, text, Origin.MODEL, hints)

    def _write_section(
        self, section: Section, opening: str, prompt: Prompt, given: Sequence[Statement], bound: Bound
    ) -> Iterator[str]:
        pattern = (opening or ANY_OPENING) + SENTENCE
        repeats = written = 0
        while written < section.most and repeats < MOST_REPEATS:
            text = self._model.write_sentence(pattern, may_end=written + repeats > 0, bound=bound)
            if text is None or prompt.none.match(text.removeprefix(opening)):
                return
            if not text or any(is_same(text, other.text) for other in given):
                repeats += 1
                continue
            repeats = 0
            written += 1
            yield text


def cut_windows(lines: Sequence[Line]) -> list[Sequence[Line]]:
    """Cut into windows of about ``WINDOW_WORDS``; each begins with the last line of the one before, so that an answer
    keeps its question."""
    windows: list[Sequence[Line]] = []
    start = 0
    while start < len(lines):
        end, words = start, 0
        while end < len(lines) and words < WINDOW_WORDS:
            words += lines[end].word_count
            end += 1
        if sum(line.word_count for line in lines[end:]) < REST_WORDS:
            end = len(lines)
        windows.append(lines[max(0, start - 1) : end])
        start = end
    return windows


def is_same(text: str, other: str) -> bool:
    """Does ``other`` already hold nearly every word of ``text`` that carries meaning?"""
    words = _find_words(text)
    return len(words & _find_words(other)) >= SAME_SHARE * len(words)


def _find_words(text: str) -> set[str]:
    """Numbers, and words of more than three letters, which leaves out most of those that only join."""
    found = re.findall(r"\d+(?:[.:]\d+)?|[^\W\d_]+", text.lower())
    return {word for word in found if word[0].isdigit() or (len(word) > 3 and word not in _SUBJECTS)}


_SUBJECTS = {"patient", "clinician", "client"}
