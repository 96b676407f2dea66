"""``fhir_profiles/examples``: what an invented visit writes, in every variety, as the code builds it.

The notes and how they were made, how answers about consent came about, and decisions. The Consents themselves:
``tests.unit.consent.examples``.

``python -m tests.unit.filing.examples`` writes the files anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.asking import AskedAnswers
from gateway.consent.provenance import build_answer_provenance
from gateway.consent.wording import Part, Wording
from gateway.filing.document import build_document
from gateway.filing.provenance import build_provenance
from gateway.ledger.audit_event import AuditedDecision, build_audit_event
from tests.unit.filing.invented import IDENTIFIER, LATER, STARTED, VARIETIES, make_chart, make_note, make_site

FOLDER = Path(__file__).parents[3] / "fhir_profiles" / "examples"
TARGET = "DocumentReference/invented-note/_history/1"

ANSWER = "Consent/invented-answer/_history/1"
WORDING = Wording("en", "Invented", "", {activity: (Part("", ""),) for activity in Activity}, "d" * 64)
# How an answer was given: who answered, how, who witnessed it.
SITTINGS = {
    "answer-spoken": ("Patient/invented-patient", "spoken", "clinician"),
    "answer-signed": ("Patient/invented-patient", "signed", "nobody"),
    "answer-by-proxy": ("RelatedPerson/invented-mother", "spoken", "staff"),
}
# Why not, or empty for a permit; and the Consents that mattered.
DECISIONS = {
    "decision-permit": ("", (("Consent/invented-answer/_history/1", "permit"),)),
    "decision-refused": ("refused", (("Consent/invented-no/_history/2", "deny"), ("Consent/invented-old", "ignored"))),
    "decision-missing": ("missing", ()),
}


def build_sitting(name: str) -> dict[str, Any]:
    performer, how, witness = SITTINGS[name]
    asked = AskedAnswers("en", performer, how, witness, None, {Activity.RECORDING: "yes"})  # type: ignore[arg-type]
    return build_answer_provenance(ANSWER, asked, STARTED, WORDING, make_chart(), LATER)


def build_decision(name: str, organization: str = "Organization/invented-practice", device: str = "") -> dict[str, Any]:
    code, consents = DECISIONS[name]
    who = ("Patient/invented-patient", "Practitioner/invented-clinician", organization, device)
    return build_audit_event(
        AuditedDecision("recording", not code, code, *who, consents, "default@0123456789ab", STARTED)
    )


def list_examples() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file and the resource that belongs in it."""
    for variety, (kind, facts) in VARIETIES.items():
        note, chart = make_note(kind), make_chart()
        yield FOLDER / f"DocumentReference-{variety}.json", build_document(note, chart, facts, make_site(), IDENTIFIER)
        yield FOLDER / f"Provenance-{variety}.json", build_provenance(note, chart, facts, TARGET, labels=True)
    for name in SITTINGS:
        yield FOLDER / f"Provenance-{name}.json", build_sitting(name)
    for name in DECISIONS:
        yield FOLDER / f"AuditEvent-{name}.json", build_decision(name)


def find_examples() -> list[Path]:
    """The files of this module's kinds that are there."""
    kinds = ("DocumentReference", "Provenance", "AuditEvent")
    return [file for kind in kinds for file in FOLDER.glob(f"{kind}-*.json")]


def write_example(resource: dict[str, Any]) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for old in find_examples():
        old.unlink()
    for file, resource in list_examples():
        file.write_text(write_example(resource), encoding="utf-8")
