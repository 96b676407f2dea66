"""A statement read as claims: one for each of its clauses, to be carried by itself.

In: the text of a statement. Out: ``Claim`` values, and the way back from a concept to the word that was written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.note.numbers import Quantity, find_quantities
from gateway.note.polarity import Status, read_sentences
from gateway.note.wording import find_concept, settle_words, split_tokens, weigh

LONGEST_STATEMENT = 2000  # characters: what is longer is no statement
LEAST_WEIGHT = 2  # of a claim that stands by itself

_WORD = re.compile(r"[^\W_][\w'/.-]*")


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


def read_claims(text: str) -> tuple[Claim, ...]:
    """The claims of a statement; a clause that says too little by itself belongs to the one before."""
    claims: list[Claim] = []
    for sentence in read_sentences(settle_words(text)):
        for clause in sentence.clauses:
            claim = Claim(
                clause.text.strip(), dict(clause.words), tuple(find_quantities(clause.tokens)), clause.other_person
            )
            if claims and (claim.weight < LEAST_WEIGHT or claims[-1].weight < LEAST_WEIGHT):
                claims[-1] = _merge(claims[-1], claim)
            else:
                claims.append(claim)
    return tuple(claim for claim in claims if claim.words or claim.quantities)


def find_surface(text: str, concepts: Iterable[str]) -> tuple[str, ...]:
    """The words of the text as written that stand for these concepts."""
    wanted = set(concepts)
    found = [
        word
        for word in _WORD.findall(text[:LONGEST_STATEMENT])
        if wanted & {find_concept(token) or token for token in split_tokens(settle_words(word))}
    ]
    return tuple(dict.fromkeys(word.rstrip(".") for word in found)) or tuple(sorted(wanted))


def _merge(one: Claim, other: Claim) -> Claim:
    return Claim(
        f"{one.text} {other.text}",
        {**other.words, **one.words},
        one.quantities + other.quantities,
        one.other_person or other.other_person,
    )
