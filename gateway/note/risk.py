"""Finds the lines of the material that speak of risk, by the patterns of ``config/risk/<language>.toml``.

In: segments and rules. Out: for each mention the segment, the category and the words that matched. A question about
risk and a denial of it are mentions like a disclosure: what they mean is for the clinician, who gets them word for
word. Recall comes before precision; idioms ("dying to see it") are taken out by data too. Nothing is judged here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.capture.hotwords import PhraseGroup
from gateway.capture.material import Segment
from gateway.configuration import read_toml
from gateway.errors import ConfigurationError
from gateway.note.sieve import Rewriting, Sieve

MASK = "\x00"  # stands where an idiom was: no pattern reaches across it
_FILLERS = re.compile(r"\b(?:um+|uh+|er+m?|hmm+|mm+)\b[ ,.]*")
_STUTTER = re.compile(r"\b(\w+)(?:[ ,-]+\1\b)+")
_BROKEN = re.compile(r"\b\w{1,3}- +(?=\w)")
_SPACES = re.compile(r"\s+")
_SPACED_MARK = re.compile(r" (?=[,.;:?!])| (?=n't\b|'(?:s|m|re|ve|d|ll)\b)")


@dataclass(frozen=True, slots=True)
class RiskMention:
    """One finding. ``words`` are the matched words, in lower case and without fillers."""

    segment: int
    category: str
    words: str


@dataclass(frozen=True, slots=True)
class RiskRule:
    """Patterns of one category from one source. ``shorthand`` is matched in the text as it was written."""

    category: str
    source: str
    patterns: Sieve
    shorthand: Sieve


@dataclass(frozen=True, slots=True)
class RiskRules:
    """The rules of every language that has been reviewed; ``languages`` are primary BCP 47 subtags. ``lookalikes`` put
    ``MASK`` where an idiom is; ``hotwords`` are what a second hearing of speech listens for, by priority."""

    languages: frozenset[str]
    rules: tuple[RiskRule, ...]
    lookalikes: Rewriting
    hotwords: tuple[PhraseGroup, ...] = ()

    def covers(self, language: str) -> bool:
        """Is there reviewed data for this language (BCP 47)?"""
        return language.split("-")[0].lower() in self.languages


def find_risk(segments: Iterable[Segment], rules: RiskRules) -> tuple[RiskMention, ...]:
    """Every mention, in order of segments, at most one of a category in each; heard in either hearing is heard."""
    return tuple(
        RiskMention(segment.number, category, words)
        for segment in segments
        for category, words in _find_in_hearings(segment, rules)
    )


def _find_in_hearings(segment: Segment, rules: RiskRules) -> Iterable[tuple[str, str]]:
    first = dict(find_risk_words(segment.text, rules))
    also = dict(find_risk_words(segment.heard_also, rules)) if segment.heard_two_ways else {}
    return (also | first).items()


def find_risk_words(text: str, rules: RiskRules) -> tuple[tuple[str, str], ...]:
    """The categories that a text speaks of, each with the first words that matched."""
    found: dict[str, str] = {}
    plain = rules.lookalikes.rewrite(flatten_speech(text.lower()))
    written = _SPACES.sub(" ", text)
    for rule in rules.rules:
        if rule.category not in found:
            words = next(_match(rule, plain, written), None)
            if words is not None:
                found[rule.category] = words
    return tuple(found.items())


def flatten_speech(text: str) -> str:
    """Words as they were meant: straight apostrophes, single spaces, no fillers, no word said twice, no stumble."""
    text = _SPACES.sub(" ", text.replace("’", "'").replace("‘", "'"))
    text = _FILLERS.sub("", _SPACED_MARK.sub("", text))
    return _STUTTER.sub(r"\1", _BROKEN.sub("", text))


def read_risk_rules(folder: Path) -> RiskRules:
    """Read every ``*.toml`` of a folder, one file a language.

    Raises:
        ConfigurationError: a file can't be read, a key is wrong, or the folder holds none.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise ConfigurationError(folder, "", "holds no risk data (*.toml)")
    parts = [_read_language(path) for path in paths]
    return RiskRules(
        frozenset(part.language for part in parts),
        tuple(_make_rule(rule) for part in parts for rule in part.rules),
        Rewriting(
            (re.compile(pattern), MASK) for part in parts for each in part.lookalikes for pattern in each.patterns
        ),
        tuple(PhraseGroup(each.category, each.phrases) for part in parts for each in part.hotwords),
    )


def _match(rule: RiskRule, plain: str, written: str) -> Iterator[str]:
    for patterns, text in ((rule.patterns, plain), (rule.shorthand, written)):
        for pattern in patterns.sift(text):
            found = pattern.search(text)
            if found:
                yield found.group().strip()


# ---- The file ----


def _check_pattern(text: str) -> str:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    if pattern.search(""):
        raise ValueError("matches the empty text")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
Pattern = Annotated[str, StringConstraints(min_length=2, max_length=2000), AfterValidator(_check_pattern)]

Phrase = Annotated[str, StringConstraints(pattern=r"^[^\W\d_][\w' -]{2,39}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Part):
    category: Name
    source: Name
    patterns: tuple[Pattern, ...] = ()
    shorthand: tuple[Pattern, ...] = ()

    @model_validator(mode="after")
    def _holds_patterns(self) -> "_Rule":
        if not self.patterns and not self.shorthand:
            raise ValueError("has neither patterns nor shorthand")
        return self


class _Lookalikes(_Part):
    source: Name
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)]


class _Hotwords(_Part):
    category: Name
    phrases: Annotated[tuple[Phrase, ...], Field(min_length=1)]


class _Language(_Part):
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
    sources: dict[Name, Annotated[str, StringConstraints(min_length=10, max_length=200)]]
    rules: Annotated[tuple[_Rule, ...], Field(min_length=1)]
    lookalikes: tuple[_Lookalikes, ...] = ()
    hotwords: tuple[_Hotwords, ...] = ()

    @model_validator(mode="after")
    def _names_sources(self) -> "_Language":
        for source in (*(rule.source for rule in self.rules), *(each.source for each in self.lookalikes)):
            if source not in self.sources:
                raise ValueError(f"the source {source!r} is not described under [sources]")
        return self


def _read_language(path: Path) -> _Language:
    part = read_toml(path, _Language)
    if part.language != path.stem:
        raise ConfigurationError(path, "language", f"is {part.language!r}, but the file is named {path.name}")
    return part


def _make_rule(part: _Rule) -> RiskRule:
    return RiskRule(
        part.category,
        part.source,
        Sieve(map(re.compile, part.patterns)),
        Sieve(map(re.compile, part.shorthand)),
    )
