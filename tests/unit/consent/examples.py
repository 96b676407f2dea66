"""``fhir_profiles/examples/Consent-*.json``: every kind of answer, as the code builds it; all invented.

``python -m tests.unit.consent.examples`` writes the files anew.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.answer import GivenAnswer, build_consent

FOLDER = Path(__file__).parents[3] / "fhir_profiles" / "examples"
PATIENT = "Patient/invented-patient"
GIVEN_AT = datetime(2026, 11, 3, 14, 20, 31, 250_000, UTC)
UNTIL = datetime(2027, 11, 3, tzinfo=UTC)


def list_examples() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file and the resource that belongs in it."""
    number = 0

    def build(activity: Activity, says: str = "permit", **more: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        identifier = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
        given = {"performer": PATIENT, "given_at": GIVEN_AT, "until": UNTIL, **more}
        answer = GivenAnswer(activity, says, identifier=identifier, organization="Organization/practice", **given)  # type: ignore[arg-type]
        return build_consent(answer, PATIENT)

    for activity in Activity:
        yield FOLDER / f"Consent-{activity.value}-permit.json", build(activity)
        yield FOLDER / f"Consent-{activity.value}-deny.json", build(activity, "deny", until=None)
    yield FOLDER / "Consent-recording-open-end.json", build(Activity.RECORDING, until=None)
    yield FOLDER / "Consent-recording-over.json", build(Activity.RECORDING, until=datetime(2026, 11, 10, tzinfo=UTC))
    yield FOLDER / "Consent-recording-revoked.json", build(Activity.RECORDING) | {"status": "inactive"}
    yield FOLDER / "Consent-recording-by-proxy.json", build(Activity.RECORDING, performer="RelatedPerson/mother")


def write_example(resource: dict[str, Any]) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for old in FOLDER.glob("Consent-*.json"):
        old.unlink()
    for file, resource in list_examples():
        file.write_text(write_example(resource), encoding="utf-8")
