"""Every FHIR call is held against its token."""

import base64
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.smart.scopes import parse_scopes

SHIPPED = tomllib.loads((Path(__file__).parents[4] / "config/ehrs/sandbox.toml").read_text(encoding="utf-8"))


def write_note(patient: str = "ada-marlowe", status: str = "preliminary") -> dict[str, Any]:
    data = base64.b64encode(b"Invented text.").decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": status,
        "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }


async def test_without_a_token_the_server_says_how_to_get_one(app: Any) -> None:
    reply = await app.http.get("/fhir/Patient/ada-marlowe")
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer realm="sandbox"'
    assert reply.json()["resourceType"] == "OperationOutcome"


async def test_an_expired_token_is_named_as_invalid(app: Any) -> None:
    token = (await app.launch())["access_token"]
    app.clock.move(3601)
    reply = await app.fhir(token, "GET", "Patient/ada-marlowe")
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]


async def test_the_capability_statement_needs_no_token_and_names_the_way(app: Any) -> None:
    security = (await app.http.get("/fhir/metadata")).json()["rest"][0]["security"]
    addresses = {part["url"]: part["valueUri"] for part in security["extension"][0]["extension"]}
    assert addresses["token"] == "http://127.0.0.1:9000/auth/token"


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("patient/Patient.r", "Patient/ada-marlowe", 200),
        ("patient/Patient.read", "Patient/ada-marlowe", 200),
        ("patient/Patient.r", "Patient/ada-marlowe/_history", 200),
        ("patient/Patient.r", "Patient/ada-marlowe/_history/1", 200),
        ("patient/Patient.s", "Patient/ada-marlowe", 403),
        ("patient/Patient.s", "Patient?_id=ada-marlowe", 200),
        ("patient/Patient.r", "Patient?_id=ada-marlowe", 403),
        ("patient/Patient.r", "Patient/bruno-castellan", 403),
        ("patient/Patient.r", "Patient/bruno-castellan/_history", 200),
        ("user/Patient.r", "Patient/bruno-castellan", 200),
        ("patient/*.rs", "Encounter/ada-marlowe-today", 200),
        ("patient/*.rs", "Encounter/bruno-castellan-today", 403),
        ("patient/*.rs", "Practitioner/mara-ellison", 200),
        ("patient/Patient.r", "Encounter/ada-marlowe-today", 403),
        ("patient/Patient.r", "Patient/nobody", 404),
    ],
)
async def test_a_token_reads_what_its_scopes_and_its_patient_allow(
    app: Any, scope: str, path: str, status: int
) -> None:
    token = (await app.launch(scope=f"launch {scope}"))["access_token"]
    reply = await app.fhir(token, "GET", path)
    assert reply.status_code == status, reply.text
    if status == 403:
        assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
        assert reply.json()["resourceType"] == "OperationOutcome"
    if path == "Patient/bruno-castellan/_history":
        assert reply.json().get("entry", []) == []


async def test_a_search_shows_nothing_of_other_patients(app: Any) -> None:
    token = (await app.launch(scope="launch patient/*.rs"))["access_token"]
    everything = (await app.fhir(token, "GET", "Consent")).json()
    assert {entry["resource"]["patient"]["reference"] for entry in everything["entry"]} == {"Patient/ada-marlowe"}
    assert (await app.fhir(token, "GET", "Consent?patient=bruno-castellan")).json()["total"] == 0


async def test_pages_of_a_search_stay_within_the_patient(app: Any) -> None:
    token = (await app.launch(scope="launch patient/*.rs"))["access_token"]
    seen: set[str] = set()
    url: str | None = "http://127.0.0.1:9000/fhir/Consent?_count=5"
    while url:
        bundle = (await app.http.get(url, headers={"Authorization": f"Bearer {token}"})).json()
        seen |= {entry["resource"]["patient"]["reference"] for entry in bundle.get("entry", [])}
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    assert seen == {"Patient/ada-marlowe"}


async def test_what_a_search_includes_needs_a_scope_of_its_own(app: Any) -> None:
    path = "Encounter?patient=ada-marlowe&_include=Encounter:patient"
    token = (await app.launch(scope="launch patient/Encounter.rs"))["access_token"]
    assert kinds(await app.fhir(token, "GET", path)) == {"Encounter"}
    token = (await app.launch(scope="launch patient/Encounter.rs patient/Patient.r"))["access_token"]
    assert kinds(await app.fhir(token, "GET", path)) == {"Encounter", "Patient"}


def kinds(reply: Any) -> set[str]:
    return {entry["resource"]["resourceType"] for entry in reply.json()["entry"]}


async def test_a_scope_restricted_by_search_shows_only_what_the_search_finds(app: Any) -> None:
    token = (await app.launch(scope="launch patient/Encounter.rs?status=in-progress"))["access_token"]
    assert (await app.fhir(token, "GET", "Encounter/ada-marlowe-today")).status_code == 200
    assert (await app.fhir(token, "GET", "Encounter/ada-marlowe-7d")).status_code == 403
    found = (await app.fhir(token, "GET", "Encounter?patient=ada-marlowe")).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["ada-marlowe-today"]


async def test_patient_scopes_without_a_patient_reach_nothing(app: Any) -> None:
    token = (await app.launch(scope="launch patient/*.cruds", patient=None, encounter=None))["access_token"]
    assert (await app.fhir(token, "GET", "Patient/ada-marlowe")).status_code == 403


async def test_a_patients_user_scopes_reach_that_patient_only(app: Any) -> None:
    token = (await app.launch(scope="launch user/*.rs", user="Patient/ada-marlowe"))["access_token"]
    assert (await app.fhir(token, "GET", "Patient/ada-marlowe")).status_code == 200
    assert (await app.fhir(token, "GET", "Patient/bruno-castellan")).status_code == 403


async def test_a_note_can_be_written_for_the_tokens_patient_only(app: Any) -> None:
    token = (await app.launch(scope="launch patient/DocumentReference.crs"))["access_token"]
    created = await app.fhir(token, "POST", "DocumentReference", json=write_note())
    assert created.status_code == 201, created.text
    other = await app.fhir(token, "POST", "DocumentReference", json=write_note("bruno-castellan"))
    assert other.status_code == 403
    found = await app.sandbox.record.search("DocumentReference", ("patient", "bruno-castellan"))
    assert len(found) == 1
    update = await app.fhir(token, "PUT", f"DocumentReference/{created.json()['id']}", json=write_note())
    assert update.status_code == 403  # u was not granted


async def test_a_note_cannot_be_moved_to_another_patient(app: Any) -> None:
    token = (await app.launch(scope="launch patient/DocumentReference.cruds"))["access_token"]
    id_ = (await app.fhir(token, "POST", "DocumentReference", json=write_note())).json()["id"]
    moved = await app.fhir(token, "PUT", f"DocumentReference/{id_}", json={**write_note("bruno-castellan"), "id": id_})
    assert moved.status_code == 403


async def test_a_provenance_belongs_to_the_patient_of_its_target(app: Any) -> None:
    token = (await app.launch(scope="launch patient/DocumentReference.crs patient/Provenance.crs"))["access_token"]
    id_ = (await app.fhir(token, "POST", "DocumentReference", json=write_note())).json()["id"]

    def write(target: str) -> dict[str, Any]:
        return {
            "resourceType": "Provenance",
            "target": [{"reference": f"DocumentReference/{target}"}],
            "recorded": "2026-11-23T12:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/mara-ellison"}}],
        }

    assert (await app.fhir(token, "POST", "Provenance", json=write(id_))).status_code == 201
    assert (await app.fhir(token, "POST", "Provenance", json=write("bruno-castellan-14d-note"))).status_code == 403
    found = await app.fhir(token, "GET", f"Provenance?target=DocumentReference/{id_}")
    assert found.json()["total"] == 1


async def test_with_the_shipped_scopes_an_answer_is_written_and_an_older_one_ended(app: Any) -> None:
    token = (await app.launch(scope=SHIPPED["client"]["scopes"]))["access_token"]
    older = (await app.fhir(token, "GET", "Consent/ada-marlowe-recording")).json()
    version = {"If-Match": f'W/"{older["meta"]["versionId"]}"', "Authorization": f"Bearer {token}"}
    path = "/fhir/Consent/ada-marlowe-recording"
    ended = await app.http.put(path, headers=version, json={**older, "status": "inactive"})
    assert ended.status_code == 200, ended.text
    assert (await app.http.put(path, headers=version, json={**older, "status": "active"})).status_code == 409
    new = {name: value for name, value in older.items() if name not in ("id", "meta")}
    created = await app.fhir(token, "POST", "Consent", json=new)
    assert created.status_code == 201, created.text
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": f"Consent/{created.json()['id']}"}],
        "recorded": "2026-11-23T12:00:00Z",
        "agent": [
            {"who": {"reference": "Patient/ada-marlowe"}},
            {"who": {"reference": "Practitioner/mara-ellison"}},
            {"who": {"display": "A member of the practice's staff"}},
        ],
    }
    assert (await app.fhir(token, "POST", "Provenance", json=provenance)).status_code == 201
    elsewhere = {**new, "patient": {"reference": "Patient/bruno-castellan"}}
    assert (await app.fhir(token, "POST", "Consent", json=elsewhere)).status_code == 403


async def test_a_signed_note_is_locked_for_apps(app: Any) -> None:
    token = (await app.launch(scope="launch patient/DocumentReference.cruds"))["access_token"]
    path = "DocumentReference/ada-marlowe-7d-note"
    reply = await app.fhir(token, "PUT", path, json={**write_note(), "id": "ada-marlowe-7d-note"})
    assert reply.status_code == 409
    assert (await app.fhir(token, "DELETE", path)).status_code == 409


async def test_what_is_restricted_by_search_permits_no_writing(app: Any) -> None:
    scope = "launch patient/DocumentReference.cruds?status=current"
    token = (await app.launch(scope=scope))["access_token"]
    assert (await app.fhir(token, "POST", "DocumentReference", json=write_note())).status_code == 403


async def test_a_browser_app_of_another_origin_may_call_with_its_token(app: Any) -> None:
    reply = await app.http.options(
        "/fhir/Patient/ada-marlowe",
        headers={
            "Origin": "http://localhost:5000",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert reply.headers["access-control-allow-origin"] == "*"
    chart = await app.http.get("/patient/ada-marlowe", headers={"Origin": "http://localhost:5000"})
    assert "access-control-allow-origin" not in chart.headers


async def test_a_fault_meets_the_app_even_past_the_guard_and_never_the_chart(app: Any) -> None:
    token = (await app.launch(scope="launch patient/*.rs"))["access_token"]
    app.sandbox.faults.arm(ArmedFault(Fault.FOREIGN_MATCH, type="Consent"))
    found = (await app.fhir(token, "GET", "Consent?patient=ada-marlowe")).json()
    assert len({entry["resource"]["patient"]["reference"] for entry in found["entry"]}) == 2
    app.sandbox.faults.arm(ArmedFault(Fault.STATUS_503, times=None))
    assert (await app.fhir(token, "GET", "Patient/ada-marlowe")).status_code == 503
    assert (await app.http.get("/patient/ada-marlowe")).status_code == 200


async def test_a_policy_can_be_set_from_another_process(app: Any) -> None:
    assert (await app.http.put("/_policy", json={"grant": "v1"})).status_code == 204
    assert str(app.sandbox.policy.grant(parse_scopes("patient/Patient.rs"))) == "patient/Patient.read"
    wrong = await app.http.put("/_policy", json={"colour": "blue"})
    assert wrong.status_code == 400
    assert "colour" in wrong.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"\xff",
        b'{"resourceType": 5}',
        b'{"resourceType": "Provenance", "target": "x"}',
        b'{"resourceType": "Provenance", "target": [5]}',
        b'{"resourceType": "Provenance", "target": [{"reference": 7}]}',
        b'{"resourceType": "DocumentReference", "subject": ["x"]}',
        b'{"resourceType": "Encounter", "subject": {"reference": "Group/../x"}}',
    ],
)
@pytest.mark.parametrize("type_", ["DocumentReference", "Provenance"])
async def test_what_is_no_resource_is_refused_before_it_is_stored(app: Any, type_: str, body: bytes) -> None:
    token = (await app.launch(scope="launch patient/*.cruds"))["access_token"]
    reply = await app.fhir(token, "POST", type_, content=body)
    assert reply.status_code in (400, 403)
    assert reply.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("given", ["5", "[]", '{"grant": 5}', '{"access_seconds": "x"}', "x"])
async def test_a_wrong_policy_is_refused(app: Any, given: str) -> None:
    assert (await app.http.put("/_policy", content=given)).status_code == 400
