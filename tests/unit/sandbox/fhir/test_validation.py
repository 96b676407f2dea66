"""What may be stored. Official R4 examples pass; what R4 forbids names the place and never repeats the value."""

import json
from pathlib import Path

import pytest

from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.revision import unpin_references
from gateway.sandbox.fhir.validation import (
    MAX_SIZE_BYTES,
    STORED_TYPES,
    check_resource,
    find_references,
    read_resource,
)

EXAMPLES = Path(__file__).parents[5] / "shared" / "data" / "fhir-r4-examples"


def write(resource):
    return json.dumps(resource).encode()


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs the FHIR R4 examples beside the repository (shared/data)")
def test_official_r4_examples_are_accepted_but_for_references_to_elsewhere():
    refused = {}
    count = 0
    for path in sorted(EXAMPLES.rglob("*.json")):
        resource = json.loads(path.read_text())
        if resource.get("resourceType") not in STORED_TYPES:
            continue
        count += 1
        try:
            check_resource(resource)
        except Refusal as refusal:
            refused[path.name] = refusal.words
    assert count > 50
    assert all("references to elsewhere" in words or "a reference reads" in words for words in refused.values()), (
        refused
    )


@pytest.mark.parametrize(
    ("element", "status", "where"),
    [
        ({"gender": "Secret"}, 400, "Patient.gender"),
        ({"birthDate": "Secret"}, 400, "Patient.birthDate"),
        ({"active": "Secret"}, 400, "Patient.active"),
        ({"multipleBirthInteger": "2"}, 400, "Patient.multipleBirthInteger"),
        ({"birthDate": 19900131}, 400, "Patient.birthDate"),
        ({"Secret": 1}, 422, "Patient.Secret"),
        ({"name": [{"use": "Secret"}]}, 400, "Patient.name[0].use"),
        ({"contact": [{"gender": "Secret"}]}, 400, "Patient.contact[0].gender"),
        ({"photo": [{"data": "Secret!"}]}, 400, "Patient.photo[0].data"),
        ({"managingOrganization": {"reference": "#nothing"}}, 400, "Patient.managingOrganization"),
        ({"managingOrganization": {"reference": "Patient/1"}}, 422, "Patient.managingOrganization"),
        ({"name": [{"period": {"start": "2026-02", "end": "2026-01"}}]}, 422, "Patient.name[0].period"),
    ],
)
def test_a_refusal_names_the_place_and_not_the_value(element, status, where):
    with pytest.raises(Refusal) as caught:
        read_resource(write({"resourceType": "Patient"} | element), "Patient")
    assert (caught.value.status, caught.value.where) == (status, where)
    assert "Secret" not in caught.value.words.replace("Patient.Secret", "")


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "AuditEvent", "action": "X"},
        {"resourceType": "Encounter", "status": "+", "class": {"code": "AMB"}},
    ],
)
def test_codes_that_the_models_leave_open_are_required(resource):
    base = {
        "AuditEvent": {
            "type": {"code": "rest"},
            "recorded": "2026-03-01T10:00:00Z",
            "agent": [{"requestor": True}],
            "source": {"observer": {"display": "x"}},
        },
        "Encounter": {},
    }[resource["resourceType"]]
    with pytest.raises(Refusal, match="allowed are"):
        check_resource(base | resource)


def test_an_entered_in_error_encounter_is_allowed():
    check_resource({"resourceType": "Encounter", "status": "entered-in-error", "class": {"code": "AMB"}})


def test_a_body_that_is_too_large_or_too_deep_is_refused():
    with pytest.raises(Refusal) as caught:
        read_resource(b'{"resourceType":"Patient"' + b" " * MAX_SIZE_BYTES + b"}", "Patient")
    assert caught.value.status == 413
    with pytest.raises(Refusal) as caught:
        read_resource(b'{"a":' * 5000 + b"1" + b"}" * 5000, "Patient")
    assert caught.value.status == 400
    with pytest.raises(Refusal, match="deep"):
        read_resource(b'{"a":' * 100 + b"1" + b"}" * 100, "Patient")


def test_an_unknown_resource_inside_is_refused():
    with pytest.raises(Refusal):
        read_resource(write({"resourceType": "Patient", "contained": [{"resourceType": "Nonsense"}]}), "Patient")


def test_numbers_that_are_none_are_refused():
    with pytest.raises(Refusal, match="number"):
        read_resource(b'{"resourceType":"Patient","multipleBirthInteger":NaN}', "Patient")


def test_references_are_found_and_lose_their_version():
    resource = {"resourceType": "Provenance", "target": [{"reference": "DocumentReference/1/_history/3"}],
                "agent": [{"who": {"reference": "#a"}}]}  # fmt: skip
    assert list(find_references(resource)) == [("Provenance.target", "DocumentReference/1/_history/3")]
    assert unpin_references(resource)["target"] == [{"reference": "DocumentReference/1"}]
    assert resource["target"] == [{"reference": "DocumentReference/1/_history/3"}]
