"""Quantities: what number was said, of what unit, of which medication.

In: tokens. Out: ``Quantity`` values. "sertraline fifty milligrams" and "sertraline 50 mg" are the same one; a range
("5-6 hours") gives its unit to both ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.note.lexicon import DOSE_UNITS, UNITS
from gateway.note.wording import find_concept, is_drug, is_number, weigh

BETWEEN = frozenset(("-", "to", "or", "and", "/"))
FORMERLY = frozenset(("intake", "baseline", "previously", "initially"))
OFTEN = frozenset(("daily", "weekly", "monthly"))
REACH = 6  # tokens between a medication and its dose


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as digits; ``unit`` and ``drug`` are empty where none was said with it; ``things`` are what is counted
    where that is no unit ("two panic attacks")."""

    value: str
    unit: str = ""
    drug: str = ""
    things: frozenset[str] = frozenset()
    former: bool = False  # "down from seven", "(was 4)"

    @property
    def words(self) -> str:
        plural = "s" if self.value != "1" and len(self.unit) > 3 else ""
        return f"{self.value} {self.unit}{plural}".strip()

    def agrees(self, said: "Quantity") -> bool:
        """The same number, and no other unit or medication than what was said."""
        return (
            self.value == said.value
            and (not self.unit or not said.unit or self.unit == said.unit)
            and (not self.things or not said.things or bool(self.things & said.things))
            and not (self.things and said.unit not in ("", "time") and not self.drug)
            and (self.former or not said.former)
            and (not self.is_dose or not self.drug or not said.drug or self.drug == said.drug)
        )

    @property
    def is_dose(self) -> bool:
        return self.unit in DOSE_UNITS or (bool(self.drug) and not self.unit)


def find_quantities(tokens: Sequence[str]) -> list[Quantity]:
    """Every quantity, in order."""
    if not any(map(is_number, tokens)):
        return []
    drugs = [(place, concept) for place, token in enumerate(tokens) if is_drug(concept := find_concept(token))]
    return [
        Quantity(
            token,
            unit,
            _find_drug(place, unit, drugs),
            frozenset() if unit else _find_things(tokens, place),
            _is_former(tokens, place),
        )
        for place, token in enumerate(tokens)
        if is_number(token)
        for unit in (_find_unit(tokens, place),)
    ]


def _find_unit(tokens: Sequence[str], place: int) -> str:
    following = tokens[place + 1 : place + 4]
    if following and following[0] in UNITS:
        unit = UNITS[following[0]]
        return f"times {following[1]}" if unit == "time" and following[1:2] and following[1] in OFTEN else unit
    if len(following) == 3 and following[0] in BETWEEN and is_number(following[1]):
        return UNITS.get(following[2], "")
    return ""


def _is_former(tokens: Sequence[str], place: int) -> bool:
    if place > 0 and tokens[place - 1] == "from":
        return "to" not in tokens[place + 1 : place + 2]
    if FORMERLY.intersection(tokens[place + 1 : place + 4]):
        return True
    return place > 1 and list(tokens[place - 2 : place]) == ["(", "was"]


def _find_things(tokens: Sequence[str], place: int) -> frozenset[str]:
    """The words right behind the number, up to two that mean something."""
    things = []
    for token in tokens[place + 1 : place + 3]:
        concept = find_concept(token)
        if not concept or weigh(concept) < 1:
            break
        things.append(concept)
    return frozenset(things)


def _find_drug(place: int, unit: str, drugs: Sequence[tuple[int, str]]) -> str:
    """The medication before the number, or the one after it; a bare number only right behind a medication."""
    before = [concept for at, concept in drugs if 0 < place - at <= (REACH if unit in DOSE_UNITS else 1)]
    if before:
        return before[-1]
    after = [concept for at, concept in drugs if 0 < at - place <= REACH]
    return after[0] if after and unit in DOSE_UNITS else ""
