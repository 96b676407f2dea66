"""A draft as it was written, before anything of it was checked."""

from dataclasses import InitVar, dataclass
from enum import StrEnum

from gateway.proof import Maker

MAKER = Maker("note/draft and note/outline")


class Origin(StrEnum):
    """Who wrote a statement's words."""

    MODEL = "model"  # the text model, from the material
    MATERIAL = "material"  # the material's own words, placed by the outline drafter or quoted for risk
    CLINICIAN = "clinician"  # the clinician, in review


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence for one section. ``section`` is the format's section id; ``hints`` are segment numbers that the
    writer believes it rests on: a hint, never a citation."""

    number: int
    section: str
    text: str
    origin: Origin
    hints: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DrafterInfo:
    """What wrote the draft, for the Provenance. Hashes are SHA-256 in hex; empty where there is no such file."""

    kind: str  # "model" | "outline" | "none"
    name: str
    model_sha256: str = ""
    prompt_sha256: str = ""
    format_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished draft."""

    maker: InitVar[Maker]
    format_id: str
    statements: tuple[Statement, ...]
    drafter: DrafterInfo

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


def finish_draft(format_id: str, statements: tuple[Statement, ...], drafter: DrafterInfo) -> Draft:
    """Close a draft: the statements as the drafter wrote them, in order."""
    return Draft(MAKER, format_id, statements, drafter)
