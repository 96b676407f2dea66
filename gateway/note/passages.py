"""The material made ready to be searched: what each segment affirms, denies or only asks.

In: segments. Out: ``Passages``: for each segment its sentences, the status of every concept in it (a question's words
take theirs from the answer), its quantities, and an index from concepts to segments. Read once, asked often; what comes
to it or is taken away costs about as much as itself, and the outcome is that of reading the whole at once.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
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
    speaks_of_plan,
)
from gateway.note.wording import find_concept, settle_words, split_tokens, strip_marks

_HEADING = re.compile(
    r"^\s*(?:(?P<plan>plan|p|recommendations?|next steps|homework|plan and recommendations)|"
    r"[soabdir]|subjective|objective|assessment|data|behaviou?r|intervention|response|hpi|cc|mse|exam|history|"
    r"impression)"
    r"\s*(?::|[.]?$)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])(?:/(?:\d\d){1,2})?\b")
ANSWER_REACH = 2  # segments after a question in which its answer is looked for
ANSWER_WITHIN = 400  # characters at the beginning of a reply that say yes or no


@dataclass(frozen=True, slots=True)
class Wording:
    """What the text of a segment says by itself, whoever said it and whatever stands around it."""

    sentences: tuple[Sentence, ...]
    quantities: tuple[Quantity, ...]
    opening: str  # settled; what is read where the segment is a reply
    plain: str  # its words alone, for comparing, between blanks
    months: frozenset[str]
    opens_plan: bool | None  # None: it is no heading

    def list_concepts(self) -> set[str]:
        clauses = (clause for sentence in self.sentences for clause in sentence.clauses)
        return {concept for clause in clauses for concept, _ in clause.words} | self.months


@dataclass(slots=True)
class Passage:
    """One segment. ``statuses`` are all ways in which a concept was said here. ``reply`` is the index of the passage
    where an answer would stand; ``answered_by`` that of the one that answers a question of this one; ``asked_at``
    turned round."""

    segment: Segment
    wording: Wording
    below_plan: bool  # the last heading was one such as "Plan:"
    notes: bool = False  # the clinician's own words about the patient, not a conversation
    statuses: dict[str, set[Status]] = field(default_factory=dict)
    reply: int | None = None
    answered_by: int | None = None
    answer: Answer = Answer.OPEN
    asked_at: int | None = None
    _tells_plan: bool | None = field(default=None, compare=False, repr=False)  # None: nobody has asked yet

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return self.wording.sentences

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return self.wording.quantities

    @property
    def clinician(self) -> bool:
        return self.segment.speaker is Speaker.CLINICIAN

    @property
    def under_plan(self) -> bool:
        """What stands below a heading of the plan in the clinician's notes is plan, whatever its words."""
        return self.below_plan and self.notes

    @property
    def tells_plan(self) -> bool:
        """Has a clause that tells something words of a plan?"""
        if self._tells_plan is None:
            self._tells_plan = any(speaks_of_plan(clause.text, self.notes) for clause in self.told_clauses())
        return self._tells_plan

    def told_clauses(self) -> list[Clause]:
        """The clauses of sentences that tell something."""
        return [clause for sentence in self.sentences if not sentence.question for clause in sentence.clauses]

    def settle(self, notes: bool, reply: int | None, answer: Answer) -> None:
        """Give every word its status, those of a question by what the reply answers."""
        self.notes, self.reply, self._tells_plan = notes, reply, None
        self.statuses, self.answered_by, self.answer = {}, None, Answer.OPEN
        last = len(self.sentences) - 1
        asking = False
        for number, sentence in enumerate(self.sentences):
            heard_as_question = number == last and answer is not Answer.OPEN and asks_like_question(sentence)
            about = notes and _reports_question(sentence)
            question = not (notes and not about) and (sentence.question or heard_as_question or about)
            asking = asking or question
            for clause in sentence.clauses:
                for concept, status in clause.words:
                    known = self.statuses.setdefault(concept, set())
                    known |= _resolve(status, sentence, answer, question)
        for month in self.wording.months:
            self.statuses.setdefault(month, set()).add(Status.AFFIRMED)
        if asking and reply is not None:
            self.answered_by, self.answer = reply, answer


class Passages:
    """All segments of a material, indexed by concept. Not for two threads.

    What a passage says may turn on what comes behind it: a question has its answer there, and the clinician's words are
    notes only as long as nobody else speaks in the same source.
    """

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self.items: list[Passage] = []
        self.places: dict[str, list[int]] = {}
        self.values: dict[str, list[int]] = {}
        self._others: Counter[Source] = Counter()  # segments in which somebody else than the clinician speaks
        self.extend(segments)

    def __len__(self) -> int:
        return len(self.items)

    def extend(self, segments: Iterable[Segment], known: Mapping[str, Wording] | None = None) -> None:
        """Read further segments.

        Args:
            known: wordings by text, so that these texts are not read once more.
        """
        first, turned = len(self.items), set()
        for segment in segments:
            wording = known.get(segment.text) if known else None
            self._append(segment, wording or read_wording(segment.text))
            if segment.speaker is not Speaker.CLINICIAN:
                if not self._others[segment.source]:
                    turned.add(segment.source)
                self._others[segment.source] += 1
        self._settle(first, turned)

    def cut(self, count: int) -> None:
        """Keep the first ``count`` segments."""
        turned = set()
        while len(self.items) > count:
            segment = self._drop_last()
            if segment.speaker is not Speaker.CLINICIAN:
                self._others[segment.source] -= 1
                if not self._others[segment.source]:
                    turned.add(segment.source)
        self._settle(len(self.items), turned)

    def near(self, places: Iterable[int], reach: int) -> list[int]:
        """These places and those up to ``reach`` segments away, in order."""
        return sorted({at for place in places for at in range(place - reach, place + reach + 1) if 0 <= at < len(self)})

    # ---- The index: of what the texts say by themselves, so that nothing around them changes it ----

    def _append(self, segment: Segment, wording: Wording) -> None:
        place = len(self.items)
        below_plan = wording.opens_plan
        if below_plan is None:
            below_plan = place > 0 and self.items[-1].below_plan
        self.items.append(Passage(segment, wording, below_plan))
        for concept in wording.list_concepts():
            self.places.setdefault(concept, []).append(place)
        for value in {quantity.value for quantity in wording.quantities}:
            self.values.setdefault(value, []).append(place)

    def _drop_last(self) -> Segment:
        item = self.items.pop()
        for concept in item.wording.list_concepts():
            _take_last(self.places, concept)
        for value in {quantity.value for quantity in item.quantities}:
            _take_last(self.values, value)
        return item.segment

    # ---- What each passage says in view of the others ----

    def _settle(self, first: int, turned: Collection[Source]) -> None:
        """Settle the passages from ``first`` on, those before it whose reply came or went, and those of sources where
        somebody else than the clinician has begun or ceased to speak."""
        stale = set(range(first, len(self.items)))
        stale |= {place for place in range(max(first - ANSWER_REACH, 0), first) if self._has_other_reply(place)}
        if turned:
            stale |= {place for place in range(first) if self.items[place].segment.source in turned}
        for place in stale:
            self._settle_passage(place)
        for place in stale:  # a reply is in the same source, or new: it is among these
            self.items[place].asked_at = self._find_question(place)

    def _settle_passage(self, place: int) -> None:
        item = self.items[place]
        source = item.segment.source
        notes = source is Source.OBSERVATION or (item.clinician and not self._others[source])
        reply = self._find_reply(place, notes)
        answer = Answer.OPEN
        if reply is not None:
            opening = self.items[reply].wording.opening
            answer = read_report(opening) if notes else read_answer(opening)
        item.settle(notes, reply, answer)

    def _has_other_reply(self, place: int) -> bool:
        item = self.items[place]
        return self._find_reply(place, item.notes) != item.reply

    def _find_reply(self, place: int, notes: bool) -> int | None:
        segment = self.items[place].segment
        for after in range(place + 1, min(place + 1 + ANSWER_REACH, len(self.items))):
            other = self.items[after].segment
            if other.source is not segment.source:
                return None
            if notes or other.speaker is not segment.speaker:
                return after
        return None

    def _find_question(self, place: int) -> int | None:
        """The last passage before this one whose question it answers."""
        before = range(place - 1, max(place - 1 - ANSWER_REACH, -1), -1)
        return next((each for each in before if self.items[each].answered_by == place), None)


def read_wording(text: str) -> Wording:
    """What a text says by itself; the costly part of reading a segment."""
    settled = settle_words(text)
    opening = settled if len(text) <= ANSWER_WITHIN else settle_words(text[:ANSWER_WITHIN])
    heading = _HEADING.match(text)
    return Wording(
        read_sentences(settled),
        tuple(find_quantities(split_tokens(settled))),
        opening,
        f" {strip_marks(text)} ",
        _find_months(text),
        None if heading is None else heading["plan"] is not None,
    )


def _take_last(index: dict[str, list[int]], key: str) -> None:
    index[key].pop()
    if not index[key]:
        del index[key]


def _find_months(text: str) -> frozenset[str]:
    """The months of dates written in numbers: 9/14 names September."""
    return frozenset(find_concept(MONTHS[int(month) - 1]) for month in _DATE.findall(text))


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
