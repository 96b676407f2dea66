"""What is said to the text model: the words by language, and the lines of the material as the model reads them.

In: ``prompts/<language>.toml`` and the material's segments. Out: instruction, text and questions. Two kinds of
material are prompted as what they are: a conversation with its speakers, and a clinician's own dictation or notes.
Each segment is one line; text from a segment can't end its line or start another.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.capture.material import Segment, Source, Speaker
from gateway.configuration import read_toml
from gateway.errors import DraftError
from gateway.note.formats import Opening, Section, SectionKind

FOLDER = Path(__file__).parent / "prompts"
LINE_CHARACTERS = 900  # a longer segment becomes several lines: a window must be able to end somewhere


class MaterialKind(StrEnum):
    """How the material came about; it decides how the model is addressed."""

    CONVERSATION = "conversation"
    NOTES = "notes"


def sort_segments(segments: Iterable[Segment]) -> dict[MaterialKind, list[Segment]]:
    """What of the material is a conversation and what the clinician's own notes.

    A recorded session is a conversation, whoever has spoken so far. What was typed or dictated is notes where the
    clinician alone speaks in it, and what she observed always is. Marks (a silence, speech that was not understood)
    have no words, and nothing is written from them.
    """
    given = [segment for segment in segments if not segment.is_mark]
    talked = {Source.SESSION, *(each.source for each in given if each.speaker is not Speaker.CLINICIAN)}
    sorted_segments: dict[MaterialKind, list[Segment]] = {kind: [] for kind in MaterialKind}
    for segment in given:
        own = segment.source is Source.OBSERVATION or segment.source not in talked
        sorted_segments[MaterialKind.NOTES if own else MaterialKind.CONVERSATION].append(segment)
    return sorted_segments


def _check_ask(text: str) -> str:
    names = set(re.findall(r"{(\w*)}", text))
    if "section" not in names or names - {"section", "ask"}:
        raise ValueError("must hold {section}, may hold {ask}, and no other name in braces")
    return text


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    return text


Words = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_check_pattern)]
Ask = Annotated[Words, AfterValidator(_check_ask)]
Mark = Annotated[str, StringConstraints(max_length=30)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Marks(_Part):
    clinician: Mark
    patient: Mark
    unknown: Mark


class _Address(_Part):
    system: Words
    lead: Words
    ask: Ask
    marks: _Marks
    cues: dict[SectionKind, Pattern]
    headings: dict[SectionKind, tuple[Words, ...]] = Field(default_factory=dict)
    openings: dict[SectionKind, Opening] = Field(default_factory=dict)


class _PromptPart(_Part):
    none: Pattern
    conversation: _Address
    notes: _Address


@dataclass(frozen=True, slots=True)
class Prompt:
    """How the model is addressed about one kind of material, and by what its lines show where they belong.

    ``cues`` are tried in order, in a lower-cased line. ``headings`` are what a clinician writes above lines,
    ``openings`` the words that a sentence about lines of a kind must begin with.
    """

    kind: MaterialKind
    system: str
    lead: str
    question: str
    marks: dict[Speaker, str]
    cues: dict[SectionKind, re.Pattern[str]]
    headings: dict[SectionKind, tuple[str, ...]]
    openings: dict[SectionKind, str]
    none: re.Pattern[str]

    def make_text(self, lines: Sequence[str]) -> str:
        """The user's turn up to the question; it ends in a new line, so that no token straddles the border."""
        return f"{self.lead}\n" + "".join(f"{line}\n" for line in lines)

    def make_question(self, section: Section) -> str:
        """The end of the user's turn."""
        return "\n" + self.question.format(section=section.title, ask=section.ask)

    def make_lines(self, text: str, speaker: Speaker) -> list[str]:
        """What one person said, as the model reads it: one line, or several if it is very long."""
        plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
        return [self.marks[speaker] + piece for piece in _split_text(plain)]


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The prompts of one language. ``sha256`` is that of their file, in hex."""

    language: str
    sha256: str
    prompts: dict[MaterialKind, Prompt]


def read_prompts(language: str = "en", folder: Path = FOLDER) -> PromptSet:
    """Read the prompts of a language (BCP 47; its first subtag decides).

    Raises:
        DraftError: there are none for it.
        ConfigurationError: the file is wrong.
    """
    primary = language.split("-")[0].lower()
    path = folder / f"{primary}.toml"
    if not primary.isalpha() or not path.is_file():
        raise DraftError(
            "draft.language",
            "There is no AI drafting for this language yet; write the note yourself.",
            language[:20],
        )
    part = read_toml(path, _PromptPart)
    none = re.compile(part.none, re.IGNORECASE)
    prompts = {
        MaterialKind.CONVERSATION: _make_prompt(MaterialKind.CONVERSATION, part.conversation, none),
        MaterialKind.NOTES: _make_prompt(MaterialKind.NOTES, part.notes, none),
    }
    return PromptSet(primary, hashlib.sha256(path.read_bytes()).hexdigest(), prompts)


def _make_prompt(kind: MaterialKind, part: _Address, none: re.Pattern[str]) -> Prompt:
    marks = {
        Speaker.CLINICIAN: part.marks.clinician,
        Speaker.PATIENT: part.marks.patient,
        Speaker.UNKNOWN: part.marks.unknown,
    }
    cues = {key: re.compile(pattern) for key, pattern in part.cues.items()}
    return Prompt(kind, part.system, part.lead, part.ask, marks, cues, part.headings, part.openings, none)


def _split_text(text: str) -> list[str]:
    """Pieces of at most ``LINE_CHARACTERS``, cut at a space where there is one."""
    pieces = []
    while len(text) > LINE_CHARACTERS:
        end = text.rfind(" ", 0, LINE_CHARACTERS) + 1 or LINE_CHARACTERS
        pieces.append(text[:end].rstrip())
        text = text[end:]
    return [*pieces, text] if text else pieces
