"""The invented practice: who is in it, and that every resource of it is sound."""

import os
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.seed import build_seed, plant_seed
from gateway.sandbox.seed.resources import CONSENT_ACTIVITY

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def seed() -> list[dict[str, Any]]:
    return build_seed(NOON)


def find(seed: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [one for one in seed if one["resourceType"] == type_]


def test_every_resource_has_an_id_of_its_own(seed: list[dict[str, Any]]) -> None:
    names = [f"{one['resourceType']}/{one['id']}" for one in seed]
    assert len(names) == len(set(names))


def test_what_is_pointed_at_comes_first(seed: list[dict[str, Any]]) -> None:
    known: set[str] = set()
    for one in seed:
        assert set(references(one)) <= known, one["id"]
        known.add(f"{one['resourceType']}/{one['id']}")


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for part in value.values() for found in references(part)]
    if isinstance(value, list):
        return [found for part in value for found in references(part)]
    return []


def test_at_least_eight_patients_have_a_visit_today(seed: list[dict[str, Any]]) -> None:
    today = [one for one in find(seed, "Encounter") if one["period"]["start"].startswith("2026-11-23")]
    assert len({one["subject"]["reference"] for one in today}) >= 8
    assert [one["id"] for one in today if one["class"]["code"] == "VR"] == ["jonas-telford-today"]
    assert all(one["status"] in ("in-progress", "arrived", "planned") for one in today)


def answers(seed: list[dict[str, Any]], patient: str) -> dict[str, tuple[str, str]]:
    return {
        consent["provision"]["code"][0]["coding"][0]["code"]: (consent["provision"]["type"], consent["status"])
        for consent in find(seed, "Consent")
        if consent["patient"]["reference"] == f"Patient/{patient}" and "sourceAttachment" not in consent
    }


def test_the_patients_answered_differently(seed: list[dict[str, Any]]) -> None:
    given = ("permit", "active")
    assert answers(seed, "ada-marlowe") == {"telehealth": given, "recording": given, "ai-drafting": given}
    assert answers(seed, "bruno-castellan")["recording"] == ("deny", "active")
    assert answers(seed, "bruno-castellan")["ai-drafting"] == given
    assert answers(seed, "clara-nystrom") == {}
    assert answers(seed, "dmitri-okoye")["ai-drafting"] == ("deny", "active")
    assert answers(seed, "farid-johansson")["ai-drafting"] == ("permit", "inactive")
    expired = [one for one in find(seed, "Consent") if one["patient"]["reference"] == "Patient/elena-whitcombe"]
    assert all(date.fromisoformat(one["provision"]["period"]["end"]) < NOON.date() for one in expired)
    scanned = [one for one in find(seed, "Consent") if "sourceAttachment" in one]
    assert [one["patient"]["reference"] for one in scanned] == ["Patient/grace-abernathy"]
    assert CONSENT_ACTIVITY not in str(scanned)


def test_the_couple_is_a_group_and_the_partner_takes_part(seed: list[dict[str, Any]]) -> None:
    (group,) = find(seed, "Group")
    assert [member["entity"]["reference"] for member in group["member"]] == [
        "Patient/henry-quill",
        "Patient/iris-quill",
    ]
    visit = next(one for one in find(seed, "Encounter") if one["id"] == "henry-quill-today")
    assert "RelatedPerson/iris-quill-partner" in references(visit)


def test_earlier_notes_are_signed(seed: list[dict[str, Any]]) -> None:
    notes = find(seed, "DocumentReference")
    assert len(notes) >= 3
    assert all(note["docStatus"] == "final" and note["authenticator"] for note in notes)


async def test_the_record_takes_it_and_takes_it_again_without_new_versions(seed: list[dict[str, Any]]) -> None:
    record = FhirClient(MemoryBackend("http://127.0.0.1:9000/fhir", lambda: NOON))
    await plant_seed(record, seed)
    await plant_seed(record, seed)
    assert (await record.read("Patient", "ada-marlowe"))["meta"]["versionId"] == "1"
    assert len(await record.search("Patient")) == len(find(seed, "Patient"))


def test_ids_can_begin_with_a_prefix() -> None:
    seed = build_seed(NOON, "sandbox-")
    assert all(one["id"].startswith("sandbox-") for one in seed)
    assert all(target.split("/")[1].startswith("sandbox-") for one in seed for target in references(one))


@pytest.mark.hapi
def test_hapi_validates_all_of_it_without_an_error(seed: list[dict[str, Any]]) -> None:
    errors: list[str] = []
    with httpx.Client(base_url=os.environ["COUNTERSIGN_HAPI"], timeout=60) as hapi:
        for one in seed:
            outcome = hapi.post(f"/{one['resourceType']}/$validate", json=one).json()
            errors += [
                f"{one['id']}: {issue.get('diagnostics')}"
                for issue in outcome["issue"]
                if issue["severity"] in ("error", "fatal")
            ]
    assert errors == []
