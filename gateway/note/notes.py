"""Drafts from a clinician's own dictation or notes: she has said what each line is, the model only words it.

Asked of the whole, a small model writes the first facts under every heading and leaves the last ones out; asked for
more than there is, it invents. So each kind of line is asked for by itself, the answer ends where it has worded all
its lines or left them, and a line that it did not word is given as it stands: these are the clinician's own words.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from gateway.capture.material import Segment
from gateway.note.asking import write_sentences
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.lines import Line, cut_windows, join_lines, list_segments
from gateway.note.overlap import find_share
from gateway.note.place import Said, place_lines
from gateway.note.prompt import Prompt
from gateway.note.statement import Origin, Statement
from gateway.note.textmodel import Bound, TextModel

STRAY_SHARE = 0.5  # of a sentence's words in the notes: with fewer, the model has left them
DONE_SHARE = 0.8  # of the words of each line: there is nothing left to word
WORDED_SHARE = 0.5  # of a line's words: with fewer, the line is given as it stands
SENTENCE_END = re.compile(r"(?<=[.;!])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)\s+")


def write_notes(
    model: TextModel,
    segments: Sequence[Segment],
    note_format: NoteFormat,
    prompt: Prompt,
    given: Sequence[Statement],
    bound: Callable[[], Bound],
    only: Collection[str] = (),
) -> Iterator[Statement | None]:
    """Statements, numbered 0; None where a piece of the work gave nothing.

    Args:
        model: to be used for nothing else until this ends.
        segments: of notes.
        note_format: decides where each line belongs.
        prompt: that of notes.
        given: what the note already holds; the caller adds to it what comes out of here.
        bound: until when each piece may take.
        only: ids of sections; empty: all.
    """
    for section, kind, lines in group_notes(segments, note_format, prompt):
        if only and section.id not in only:
            continue
        for window in cut_windows(lines, overlap=0):
            texts = [line.text for line in window]
            model.read(prompt.system, join_lines(window, prompt), bound())
            yield None
            worded: list[str] = []
            for sentence in write_sentences(model, section, prompt.openings.get(kind, ""), prompt, given, bound):
                if sentence is None:
                    yield None
                    continue
                if find_share(sentence, texts) < STRAY_SHARE:
                    break
                worded.append(sentence)
                yield Statement(0, section.id, sentence, Origin.MODEL, list_segments(window))
                if all(find_share(text, worded) >= DONE_SHARE for text in texts):
                    break
            for line in window:
                bound().check()
                if find_share(line.text, worded) < WORDED_SHARE:
                    yield Statement(0, section.id, line.text, Origin.MATERIAL, (line.segment,))


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
