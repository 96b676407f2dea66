"""ACI-BENCH (Yim et al., Scientific Data 2023, CC BY 4.0): doctor-patient dialogues with the clinician's own note."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material

SPEAKERS = {"doctor": Speaker.CLINICIAN, "patient": Speaker.PATIENT}
TURN = re.compile(r"^\[(\w+)\]\s*(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Encounter:
    """One dialogue as material, as the plain prompt reads it, and the note that the clinician wrote."""

    id: str
    material: Material
    transcript: str
    note: str


def read_encounters(folder: Path, split: str) -> list[Encounter]:
    """The encounters of a split (``train`` or ``valid``), shortest first.

    Raises:
        FileNotFoundError: the data is not there.
    """
    items = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))["data"]
    return sorted((_make_encounter(item) for item in items), key=lambda each: each.material.word_count)


def _make_encounter(item: dict[str, str]) -> Encounter:
    material = gather_material(
        Segment(1, Source.SESSION, SPEAKERS.get(found[1], Speaker.UNKNOWN), found[2])
        for found in TURN.finditer(item["src"])
    )
    marks = {Speaker.CLINICIAN: "C: ", Speaker.PATIENT: "P: ", Speaker.UNKNOWN: ""}
    transcript = "".join(f"{marks[segment.speaker]}{segment.text}\n" for segment in material.segments)
    return Encounter(item["file"], material, transcript, item["tgt"])
