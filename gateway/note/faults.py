"""What is wrong with a claim, in view of the passages that were found for it: each rule gives a ``Fault`` or none.

Hard rules for what is never right (a number, a dose, a medication, a denial that the material contradicts, another
person, a plan that nobody made), and at the end how much of the claim is carried at all.
"""

import re
from collections.abc import Iterable

from gateway.note.claims import Claim
from gateway.note.evidence import Fault, Verdict
from gateway.note.formats import SectionKind
from gateway.note.lexicon import FAMILY, OPPOSITES
from gateway.note.passages import Passages
from gateway.note.polarity import Clause, Status, speaks_of_plan
from gateway.note.searching import Cover
from gateway.note.wording import find_concept, is_key, weigh

SHARE_NOTES, SHARE_CONVERSATION = 0.7, 0.6  # of a claim's weight that has to be carried
SHARE_PARTLY = 0.45
SHARE_OPPOSITE = 0.2
SHARE_ASKED = 0.34
SHARE_TOLD = 0.25  # of the answer itself, before the question's words count with it

_UNSURE = re.compile(r"\b(?:unsure|undecided|uncertain|ambivalent|not sure|does not know)\b")
_PRONOUN = re.compile(r"^\W*(?:(?:and|but|so|well|no|yes|yeah|because|then|that)\W+)*(?:he|she|they|his)\b")
_USED_TO = re.compile(r"\bused to\b")
_PRESENT = re.compile(r"\b(?:takes?|is|are|has|uses?|drinks?|smokes?|lives?|works?|on)\b")
_OVER = re.compile(
    r"\b(?:was|were|had|used|history|previous\w*|past|former\w*|ago|child\w*|\w+ed|last|prior|took|went)\b"
)
_WANTS = re.compile(
    r"^(?:the )?(?:patient|he|she|they)\b.{0,12}\b(?:wants?|would like|plans?|orders?|recommends?|prescribes?)\b"
)
_I_WANT = re.compile(r"\bi (?:would like|want|wan|will|am going|recommend|think we)|\bi'(?:d like|ll|m going)\b")
_OPPOSITES = tuple(
    (frozenset(map(find_concept, one)) - {""}, frozenset(map(find_concept, other)) - {""}) for one, other in OPPOSITES
)
_TIMES = frozenset(map(find_concept, ("night", "morning", "evening", "afternoon")))
_FREQUENCY = frozenset(map(find_concept, ("daily", "weekly", "monthly", "biweekly", "yearly")))
_FAMILY = frozenset(map(find_concept, FAMILY))


def judge_claim(passages: Passages, claim: Claim, places: set[int], cover: Cover, kind: SectionKind) -> list[Fault]:
    faults = _judge_quantities(passages, claim, places)
    faults += _judge_key_terms(passages, claim, cover)
    total = sum(map(weigh, claim.words)) or 1.0
    opposite = [word for word in cover.opposite if is_key(word)]
    if opposite or _share(cover.opposite, total) >= SHARE_OPPOSITE:
        faults.append(_blame_opposite(passages, claim, places, cover.opposite))
    answered = _share(cover.agreed, total) >= SHARE_TOLD or any(
        quantity.agrees(said)
        for quantity in claim.quantities
        for place in places
        for said in passages.items[place].quantities
    )
    if cover.asked and not answered and not _UNSURE.search(claim.text) and _share(cover.asked, total) > SHARE_ASKED:
        faults.append(
            Fault(Verdict.UNSUPPORTED, "it was asked, but the answer does not say it", _show(claim, cover.asked))
        )
    if _share(cover.unanswered, total) >= SHARE_OPPOSITE:
        faults.append(Fault(Verdict.UNSUPPORTED, "it was asked, but nobody denied it", _show(claim, cover.unanswered)))
    if _share(cover.supposed, total) > SHARE_ASKED:
        faults.append(Fault(Verdict.UNSUPPORTED, "it was only said as an “if”", _show(claim, cover.supposed)))
    faults += _judge_antonyms(passages, claim, places)
    told = sum(
        any(each.agrees(said) for place in places for said in passages.items[place].quantities)
        for each in claim.quantities
    )
    held = _share(cover.agreed | (cover.asked if answered or _UNSURE.search(claim.text) else set()), total) * total
    carried = (held + told) / (total + len(claim.quantities))
    notes = any(passages.items[place].notes for place in places)
    if carried < (SHARE_NOTES if notes else SHARE_CONVERSATION) and not faults and claim.words:
        words = _show(claim, cover.missing | cover.asked)
        verdict = Verdict.PARTLY if carried >= SHARE_PARTLY else Verdict.UNSUPPORTED
        reason = "only a part of it was said" if verdict is Verdict.PARTLY else "nothing in the material says this"
        faults.append(Fault(verdict, reason, words))
    return faults


def _judge_quantities(passages: Passages, claim: Claim, places: set[int]) -> list[Fault]:
    """Every number must stand in the cited passages, with its unit and its medication."""
    said = [(each, passages.items[place]) for place in places for each in passages.items[place].quantities]
    faults = []
    for quantity in claim.quantities:
        if any(quantity.agrees(each) for each, _ in said):
            continue
        if quantity.value == "1" and not quantity.unit and not any(quantity.things & each.things for each, _ in said):
            continue  # "one" is often only "a"
        same_value = [each for each, _ in said if each.value == quantity.value]
        same_unit = [each for each, _ in said if quantity.unit and each.unit == quantity.unit]
        if same_value and quantity.drug and any(each.drug and each.drug != quantity.drug for each in same_value):
            other = next(each.drug for each in same_value if each.drug)
            faults.append(Fault(Verdict.CONTRADICTED, f"{quantity.words} was said of {other}", (quantity.value,)))
        elif same_unit:
            reason = f"nobody said {quantity.words}: it was {same_unit[0].words}"
            faults.append(Fault(Verdict.CONTRADICTED, reason, (quantity.value,)))
        else:
            faults.append(Fault(Verdict.UNSUPPORTED, f"nobody said {quantity.words}", (quantity.value,)))
    return faults


def _judge_key_terms(passages: Passages, claim: Claim, cover: Cover) -> list[Fault]:
    """Medications, symptoms, days, people: what a claim may not have from itself."""
    missing = [concept for concept in claim.words if concept in cover.missing and is_key(concept)]
    if not missing:
        return []
    words = _show(claim, missing)
    nowhere = [concept for concept in missing if concept not in passages.places]
    named = " and ".join(words[:2])
    if nowhere:
        return [Fault(Verdict.UNSUPPORTED, f"nobody said {named}", words)]
    return [Fault(Verdict.UNSUPPORTED, f"{named} was said of something else", words)]


def _judge_antonyms(passages: Passages, claim: Claim, places: Iterable[int]) -> list[Fault]:
    said = {concept for place in places for concept in passages.items[place].statuses}
    faults = []
    for one, other in _OPPOSITES:
        for mine, theirs in ((one, other), (other, one)):
            wrong = (claim.words.keys() & mine) - said
            if wrong and said & theirs and not claim.words.keys() & theirs:
                faults.append(Fault(Verdict.CONTRADICTED, "the material says the opposite", _show(claim, wrong)))
    return faults


def _blame_opposite(passages: Passages, claim: Claim, places: Iterable[int], concepts: set[str]) -> Fault:
    words = _show(claim, concepts)
    if any(claim.words[concept] is Status.DENIED for concept in concepts):
        return Fault(Verdict.CONTRADICTED, "nobody denied it: the material says it is so", words)
    answered = any(passages.items[place].answered_by is not None for place in places)
    return Fault(Verdict.CONTRADICTED, "the answer was no" if answered else "the material denies it", words)


def judge_clause(
    passages: Passages, claim: Claim, places: set[int], place: int, clause: Clause, kind: SectionKind
) -> list[Fault]:
    """Who, when, and whether it has happened yet."""
    faults = []
    item = passages.items[place]
    question = passages.items[item.asked_at] if item.asked_at is not None else None
    here = item.statuses.keys() | (question.statuses.keys() if question is not None else set())
    kin = claim.words.keys() & _FAMILY
    other = clause.other_person or (not item.notes and not item.clinician and bool(_PRONOUN.match(clause.text)))
    if other and not kin:
        faults.append(Fault(Verdict.CONTRADICTED, "it was said of another person", ()))
    if kin - here or (claim.other_person and not other and not {word for word, _ in clause.words} & _FAMILY):
        faults.append(Fault(Verdict.CONTRADICTED, "it was not said of that person", _show(claim, kin)))
    often = claim.words.keys() & _FREQUENCY
    if often and not _stand_together(passages, claim, places, often):
        faults.append(Fault(Verdict.UNSUPPORTED, f"nobody said how often: not {' '.join(sorted(often))}", tuple(often)))
    if kind in (SectionKind.TOLD, SectionKind.OBSERVED, SectionKind.DONE, SectionKind.RESPONSE):
        if clause.planned and not speaks_of_plan(claim.text):
            faults.append(Fault(Verdict.CONTRADICTED, "it is planned, it has not happened yet", ()))
        present = _PRESENT.search(claim.text) or _USED_TO.search(clause.text)
        if clause.past and present and not _OVER.search(claim.text) and Status.DENIED not in claim.words.values():
            faults.append(Fault(Verdict.CONTRADICTED, "it was said of the past", ()))
    if item.clinician and not item.notes and _WANTS.search(claim.text) and _I_WANT.search(clause.text):
        faults.append(Fault(Verdict.CONTRADICTED, "the clinician said that, not the patient", ()))
    return faults


def _stand_together(passages: Passages, claim: Claim, places: Iterable[int], often: set[str]) -> bool:
    """Was how often said in one breath with what?"""
    what = {concept for concept in claim.words.keys() - often if concept not in _TIMES and weigh(concept) >= 1}
    return not what or any(
        often <= here and what & here for here in (_with_partner(passages, place) for place in places)
    )


def _with_partner(passages: Passages, place: int) -> set[str]:
    """What was said in a passage and in the question or answer that belongs to it."""
    item = passages.items[place]
    partners = [passages.items[each] for each in (item.asked_at, item.answered_by) if each is not None]
    return set().union(item.statuses, *(partner.statuses for partner in partners))


def judge_plan(passages: Passages, clause: Clause | None, carrier: int | None, kind: SectionKind) -> list[Fault]:
    """A plan must have been said as one: by plan words in a sentence that tells, or under a heading of the notes."""
    if kind is not SectionKind.PLANNED:
        return []
    if clause is None or carrier is None:
        return [Fault(Verdict.UNSUPPORTED, "no plan was said")]
    item = passages.items[carrier]
    said = [clause, *(each for each in item.told_clauses() if item.notes)]
    if item.under_plan or any(speaks_of_plan(each.text, item.notes) for each in said):
        return []
    return [Fault(Verdict.UNSUPPORTED, "no plan was said")]


def _show(claim: Claim, concepts: Iterable[str]) -> tuple[str, ...]:
    wanted = set(concepts)
    return tuple(concept for concept in claim.words if concept in wanted)


def _share(concepts: Iterable[str], total: float) -> float:
    return sum(map(weigh, concepts)) / total
