"""The page that is read with the patient: ``config/consent/wording.<language>.md``.

One ``#`` title with words below it, then for each of the three questions a ``##`` with the activity's name and seven
``###`` parts in this order: the question, why, what is collected, where it goes, how long it stays, who sees it, and
what a no means. The headings are the site's; what each part is about is told by its place.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.consent.activity import Activity
from gateway.errors import ConfigurationError

PARTS = ("question", "why", "what is collected", "where it goes", "how long it stays", "who sees it", "a no")
# Their own names, for the choice of a language; another one is shown by its code.
LANGUAGES = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "ht": "Kreyòl ayisyen",
    "ko": "한국어",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tl": "Tagalog",
    "vi": "Tiếng Việt",
    "zh": "中文",
}
_NAME = re.compile(r"wording\.([a-z]{2,3}(?:-[A-Z]{2})?)\.md")


@dataclass(frozen=True, slots=True)
class Part:
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. ``questions`` has all seven parts of each activity; ``sha256`` is the file's."""

    language: str
    title: str
    lead: str
    questions: Mapping[Activity, tuple[Part, ...]]
    sha256: str


def read_wordings(folder: Path) -> dict[str, Wording]:
    """Read every ``wording.*.md`` of a folder, by language.

    Raises:
        ConfigurationError: a file is wrong, or there is none in English.
    """
    wordings = {wording.language: wording for wording in map(read_wording, sorted(folder.glob("wording.*.md")))}
    if "en" not in wordings:
        raise ConfigurationError(folder / "wording.en.md", "", "is missing")
    return wordings


def read_wording(path: Path) -> Wording:
    """Read one file.

    Raises:
        ConfigurationError: it can't be read, or a question or a part of one is missing, empty or too many.
    """
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise ConfigurationError(path, "", "is not named wording.<language>.md, as in wording.en.md")
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(path, "", f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, "", "is not UTF-8 text") from error
    head, *sections = re.split(r"^## +", text, flags=re.MULTILINE)
    title, _, lead = head.strip().partition("\n")
    if not title.startswith("# ") or not lead.strip():
        raise ConfigurationError(path, "", "does not begin with a # title and words below it")
    questions: dict[Activity, tuple[Part, ...]] = {}
    for section in sections:
        activity, parts = _read_question(path, section)
        if activity in questions:
            raise ConfigurationError(path, activity.value, "stands twice")
        questions[activity] = parts
    for activity in Activity:
        if activity not in questions:
            raise ConfigurationError(path, activity.value, "this question is missing")
    return Wording(name[1], title.removeprefix("# ").strip(), _join(lead), questions, hashlib.sha256(data).hexdigest())


def _read_question(path: Path, section: str) -> tuple[Activity, tuple[Part, ...]]:
    name, _, body = section.partition("\n")
    try:
        activity = Activity(name.strip())
    except ValueError as error:
        raise ConfigurationError(path, name.strip()[:40], "is none of telehealth, recording, ai-drafting") from error
    before, *parts = re.split(r"^### +", body, flags=re.MULTILINE)
    if before.strip() or len(parts) != len(PARTS):
        raise ConfigurationError(path, activity.value, f"needs {len(PARTS)} parts (###): {', '.join(PARTS)}")
    found: list[Part] = []
    for meaning, part in zip(PARTS, parts, strict=True):
        heading, _, text = part.partition("\n")
        if not heading.strip() or not text.strip():
            raise ConfigurationError(path, f"{activity.value}, {meaning}", "is empty")
        found.append(Part(heading.strip(), _join(text)))
    return activity, tuple(found)


def _join(text: str) -> str:
    """Words without the line ends that are the file's."""
    return " ".join(text.split())
