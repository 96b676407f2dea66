"""For each statement the segments that carry it, or why it is withheld."""

from dataclasses import InitVar, dataclass
from enum import StrEnum

from gateway.note.statement import DrafterInfo, Statement
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
    """What the clinician reviews: shown and withheld statements, in order of section; doubles are gone."""

    maker: InitVar[Maker]
    format_id: str
    shown: tuple[CheckedStatement, ...]
    withheld: tuple[CheckedStatement, ...]
    drafter: DrafterInfo

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)
        if any(item.withheld for item in self.shown):
            raise ValueError("a withheld statement can't be shown")
