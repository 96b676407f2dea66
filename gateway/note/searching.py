"""The search: the fewest passages, near to each other, that hold a claim's words as the claim has them.

In: passages and one claim. Out: indices of passages, how they cover the claim, and the clause that holds most of it.
Every concept weighs the same in every material, so that adding lines about something else turns nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.note.claims import Claim
from gateway.note.formats import SectionKind
from gateway.note.numbers import Quantity
from gateway.note.passages import Passage, Passages
from gateway.note.polarity import Clause, Status
from gateway.note.wording import weigh

REACH = 3  # segments from one that carries to another
MOST_SEGMENTS = 4  # for one claim
LEAST_GAIN = 0.8  # what a further segment must add: a word that means something


@dataclass(slots=True)
class Cover:
    """How the cited passages hold the words of one claim."""

    agreed: set[str]
    asked: set[str]
    unanswered: set[str]  # denied by the claim, but only asked
    opposite: set[str]
    supposed: set[str]
    missing: set[str]


def search_passages(passages: Passages, claim: Claim, kind: SectionKind) -> set[int]:
    """The fewest passages, near to each other, that hold the claim's words as the claim has them."""
    scores: dict[int, float] = defaultdict(float)
    for concept, status in claim.words.items():
        weight = weigh(concept)
        for place in passages.places.get(concept, ()):
            scores[place] += weight * _agree(passages.items[place].statuses[concept], status)
    for quantity in claim.quantities:
        for place in passages.values.get(quantity.value, ()):
            if any(quantity.agrees(said) for said in passages.items[place].quantities):
                scores[place] += 1.0
    if not scores:
        return set()
    for place in scores:
        item = passages.items[place]
        if item.asked_at is not None:
            scores[place] += _prefer_answer(item, passages.items[item.asked_at], claim)
        scores[place] += _prefer(item, kind)
    anchor = min(scores, key=lambda place: (-round(scores[place], 6), place))
    places = {anchor}
    held: set[str | Quantity] = _held(passages.items[anchor], claim)
    question = passages.items[anchor].asked_at
    if question is not None:
        asked = passages.items[question].statuses
        about = {concept for concept in claim.words if Status.ASKED in asked.get(concept, ())} - held
        held |= about
        places |= {question} if about else set()
    while len(places) < MOST_SEGMENTS:
        gains = {
            place: sum(
                weigh(word) if isinstance(word, str) else 1.0 for word in _held(passages.items[place], claim) - held
            )
            for place in passages.near(places, REACH)
            if place not in places and place in scores
        }
        if not gains:
            break
        place = min(gains, key=lambda each: (-gains[each], abs(each - anchor), each))
        if gains[place] < LEAST_GAIN:
            break
        places.add(place)
        held |= _held(passages.items[place], claim)
    return places | _find_answers(passages, claim, places)


def _agree(said: set[Status], status: Status) -> float:
    """How well a passage's ways of saying a concept fit: 1 the same, less where only asked, least the opposite."""
    if status in said or status is Status.EITHER:
        return 1.0
    if Status.ASKED in said or Status.SUPPOSED in said or status is Status.SUPPOSED:
        return 0.5
    return 0.3


def _prefer(item: Passage, kind: SectionKind) -> float:
    """Of equals, the passage of the right person or purpose."""
    if kind is SectionKind.PLANNED:
        return 0.3 if item.tells_plan else 0.0
    if kind in (SectionKind.TOLD, SectionKind.RESPONSE):
        return 0.05 if item.notes or not item.clinician else 0.0
    return 0.05 if item.clinician else 0.0


def _prefer_answer(answer: Passage, question: Passage, claim: Claim) -> float:
    """An answer is about what was asked: the question's words count a half with it."""
    asked, said = question.statuses, answer.statuses
    return 0.5 * sum([weigh(each) for each in claim.words if each in asked and each not in said])


def _held(item: Passage, claim: Claim) -> set[str | Quantity]:
    """What of the claim a passage holds as the claim has it."""
    held: set[str | Quantity] = {
        concept
        for concept, status in claim.words.items()
        if concept in item.statuses and (status is Status.EITHER or status in item.statuses[concept])
    }
    return held | {each for each in claim.quantities if any(each.agrees(said) for said in item.quantities)}


def _find_answers(passages: Passages, claim: Claim, places: Iterable[int]) -> set[int]:
    """The answers to the questions that the claim's words stand in: they decide, so they are cited."""
    answers = set()
    for place in places:
        item = passages.items[place]
        if item.answered_by is not None and any(
            concept in claim.words for sentence in item.sentences if sentence.question or not item.notes
            for clause in sentence.clauses for concept, _ in clause.words
        ):  # fmt: skip
            answers.add(item.answered_by)
    return answers


def cover_claim(passages: Passages, claim: Claim, places: Iterable[int]) -> Cover:
    cover = Cover(set(), set(), set(), set(), set(), set())
    for concept, status in claim.words.items():
        said = set().union(*(passages.items[place].statuses.get(concept, set()) for place in places), set())
        if not said:
            cover.missing.add(concept)
        elif status in said or status in (Status.SUPPOSED, Status.EITHER):
            cover.agreed.add(concept)
        elif Status.ASKED in said:
            (cover.asked if status is Status.AFFIRMED else cover.unanswered).add(concept)
        elif Status.SUPPOSED in said:
            cover.supposed.add(concept)
        else:
            cover.opposite.add(concept)
    return cover


def find_clause(passages: Passages, claim: Claim, places: Iterable[int]) -> tuple[Clause | None, int | None, float]:
    """The clause that holds most of the claim, of those that tell something."""
    best: tuple[Clause | None, int | None, float] = (None, None, 0.0)
    for place in sorted(places):
        for clause in passages.items[place].told_clauses():
            weight = sum(weigh(concept) for concept in {word for word, _ in clause.words} & claim.words.keys())
            if weight > best[2]:
                best = clause, place, weight
    return best
