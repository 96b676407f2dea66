"""What is refused, and how: always an OperationOutcome, nothing stored.

HAPI runs as it comes, with validation off. Where it stores what R4 forbids and the sandbox does not, the test says so.
"""

import pytest


async def store(server, resource):
    return await server.ask("POST", resource["resourceType"], resource)


@pytest.mark.parametrize(
    "body",
    [b"{bad", b"", b"[1]", b'"text"', b'{"name": []}', b'{"resourceType": 1}', b"\xff\xfe"],
    ids=["broken", "empty", "array", "string", "no type", "odd type", "not UTF-8"],
)
async def test_what_is_no_resource_is_400(server, body):
    await server.refusal(await server.ask("POST", "Patient", body), 400)


async def test_create_of_an_unknown_type_is_404(server):
    await server.refusal(await server.ask("POST", "Nonsense", {"resourceType": "Nonsense"}), 404)


async def test_another_type_in_the_body_is_400(server, patient):
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    await server.refusal(await server.ask("POST", "Patient", body), 400)
    await server.refusal(await server.ask("PUT", f"Patient/{patient['id']}", body | {"id": patient["id"]}), 400)


async def test_a_content_type_that_is_not_fhir_is_400(server):
    await server.refusal(await server.ask("POST", "Patient", b"hello", Content_Type="text/plain"), 400)


@pytest.mark.parametrize(
    "element",
    [{"gender": "bogus"}, {"birthDate": "1990-13-45"}, {"birthDate": "yesterday"}, {"active": "yes"}],
    ids=["code", "month", "word", "boolean"],
)
async def test_a_value_of_the_wrong_kind_is_400(server, element):
    await server.refusal(await store(server, {"resourceType": "Patient"} | element), 400)


@pytest.mark.parametrize(
    ("name", "value"), [("docStatus", "bogus"), ("status", "bogus"), ("date", "2026-03-01")], ids=lambda v: str(v)
)
async def test_a_note_with_a_bad_code_or_date_is_400(server, patient, make_note, name, value):
    reply = await store(server, make_note(patient["id"]) | {name: value})
    if name == "date" and not server.is_sandbox:
        assert reply.status_code == 201  # R4 wants an instant; HAPI with validation off takes a date
        return
    await server.refusal(reply, 400)


async def test_a_bad_code_deep_inside_is_400(server, patient, make_note):
    body = make_note(patient["id"]) | {
        "relatesTo": [{"code": "bogus", "target": {"reference": f"Patient/{patient['id']}"}}]
    }
    await server.refusal(await store(server, body), 400)


async def test_an_encounter_or_consent_with_a_bad_status_is_400(server, patient):
    encounter = {"resourceType": "Encounter", "status": "bogus", "class": {"code": "AMB"}}
    consent = {"resourceType": "Consent", "status": "bogus", "scope": {"text": "x"}, "category": [{"text": "x"}]}
    await server.refusal(await store(server, encounter), 400)
    await server.refusal(await store(server, consent), 400)


async def test_data_that_is_not_base64_is_400(server, patient, make_note):
    content = [{"attachment": {"contentType": "text/plain", "data": "%%%"}}]
    await server.refusal(await store(server, make_note(patient["id"], content=content)), 400)


async def test_a_reference_to_nothing_is_400(server):
    body = {"resourceType": "Condition", "subject": {"reference": f"Patient/none-{server.tag}"}}
    await server.refusal(await store(server, body), 400)


async def test_a_reference_to_what_was_deleted_is_400(server, patient):
    await server.ask("DELETE", f"Patient/{patient['id']}")
    body = {"resourceType": "Condition", "subject": {"reference": f"Patient/{patient['id']}"}}
    await server.refusal(await store(server, body), 400)


async def test_a_reference_to_a_type_that_has_no_place_there_is_422(server):
    body = {"resourceType": "Condition", "subject": {"reference": "Practitioner/x"}}
    await server.refusal(await store(server, body), 422)


@pytest.mark.parametrize(
    "reference", ["what is this", "https://example.org/fhir/Patient/1", "urn:uuid:9d2d1c5a-2a1c-4f9c-9c36-2a6c11c6f3aa"]
)
async def test_a_reference_that_is_none_or_points_elsewhere_is_400(server, reference):
    await server.refusal(await store(server, {"resourceType": "Condition", "subject": {"reference": reference}}), 400)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "Patient/{id}"), ("PUT", "Patient"), ("DELETE", "Patient")],
    ids=["create at an id", "update of a type", "delete of a type"],
)
async def test_an_interaction_at_the_wrong_address_is_400(server, patient, method, path):
    body = None if method == "DELETE" else {"resourceType": "Patient"}
    await server.refusal(await server.ask(method, path.format(id=patient["id"]), body), 400)


FORBIDDEN = {
    "an unknown element": {"resourceType": "Patient", "nosuch": "x"},
    "a note without content": {"resourceType": "DocumentReference", "status": "current"},
    "a condition without subject": {"resourceType": "Condition"},
    "a period that ends before it starts": {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "period": {"start": "2026-02-01", "end": "2026-01-01"},
    },
    "a code outside a required value set": {
        "resourceType": "Condition",
        "subject": {"display": "somebody"},
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "bogus"}]
        },
    },
}


@pytest.mark.parametrize("resource", FORBIDDEN.values(), ids=FORBIDDEN.keys())
async def test_what_r4_forbids_is_422_in_the_sandbox_and_stored_by_a_hapi_that_does_not_validate(server, resource):
    reply = await store(server, resource)
    if server.is_sandbox:
        await server.refusal(reply, 422)
    else:
        assert reply.status_code == 201


EMPTY = {
    "a null": b'{"resourceType": "Patient", "active": null}',
    "an empty list": b'{"resourceType": "Patient", "name": []}',
    "an empty text": b'{"resourceType": "Patient", "name": [{"family": ""}]}',
    "a NUL": b'{"resourceType": "Patient", "name": [{"family": "a\\u0000b"}]}',
    "a name twice": b'{"resourceType": "Patient", "gender": "male", "gender": "female"}',
    "one for a list": b'{"resourceType": "Patient", "name": {"family": "x"}}',
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY.keys())
async def test_json_that_fhir_forbids_is_400_in_the_sandbox_and_forgiven_by_hapi(server, body):
    reply = await server.ask("POST", "Patient", body)
    if server.is_sandbox:
        await server.refusal(reply, 400)
    else:
        assert reply.status_code == 201
