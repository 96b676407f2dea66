"""Searches the material for what carries a statement, and says what is wrong with it.

In: a statement's text, the kind of its section, the passages. Out: ``Finding``: the fewest segments that carry it and
its faults. A statement is read as claims, one for each of its clauses; every claim is carried by itself. Nothing here
knows a model, a patient or an earlier statement, and no text makes it raise.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.note.claims import LONGEST_STATEMENT, Claim, read_claims
from gateway.note.evidence import Fault, Verdict
from gateway.note.faults import judge_claim, judge_clause, judge_plan
from gateway.note.formats import SectionKind
from gateway.note.passages import Passages
from gateway.note.polarity import Clause
from gateway.note.searching import cover_claim, find_clause, search_passages
from gateway.note.wording import weigh

_CUT_OFF = re.compile(r"\b(?:the|a|an|and|or|with|of|to|for|mild|slight)\W*$", re.IGNORECASE)


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
        places = search_passages(passages, claim, kind)
        cover = cover_claim(passages, claim, places)
        finding.faults += judge_claim(passages, claim, places, cover, kind)
        finding.places |= places
        clause, place, weight = find_clause(passages, claim, places)
        if clause is not None and weight > best:
            best, finding.clause, finding.carrier = weight, clause, place
        if clause is not None and place is not None:
            finding.faults += judge_clause(passages, claim, places, place, clause, kind)
        _weigh_speakers(passages, claim, places, finding)
    finding.faults += judge_plan(passages, finding.clause, finding.carrier, kind)
    if _CUT_OFF.search(text):
        finding.faults.append(Fault(Verdict.UNSUPPORTED, "the sentence is cut off", (text.split()[-1],)))
    return finding


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
