"""A second opinion on consent in the room: who has said yes, and which ways of working that leaves.

In: the patient's own state for an activity, the site's rule, what the others present and she herself answered for this
visit. Out: is the activity permitted, which ways may be offered, what a loss destroys. The rules ("K05") stand in
consent_room.md. It imports no code that it judges and looks at no clock, network or file.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

ACTIVITIES = ("telehealth", "recording", "ai-drafting")
WAYS = ("record", "dictate", "type", "tidy", "write")
PATIENT_STATES = ("permit", "deny", "absent", "expired", "revoked", "unreadable")
RULES = ("all", "one")
ANSWERS = ("yes", "no", "open")  # of another participant; an unreadable answer is an open one (K04)
ATTESTED = ("yes", "no", "none")  # the patient's own answer for this visit, as the clinician attests it
TELEHEALTH = ("yes", "no", "unknown")
MOST_OTHERS = 2

# Each way, and what it needs before telehealth is thought of (K10).
WAY_NEEDS = (
    ("record", ("recording", "ai-drafting")),
    ("dictate", ("ai-drafting",)),
    ("type", ("ai-drafting",)),
    ("tidy", ("ai-drafting",)),
    ("write", ()),
)


@dataclass(frozen=True)
class Case:
    """One row of the table of one activity."""

    patient_state: str
    rule: str
    others: tuple[str, ...]
    attested: str
    attested_counts: bool
    permitted: bool


@dataclass(frozen=True)
class WaysRow:
    """One row of the table of ways: what is permitted, whether the visit is telehealth, what may be offered."""

    permitted: frozenset[str]
    telehealth: str
    offered: frozenset[str]


@dataclass(frozen=True)
class Room:
    """Three activities at once; states, rules and the other's answers in the order of ACTIVITIES.

    `other` is empty when nobody else is in the room.
    """

    states: tuple[str, ...]
    rules: tuple[str, ...]
    other: tuple[str, ...]
    telehealth: str
    permitted: frozenset[str]
    offered: frozenset[str]


def _expect(value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{value!r} is none of {known}")


def patient_says_yes(patient_state: str, attested: str, attested_counts: bool) -> bool:
    """Has the patient herself said yes? By her record (K01), or by an attested answer where a site takes one (K06)."""
    _expect(patient_state, PATIENT_STATES)
    _expect(attested, ATTESTED)
    if not attested_counts or attested == "none":
        return patient_state == "permit"
    if attested == "no":
        return False
    return patient_state in ("permit", "absent", "expired")


def is_permitted(patient_state: str, rule: str, others: tuple[str, ...], attested: str, attested_counts: bool) -> bool:
    """Is the activity permitted now, with these people in the room?

    Every one whose word the rule asks for must have said yes, and nobody at all may have said no.
    """
    _expect(rule, RULES)
    for answer in others:
        _expect(answer, ANSWERS)
    if any(answer == "no" for answer in others):  # K05
        return False
    asked_others = others if rule == "all" else ()  # K02, K03
    if any(answer != "yes" for answer in asked_others):  # K04
        return False
    return patient_says_yes(patient_state, attested, attested_counts)


def needs(way: str, telehealth: str) -> frozenset[str] | None:
    """The permissions that a way needs; None where nothing could suffice, because telehealth is not known (K11)."""
    _expect(way, WAYS)
    _expect(telehealth, TELEHEALTH)
    plain = dict(WAY_NEEDS)[way]
    if not plain:
        return frozenset()  # K13
    if telehealth == "unknown":
        return None
    return frozenset(plain) | ({"telehealth"} if telehealth == "yes" else frozenset())  # K12


def offered_ways(permitted: frozenset[str], telehealth: str) -> frozenset[str]:
    """The ways that may be offered: those of which every need is permitted."""
    for activity in permitted:
        _expect(activity, ACTIVITIES)
    offered = set()
    for way in WAYS:
        needed = needs(way, telehealth)
        if needed is not None and needed <= permitted:
            offered.add(way)
    return frozenset(offered)


def lost_permissions(way: str, telehealth: str, permitted: frozenset[str]) -> tuple[str, ...]:
    """What the chosen way needs and no longer has, sorted; empty means that it goes on (K20, K21)."""
    needed = needs(way, telehealth)
    if needed is None:
        raise ValueError(f"{way} can't have been chosen while telehealth is unknown")
    return tuple(sorted(needed - permitted))


def destroyed(way: str, telehealth: str, permitted: frozenset[str]) -> frozenset[str]:
    """Of "recorded", "dictated", "typed" and "draft", what must be destroyed now (K22 to K24)."""
    lost = lost_permissions(way, telehealth, permitted)
    if not lost:
        return frozenset()
    if lost == ("recording",):
        return frozenset({"recorded", "draft"})
    return frozenset({"recorded", "dictated", "typed", "draft"})


def all_cases() -> Iterator[Case]:
    """Every case of one activity, with up to two others in the room, in each order."""
    rooms = [room for size in range(MOST_OTHERS + 1) for room in itertools.product(ANSWERS, repeat=size)]
    for state, rule, others, attested, counts in itertools.product(
        PATIENT_STATES, RULES, rooms, ATTESTED, (False, True)
    ):
        yield Case(state, rule, others, attested, counts, is_permitted(state, rule, others, attested, counts))


def ways_table() -> Iterator[WaysRow]:
    """Every set of permitted activities, with each answer to whether the visit is telehealth."""
    for size in range(len(ACTIVITIES) + 1):
        for activities in itertools.combinations(ACTIVITIES, size):
            for telehealth in TELEHEALTH:
                permitted = frozenset(activities)
                yield WaysRow(permitted, telehealth, offered_ways(permitted, telehealth))


def all_rooms() -> Iterator[Room]:
    """The patient alone or with one other: every state, rule and answer of the three activities, to the ways offered.

    Answers to one activity say nothing about another (K07). Nothing is attested of the patient.
    """
    three = len(ACTIVITIES)
    companies: list[tuple[str, ...]] = [(), *itertools.product(ANSWERS, repeat=three)]
    for states in itertools.product(PATIENT_STATES, repeat=three):
        for rules in itertools.product(RULES, repeat=three):
            for other in companies:
                permitted = frozenset(
                    ACTIVITIES[i]
                    for i in range(three)
                    if is_permitted(states[i], rules[i], other[i : i + 1], "none", False)
                )
                for telehealth in TELEHEALTH:
                    yield Room(states, rules, other, telehealth, permitted, offered_ways(permitted, telehealth))
