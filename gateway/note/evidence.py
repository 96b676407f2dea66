"""For each statement the segments that carry it, or why it is withheld.

The verdict is made here and nowhere else: ``judge_statement`` turns findings into a verdict (nothing at fault and
segments that carry it: supported), ``quote_segments`` makes a risk line out of the material's own words, and
``close_draft`` sets the whole in the order of the format. How findings are found: ``note/checking``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import InitVar, dataclass, replace
from enum import StrEnum

from gateway.capture.material import Segment, Source, Speaker
from gateway.note.formats import NoteFormat
from gateway.note.statement import Draft, DrafterInfo, Origin, Statement
from gateway.proof import Maker

MAKER = Maker("note/evidence")


class Verdict(StrEnum):
    """How far the material carries a statement. Only SUPPORTED is shown as part of the draft by itself."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """A statement, its verdict and the numbers of the segments that carry (or contradict) it.

    A SUPPORTED statement has at least one segment. ``section`` is where it belongs after routing; ``reason`` is half
    a sentence for the clinician, empty when supported; ``fault_words`` are the words of the statement at fault.
    """

    maker: InitVar[Maker]
    statement: Statement
    section: str
    verdict: Verdict
    segments: tuple[int, ...]
    reason: str = ""
    fault_words: tuple[str, ...] = ()
    risk: bool = False  # a quoted risk line: decided one by one in review

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if self.verdict is Verdict.SUPPORTED and not self.segments:
            raise ValueError("a supported statement names its segments")
        if self.verdict is not Verdict.SUPPORTED and not self.reason:
            raise ValueError("what is withheld says why")

    @property
    def withheld(self) -> bool:
        return self.verdict in (Verdict.UNSUPPORTED, Verdict.CONTRADICTED, Verdict.PARTLY)


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """What the clinician reviews: shown and withheld statements, in order of section.

    ``doubles`` said nothing new beside them and are shown nowhere: kept to be checked again where the material changes.
    """

    maker: InitVar[Maker]
    format_id: str
    shown: tuple[CheckedStatement, ...]
    withheld: tuple[CheckedStatement, ...]
    drafter: DrafterInfo
    doubles: tuple[Statement, ...] = ()

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if any(item.withheld for item in self.shown):
            raise ValueError("a withheld statement can't be shown")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a statement, as the clinician reads it. ``verdict`` is never SUPPORTED."""

    verdict: Verdict
    reason: str
    words: tuple[str, ...] = ()


def judge_statement(
    statement: Statement, section: str, segments: Iterable[int], faults: Sequence[Fault]
) -> CheckedStatement:
    """The verdict on one statement: the gravest fault decides; without one, and with segments, it is supported."""
    numbers = tuple(sorted(set(segments)))
    if not faults and not numbers:
        faults = (Fault(Verdict.UNSUPPORTED, "nothing in the material says this"),)
    if not faults:
        return CheckedStatement(MAKER, statement, section, Verdict.SUPPORTED, numbers)
    gravest = min(faults, key=lambda fault: _GRAVITY.index(fault.verdict))
    return CheckedStatement(MAKER, statement, section, gravest.verdict, numbers, gravest.reason, gravest.words)


def quote_segments(number: int, section: str, segments: Sequence[Segment], conversation: bool) -> CheckedStatement:
    """A risk line: the segments' own words between quotation marks, each under who said it.

    Args:
        number: the statement's number.
        section: the id of the section that takes risk lines.
        segments: one or more, in order: a question before its answer.
        conversation: they were said between people, so that the clinician's words are no dictation.
    """
    text = " ".join(f'{_name_voice(segment, conversation)}: "{segment.text}"' for segment in segments)
    numbers = tuple(segment.number for segment in segments)
    statement = Statement(number, section, text, Origin.MATERIAL, numbers)
    return CheckedStatement(MAKER, statement, section, Verdict.SUPPORTED, numbers, risk=True)


def carry_withheld(
    draft: CheckedDraft, withheld: Iterable[CheckedStatement], find_section: Callable[[str], str]
) -> CheckedDraft:
    """A draft in another format, with what was withheld before: it stays so, under the new format's sections.

    Args:
        draft: what was moved and checked anew.
        withheld: numbered anew, behind the draft's own statements.
        find_section: the new section's id for an old one's.

    Raises:
        ValueError: one of them was shown: in another section it has to be judged anew.
    """
    first = max((item.statement.number for item in (*draft.shown, *draft.withheld) if not item.risk), default=0) + 1
    carried = []
    for number, item in enumerate(withheld, start=first):
        if not item.withheld:
            raise ValueError("only what is withheld is carried on without a check")
        statement = replace(item.statement, number=number, section=find_section(item.section))
        carried.append(replace(item, maker=MAKER, statement=statement, section=statement.section))
    return replace(draft, maker=MAKER, withheld=(*draft.withheld, *carried))


def close_draft(
    draft: Draft, note_format: NoteFormat, checked: Iterable[CheckedStatement], quotes: Iterable[CheckedStatement]
) -> CheckedDraft:
    """Shown and withheld, each in the order of the format's sections; in a section the quotes come last."""
    order = {section.id: place for place, section in enumerate(note_format.sections)}
    items = sorted(
        (*checked, *quotes), key=lambda item: (order.get(item.section, len(order)), item.risk, item.statement.number)
    )
    judged = {item.statement.number for item in items}
    return CheckedDraft(
        MAKER,
        draft.format_id,
        tuple(item for item in items if not item.withheld),
        tuple(item for item in items if item.withheld),
        draft.drafter,
        tuple(statement for statement in draft.statements if statement.number not in judged),
    )


_GRAVITY = (Verdict.CONTRADICTED, Verdict.UNSUPPORTED, Verdict.PARTLY)


def _name_voice(segment: Segment, conversation: bool) -> str:
    if segment.source is Source.OBSERVATION:
        return "Noted"
    if segment.speaker is Speaker.PATIENT:
        return "Patient"
    if segment.speaker is Speaker.UNKNOWN:
        return "Said"
    if conversation:
        return "Clinician"
    return "Dictated" if segment.source is Source.DICTATION else "Noted"
