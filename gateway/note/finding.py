"""Searches the material for what carries a statement, and says what is wrong with it.

In: a statement's text, the kind of its section, the passages. Out: ``Finding``: the fewest segments that carry it and
its faults. A statement is read as claims, one for each of its clauses; every claim is carried by itself. Nothing here
knows a model, a patient or an earlier statement, and no text makes it raise.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.note.evidence import Fault, Verdict
from gateway.note.formats import SectionKind
from gateway.note.lexicon import FAMILY, OPPOSITES
from gateway.note.numbers import Quantity, find_quantities
from gateway.note.passages import Passage, Passages
from gateway.note.polarity import Clause, Status, read_sentences, speaks_of_plan
from gateway.note.wording import find_concept, is_drug, is_key, settle_words, split_tokens, weigh

REACH = 3  # segments from one that carries to another
MOST_SEGMENTS = 4  # for one claim
LEAST_GAIN = 0.8  # what a further segment must add: a word that means something
SHARE_NOTES, SHARE_CONVERSATION = 0.7, 0.6  # of a claim's weight that has to be carried
SHARE_PARTLY = 0.45
SHARE_OPPOSITE = 0.2
SHARE_ASKED = 0.34
SHARE_TOLD = 0.25  # of the answer itself, before the question's words count with it
LONGEST_STATEMENT = 2000  # characters: what is longer is no statement

_CUT_OFF = re.compile(r"\b(?:the|a|an|and|or|with|of|to|for|mild|slight)\W*$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_][\w'/.-]*")
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
_FAMILY = frozenset(map(find_concept, FAMILY))


@dataclass(frozen=True, slots=True)
class Claim:
    """One clause of a statement: its concepts with their status, and its quantities."""

    text: str
    words: dict[str, Status]
    quantities: tuple[Quantity, ...]
    other_person: bool

    @property
    def weight(self) -> float:
        return sum(map(weigh, self.words)) + len(self.quantities)


@dataclass(slots=True)
class Finding:
    """What was found for a statement: indices of passages and faults; ``carrier`` is the passage that carries most,
    ``clause`` the clause of it."""

    claims: Sequence[Claim]
    places: set[int] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    carrier: int | None = None
    clause: Clause | None = None
    patient_weight: float = 0.0
    clinician_weight: float = 0.0


@dataclass(slots=True)
class _Cover:
    """How the cited passages hold the words of one claim."""

    agreed: set[str]
    asked: set[str]
    unanswered: set[str]  # denied by the claim, but only asked
    opposite: set[str]
    supposed: set[str]
    missing: set[str]


def read_claims(text: str) -> tuple[Claim, ...]:
    """The claims of a statement; a clause that says too little by itself belongs to the one before."""
    claims: list[Claim] = []
    for sentence in read_sentences(settle_words(text)):
        for clause in sentence.clauses:
            claim = Claim(
                clause.text.strip(), dict(clause.words), tuple(find_quantities(clause.tokens)), clause.other_person
            )
            if claims and (claim.weight < 2 or claims[-1].weight < 2):
                claims[-1] = _merge(claims[-1], claim)
            else:
                claims.append(claim)
    return tuple(claim for claim in claims if claim.words or claim.quantities)


def find_evidence(passages: Passages, text: str, kind: SectionKind) -> Finding:
    """Search for what carries a statement of a section of this kind."""
    if len(text) > LONGEST_STATEMENT:
        return Finding((), faults=[Fault(Verdict.UNSUPPORTED, "it is too long to be one statement")])
    claims = read_claims(text)
    finding = Finding(claims)
    if not claims:
        finding.faults.append(Fault(Verdict.UNSUPPORTED, "it says nothing that can be looked for"))
        return finding
    best = -1.0
    for claim in claims:
        places = _search(passages, claim, kind)
        cover = _cover(passages, claim, places)
        finding.faults += _judge_claim(passages, claim, places, cover, kind)
        finding.places |= places
        clause, place, weight = _find_clause(passages, claim, places)
        if clause is not None and weight > best:
            best, finding.clause, finding.carrier = weight, clause, place
        if clause is not None and place is not None:
            finding.faults += _judge_clause(passages.items[place], claim, clause, kind)
        _weigh_speakers(passages, claim, places, finding)
    finding.faults += _judge_plan(passages, finding, kind)
    if _CUT_OFF.search(text):
        finding.faults.append(Fault(Verdict.UNSUPPORTED, "the sentence is cut off", (text.split()[-1],)))
    return finding


def find_surface(text: str, concepts: Iterable[str]) -> tuple[str, ...]:
    """The words of the text as written that stand for these concepts."""
    wanted = set(concepts)
    found = [
        word
        for word in _WORD.findall(text[:LONGEST_STATEMENT])
        if wanted & {find_concept(token) or token for token in split_tokens(settle_words(word))}
    ]
    return tuple(dict.fromkeys(word.rstrip(".") for word in found)) or tuple(sorted(wanted))


# ---- The search ----


def _search(passages: Passages, claim: Claim, kind: SectionKind) -> set[int]:
    """The fewest passages, near to each other, that hold the claim's words as the claim has them."""
    scores: dict[int, float] = defaultdict(float)
    for concept, status in claim.words.items():
        for place in passages.places.get(concept, ()):
            scores[place] += weigh(concept) * _agree(passages.items[place], concept, status)
    for quantity in claim.quantities:
        for place in passages.values.get(quantity.value, ()):
            if any(quantity.agrees(said) for said in passages.items[place].quantities):
                scores[place] += 1.0
    if not scores:
        return set()
    for place in scores:
        scores[place] += _prefer(passages.items[place], kind)
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


def _agree(item: Passage, concept: str, status: Status) -> float:
    """How well a passage's way of saying a concept fits: 1 the same, less where it was only asked, least the opposite."""
    said = item.statuses[concept]
    if status in said:
        return 1.0
    if Status.ASKED in said or Status.SUPPOSED in said or status is Status.SUPPOSED:
        return 0.5
    return 0.3


def _prefer(item: Passage, kind: SectionKind) -> float:
    """Of equals, the passage of the right person or purpose."""
    if kind is SectionKind.PLANNED:
        return 0.3 if any(speaks_of_plan(clause.text, item.notes) for clause in item.told_clauses()) else 0.0
    if kind in (SectionKind.TOLD, SectionKind.RESPONSE):
        return 0.05 if item.notes or not item.clinician else 0.0
    return 0.05 if item.clinician else 0.0


def _held(item: Passage, claim: Claim) -> set[str | Quantity]:
    """What of the claim a passage holds as the claim has it."""
    held: set[str | Quantity] = {
        concept for concept, status in claim.words.items() if status in item.statuses.get(concept, ())
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


def _cover(passages: Passages, claim: Claim, places: Iterable[int]) -> _Cover:
    cover = _Cover(set(), set(), set(), set(), set(), set())
    for concept, status in claim.words.items():
        said = set().union(*(passages.items[place].statuses.get(concept, set()) for place in places), set())
        if not said:
            cover.missing.add(concept)
        elif status in said or status is Status.SUPPOSED:
            cover.agreed.add(concept)
        elif Status.ASKED in said:
            (cover.asked if status is Status.AFFIRMED else cover.unanswered).add(concept)
        elif Status.SUPPOSED in said:
            cover.supposed.add(concept)
        else:
            cover.opposite.add(concept)
    return cover


def _find_clause(passages: Passages, claim: Claim, places: Iterable[int]) -> tuple[Clause | None, int | None, float]:
    """The clause that holds most of the claim, of those that tell something."""
    best: tuple[Clause | None, int | None, float] = (None, None, 0.0)
    for place in sorted(places):
        for clause in passages.items[place].told_clauses():
            weight = sum(weigh(concept) for concept in {word for word, _ in clause.words} & claim.words.keys())
            if weight > best[2]:
                best = clause, place, weight
    return best


def _weigh_speakers(passages: Passages, claim: Claim, places: Iterable[int], finding: Finding) -> None:
    for place in places:
        item = passages.items[place]
        weight = sum(
            weigh(concept) for concept, status in claim.words.items() if status in item.statuses.get(concept, ())
        )
        if item.clinician:
            finding.clinician_weight += weight if item.answered_by is None else 0.0
            finding.patient_weight += weight if item.answered_by is not None else 0.0
        else:
            finding.patient_weight += weight


# ---- The faults ----


def _judge_claim(passages: Passages, claim: Claim, places: set[int], cover: _Cover, kind: SectionKind) -> list[Fault]:
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
    if cover.asked and not answered and _share(cover.asked, total) > SHARE_ASKED:
        faults.append(
            Fault(Verdict.UNSUPPORTED, "it was asked, but the answer does not say it", _show(claim, cover.asked))
        )
    if _share(cover.unanswered, total) >= SHARE_OPPOSITE:
        faults.append(Fault(Verdict.UNSUPPORTED, "it was asked, but nobody denied it", _show(claim, cover.unanswered)))
    if _share(cover.supposed, total) > SHARE_ASKED:
        faults.append(Fault(Verdict.UNSUPPORTED, "it was only said as an “if”", _show(claim, cover.supposed)))
    faults += _judge_antonyms(passages, claim, places)
    carried = _share(cover.agreed | (cover.asked if answered else set()), total)
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


def _judge_key_terms(passages: Passages, claim: Claim, cover: _Cover) -> list[Fault]:
    """Medications, symptoms, days, people: what a claim may not have from itself."""
    missing = [concept for concept in claim.words if concept in cover.missing and is_key(concept)]
    if not missing:
        return []
    words = _show(claim, missing)
    nowhere = [concept for concept in missing if concept not in passages.places]
    named = " and ".join(words[:2])
    if nowhere:
        kind = "medication " if any(map(is_drug, nowhere)) else ""
        return [
            Fault(
                Verdict.UNSUPPORTED, f"nobody said {kind}{named}".replace("medication medication", "medication"), words
            )
        ]
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


def _judge_clause(item: Passage, claim: Claim, clause: Clause, kind: SectionKind) -> list[Fault]:
    """Who, when, and whether it has happened yet."""
    faults = []
    kin = claim.words.keys() & _FAMILY
    if clause.other_person and not kin:
        faults.append(Fault(Verdict.CONTRADICTED, "it was said of another person", ()))
    if claim.other_person and not clause.other_person and not {word for word, _ in clause.words} & _FAMILY:
        faults.append(Fault(Verdict.CONTRADICTED, "it was not said of that person", _show(claim, kin)))
    if kind in (SectionKind.TOLD, SectionKind.OBSERVED, SectionKind.DONE, SectionKind.RESPONSE):
        if (
            clause.planned
            and (item.clinician or item.notes)
            and not speaks_of_plan(claim.text)
            and not item.answered_by
        ):
            faults.append(Fault(Verdict.CONTRADICTED, "it is planned, it has not happened yet", ()))
        if clause.past and _PRESENT.search(claim.text) and not _OVER.search(claim.text):
            faults.append(Fault(Verdict.CONTRADICTED, "it was said of the past", ()))
    if item.clinician and not item.notes and _WANTS.search(claim.text) and _I_WANT.search(clause.text):
        faults.append(Fault(Verdict.CONTRADICTED, "the clinician said that, not the patient", ()))
    return faults


def _judge_plan(passages: Passages, finding: Finding, kind: SectionKind) -> list[Fault]:
    """A plan must have been said as one: by plan words in a sentence that tells, or under a heading of the notes."""
    if kind is not SectionKind.PLANNED:
        return []
    if finding.clause is None or finding.carrier is None:
        return [Fault(Verdict.UNSUPPORTED, "no plan was said")]
    item = passages.items[finding.carrier]
    if item.under_plan or speaks_of_plan(finding.clause.text, item.notes):
        return []
    return [Fault(Verdict.UNSUPPORTED, "no plan was said")]


def _show(claim: Claim, concepts: Iterable[str]) -> tuple[str, ...]:
    wanted = set(concepts)
    return tuple(concept for concept in claim.words if concept in wanted)


def _share(concepts: Iterable[str], total: float) -> float:
    return sum(map(weigh, concepts)) / total


def _merge(one: Claim, other: Claim) -> Claim:
    return Claim(
        f"{one.text} {other.text}",
        {**other.words, **one.words},
        one.quantities + other.quantities,
        one.other_person or other.other_person,
    )
