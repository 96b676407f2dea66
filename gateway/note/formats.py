"""Note formats as a site writes them: ``config/formats/<id>.toml``, one file a format.

In: a folder of TOML files. Out: ``NoteFormat`` values, each with the SHA-256 of its file for the Provenance. A wrong
key stops start-up with file, key and reason. Nothing here knows a patient, and nothing is written.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.configuration import read_toml
from gateway.errors import ConfigurationError


class SectionKind(StrEnum):
    """What a section holds. It names the default cues, and who must have said what stands in it."""

    TOLD = "told"  # what the patient told
    OBSERVED = "observed"  # what the clinician saw, examined or measured
    CONCLUDED = "concluded"  # what the clinician concluded
    DONE = "done"  # what the clinician did in the session
    RESPONSE = "response"  # how the patient took it
    PLANNED = "planned"  # what will be done


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a format.

    ``ask`` completes "Write the … section of the progress note: …", asked of a conversation; ``opening`` are words
    that each sentence must then begin with (empty: any), ``most`` the largest number of statements from one window.
    ``cues`` and ``headings`` are the site's own beside those of ``kind`` and ``title``: patterns that say that a line
    belongs here, and what a clinician writes above such lines. ``takes_risk`` marks the section in which lines
    that speak of risk are quoted: exactly one of a format.
    """

    id: str
    title: str
    kind: SectionKind
    ask: str
    opening: str = ""
    cues: tuple[re.Pattern[str], ...] = ()
    headings: tuple[str, ...] = ()
    most: int = 5
    takes_risk: bool = False
    empty_words: str = "Not assessed."


@dataclass(frozen=True, slots=True)
class NoteFormat:
    """A format: its sections in the order of the note. ``sha256`` is that of its file, in hex."""

    id: str
    title: str
    sections: tuple[Section, ...]
    sha256: str = ""

    @property
    def risk_section(self) -> Section:
        """The section that takes the quoted risk lines."""
        return next(section for section in self.sections if section.takes_risk)

    def find_section(self, section_id: str) -> Section:
        """The section of that id.

        Raises:
            KeyError: the format has none.
        """
        for section in self.sections:
            if section.id == section_id:
                return section
        raise KeyError(section_id)


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Opening = Annotated[str, StringConstraints(max_length=60, pattern=r"^$|^[A-Z][A-Za-z' ]* $")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_check_pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _SectionPart(_Part):
    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    title: Text
    kind: SectionKind
    ask: Text
    opening: Opening = ""
    cues: tuple[Pattern, ...] = ()
    headings: tuple[Text, ...] = ()
    most: int = Field(5, ge=1, le=12)
    takes_risk: bool = False
    empty_words: Text = "Not assessed."


class _FormatPart(_Part):
    title: Text
    sections: Annotated[tuple[_SectionPart, ...], Field(min_length=1, max_length=12)]

    @model_validator(mode="after")
    def _sections_agree(self) -> "_FormatPart":
        ids = [section.id for section in self.sections]
        if len(set(ids)) != len(ids):
            raise ValueError("two sections have the same id")
        if sum(section.takes_risk for section in self.sections) != 1:
            raise ValueError("exactly one section says takes_risk = true")
        return self


def _make_section(part: _SectionPart) -> Section:
    return Section(
        id=part.id,
        title=part.title,
        kind=part.kind,
        ask=part.ask,
        opening=part.opening,
        cues=tuple(re.compile(pattern, re.IGNORECASE) for pattern in part.cues),
        headings=(part.title, *part.headings),
        most=part.most,
        takes_risk=part.takes_risk,
        empty_words=part.empty_words,
    )


def read_format(path: Path) -> NoteFormat:
    """Read one format; its id is the file's stem.

    Raises:
        ConfigurationError: the file can't be read, or a key is wrong.
    """
    part = read_toml(path, _FormatPart)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return NoteFormat(path.stem, part.title, tuple(_make_section(each) for each in part.sections), digest)


def read_formats(folder: Path) -> dict[str, NoteFormat]:
    """Read every ``*.toml`` of a folder, by id, in order of their names.

    Raises:
        ConfigurationError: a file is wrong, or the folder holds none.
    """
    formats = {path.stem: read_format(path) for path in sorted(folder.glob("*.toml"))}
    if not formats:
        raise ConfigurationError(folder, "", "holds no note format (*.toml)")
    return formats
