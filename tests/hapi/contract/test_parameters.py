"""Every search parameter that the sandbox offers finds a resource that has what is asked, on both servers.

One full resource of each type; ``@name`` stands for a resource of the cast, ``#`` for this test's own tag.
"""

import json

import pytest

from gateway.sandbox.fhir.parameters import COMMON, PARAMETERS


def code(value, system="https://example.org/codes"):
    return {"coding": [{"system": system, "code": value}]}


def to(name):
    return {"reference": f"@{name}"}


#: Resources that others refer to, in the order in which they are made.
CAST = {
    "organization": {"resourceType": "Organization", "name": "Invented Clinic"},
    "location": {"resourceType": "Location", "name": "Room"},
    "practitioner": {"resourceType": "Practitioner", "name": [{"family": "Invented"}]},
    "patient": {"resourceType": "Patient", "name": [{"family": "Invented"}]},
    "device": {"resourceType": "Device", "status": "active"},
    "encounter": {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}},
    "condition": {"resourceType": "Condition", "subject": to("patient")},
    "note": {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain"}}],
    },
}

ADDRESS = [{"line": ["1 Main#"], "city": "Town#", "state": "State#", "postalCode": "99#", "country": "Land#"}]
ADDRESSES = {
    "address": "town#", "address-city": "Town#", "address-state": "State#", "address-postalcode": "99#",
    "address-country": "Land#",
}  # fmt: skip
PERSON = {
    "identifier": [{"system": "https://example.org/ids", "value": "#"}],
    "name": [{"family": "Family#", "given": ["Given#"]}],
    "gender": "other",
    "active": True,
    "telecom": [{"system": "phone", "value": "555#"}, {"system": "email", "value": "a#@example.org"}],
    "address": ADDRESS,
}
PEOPLE = {
    "identifier": "#", "name": "Given#", "gender": "other", "active": "true", "telecom": "555#", "phone": "555#",
    "email": "a#@example.org", **ADDRESSES,
}  # fmt: skip
IDENTIFIER = {"identifier": [{"system": "https://example.org/ids", "value": "#"}]}

#: type → (resource, parameter → value that finds it).
CASES = {
    "Patient": (
        PERSON
        | {
            "birthDate": "1990-01-31",
            "deceasedDateTime": "2025-05-05",
            "generalPractitioner": [to("practitioner")],
            "managingOrganization": to("organization"),
            "communication": [{"language": code("de", "urn:ietf:bcp:47")}],
            "link": [{"other": to("patient"), "type": "seealso"}],
        },
        PEOPLE
        | {
            "birthdate": "1990-01", "death-date": "2025-05", "family": "family#", "given": "given#",
            "general-practitioner": "@practitioner", "organization": "@organization", "language": "de",
            "link": "@patient",
        },
    ),
    "Practitioner": (
        PERSON | {"communication": [code("de", "urn:ietf:bcp:47")]},
        PEOPLE | {"family": "family#", "given": "given#", "communication": "de"},
    ),
    "RelatedPerson": (
        PERSON | {"patient": to("patient"), "birthDate": "1960", "relationship": [code("MTH")]},
        PEOPLE | {"patient": "@patient", "birthdate": "1960", "relationship": "MTH"},
    ),
    "Organization": (
        IDENTIFIER
        | {"name": "Name#", "alias": ["Alias#"], "active": True, "type": [code("prov")], "partOf": to("organization"),
           "address": ADDRESS},
        {"identifier": "#", "name": "alias#", "active": "true", "type": "prov", "partof": "@organization", **ADDRESSES},
    ),
    "Location": (
        IDENTIFIER
        | {"name": "Name#", "status": "active", "type": [code("room")], "managingOrganization": to("organization"),
           "partOf": to("location"), "address": ADDRESS[0]},
        {"identifier": "#", "name": "name#", "status": "active", "type": "room", "organization": "@organization",
         "partof": "@location", **ADDRESSES},
    ),
    "Device": (
        IDENTIFIER
        | {"deviceName": [{"name": "Name#", "type": "user-friendly-name"}], "location": to("location"),
           "manufacturer": "Maker#", "modelNumber": "Model#", "owner": to("organization"), "patient": to("patient"),
           "status": "active", "type": code("software"), "url": "https://example.org/#"},
        {"identifier": "#", "device-name": "name#", "location": "@location", "manufacturer": "maker#",
         "model": "model#", "organization": "@organization", "patient": "@patient", "status": "active",
         "type": "software", "url": "https://example.org/#"},
    ),
    "Group": (
        IDENTIFIER
        | {"type": "person", "actual": True, "code": code("couple"), "managingEntity": to("organization"),
           "member": [{"entity": to("patient")}]},
        {"identifier": "#", "type": "person", "actual": "true", "code": "couple", "managing-entity": "@organization",
         "member": "@patient"},
    ),
    "Encounter": (
        IDENTIFIER
        | {
            "status": "in-progress",
            "class": {"system": "https://example.org/codes", "code": "AMB"},
            "type": [code("kind")],
            "subject": to("patient"),
            "participant": [{"type": [code("ATND")], "individual": to("practitioner")}],
            "period": {"start": "2026-03-01T09:00:00Z", "end": "2026-03-01T10:00:00Z"},
            "reasonCode": [code("why")],
            "diagnosis": [{"condition": to("condition")}],
            "location": [{"location": to("location")}],
            "serviceProvider": to("organization"),
            "partOf": to("encounter"),
        },
        {
            "identifier": "#", "status": "in-progress", "class": "AMB", "type": "kind", "subject": "@patient",
            "patient": "@patient", "participant": "@practitioner", "practitioner": "@practitioner",
            "participant-type": "ATND", "date": "2026-03-01", "reason-code": "why", "diagnosis": "@condition",
            "location": "@location", "service-provider": "@organization", "part-of": "@encounter",
        },
    ),
    "Condition": (
        IDENTIFIER
        | {
            "clinicalStatus": code("resolved", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
            "verificationStatus": code("confirmed", "http://terminology.hl7.org/CodeSystem/condition-ver-status"),
            "category": [code("problem")],
            "severity": code("mild"),
            "code": code("F32"),
            "bodySite": [code("head")],
            "subject": to("patient"),
            "encounter": to("encounter"),
            "onsetDateTime": "2025-01",
            "abatementDateTime": "2025-06",
            "recordedDate": "2025-02-03",
            "asserter": to("practitioner"),
        },
        {
            "identifier": "#", "clinical-status": "resolved", "verification-status": "confirmed",
            "category": "problem", "severity": "mild", "code": "F32", "body-site": "head", "subject": "@patient",
            "patient": "@patient", "encounter": "@encounter", "onset-date": "2025-01", "abatement-date": "2025-06",
            "recorded-date": "2025-02", "asserter": "@practitioner",
        },
    ),
    "MedicationStatement": (
        IDENTIFIER
        | {"status": "active", "category": code("outpatient"), "medicationCodeableConcept": code("sertraline"),
           "subject": to("patient"), "context": to("encounter"), "effectivePeriod": {"start": "2025-01-01"},
           "informationSource": to("patient")},
        {"identifier": "#", "status": "active", "category": "outpatient", "code": "sertraline",
         "subject": "@patient", "patient": "@patient", "context": "@encounter", "effective": "ge2026-01-01",
         "source": "@patient"},
    ),
    "Consent": (
        IDENTIFIER
        | {
            "status": "active",
            "scope": code("treatment"),
            "category": [code("59284-0")],
            "patient": to("patient"),
            "dateTime": "2026-02-01",
            "performer": [to("patient")],
            "organization": [to("organization")],
            "sourceReference": to("note"),
            "policyRule": code("rule"),
            "provision": {
                "type": "permit",
                "period": {"start": "2026-02-01", "end": "2026-12-31"},
                "actor": [{"role": code("PRCP"), "reference": to("practitioner")}],
                "action": [code("access")],
                "purpose": [{"system": "https://example.org/codes", "code": "TREAT"}],
                "securityLabel": [{"system": "https://example.org/codes", "code": "PSY"}],
                "data": [{"meaning": "related", "reference": to("encounter")}],
            },
        },
        {
            "identifier": "#", "status": "active", "scope": "treatment", "category": "59284-0", "patient": "@patient",
            "date": "2026-02", "consentor": "@patient", "organization": "@organization", "source-reference": "@note",
            "period": "ge2026-06-01", "actor": "@practitioner", "action": "access", "purpose": "TREAT",
            "security-label": "PSY", "data": "@encounter",
        },
    ),
    "DocumentReference": (
        IDENTIFIER
        | {
            "status": "current",
            "docStatus": "preliminary",
            "type": code("11506-3", "http://loinc.org"),
            "category": [code("clinical-note")],
            "subject": to("patient"),
            "date": "2026-03-01T10:00:00Z",
            "author": [to("practitioner")],
            "authenticator": to("practitioner"),
            "custodian": to("organization"),
            "relatesTo": [{"code": "replaces", "target": to("note")}],
            "description": "Words#",
            "securityLabel": [code("R")],
            "content": [
                {"attachment": {"contentType": "text/plain", "language": "en", "url": "https://example.org/#"},
                 "format": {"system": "https://example.org/codes", "code": "mime"}}
            ],
            "context": {
                "encounter": [to("encounter")],
                "event": [code("event")],
                "period": {"start": "2026-03-01T09:00:00Z", "end": "2026-03-01T09:50:00Z"},
                "facilityType": code("clinic"),
                "practiceSetting": code("psych"),
                "related": [to("condition")],
            },
        },
        {
            "identifier": "#", "status": "current", "type": "http://loinc.org|11506-3", "category": "clinical-note",
            "subject": "@patient", "patient": "@patient", "date": "2026-03-01", "author": "@practitioner",
            "authenticator": "@practitioner", "custodian": "@organization", "relatesto": "@note",
            "relation": "replaces", "description": "words#", "security-label": "R", "contenttype": "text/plain",
            "language": "en", "location": "https://example.org/#", "format": "mime", "encounter": "@encounter",
            "event": "event", "period": "2026-03-01", "facility": "clinic", "setting": "psych",
            "related": "@condition",
        },
    ),
    "Provenance": (
        {
            "target": [to("note"), to("patient")],
            "recorded": "2026-03-01T10:00:00Z",
            "occurredDateTime": "2026-03-01",
            "location": to("location"),
            "agent": [{"type": code("author"), "role": [code("writer")], "who": to("practitioner")}],
            "entity": [{"role": "derivation", "what": to("encounter")}],
            "signature": [
                {"type": [{"system": "https://example.org/codes", "code": "sig"}], "when": "2026-03-01T10:00:00Z",
                 "who": to("practitioner")}
            ],
        },
        {
            "target": "@note", "patient": "@patient", "recorded": "2026-03-01", "when": "2026-03",
            "location": "@location", "agent": "@practitioner", "agent-type": "author", "agent-role": "writer",
            "entity": "@encounter", "signature-type": "sig",
        },
    ),
    "AuditEvent": (
        {
            "type": {"system": "https://example.org/codes", "code": "rest"},
            "subtype": [{"system": "https://example.org/codes", "code": "create"}],
            "action": "C",
            "recorded": "2026-03-01T10:00:00Z",
            "outcome": "0",
            "agent": [
                {"who": to("practitioner"), "requestor": True, "name": "Name#", "altId": "#", "role": [code("doctor")]}
            ],
            "source": {"observer": to("device")},
            "entity": [
                {"what": to("patient"), "name": "Entity#", "role": {"system": "https://example.org/codes", "code": "1"},
                 "type": {"system": "https://example.org/codes", "code": "2"}}
            ],
        },
        {
            "type": "rest", "subtype": "create", "action": "C", "date": "2026-03-01", "outcome": "0",
            "agent": "@practitioner", "agent-name": "name#", "altid": "#", "agent-role": "doctor",
            "source": "@device", "entity": "@patient", "patient": "@patient", "entity-name": "entity#",
            "entity-role": "1", "entity-type": "2",
        },
    ),
    "Subscription": (
        {
            "status": "off",
            "reason": "a test#",
            "criteria": "DocumentReference?identifier=#",
            "contact": [{"system": "phone", "value": "555#"}],
            "channel": {"type": "rest-hook", "endpoint": "https://example.org/#", "payload": "application/fhir+json"},
        },
        {
            "status": "off", "criteria": "DocumentReference?identifier=#", "contact": "555#", "type": "rest-hook",
            "url": "https://example.org/#", "payload": "application/fhir+json",
        },
    ),
    "Binary": ({"contentType": "text/plain", "data": "aGVsbG8="}, {}),
}  # fmt: skip


@pytest.fixture
async def fill(server):
    """Makes the cast; gives a function that puts its references and the tag into a template."""
    names = {}

    def put_in(template):
        text = json.dumps(template).replace("#", server.tag)
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(f"@{name}", names[name])
        return json.loads(text)

    for name, template in CAST.items():
        stored = await server.create(put_in(template))
        names[name] = f"{stored['resourceType']}/{stored['id']}"
    return put_in


@pytest.mark.parametrize("type_", sorted(CASES))
async def test_every_parameter_of_a_type_finds_what_has_it(server, fill, type_):
    resource, parameters = CASES[type_]
    common = {"meta": {"tag": [{"system": "https://example.org/tags", "code": "#"}],
                       "security": [{"system": "https://example.org/labels", "code": "#"}],
                       "profile": ["https://example.org/profiles/#"]}}  # fmt: skip
    stored = await server.create(fill({"resourceType": type_} | common | resource))
    queries = {"_id": stored["id"], "_lastUpdated": "gt2020-01-01", "_tag": "#", "_security": "#"} | parameters
    missed = []
    for name, value in fill(queries).items():
        found = await server.find(f"{type_}?_tag={server.tag}&{name}={value.replace('?', '%3F').replace('+', '%2B')}")
        if found != [stored["id"]]:
            missed.append((name, value, found))
    assert missed == []


def test_every_parameter_of_the_table_is_tried():
    untried = {
        type_: sorted(set(PARAMETERS[type_]) - set(CASES[type_][1]))
        for type_ in PARAMETERS
        if set(PARAMETERS[type_]) - set(CASES[type_][1])
    }
    # Neither Medication nor Observation is stored here, so nothing can refer to one.
    assert untried == {"MedicationStatement": ["medication", "part-of"]}


async def test_the_table_agrees_with_what_the_server_declares(server):
    statement = (await server.get("metadata")).json()
    declared = {
        described["type"]: {parameter["name"]: parameter["type"] for parameter in described["searchParam"]}
        for described in statement["rest"][0]["resource"]
    }
    for type_, parameters in PARAMETERS.items():
        for name, parameter in (parameters | COMMON).items():
            assert declared[type_].get(name) == parameter.type, (type_, name)


@pytest.mark.parametrize("type_", sorted(CASES))
async def test_every_type_is_created_read_changed_and_deleted(server, fill, type_):
    resource, _ = CASES[type_]
    stored = await server.create(fill({"resourceType": type_} | resource))
    address = f"{type_}/{stored['id']}"
    assert (await server.get(address)).json()["meta"]["versionId"] == "1"
    changed = await server.ask("PUT", address, stored | {"language": "de"}, If_Match='W/"1"')
    assert (changed.status_code, changed.json()["language"]) == (200, "de")
    assert (await server.get(f"{address}/_history")).json()["total"] == 2
    assert (await server.ask("DELETE", address)).status_code == 200
    assert (await server.get(address)).status_code == 410
