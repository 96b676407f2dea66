"""The review: every section, every risk line and every marked line decided by the clinician, one by one; then the
approved note.

In goes a ``CheckedDraft`` with the material that it was checked against; each decision gives a new ``Review``;
``approve_note`` alone makes an ``ApprovedNote``, and only from a review without an open decision and with the
attestation of the clinician it was opened for.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from gateway.capture.material import Look, Material
from gateway.capture.typed import clean_text
from gateway.errors import ReviewError
from gateway.note.evidence import CheckedDraft, CheckedStatement
from gateway.note.formats import NoteFormat
from gateway.note.reformat import find_new_home
from gateway.note.statement import DrafterInfo, Origin
from gateway.proof import Maker

MAKER = Maker("note/review (approve_note)")
MAX_SECTION_CHARACTERS = 200_000
FIRST_OWN = 200_001
"""Her own words are numbered from here where they move to another format: apart from drafted and quoted ones."""


class Decision(StrEnum):
    """What the clinician said of a section."""

    OPEN = "open"
    ACCEPTED = "accepted"
    EDITED = "edited"
    STRUCK = "struck"


REPLACED = (Decision.EDITED, Decision.STRUCK)
"""The section's lines are gone: her own words stand for them, or nothing."""


class RiskDecision(StrEnum):
    """What the clinician said of a quoted risk line."""

    KEPT = "kept"
    STRUCK = "struck"


@dataclass(frozen=True, slots=True)
class TakenStatement:
    """A withheld statement that the clinician took over: her words from now on, carried by nothing else."""

    number: int
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Review:
    """The state of a review; immutable, so that a version that was filed can't change under the hand.

    ``looks`` are the lines of the material that still need a person, by number; ``settled`` counts those decided.
    """

    draft: CheckedDraft
    note_format: NoteFormat
    decisions: Mapping[str, Decision]
    edits: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    risks: Mapping[int, RiskDecision] = field(default_factory=lambda: MappingProxyType({}))
    taken: tuple[TakenStatement, ...] = ()
    looks: Mapping[int, Look] = field(default_factory=lambda: MappingProxyType({}))
    settled: int = 0

    def statements_of(self, section: str) -> tuple[CheckedStatement, ...]:
        return tuple(item for item in self.draft.shown if item.section == section)

    def taken_in(self, section: str) -> tuple[TakenStatement, ...]:
        return tuple(item for item in self.taken if item.section == section)

    @property
    def withheld(self) -> tuple[CheckedStatement, ...]:
        """Withheld statements that nobody took over."""
        gone = {item.number for item in self.taken}
        return tuple(item for item in self.draft.withheld if item.statement.number not in gone)

    @property
    def marks(self) -> tuple[int, ...]:
        """The marked lines that are to be decided: a struck section rests on none, a struck risk line still does."""
        return find_marks(
            self.looks,
            {
                number
                for item in self.draft.shown
                if item.risk or self.decisions[item.section] is not Decision.STRUCK
                for number in item.segments
            },
        )

    @property
    def open_decisions(self) -> int:
        sections = sum(decision is Decision.OPEN for decision in self.decisions.values())
        risks = sum(item.risk and item.statement.number not in self.risks for item in self.draft.shown)
        return sections + risks + len(self.marks)


def find_marks(looks: Mapping[int, Look], rested_on: Collection[int]) -> tuple[int, ...]:
    """The marked lines that a person decides before a note is filed.

    All that was heard two ways or not understood; of what was unclear, the lines in ``rested_on``.
    """
    return tuple(sorted(number for number, look in looks.items() if look is not Look.UNCLEAR or number in rested_on))


def open_review(draft: CheckedDraft, note_format: NoteFormat, material: Material) -> Review:
    """A review in which nothing is decided yet. ``material`` is what the draft was checked against."""
    decisions = MappingProxyType({part.id: Decision.OPEN for part in note_format.sections})
    settled = sum(segment.settled for segment in material.segments)
    return Review(draft, note_format, decisions, looks=material.looks, settled=settled)


def decide_section(review: Review, section: str, decision: Decision, text: str = "") -> Review:
    """Accept, edit or strike one section; ``text`` is the section's new wording when edited.

    Raises:
        ReviewError: no such section, no decision, or an edit without words.
    """
    if section not in review.decisions:
        raise ReviewError("review.section", "There is no such section in this note. Reload the page.", section)
    edits = {key: value for key, value in review.edits.items() if key != section}
    if decision is Decision.EDITED:
        edits[section] = _clean_section(text)
    return replace(
        review,
        decisions=MappingProxyType({**review.decisions, section: decision}),
        edits=MappingProxyType(edits),
    )


def decide_risk(review: Review, number: int, decision: RiskDecision) -> Review:
    """Keep or strike one quoted risk line.

    Raises:
        ReviewError: this statement is no quoted risk line.
    """
    if not any(item.risk and item.statement.number == number for item in review.draft.shown):
        raise ReviewError("review.risk", "There is no such risk line in this note. Reload the page.", str(number))
    return replace(review, risks=MappingProxyType({**review.risks, number: decision}))


def take_statement(review: Review, number: int, text: str) -> Review:
    """Take one withheld statement over as the clinician's own words; its section is open again.

    Raises:
        ReviewError: it is not among the withheld ones, or the text has no words.
    """
    found = next((item for item in review.withheld if item.statement.number == number), None)
    if found is None:
        raise ReviewError("review.take", "That sentence is not among the withheld ones. Reload the page.", str(number))
    taken = TakenStatement(number, found.section, _clean_section(text))
    return replace(
        review,
        taken=(*review.taken, taken),
        decisions=MappingProxyType({**review.decisions, found.section: Decision.OPEN}),
        edits=MappingProxyType({key: value for key, value in review.edits.items() if key != found.section}),
    )


def reopen_review(review: Review, draft: CheckedDraft, note_format: NoteFormat, material: Material) -> Review:
    """A review of a draft that was checked anew or moved to another format, with what the clinician did before.

    In the same format a section whose lines are the same keeps its decision, and so does one that she edited: its words
    are hers. In another format every section is open, and what she edited or took over stands in it as her words. A
    risk line keeps its decision where it reads the same.
    """
    fresh = open_review(draft, note_format, material)
    decided = {_name_quote(item): review.risks.get(item.statement.number) for item in review.draft.shown if item.risk}
    risks = {item.statement.number: decided.get(_name_quote(item)) for item in draft.shown if item.risk}
    known = MappingProxyType({number: decision for number, decision in risks.items() if decision is not None})
    if note_format.id != review.note_format.id:
        return replace(fresh, risks=known, taken=tuple(_move_own_words(review, note_format)))
    again = replace(fresh, risks=known, taken=review.taken, edits=review.edits)
    decisions = {
        part: decision
        if decision is Decision.EDITED or _list_lines(again, part) == _list_lines(review, part)
        else Decision.OPEN
        for part, decision in review.decisions.items()
    }
    return replace(again, decisions=MappingProxyType(decisions))


def compose_section(review: Review, section: str) -> str:
    """The words of one section as they stand now, without its risk lines; empty when nothing is in it."""
    if review.decisions[section] is Decision.EDITED:
        return review.edits[section]
    lines = [item.statement.text for item in review.statements_of(section) if not item.risk]
    return "\n".join([*lines, *(item.text for item in review.taken_in(section))])


@dataclass(frozen=True, slots=True)
class ApprovedSection:
    """One section as it goes into the note; struck ones are not here."""

    id: str
    title: str
    text: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """What happened in the review, in numbers, for the Provenance and the ledger."""

    shown: int
    withheld: int
    taken: int
    risk_kept: int
    risk_struck: int
    sections_accepted: int
    sections_edited: int
    sections_struck: int
    lines_settled: int  # of the material: their words are the clinician's, or confirmed by her


@dataclass(frozen=True, slots=True)
class ApprovedNote:
    """Every section, every risk line and every marked line decided, attested by this clinician."""

    maker: InitVar[Maker]
    format_id: str
    format_title: str
    sections: tuple[ApprovedSection, ...]
    drafter: DrafterInfo
    counts: ReviewCounts
    attested_by: str  # the clinician's relative reference
    attested_at: datetime

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


def approve_note(review: Review, attested: bool, clinician: str, now: datetime) -> ApprovedNote:
    """Close a review.

    Raises:
        ReviewError: a decision is open, the attestation is missing, or nothing is left of the note.
    """
    if review.open_decisions:
        raise ReviewError("review.open", "Decide every section, risk line and marked line before you file the note.")
    if not attested:
        raise ReviewError("review.attestation", "Confirm that you have reviewed the note before you file it.")
    sections = tuple(
        ApprovedSection(part.id, part.title, _final_text(review, part.id, part.empty_words), review.decisions[part.id])
        for part in review.note_format.sections
        if review.decisions[part.id] is not Decision.STRUCK or _kept_risks(review, part.id)
    )
    if not any(_has_words(review, section.id) for section in sections):
        raise ReviewError("review.empty", "The note is empty. Write or accept at least one sentence before filing.")
    return ApprovedNote(
        MAKER,
        review.draft.format_id,
        review.note_format.title,
        sections,
        review.draft.drafter,
        _count(review),
        clinician,
        now,
    )


def _name_quote(item: CheckedStatement) -> tuple[str, tuple[int, ...]]:
    """The same words may be quoted from two places, and be decided differently."""
    return item.statement.text, item.segments


def _list_lines(review: Review, section: str) -> list[str]:
    return [item.statement.text for item in review.statements_of(section) if not item.risk]


def _move_own_words(review: Review, note_format: NoteFormat) -> Iterator[TakenStatement]:
    """What she took over or wrote instead of a section's lines, in the sections of another format."""
    own = [(item.section, item.text) for item in review.taken if review.decisions[item.section] not in REPLACED]
    own += [(section, text) for section, text in review.edits.items() if text]
    for number, (section, text) in enumerate(own, start=FIRST_OWN):
        yield TakenStatement(number, find_new_home(review.note_format.find_section(section), note_format).id, text)


def _final_text(review: Review, section: str, empty_words: str) -> str:
    body = "" if review.decisions[section] is Decision.STRUCK else compose_section(review, section)
    risks = [item.statement.text for item in _kept_risks(review, section)]
    return "\n".join(part for part in (body, *risks) if part) or empty_words


def _kept_risks(review: Review, section: str) -> list[CheckedStatement]:
    return [
        item
        for item in review.statements_of(section)
        if item.risk and review.risks.get(item.statement.number) is RiskDecision.KEPT
    ]


def _has_words(review: Review, section: str) -> bool:
    struck = review.decisions[section] is Decision.STRUCK
    return bool(_kept_risks(review, section)) or (not struck and bool(compose_section(review, section)))


def _count(review: Review) -> ReviewCounts:
    decisions = list(review.decisions.values())
    risks = list(review.risks.values())
    return ReviewCounts(
        shown=sum(item.statement.origin is not Origin.CLINICIAN for item in review.draft.shown),
        withheld=len(review.draft.withheld),
        taken=len(review.taken),
        risk_kept=risks.count(RiskDecision.KEPT),
        risk_struck=risks.count(RiskDecision.STRUCK),
        sections_accepted=decisions.count(Decision.ACCEPTED),
        sections_edited=decisions.count(Decision.EDITED),
        sections_struck=decisions.count(Decision.STRUCK),
        lines_settled=review.settled,
    )


def _clean_section(text: str) -> str:
    if len(text) > MAX_SECTION_CHARACTERS:
        raise ReviewError("review.long", f"That is more than {MAX_SECTION_CHARACTERS:,} characters. Shorten it.")
    cleaned = clean_text(text)
    if not any(sign.isprintable() and not sign.isspace() for sign in cleaned):
        raise ReviewError("review.blank", "There are no words in it. Write something, or strike the section.")
    return cleaned
