"""What the provisions of one Consent say about one activity: yes, no, nothing, or something not understood.

FHIR R4 Consent.provision (6.2.4): the elements of a provision are joined by AND, repetitions by OR; a nested
provision is an exception to the one around it and turns its answer. This version reads ``type``, ``period`` and
``code``. Every other limit (actor, purpose, class …) is seen, not evaluated: where it bears on the question, the
answer is ``UNKNOWN``, which counts as no. A permit must be certain; for a refusal a possibility is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal

from gateway.consent.activity import Activity
from gateway.consent.rules import ConsentRules
from gateway.ehr.dates import parse_date

MAX_DEPTH = 8
LIMITS = ("actor", "action", "securityLabel", "purpose", "class", "dataPeriod", "data")
_READ = frozenset(("id", "extension", "type", "period", "code", "provision", *LIMITS))

About = Literal["this", "all", "other", "unclear"]  # which activity: ours, any, not ours, can't be told
Effect = Literal["permit", "deny", "assumed-permit", "unstated"]  # only a stated permit permits


class Verdict(IntEnum):
    """In order of strength among siblings."""

    SILENT = 0
    PERMIT = 1
    UNKNOWN = 2
    DENY = 3


@dataclass(frozen=True, slots=True)
class Said:
    """``why`` explains an UNKNOWN; ``timing`` why a permit is silent; ``changes_at``: when the answer may change."""

    verdict: Verdict
    why: str = ""
    timing: Literal["", "expired", "not yet"] = ""
    changes_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds around a provision. ``certainly`` and ``possibly``: whether its time includes this moment."""

    effect: Effect
    about: About
    certainly: bool = True
    possibly: bool = True
    timing: Literal["", "expired", "not yet"] = ""
    limits: frozenset[str] = frozenset()
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Period:
    certainly: bool = True
    possibly: bool = True
    timing: Literal["", "expired", "not yet"] = ""
    changes_at: tuple[datetime, ...] = ()


def judge_provision(node: object, around: Frame, activity: Activity, rules: ConsentRules, now: datetime) -> Said:
    """Judge one provision with everything nested in it.

    Args:
        node: the provision's JSON.
        around: what the Consent itself, or the provision around this one, says.
    """
    if not isinstance(node, dict):
        return Said(Verdict.UNKNOWN, "has a provision that can't be read")
    if foreign := sorted(set(node) - _READ):
        return Said(Verdict.UNKNOWN, f"has a provision with {foreign[0]}, which is not understood here")
    about = _read_about(node, around, activity, rules)
    effect = _read_effect(node, around)
    period = _read_period(node.get("period"), rules, now)
    nested = node.get("provision", [])
    if period is None or effect is None or not isinstance(nested, list) or around.depth >= MAX_DEPTH:
        return Said(Verdict.UNKNOWN, "has a provision that can't be read")
    here = Frame(
        effect=effect,
        about=about,
        certainly=around.certainly and period.certainly,
        possibly=around.possibly and period.possibly,
        timing=around.timing or period.timing,
        limits=around.limits | {limit for limit in LIMITS if limit in node},
        depth=around.depth + 1,
    )
    own = _judge_frame(here)
    inner = [judge_provision(one, here, activity, rules, now) for one in nested]
    verdict = _combine(own, inner)
    if about == "other" and verdict.verdict is not Verdict.SILENT:
        return Said(Verdict.UNKNOWN, "has provisions that contradict each other", changes_at=verdict.changes_at)
    changes = () if about == "other" else period.changes_at
    return replace(verdict, changes_at=(*changes, *(moment for one in inner for moment in one.changes_at)))


def _judge_frame(here: Frame) -> Said:
    """One level by itself."""
    if here.about == "other" or not here.possibly:
        timing = here.timing if here.effect == "permit" and here.about == "this" else ""
        return Said(Verdict.SILENT, timing=timing)
    limits = ", ".join(sorted(here.limits))
    match here.effect:
        case "unstated" if here.depth == 1:
            return Said(Verdict.SILENT)  # R4's root provision may have no type: it only frames what is nested
        case "unstated":
            return Said(Verdict.UNKNOWN, "has a provision without a type")
        case "assumed-permit":
            named = here.about == "this"
            return Said(Verdict.UNKNOWN, "leaves open whether it permits") if named else Said(Verdict.SILENT)
        case "permit" if here.about == "all":
            return Said(Verdict.SILENT)  # a general yes answers no question
        case "permit" if here.about == "unclear":
            return Said(Verdict.UNKNOWN, "permits something that has no code")
        case "permit" if limits:
            return Said(Verdict.UNKNOWN, f"permits only within limits that are not evaluated here ({limits})")
        case "permit":
            return Said(Verdict.PERMIT) if here.certainly else Said(Verdict.SILENT, timing=here.timing)
        case _:
            return _judge_refusal(here, limits)


def _judge_refusal(here: Frame, limits: str) -> Said:
    if limits:
        return Said(Verdict.UNKNOWN, f"refuses within limits that are not evaluated here ({limits})")
    if here.about == "unclear":
        return Said(Verdict.UNKNOWN, "refuses something that has no code")
    if here.about == "all":
        return Said(Verdict.UNKNOWN, "refuses without saying what")
    return Said(Verdict.DENY)


def _combine(own: Said, inner: list[Said]) -> Said:
    """An exception that speaks goes before the rule; among exceptions the strongest no wins."""
    strongest = max(inner, key=lambda said: said.verdict, default=Said(Verdict.SILENT))
    if strongest.verdict is Verdict.SILENT:
        timing = own.timing or next((one.timing for one in inner if one.timing), "")
        return replace(own, timing=timing)
    if own.verdict is Verdict.DENY and strongest.verdict is Verdict.UNKNOWN:
        return own
    return strongest


def _read_about(node: Mapping[str, Any], around: Frame, activity: Activity, rules: ConsentRules) -> About:
    """Which activity the codes name; without codes, what the level around it names."""
    if "code" not in node:
        return around.about
    concepts = node["code"]
    if not isinstance(concepts, list) or not concepts:
        return "unclear"
    unclear = False
    for concept in concepts:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        known = read_codings(codings)
        if known is None:
            unclear = True
            continue
        if any((answer := rules.provision_answers.get(one)) and answer.activity is activity for one in known):
            return "this"
    return "unclear" if unclear else "other"


def read_codings(codings: object) -> list[tuple[str, str]] | None:
    """The (system, code) pairs; None where there is none, or one can't be told."""
    if not isinstance(codings, list) or not codings:
        return None
    pairs: list[tuple[str, str]] = []
    for coding in codings:
        system, code = (coding.get("system"), coding.get("code")) if isinstance(coding, dict) else (None, None)
        if not isinstance(system, str) or not isinstance(code, str):
            return None
        pairs.append((system, code))
    return pairs


def _read_effect(node: Mapping[str, Any], around: Frame) -> Effect | None:
    """The stated type; at the root without one, the Consent's; nested without one, the turn of the level around."""
    if "type" in node:
        type_ = node["type"]
        return type_ if type_ in ("permit", "deny") else None
    if around.depth == 0:
        return around.effect
    turns: dict[Effect, Effect] = {
        "permit": "deny",
        "assumed-permit": "deny",
        "deny": "assumed-permit",
        "unstated": "unstated",
    }
    return turns[around.effect]


def _read_period(period: object, rules: ConsentRules, now: datetime) -> _Period | None:
    """Whether now is inside; None where the period can't be read. Its end is inclusive, a day is the whole day."""
    if period is None:
        return _Period()
    if not isinstance(period, dict) or set(period) - {"id", "extension", "start", "end"}:
        return None
    start = parse_date(period["start"], rules.zone) if "start" in period else None
    end = parse_date(period["end"], rules.zone) if "end" in period else None
    if (start is None) != ("start" not in period) or (end is None) != ("end" not in period):
        return None
    if start and end and start.earliest_start > end.latest_end:
        return None
    begun, ended = start is None or start.latest_start <= now, end is not None and now >= end.earliest_end
    may_have_begun = start is None or start.earliest_start <= now
    may_last = end is None or now <= end.latest_end
    moments = [*((start.earliest_start, start.latest_start) if start else ())]
    moments += [*((end.earliest_end, end.latest_end) if end else ())]
    timing: Literal["", "expired", "not yet"] = "expired" if ended else "" if begun else "not yet"
    return _Period(begun and not ended, may_have_begun and may_last, timing, tuple(moments))
