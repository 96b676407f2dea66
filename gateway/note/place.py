"""Where a line belongs: under which section of a format, by its heading, its speaker and its words. No model.

In: what was said or written, in order. Out: for each a section of the format, and its text without the heading.
The outline drafter is made of this; the model's drafter uses it to ask each section of its own lines.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.capture.material import Source, Speaker
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.overlap import find_words
from gateway.note.prompt import Prompt

# Where a kind goes in a format that has no section for it.
INSTEAD = {
    SectionKind.TOLD: (SectionKind.OBSERVED, SectionKind.RESPONSE),
    SectionKind.OBSERVED: (SectionKind.TOLD, SectionKind.RESPONSE),
    SectionKind.CONCLUDED: (SectionKind.RESPONSE, SectionKind.OBSERVED, SectionKind.TOLD),
    SectionKind.DONE: (SectionKind.OBSERVED, SectionKind.TOLD),
    SectionKind.RESPONSE: (SectionKind.OBSERVED, SectionKind.TOLD),
    SectionKind.PLANNED: (SectionKind.DONE, SectionKind.CONCLUDED),
}
FEWEST_TOLD = 8  # content words; with fewer, and less than TOLD_SHARE of all, the patient told nothing
TOLD_SHARE = 0.2
SHORT_HEADING = 3  # up to so many letters only a colon makes it a heading: "A friend called" is none


@dataclass(frozen=True, slots=True)
class Said:
    """Something to be placed."""

    text: str
    speaker: Speaker
    source: Source


@dataclass(frozen=True, slots=True)
class Place:
    """Where it goes, and as what. ``text`` is without the heading: empty if there was nothing else."""

    section: Section
    kind: SectionKind
    text: str


def place_lines(said: Sequence[Said], note_format: NoteFormat, prompt: Prompt) -> list[Place]:
    """Find a section for each line; a heading holds until the next one, and not beyond what it was written in."""
    headings = _list_headings(note_format, prompt)
    under: tuple[Section, SectionKind] | None = None
    source: Source | None = None
    places = []
    for each in said:
        if each.source is not source:
            under, source = None, each.source
        heading, text = _find_heading(each.text, headings)
        under = heading or under
        section, kind = _judge_line(replace(each, text=text), note_format, prompt, under)
        places.append(Place(section, kind, text))
    return places


def find_home(kind: SectionKind, note_format: NoteFormat) -> Section:
    """The section that takes what is of this kind: its own, the next best, or the first."""
    for wanted in (kind, *INSTEAD[kind]):
        for section in note_format.sections:
            if section.kind is wanted:
                return section
    return note_format.sections[0]


def has_cue(section: Section, said: Sequence[Said], prompt: Prompt) -> bool:
    """Does anything said speak of what the section is for? Asked without a cue, a model invents.

    Only what may be the clinician's lines count: a patient's "I think" is no conclusion. What the patient told is
    asked where the patient told something: from a clinician's report alone a model makes findings and plans told.
    """
    patterns = [*section.cues, *([prompt.cues[section.kind]] if section.kind in prompt.cues else [])]
    if section.kind is SectionKind.TOLD and not patterns:
        words = [(each.speaker, len(find_words(each.text))) for each in said]
        told = sum(count for speaker, count in words if speaker is not Speaker.CLINICIAN)
        return told >= min(FEWEST_TOLD, TOLD_SHARE * sum(count for _, count in words))
    heard = [each.text.lower() for each in said if each.speaker is not Speaker.PATIENT]
    return not patterns or any(pattern.search(text) for pattern in patterns for text in heard)


def _judge_line(
    said: Said, note_format: NoteFormat, prompt: Prompt, under: tuple[Section, SectionKind] | None
) -> tuple[Section, SectionKind]:
    """A heading decides the section, unless it is one that this format does not have: then the words do.

    The words decide the kind; a line without a cue is of the kind of its heading, or told, or observed.
    """
    default = SectionKind.OBSERVED if said.source is Source.OBSERVATION else SectionKind.TOLD
    text = said.text.lower()
    if said.speaker is Speaker.PATIENT or text.rstrip().endswith("?"):
        return (find_home(default, note_format), default) if under is None else under
    cued = next((kind for kind, pattern in prompt.cues.items() if pattern.search(text)), None)
    if under is not None and (cued is None or under[0].kind is under[1]):
        return under[0], cued or under[1]
    for section in note_format.sections:
        if any(pattern.search(text) for pattern in section.cues):
            return section, section.kind
    return find_home(cued or default, note_format), cued or default


def _list_headings(note_format: NoteFormat, prompt: Prompt) -> dict[str, tuple[Section, SectionKind]]:
    """Every heading in lower case, with where it leads and what it stands for; the format's own win."""
    headings = {
        heading.lower(): (find_home(kind, note_format), kind)
        for kind, words in prompt.headings.items()
        for heading in words
    }
    for section in note_format.sections if headings else ():
        headings |= {heading.lower(): (section, section.kind) for heading in section.headings}
    return headings


def _find_heading(
    text: str, headings: dict[str, tuple[Section, SectionKind]]
) -> tuple[tuple[Section, SectionKind] | None, str]:
    """The heading that the text begins with, if any, and the rest."""
    found = re.match(r"\s*([A-Za-z][A-Za-z /]{0,40}?)\s*(:|[.,–-](?=\s|$)|$)\s*", text)
    if not found or found[1].lower() not in headings:
        return None, text
    if len(found[1]) <= SHORT_HEADING and found[2] != ":":
        return None, text
    return headings[found[1].lower()], text[found.end() :]
