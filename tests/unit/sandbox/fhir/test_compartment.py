import pytest

from gateway.sandbox.fhir.compartment import patients_of, read_patient_id


@pytest.mark.parametrize(
    ("resource", "patients"),
    [
        ({"resourceType": "Patient", "id": "1"}, {"1"}),
        ({"resourceType": "Patient", "id": "1", "link": [{"other": {"reference": "Patient/2"}}]}, {"1", "2"}),
        ({"resourceType": "DocumentReference", "subject": {"reference": "Patient/1"}}, {"1"}),
        ({"resourceType": "DocumentReference", "subject": {"reference": "Group/1"}}, set()),
        ({"resourceType": "Consent", "patient": {"reference": "https://example.org/fhir/Patient/7"}}, {"7"}),
        ({"resourceType": "Condition", "subject": {"reference": "Patient/1/_history/2"}}, {"1"}),
        ({"resourceType": "Group", "member": [{"entity": {"reference": f"Patient/{n}"}} for n in (1, 2)]}, {"1", "2"}),
        ({"resourceType": "Provenance", "target": [{"reference": "DocumentReference/1"}]}, set()),
        ({"resourceType": "Practitioner", "id": "1"}, set()),
        ({"resourceType": "Encounter", "subject": {"display": "somebody"}}, set()),
        ({"resourceType": "Encounter", "subject": "Patient/1"}, set()),
        ({}, set()),
    ],
)
def test_a_resource_belongs_to_the_patients_it_names(resource, patients):
    assert patients_of(resource) == patients


@pytest.mark.parametrize(
    "reference", ["Patient/", "Patient/a b", "RelatedPerson/1", "notPatient/1", "1", "Patient/1/x"][:]
)
def test_what_names_no_patient_gives_none(reference):
    assert read_patient_id(reference) is None
