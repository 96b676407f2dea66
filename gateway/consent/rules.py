"""What a site says about consent: ``config/consent/<id>.toml``.

EHRs keep consent differently and places have different laws, so this is a file: which codings answer which question,
who may answer, for which purposes, for how long. What a coding may never do is here: one coding answers one question
only, and a code that merely says "a consent document exists" or "general treatment" answers none.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from gateway.configuration import read_toml
from gateway.consent.activity import Activity
from gateway.consent.codes import ACT_REASON, CATEGORIES, CONSENT_SCOPE, LABELS, PURPOSES, SAYS_NOTHING, SCOPES, Code
from gateway.errors import ConfigurationError

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Coding(_Part):
    """One coding, matched exactly: system and code."""

    system: Text
    code: Text

    @property
    def pair(self) -> Code:
        return self.system, self.code


class Answer(Coding):
    """This coding, found there, is about this question.

    ``states`` "provision": the answer is what the resource's provisions say. "permit" or "deny": the coding itself
    is the answer while the Consent is active, for EHRs that give out a category and a period and no provisions.
    """

    activity: Activity
    found_in: Literal["provision", "category"] = "provision"
    states: Literal["provision", "permit", "deny"] = "provision"

    @model_validator(mode="after")
    def _can_answer(self) -> "Answer":
        if (self.system, self.code) in SAYS_NOTHING:
            raise ValueError(f"{self.code} says that a consent document exists, not what it permits: it can't answer")
        if self.system == CONSENT_SCOPE:
            raise ValueError("a consent scope is too wide to answer a question")
        if self.states != "provision" and self.found_in != "category":
            raise ValueError('only a category can state the answer itself (found_in = "category")')
        return self


class Proxies(_Part):
    """Who may answer besides the patient: codings of ``RelatedPerson.relationship``."""

    majority_years: int = Field(18, ge=0, le=30, description="age from which a patient answers alone")
    minors_answer_themselves: bool = False
    of_minors: tuple[Coding, ...] = ()
    of_adults: tuple[Coding, ...] = ()


class Parties(_Part):
    """Whose answer counts for each question: everybody's in the room, or the patient's alone.

    A spoken no of anybody is a no either way.
    """

    telehealth: Literal["all", "one"] = Field("all", description="one: the patient's answer alone is needed")
    recording: Literal["all", "one"] = Field("all", description="all: as where the law asks for all-party consent")
    ai_drafting: Literal["all", "one"] = "all"

    def needs_everyone(self, activity: Activity) -> bool:
        rules = {
            Activity.TELEHEALTH: self.telehealth,
            Activity.RECORDING: self.recording,
            Activity.AI_DRAFTING: self.ai_drafting,
        }
        return rules[activity] == "all"


class Watch(_Part):
    """How consent is watched while the microphone is on."""

    every_seconds: float = Field(15.0, gt=0, le=15, description="between two readings of consent")
    grace_seconds: float = Field(
        60.0, ge=0, le=600, description="how long a permission holds while the EHR does not answer"
    )


class ConsentRules(_Part):
    """The whole file. ``id`` is the file's stem."""

    id: Text
    title: Text
    time_zone: str = Field(
        "", description="zone of dates without one: IANA name, or local; empty: a permit ends where its day ends first"
    )
    scopes: tuple[Coding, ...] = Field(
        min_length=1, description="Consent.scope under which a permit counts; a refusal counts under any"
    )
    answers: tuple[Answer, ...] = Field(min_length=1)
    other_categories: tuple[Coding, ...] = Field((), description="categories that are known and answer nothing here")
    general_consent_counts: bool = Field(
        False, description="a patient-privacy Consent that names no activity answers all three"
    )
    purposes: tuple[Coding, ...] = Field((), description="what a visit is for, each to be permitted; none: TREAT")
    max_age_days: int | None = Field(None, ge=1, description="a yes older than this counts no more; unset: no limit")
    sensitive_labels: tuple[Coding, ...] = Field((), description="labels of data that need a yes naming them")
    organizations: tuple[Text, ...] = Field((), description="a yes counts only if given to one of these; none: to any")
    verified_only: bool = Field(False, description="a yes counts only with a verification that says so")
    performer_needed: bool = Field(True, description="a yes counts only where it says who gave it")
    proxies: Proxies = Proxies()
    newer_yes_wins: Literal["own", "always", "never"] = Field(
        "own", description="a newer yes of the same people over an older no that the EHR keeps in force"
    )
    parties: Parties = Parties()
    watch: Watch = Watch()

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        if name not in ("", "local"):
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f"no such time zone: {name}") from error
        return name

    @model_validator(mode="after")
    def _one_coding_one_question(self) -> "ConsentRules":
        seen: dict[tuple[str, str], Answer] = {}
        for answer in self.answers:
            other = seen.setdefault((answer.system, answer.code), answer)
            if other.activity is not answer.activity:
                both = f"{other.activity.value} and {answer.activity.value}"
                raise ValueError(f"{answer.code} answers both {both}; none answers another")
            if other is not answer and other.found_in == answer.found_in:
                raise ValueError(f"{answer.code} stands twice for {answer.activity.value} in {answer.found_in}")
        silent = [activity.value for activity in Activity if all(one.activity is not activity for one in self.answers)]
        if silent:
            raise ValueError(f"no coding answers {', '.join(silent)}")
        return self

    @cached_property
    def version(self) -> str:
        """Names exactly these rules, for the ledger: the file's stem and 12 digits of the content's SHA-256."""
        content = self.model_dump_json(exclude={"id"}).encode()
        return f"{self.id}+{hashlib.sha256(content).hexdigest()[:12]}"

    @cached_property
    def zone(self) -> tzinfo | None:
        """The zone of dates without one; None: not known. ``local`` is this machine's, read once."""
        if self.time_zone == "local":
            return read_local_zone()
        return ZoneInfo(self.time_zone) if self.time_zone else None

    @cached_property
    def provision_answers(self) -> Mapping[Code, Answer]:
        return {one.pair: one for one in self.answers if one.found_in == "provision"}

    @cached_property
    def category_answers(self) -> Mapping[Code, Answer]:
        return {one.pair: one for one in self.answers if one.found_in == "category"}

    @cached_property
    def accepted_scopes(self) -> frozenset[Code]:
        return frozenset(one.pair for one in self.scopes)

    @cached_property
    def known_scopes(self) -> frozenset[Code]:
        return SCOPES | self.accepted_scopes

    @cached_property
    def activity_codes(self) -> Mapping[Code, Activity]:
        """Every coding that names an activity, wherever it may stand."""
        return {one.pair: one.activity for one in self.answers}

    def name_activities(self, pairs: Iterable[Code]) -> set[Activity]:
        """The activities that these codings name."""
        return {self.activity_codes[pair] for pair in pairs if pair in self.activity_codes}

    @cached_property
    def known_categories(self) -> frozenset[Code]:
        """R4's own, and those that this file knows."""
        return CATEGORIES | frozenset((*self.activity_codes, *(one.pair for one in self.other_categories)))

    @cached_property
    def stating_categories(self) -> Mapping[Code, Literal["permit", "deny"]]:
        """Categories that are the answer by themselves."""
        return {one.pair: one.states for one in self.answers if one.states != "provision"}

    @cached_property
    def purpose_codes(self) -> frozenset[Code]:
        return frozenset(one.pair for one in self.purposes) or frozenset([(ACT_REASON, "TREAT")])

    @cached_property
    def label_codes(self) -> tuple[Code, ...]:
        return tuple(one.pair for one in self.sensitive_labels)

    @cached_property
    def known_purposes(self) -> frozenset[Code]:
        return PURPOSES | self.purpose_codes

    @cached_property
    def known_labels(self) -> frozenset[Code]:
        return LABELS.union(self.label_codes)

    @cached_property
    def proxies_of_minors(self) -> frozenset[Code]:
        return frozenset(one.pair for one in self.proxies.of_minors)

    @cached_property
    def proxies_of_adults(self) -> frozenset[Code]:
        return frozenset(one.pair for one in self.proxies.of_adults)


def read_local_zone(file: Path = Path("/etc/localtime")) -> tzinfo:
    """This machine's zone with its summer time; UTC where the machine has none, as in most containers."""
    try:
        with file.open("rb") as data:
            return ZoneInfo.from_file(data, key="local")
    except (OSError, ValueError):
        return UTC


def read_rules(folder: Path) -> dict[str, ConsentRules]:
    """Read every ``*.toml`` of a folder, by id.

    Raises:
        ConfigurationError: a file is wrong, or ``default.toml`` is missing.
    """

    class _File(ConsentRules):
        id: str = ""

    rules = {
        path.stem: ConsentRules(**{**read_toml(path, _File).model_dump(), "id": path.stem})
        for path in sorted(folder.glob("*.toml"))
    }
    if "default" not in rules:
        raise ConfigurationError(folder / "default.toml", "", "is missing")
    return rules
