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
from gateway.note.formats import Section, SectionKind

FOLDER = Path(__file__).parent / "prompts"
LINE_CHARACTERS = 900  # a longer segment becomes several lines: a window must be able to end somewhere


class MaterialKind(StrEnum):
    """How the material came about; it decides how the model is addressed."""

    CONVERSATION = "conversation"
    NOTES = "notes"


def name_kind(segments: Iterable[Segment]) -> MaterialKind:
    """Notes if the clinician alone speaks; a conversation as soon as anybody else may."""
    alone = all(segment.speaker is Speaker.CLINICIAN for segment in segments)
    return MaterialKind.NOTES if alone else MaterialKind.CONVERSATION


def _check_ask(text: str) -> str:
    if {name for name in re.findall(r"{(\w*)}", text)} != {"section", "ask"}:
        raise ValueError("must hold {section} and {ask}, and no other name in braces")
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
    observation: Mark


class _Address(_Part):
    system: Words
    lead: Words
    ask: Ask
    marks: _Marks
    cues: dict[SectionKind, Pattern] = Field(default_factory=dict)


class _PromptPart(_Part):
    none: Pattern
    conversation: _Address
    notes: _Address


@dataclass(frozen=True, slots=True)
class Prompt:
    """How the model is addressed about one kind of material. ``cues`` are searched in a lower-cased line."""

    kind: MaterialKind
    system: str
    lead: str
    question: str
    marks: dict[Speaker | Source, str]
    cues: dict[SectionKind, re.Pattern[str]]
    none: re.Pattern[str]

    def make_text(self, lines: Sequence[str]) -> str:
        """The user's turn up to the question; it ends in a new line, so that no token straddles the border."""
        return f"{self.lead}\n" + "".join(f"{line}\n" for line in lines)

    def make_question(self, section: Section) -> str:
        """The end of the user's turn."""
        ask = section.ask_notes if self.kind is MaterialKind.NOTES else section.ask
        return "\n" + self.question.format(section=section.title, ask=ask)

    def choose_opening(self, section: Section) -> str:
        """The words that each sentence of the section must begin with; empty: any."""
        return section.opening_notes if self.kind is MaterialKind.NOTES else section.opening

    def is_cued(self, section: Section, segments: Iterable[Segment]) -> bool:
        """Do the segments speak of what the section is for? Asked without a cue, a model invents.

        In a conversation only what may be the clinician's lines count: a patient's "I think" is no conclusion.
        """
        patterns = [*section.cues, *([self.cues[section.kind]] if section.kind in self.cues else [])]
        if not patterns:
            return True
        heard = [segment.text.lower() for segment in segments if segment.speaker is not Speaker.PATIENT]
        return any(pattern.search(text) for pattern in patterns for text in heard)

    def make_lines(self, segment: Segment) -> list[str]:
        """A segment as the model reads it: one line, or several if it is very long."""
        text = " ".join("".join(sign if sign.isprintable() else " " for sign in segment.text).split())
        mark = self.marks[Source.OBSERVATION if segment.source is Source.OBSERVATION else segment.speaker]
        return [mark + piece for piece in _split_text(text)]


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
            "draft-language",
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
    marks: dict[Speaker | Source, str] = {
        Speaker.CLINICIAN: part.marks.clinician,
        Speaker.PATIENT: part.marks.patient,
        Speaker.UNKNOWN: part.marks.unknown,
        Source.OBSERVATION: part.marks.observation,
    }
    cues = {key: re.compile(pattern) for key, pattern in part.cues.items()}
    return Prompt(kind, part.system, part.lead, part.ask, marks, cues, none)


def _split_text(text: str) -> list[str]:
    """Pieces of at most ``LINE_CHARACTERS``, cut at a space where there is one."""
    pieces = []
    while len(text) > LINE_CHARACTERS:
        end = text.rfind(" ", 0, LINE_CHARACTERS) + 1 or LINE_CHARACTERS
        pieces.append(text[:end].rstrip())
        text = text[end:]
    return [*pieces, text] if text else pieces
