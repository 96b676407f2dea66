"""Checks a draft statement by statement while it is written.

In: the material, the format and the risk rules, and what was read of the material before (``note/reading``); then
statements as the drafter writes them. Out: for each a ``CheckedStatement``, or None for a double; at the end the
``CheckedDraft``. Lines that speak of risk come first, as quotes: what a drafter writes about risk is withheld, because
the note carries the material's own words for it. Deterministic and without a model; no text makes it raise.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from gateway.capture.material import Material, Segment, Source, Speaker
from gateway.note.claims import Claim, find_surface
from gateway.note.evidence import (
    CheckedDraft,
    CheckedStatement,
    Fault,
    Verdict,
    close_draft,
    judge_statement,
    quote_segments,
)
from gateway.note.finding import Finding, find_evidence
from gateway.note.formats import NoteFormat, Section, SectionKind
from gateway.note.place import find_home
from gateway.note.polarity import speaks_of_future
from gateway.note.reading import MaterialReading, read_material
from gateway.note.risk import RiskRules, find_risk_words
from gateway.note.statement import Draft, Origin, Statement
from gateway.note.wording import is_key, strip_marks, weigh

FIRST_QUOTE = 1001  # quotes are numbered from here, so that they never meet the drafter's numbers
SAME_SHARE = 0.8  # of a statement's weight in an earlier one: a double
ANSWER_SEGMENTS = 2  # segments of an answer that are quoted with a question about risk

_ASKING = re.compile(r"\?|\b(?:asked|inquired|screened|assessed|queried|checked)\b", re.IGNORECASE)
_ANSWERING = re.compile(
    r"^\W*(?:(?:she|he|they|pt|patient|client)\W+)?(?:no|yes|not|never|none|den|endorse|said|answer|yeah|nope|"
    r"confirm|"
    r"admit|sometimes|a little)",
    re.IGNORECASE,
)
_ANSWERED = re.compile(  # a line of notes that holds the question and its answer
    r"\b(?:asked|inquired|screened|assessed|queried|checked)\b.*\b(?:no|not|none|never|yes|denie[sd]|said|says|answer\w*|"
    r"report\w*|endors\w*|confirm\w*|admit\w*)\b",
    re.IGNORECASE,
)
_OBSERVED = re.compile(
    r"\b(exam\w*|listen\w*|x-?rays?|results?|labs?|vitals?|tender\w*|edema|swell\w*|murmur|mri|ct|ekg|echo\w*|"
    r"lungs|"
    r"range of motion|palpat\w*|affect|eye contact|i (?:see|hear|feel|notice)|shows?|showed|blood pressure|pulse)\b"
)


class DraftChecker:
    """Checks one draft. Not for two drafts, nor for two threads.

    Args:
        material: what the draft is of, as it is now; when it has changed, another checker checks what stands again.
        note_format: whose sections the statements are written for.
        risk_rules: by which the lines that are quoted were found.
        reading: of this material by these rules; made here where there is none.

    Raises:
        ValueError: the reading is of another material, or by other rules; or it was changed between two checks.
    """

    def __init__(
        self,
        material: Material,
        note_format: NoteFormat,
        risk_rules: RiskRules,
        reading: MaterialReading | None = None,
    ) -> None:
        self._reading = reading if reading is not None else read_material(material.segments, risk_rules)
        if self._reading.rules is not risk_rules or not self._reading.holds(material.segments):
            raise ValueError("this is the reading of another material")
        self._revision = self._reading.revision
        self._format = note_format
        self._rules = risk_rules
        self._covered = risk_rules.covers(material.language)
        self._segments = material.segments
        self._passages = self._reading.passages
        self._quotes = self._quote_risk()
        self._quoted = {number for quote in self._quotes for number in quote.segments}
        self._checked: dict[int, CheckedStatement | None] = {}
        self._told: dict[str, list[_Told]] = defaultdict(list)  # by section
        self._withheld: set[str] = set()
        self._placed: set[int] = set()

    def quotes(self) -> tuple[CheckedStatement, ...]:
        """The material's lines that speak of risk, word for word, a question with its answer."""
        return self._quotes

    def check(self, statement: Statement) -> CheckedStatement | None:
        """Check one statement.

        Returns:
            None where it doubles an earlier one: its segment was placed or quoted already; or every key term and
            number of it and at least ``SAME_SHARE`` of the rest stand, said the same way, in one earlier statement of
            the same section; or a withheld statement has the same words.
        """
        if self._reading.revision != self._revision:
            raise ValueError("the material has changed since this checker was made")
        checked = self._check(statement)
        self._checked[statement.number] = checked
        return checked

    def finish(self, draft: Draft) -> CheckedDraft:
        """Close the draft; a statement of it that was never checked is checked now."""
        for statement in draft.statements:
            if statement.number not in self._checked:
                self.check(statement)
        kept = {statement.number for statement in draft.statements}
        checked = [item for number, item in self._checked.items() if item is not None and number in kept]
        return close_draft(draft, self._format, checked, self._quotes)

    # ---- One statement ----

    def _check(self, statement: Statement) -> CheckedStatement | None:
        section = self._find_section(statement.section)
        if statement.origin is Origin.MATERIAL:
            place = self._find_own_words(statement)
            if place is not None:
                return self._place_segment(statement, section, place)
        if not self._covered:
            fault = Fault(Verdict.UNSUPPORTED, "there is no reviewed data to check this language with")
            return judge_statement(statement, section.id, (), (fault,))
        risks = find_risk_words(statement.text, self._rules)
        finding = find_evidence(self._passages, statement.text, section.kind)
        if risks:
            words = tuple(words for _, words in risks)
            finding.faults = [Fault(Verdict.UNSUPPORTED, "risk is quoted, not drafted", words)]
        elif not finding.faults and set(self._number(finding.places)) <= self._quoted:
            finding.faults = [Fault(Verdict.UNSUPPORTED, "it rests only on lines that are quoted for risk")]
        home = section if finding.faults else self._route(section, finding)
        checked = judge_statement(
            statement,
            home.id,
            self._number(finding.places),
            [_surface(fault, statement.text) for fault in finding.faults],
        )
        return None if self._is_double(checked, finding.claims) else checked

    def _find_section(self, section_id: str) -> Section:
        try:
            return self._format.find_section(section_id)
        except KeyError:
            return self._format.sections[0]

    def _find_own_words(self, statement: Statement) -> int | None:
        """The segment whose own words the statement is: one of its hints first."""
        text = strip_marks(statement.text)
        if not text:
            return None
        hinted = [number - 1 for number in statement.hints if 0 < number <= len(self._segments)]
        sought = f" {text} "
        for place in (*hinted, *range(len(self._segments))):
            if sought in self._passages.items[place].wording.plain:
                return int(place)
        return None

    def _place_segment(self, statement: Statement, section: Section, place: int) -> CheckedStatement | None:
        number = self._segments[place].number
        if number in self._placed or number in self._quoted:
            return None
        self._placed.add(number)
        return judge_statement(statement, section.id, (number,), ())

    def _route(self, section: Section, finding: Finding) -> Section:
        """The section by who said it, in a conversation; a clinician's own notes stay where they were put."""
        item = self._passages.items[finding.carrier] if finding.carrier is not None else None
        if item is None or section.kind in (SectionKind.PLANNED, SectionKind.DONE, SectionKind.RESPONSE):
            return section
        if item.segment.source is Source.OBSERVATION and section.kind is SectionKind.TOLD:
            return find_home(SectionKind.OBSERVED, self._format)
        if item.notes:
            return section
        if finding.patient_weight >= finding.clinician_weight:
            return section if section.kind is SectionKind.TOLD else find_home(SectionKind.TOLD, self._format)
        clause = finding.clause.text if finding.clause is not None else ""
        if section.kind in (SectionKind.TOLD, SectionKind.OBSERVED) and speaks_of_future(clause):
            return find_home(SectionKind.PLANNED, self._format)
        if section.kind is SectionKind.TOLD and _OBSERVED.search(clause):
            return find_home(SectionKind.OBSERVED, self._format)
        if section.kind is SectionKind.OBSERVED and not _OBSERVED.search(clause):
            return find_home(SectionKind.CONCLUDED, self._format)
        return section

    def _number(self, places: set[int]) -> list[int]:
        return [self._segments[place].number for place in sorted(places)]

    def _is_double(self, checked: CheckedStatement, claims: Sequence[Claim]) -> bool:
        """Was it said before? If not, it is kept, so that it can't be said again."""
        if checked.withheld:
            text = strip_marks(checked.statement.text)
            double = text in self._withheld
            self._withheld.add(text)
            return double
        told = _Told(claims)
        earlier = self._told[checked.section]
        if any(told.says_no_more(each) for each in earlier):
            return True
        earlier.append(told)
        return False

    # ---- Risk ----

    def _quote_risk(self) -> tuple[CheckedStatement, ...]:
        """Group the risk lines: a question with its answer, an answer with its question; each segment once."""
        groups: list[list[Segment]] = []
        taken: set[int] = set()
        for place, segment in enumerate(self._segments):
            if not self._reading.mentions[place] or segment.number in taken:
                continue
            group = [*self._find_question(place, taken), segment]
            if _ASKING.search(segment.text):
                group += self._find_answer(place)
            taken |= {each.number for each in group}
            groups.append(group)
        section = self._format.risk_section.id
        return tuple(
            quote_segments(FIRST_QUOTE + index, section, group, not self._passages.items[group[0].number - 1].notes)
            for index, group in enumerate(groups)
        )

    def _find_question(self, place: int, taken: set[int]) -> list[Segment]:
        """The clinician's question right before, where a line only answers."""
        if place == 0 or not _ANSWERING.match(self._segments[place].text):
            return []
        before, segment = self._segments[place - 1], self._segments[place]
        asked = before.source is segment.source and before.number not in taken and _ASKING.search(before.text)
        return (
            [before] if asked and (before.speaker is not segment.speaker or self._passages.items[place].notes) else []
        )

    def _find_answer(self, place: int) -> list[Segment]:
        """What follows a question about risk: the answer, as long as the same voice goes on (two segments at most).

        In notes one line, and none where the question's own line says what was answered and the next is about another
        thing.
        """
        question = self._segments[place]
        if question.speaker is Speaker.PATIENT:
            return []
        answer: list[Segment] = []
        for segment in self._segments[place + 1 : place + 1 + ANSWER_SEGMENTS]:
            notes = self._passages.items[place].notes
            if segment.source is not question.source or (segment.speaker is question.speaker and not notes):
                break
            if notes and _ANSWERED.search(question.text) and not _ANSWERING.match(segment.text):
                break
            answer.append(segment)
            if notes:
                break
        return answer


class _Told:
    """What a shown statement says, for comparing."""

    __slots__ = ("_numbers", "_said", "_weight", "_words")

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._words = [(concept, status) for claim in claims for concept, status in claim.words.items()]
        self._said = frozenset(self._words)
        self._numbers = {quantity.value for claim in claims for quantity in claim.quantities}
        self._weight = sum(weigh(concept) for concept, _ in self._words)

    def says_no_more(self, earlier: "_Told") -> bool:
        """Do its numbers, its key terms and at least ``SAME_SHARE`` of the rest stand in the earlier one?"""
        if not self._numbers <= earlier._numbers:
            return False
        new = self._said - earlier._said
        if any(is_key(concept) for concept, _ in new):
            return False
        same = sum(weigh(concept) for concept, status in self._words if (concept, status) not in new)
        return self._weight > 0 and same >= SAME_SHARE * self._weight


def _surface(fault: Fault, text: str) -> Fault:
    """The fault with the statement's own words instead of concepts."""
    if not fault.words or fault.reason == "risk is quoted, not drafted":
        return fault
    words = find_surface(text, fault.words)
    reason = fault.reason
    for concept, word in zip(fault.words, words, strict=False):
        reason = (
            re.sub(rf"\b{re.escape(concept)}\b", word.replace("\\", ""), reason)
            if len(words) == len(fault.words)
            else reason
        )
    return Fault(fault.verdict, reason, words)
