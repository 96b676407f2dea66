"""The material made ready to be searched: what each segment affirms, denies or only asks.

In: segments. Out: ``Passages``: for each segment its sentences, the status of every concept in it (a question's words
take theirs from the answer), its quantities, and an index from concepts to segments. Read once, asked often.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.capture.material import Segment, Source, Speaker
from gateway.note.lexicon import MONTHS
from gateway.note.numbers import Quantity, find_quantities
from gateway.note.polarity import (
    Answer,
    Clause,
    Sentence,
    Status,
    asks_like_question,
    read_answer,
    read_report,
    read_sentences,
)
from gateway.note.wording import find_concept, is_drug, settle_words, split_tokens

_HEADING = re.compile(
    r"^\s*(?:(?P<plan>plan|p|recommendations?|next steps|homework|plan and recommendations)|"
    r"[soabdir]|subjective|objective|assessment|data|behaviou?r|intervention|response|hpi|cc|mse|exam|history|"
    r"impression)"
    r"\s*(?::|[.]?$)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])(?:/(?:\d\d){1,2})?\b")
ANSWER_REACH = 2  # segments after a question in which its answer is looked for


@dataclass(slots=True)
class Passage:
    """One segment. ``answers`` is the index of the passage whose question this one answers; ``answered_by`` turned
    round. ``statuses`` are all ways in which a concept was said here."""

    segment: Segment
    notes: bool  # the clinician's own words about the patient, not a conversation
    sentences: tuple[Sentence, ...]
    statuses: dict[str, set[Status]] = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)
    drugs: frozenset[str] = frozenset()
    answered_by: int | None = None
    answer: Answer = Answer.OPEN
    asked_at: int | None = None
    under_plan: bool = False  # in notes: below a heading such as "Plan:"

    @property
    def clinician(self) -> bool:
        return self.segment.speaker is Speaker.CLINICIAN

    def told_clauses(self) -> list[Clause]:
        """The clauses of sentences that tell something."""
        return [clause for sentence in self.sentences if not sentence.question for clause in sentence.clauses]


class Passages:
    """All segments of a material, indexed by concept."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        spoken = {segment.source for segment in segments if segment.speaker is not Speaker.CLINICIAN}
        self.items = [_read_passage(segment, segment.source not in spoken) for segment in segments]
        for place in range(len(self.items)):
            self._settle_questions(place)
        self._mark_plan()
        for item in self.items:
            for month in _find_months(item.segment.text):
                item.statuses.setdefault(month, set()).add(Status.AFFIRMED)
        self.places: dict[str, list[int]] = defaultdict(list)
        self.drugs: set[str] = set()
        self.values: dict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(self.items):
            for concept in item.statuses:
                self.places[concept].append(place)
            for value in {quantity.value for quantity in item.quantities}:
                self.values[value].append(place)
            self.drugs |= item.drugs

    def __len__(self) -> int:
        return len(self.items)

    def near(self, places: Iterable[int], reach: int) -> list[int]:
        """These places and those up to ``reach`` segments away, in order."""
        return sorted({at for place in places for at in range(place - reach, place + reach + 1) if 0 <= at < len(self)})

    def _settle_questions(self, place: int) -> None:
        """Give every word of a passage its status; those of a question from the answer."""
        item = self.items[place]
        reply = self._find_reply(place)
        answer = Answer.OPEN
        if reply is not None:
            settled = settle_words(self.items[reply].segment.text[:400])
            answer = read_report(settled) if item.notes else read_answer(settled)
        last = len(item.sentences) - 1
        asking = False
        for number, sentence in enumerate(item.sentences):
            heard_as_question = number == last and answer is not Answer.OPEN and asks_like_question(sentence)
            about = item.notes and _reports_question(sentence)
            question = not (item.notes and not about) and (sentence.question or heard_as_question or about)
            asking = asking or question
            for clause in sentence.clauses:
                for concept, status in clause.words:
                    known = item.statuses.setdefault(concept, set())
                    known |= _resolve(status, sentence, answer, question)
        if asking and reply is not None:
            item.answered_by, item.answer = reply, answer
            self.items[reply].asked_at = place

    def _mark_plan(self) -> None:
        """What stands below a heading of the plan in the clinician's notes is plan, whatever its words."""
        under = False
        for item in self.items:
            heading = _HEADING.match(item.segment.text)
            if heading is not None:
                under = heading["plan"] is not None
            item.under_plan = under and item.notes

    def _find_reply(self, place: int) -> int | None:
        item = self.items[place]
        for after in range(place + 1, min(place + 1 + ANSWER_REACH, len(self.items))):
            other = self.items[after]
            if other.segment.source is not item.segment.source:
                return None
            if item.notes or other.segment.speaker is not item.segment.speaker:
                return after
        return None


def _read_passage(segment: Segment, alone: bool) -> Passage:
    settled = settle_words(segment.text)
    tokens = split_tokens(settled)
    notes = segment.source is Source.OBSERVATION or (segment.speaker is Speaker.CLINICIAN and alone)
    drugs = frozenset(concept for concept in map(find_concept, tokens) if is_drug(concept))
    return Passage(segment, notes, read_sentences(settled), quantities=find_quantities(tokens), drugs=drugs)


def _find_months(text: str) -> set[str]:
    """The months of dates written in numbers: 9/14 names September."""
    return {find_concept(MONTHS[int(month) - 1]) for month in _DATE.findall(text)}


def _reports_question(sentence: Sentence) -> bool:
    """In a dictation: "I asked about …" says that something was asked, not what is so."""
    words = sentence.text.split()[:6]
    return any(word in ("asked", "inquired", "screened", "assessed") for word in words[:3]) and any(
        word in ("about", "whether", "if", "for") for word in words
    )


def _resolve(status: Status, sentence: Sentence, answer: Answer, question: bool) -> set[Status]:
    """The status of a word in view of the question it stands in and of its answer."""
    if not question:
        if status is Status.EITHER:
            return {Status.AFFIRMED, Status.DENIED}
        denied = sentence.tag and answer is Answer.NO and status is Status.AFFIRMED
        return {Status.DENIED if denied else status}
    if sentence.open_question or answer is Answer.OPEN:
        return {Status.ASKED}
    if answer is Answer.NO:
        return {Status.DENIED}
    return {Status.ASKED if status is Status.DENIED else Status.AFFIRMED}
