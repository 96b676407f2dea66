"""``fhir_profiles/examples``: the notes of an invented visit, in every variety, as the code writes them.

``python -m tests.unit.filing.examples`` writes the files anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.filing.document import build_document
from gateway.filing.provenance import build_provenance
from tests.unit.filing.invented import IDENTIFIER, VARIETIES, make_chart, make_note, make_site

FOLDER = Path(__file__).parents[3] / "fhir_profiles" / "examples"
TARGET = "DocumentReference/invented-note/_history/1"


def list_examples() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file and the resource that belongs in it."""
    for variety, (kind, facts) in VARIETIES.items():
        note, chart = make_note(kind), make_chart()
        yield FOLDER / f"DocumentReference-{variety}.json", build_document(note, chart, facts, make_site(), IDENTIFIER)
        yield FOLDER / f"Provenance-{variety}.json", build_provenance(note, chart, facts, TARGET, labels=True)


def find_examples() -> list[Path]:
    """The files of this module's kinds that are there."""
    return [file for kind in ("DocumentReference", "Provenance") for file in FOLDER.glob(f"{kind}-*.json")]


def write_example(resource: dict[str, Any]) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for old in find_examples():
        old.unlink()
    for file, resource in list_examples():
        file.write_text(write_example(resource), encoding="utf-8")
