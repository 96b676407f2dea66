"""Material in, one-sentence statements out: the drafter with a text model.

A small model keeps to the text over a page, not over an hour. So a conversation is cut into windows of about 240
words; each is read once and every section of the format asked of the same cache. A section is asked for only where
the clinician speaks of such a thing; the model writes one sentence at a time and may end after each; what repeats is
dropped. The plan is asked for once, over the whole where the model can hold it: across windows it wanders. A
clinician's own dictation or notes already say what each line is: see ``_write_notes``.

Nothing is checked, cited or withheld here: that is ``note/evidence`` and ``note/risk``.
"""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from gateway.capture.material import Material, Segment
from gateway.errors import DraftError
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.overlap import find_share, is_same
from gateway.note.place import Said, has_cue, place_lines
from gateway.note.prompt import MaterialKind, Prompt, PromptSet, sort_segments
from gateway.note.statement import DrafterInfo, Origin, Statement
from gateway.note.textmodel import Bound, Cancelled, TextModel

FEWEST_WORDS = 8
WINDOW_WORDS = 240
REST_WORDS = 90  # a last window shorter than this joins the one before
ANSWER_TOKENS = 500  # kept free for question and answer
MOST_REPEATS = 2  # in a row: the model has nothing new to say
STRAY_SHARE = 0.5  # of a sentence's words in the notes: with fewer, the model has left them
DONE_SHARE = 0.8  # of the words of each line: there is nothing left to word
WORDED_SHARE = 0.5  # of a line's words: with fewer, the line is given as it stands

# Exactly one sentence: a full stop inside only in a number, a time, a title.
SENTENCE = r"([^.\n\[\]?:]|[0-9][.:][0-9]|[ap]\.m\.|(Dr|Mr|Mrs|Ms)\. ){8,160}\."
ANY_OPENING = "[A-Z0-9]"
SENTENCE_END = re.compile(r"(?<=[.;!])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)\s+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the prompt, what was said in it, and the segment it comes from."""

    text: str
    said: Said
    segment: int

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
        """See ``Drafter``. The conversation window by window, its plan last; then the notes section by section.

        Raises:
            DraftError: too little material, another language, or the model failed or ran past its deadline.
        """
        self._check_material(material)
        segments = sort_segments(material.segments)
        bound = Bound(cancel, time.monotonic() + self._limit_seconds)
        given: list[Statement] = []
        try:
            for statement in chain(
                self._write_conversation(segments[MaterialKind.CONVERSATION], note_format, given, bound),
                self._write_notes(segments[MaterialKind.NOTES], note_format, given, bound),
            ):
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
                "draft.language", "There is no AI drafting for this language yet; write the note yourself."
            )
        if material.word_count < FEWEST_WORDS:
            raise DraftError(
                "draft.too-little", "There is too little to draft from; dictate or type a few sentences first."
            )

    def _write_conversation(
        self, segments: Sequence[Segment], note_format: NoteFormat, given: Sequence[Statement], bound: Bound
    ) -> Iterator[Statement]:
        """Each window with the sections that it has cues for; the plan over the whole if the model can hold it."""
        prompt = self._prompts.prompts[MaterialKind.CONVERSATION]
        lines = [
            Line(text, Said(each.text, each.speaker, each.source), each.number)
            for each in segments
            for text in prompt.make_lines(each.text, each.speaker)
        ]
        windows = cut_windows(lines, overlap=1)
        whole = self._model.count_tokens(_join(prompt, lines))
        at_once = len(windows) > 1 and whole + ANSWER_TOKENS <= self._model.room
        plans = [each for each in note_format.sections if each.kind is SectionKind.PLANNED]
        for window in windows:
            wanted = [each for each in note_format.sections if not (at_once and each in plans)]
            yield from self._write_window(prompt, window, wanted, given, bound)
        if at_once:
            yield from self._write_window(prompt, lines, plans, given, bound)

    def _write_window(
        self,
        prompt: Prompt,
        lines: Sequence[Line],
        sections: Sequence[Section],
        given: Sequence[Statement],
        bound: Bound,
    ) -> Iterator[Statement]:
        said = [line.said for line in lines]
        sections = [section for section in sections if has_cue(section, said, prompt)]
        if not sections:
            return
        self._model.read(prompt.system, _join(prompt, lines), bound)
        hints = tuple(dict.fromkeys(line.segment for line in lines))
        for section in sections:
            self._model.ask(prompt.make_question(section), f"{section.title}:\n", bound)
            sentences = islice(self._write_sentences(section, section.opening, prompt, given, bound), section.most)
            for sentence in sentences:
                yield Statement(0, section.id, sentence, Origin.MODEL, hints)

    def _write_notes(
        self, segments: Sequence[Segment], note_format: NoteFormat, given: Sequence[Statement], bound: Bound
    ) -> Iterator[Statement]:
        """Each kind of line for itself: the clinician has said what it is, the model only words it.

        Asked of the whole, a small model writes the first facts under every heading and leaves the last ones out;
        asked for more than there is, it invents. So its answer ends where it has worded all its lines or left them,
        and a line that it did not word is given as it stands: these are the clinician's own words.
        """
        prompt = self._prompts.prompts[MaterialKind.NOTES]
        for section, kind, lines in group_notes(segments, note_format, prompt):
            for window in cut_windows(lines, overlap=0):
                texts = [line.text for line in window]
                self._model.read(prompt.system, _join(prompt, window), bound)
                self._model.ask(prompt.make_question(section), f"{section.title}:\n", bound)
                hints = tuple(dict.fromkeys(line.segment for line in window))
                opening = prompt.openings.get(kind, "")
                worded: list[str] = []
                for sentence in self._write_sentences(section, opening, prompt, given, bound):
                    if find_share(sentence, texts) < STRAY_SHARE:
                        break
                    worded.append(sentence)
                    yield Statement(0, section.id, sentence, Origin.MODEL, hints)
                    if all(find_share(text, worded) >= DONE_SHARE for text in texts):
                        break
                for line in window:
                    bound.check()
                    if find_share(line.text, worded) < WORDED_SHARE:
                        yield Statement(0, section.id, line.text, Origin.MATERIAL, (line.segment,))

    def _write_sentences(
        self, section: Section, opening: str, prompt: Prompt, given: Sequence[Statement], bound: Bound
    ) -> Iterator[str]:
        """The answer's sentences until the model ends it or has nothing new to say.

        A plan is new even if another section has told of it; elsewhere what was told before is not.
        """
        planned = section.kind is SectionKind.PLANNED
        pattern = (opening or ANY_OPENING) + SENTENCE
        may_end, repeats = False, 0
        while repeats < MOST_REPEATS:
            text = self._model.write_sentence(pattern, may_end, bound)
            may_end = True
            if text is None or prompt.none.match(text.removeprefix(opening)):
                return
            earlier = (other.text for other in given if not planned or other.section == section.id)
            if not text or any(is_same(text, other) for other in earlier):
                repeats += 1
                continue
            repeats = 0
            yield text


def group_notes(
    segments: Sequence[Segment], note_format: NoteFormat, prompt: Prompt
) -> list[tuple[Section, SectionKind, list[Line]]]:
    """The sentences of notes by the section and the kind they belong to, in the order of the format."""
    sentences = [
        (Said(text, segment.speaker, segment.source), segment.number)
        for segment in segments
        for text in re.split(SENTENCE_END, segment.text)
        if text.strip()
    ]
    groups: dict[tuple[str, SectionKind], list[Line]] = {
        (section.id, kind): [] for section in note_format.sections for kind in SectionKind
    }
    places = place_lines([said for said, _ in sentences], note_format, prompt)
    for (said, number), place in zip(sentences, places, strict=True):
        for text in prompt.make_lines(place.text, said.speaker):
            groups[place.section.id, place.kind].append(Line(text, said, number))
    return [
        (note_format.find_section(section_id), kind, lines) for (section_id, kind), lines in groups.items() if lines
    ]


def cut_windows(lines: Sequence[Line], overlap: int) -> list[Sequence[Line]]:
    """Cut into windows of about ``WINDOW_WORDS``; each begins with the last ``overlap`` lines of the one before, so
    that an answer keeps its question."""
    windows: list[Sequence[Line]] = []
    start = 0
    while start < len(lines):
        end, words = start, 0
        while end < len(lines) and words < WINDOW_WORDS:
            words += lines[end].word_count
            end += 1
        if sum(line.word_count for line in lines[end:]) < REST_WORDS:
            end = len(lines)
        windows.append(lines[max(0, start - overlap) : end])
        start = end
    return windows


def _join(prompt: Prompt, lines: Sequence[Line]) -> str:
    return prompt.make_text([line.text for line in lines])
