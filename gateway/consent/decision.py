"""Consent resources and a question in, ``Permit | Refusal`` out: a pure function."""

from dataclasses import InitVar, dataclass
from datetime import datetime
from enum import StrEnum

from gateway.proof import Maker

MAKER = Maker("consent/decision")


class Activity(StrEnum):
    """The three questions; none answers another."""

    TELEHEALTH = "telehealth"
    RECORDING = "recording"
    AI_DRAFTING = "ai-drafting"


@dataclass(frozen=True, slots=True)
class Ground:
    """One Consent that mattered and what it said. ``reference`` is relative, with the version where known."""

    reference: str
    effect: str  # "permit" | "deny" | "ignored"
    words: str


@dataclass(frozen=True, slots=True)
class Permit:
    """This activity is permitted for this visit, until ``until`` (UTC; None: no end is stated)."""

    maker: InitVar[Maker]
    activity: Activity
    grounds: tuple[Ground, ...]
    words: str
    decided_at: datetime
    until: datetime | None
    rules_id: str

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if not any(ground.effect == "permit" for ground in self.grounds):
            raise ValueError("a permit rests on a Consent that permits")

    def holds_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Refusal:
    """This activity is not permitted; ``code`` is stable, ``words`` a clinician reads in five seconds."""

    activity: Activity
    code: str  # missing | refused | expired | revoked | unreadable | contradictory | not-understood | not-in-force
    grounds: tuple[Ground, ...]
    words: str
    decided_at: datetime
    rules_id: str
