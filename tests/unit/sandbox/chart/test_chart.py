"""What the clinician sees in the chart, and what signing, discarding and revoking do to the record."""

import base64
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.sandbox.app import Sandbox
from gateway.sandbox.fhir.client import FhirRefused

PATIENT = "ada-marlowe"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=-6)))


async def plant_draft(sandbox: Sandbox, text: str = "Invented text.", **other: Any) -> dict[str, Any]:
    signed = await sandbox.record.read("DocumentReference", "ada-marlowe-7d-note")
    kept = {name: value for name, value in signed.items() if name not in ("id", "meta", "authenticator")}
    attachment = {"contentType": "text/plain;charset=utf-8", "data": base64.b64encode(text.encode()).decode()}
    note = {**kept, "docStatus": "preliminary", "content": [{"attachment": attachment}], **other}
    return await sandbox.record.create(note)


async def act(chart: httpx.AsyncClient, note: dict[str, Any], action: str, version: str = "") -> httpx.Response:
    form = {"version": version or note["meta"]["versionId"]}
    return await chart.post(
        f"/patient/{PATIENT}/{note['id']}/{action}", data=form, headers={"Accept": "application/json"}
    )


async def test_the_schedule_lists_todays_visits_by_time(chart: httpx.AsyncClient) -> None:
    page = (await chart.get("/")).text
    times = re.findall(r"<time>(\d\d:\d\d)</time>", page)
    assert len(times) == 10
    mine, others = times[:9], times[9:]
    assert mine == sorted(mine)
    assert others == ["09:30"]
    assert "Monday, 23 November 2026" in page
    assert "Couple therapy, with Iris Quill" in page


async def test_the_schedule_marks_patients_with_unsigned_notes(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    assert "unsigned" not in (await chart.get("/")).text
    await plant_draft(sandbox)
    assert "1 unsigned" in (await chart.get("/")).text


async def test_the_schedule_says_how_the_consents_stand_now(chart: httpx.AsyncClient) -> None:
    page = (await chart.get("/")).text
    assert "Consents: all given" in page
    assert "Consents: nothing on file" in page
    assert re.search("Consents: [^<]*refused: recording", page)
    await chart.post(f"/patient/{PATIENT}/ada-marlowe-recording/revoke")
    assert re.search("Consents: [^<]*revoked: recording", (await chart.get("/")).text)


@pytest.mark.parametrize(
    ("patient", "words"),
    [
        ("ada-marlowe", "given"),
        ("dmitri-okoye", "refused"),
        ("elena-whitcombe", "expired"),
        ("farid-johansson", "revoked"),
        ("grace-abernathy", "unreadable"),
        ("clara-nystrom", "not asked"),
    ],
)
async def test_the_chart_says_how_each_consent_stands(chart: httpx.AsyncClient, patient: str, words: str) -> None:
    assert f">{words}</span>" in (await chart.get(f"/patient/{patient}")).text


async def test_a_draft_stands_first_and_is_plainly_marked(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    await plant_draft(sandbox, meta={"security": [label]}, date="2020-01-01T10:00:00Z")
    page = (await chart.get(f"/patient/{PATIENT}")).text
    assert re.findall(r'class="note (\w+)"', page) == ["draft", "signed", "signed"]
    assert "Unsigned draft" in page
    assert "AI-assisted" in page


async def test_a_notes_text_is_shown_as_plain_text(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await plant_draft(sandbox, "<script>alert(1)</script> שלום 🙂")
    page = await chart.get(f"/patient/{PATIENT}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; שלום 🙂" in page.text
    assert "<script>alert" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_a_text_that_stands_in_a_binary_is_shown(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    data = base64.b64encode(b"From the binary.").decode()
    binary = await sandbox.record.create({"resourceType": "Binary", "contentType": "text/plain", "data": data})
    attachment = {"contentType": "text/plain", "url": f"Binary/{binary['id']}"}
    await plant_draft(sandbox, content=[{"attachment": attachment}])
    assert "From the binary." in (await chart.get(f"/patient/{PATIENT}")).text


async def test_signing_makes_a_final_version_with_its_signer(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    draft = await plant_draft(sandbox)
    assert (await act(chart, draft, "sign")).status_code == 200
    signed = await sandbox.record.read("DocumentReference", draft["id"])
    assert (signed["status"], signed["docStatus"]) == ("current", "final")
    assert signed["authenticator"] == {"reference": "Practitioner/mara-ellison"}
    assert signed["meta"]["versionId"] != draft["meta"]["versionId"]
    assert signed["content"] == draft["content"]
    assert "Signed by Dr. Mara Ellison, PsyD" in (await chart.get(f"/patient/{PATIENT}")).text


async def test_who_is_signed_in_signs(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    draft = await plant_draft(sandbox)
    await chart.post("/clinician", data={"clinician": "tomas-vance"})
    await act(chart, draft, "sign")
    signed = await sandbox.record.read("DocumentReference", draft["id"])
    assert signed["authenticator"] == {"reference": "Practitioner/tomas-vance"}


async def test_a_note_that_changed_since_it_was_shown_is_not_signed(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    draft = await plant_draft(sandbox)
    await sandbox.record.update({**draft, "description": "changed"})
    reply = await act(chart, draft, "sign")
    assert reply.status_code == 409
    assert reply.json()["message"] == "This note has changed since it was shown. Read it again."


async def test_a_signed_note_is_neither_signed_again_nor_discarded(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    signed = await sandbox.record.read("DocumentReference", "ada-marlowe-7d-note")
    assert (await act(chart, signed, "sign")).status_code == 409
    assert (await act(chart, signed, "discard")).status_code == 409
    assert (await act(chart, signed, "withdraw")).status_code == 200
    assert (await sandbox.record.read("DocumentReference", signed["id"]))["status"] == "entered-in-error"


async def test_a_discarded_draft_is_gone_with_its_provenance(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    draft = await plant_draft(sandbox)
    provenance = await sandbox.record.create(
        {
            "resourceType": "Provenance",
            "target": [{"reference": f"DocumentReference/{draft['id']}"}],
            "recorded": "2026-11-23T12:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/mara-ellison"}}],
        }
    )
    assert (await act(chart, draft, "discard")).status_code == 200
    for type_, id_ in (("DocumentReference", draft["id"]), ("Provenance", provenance["id"])):
        with pytest.raises(FhirRefused) as refused:
            await sandbox.record.read(type_, id_)
        assert refused.value.status == 410


async def test_a_note_of_another_chart_is_not_touched(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    draft = await plant_draft(sandbox)
    reply = await chart.post(
        f"/patient/bruno-castellan/{draft['id']}/sign", data={"version": "1"}, headers={"Accept": "application/json"}
    )
    assert reply.json()["message"] == "This note is not in this patient's chart."


async def test_a_revoked_consent_ends(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    reply = await chart.post(f"/patient/{PATIENT}/ada-marlowe-recording/revoke")
    assert reply.status_code == 303
    assert (await sandbox.record.read("Consent", "ada-marlowe-recording"))["status"] == "inactive"
    again = await chart.post(f"/patient/{PATIENT}/ada-marlowe-recording/revoke", headers={"Accept": "application/json"})
    assert again.json()["message"] == "This consent is not in force."


async def test_an_answer_goes_on_file_and_replaces_the_one_before(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    for answer in ("permit", "deny"):
        await chart.post(f"/patient/clara-nystrom/ai-drafting/{answer}")
    consents = await sandbox.record.search("Consent", ("patient", "clara-nystrom"))
    found = {consent["provision"]["type"]: consent["status"] for consent in consents}
    assert found == {"permit": "inactive", "deny": "active"}


async def test_a_launch_is_for_the_patient_the_visit_and_the_clinician(
    chart: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    reply = await chart.post(f"/patient/{PATIENT}/launch", data={"encounter": "ada-marlowe-today"})
    assert reply.status_code == 303
    address = urlsplit(reply.headers["location"])
    query = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}{address.path}" == "http://localhost:8000/launch"
    assert query["iss"] == ["http://127.0.0.1:9000/fhir"]
    launch = sandbox.grants.take_launch(query["launch"][0])
    assert (launch.patient, launch.encounter, launch.user) == (PATIENT, "ada-marlowe-today", sandbox.practice.user)
    assert PATIENT not in reply.headers["location"]


async def test_the_record_is_sent_again_only_when_it_changed(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    path = f"/patient/{PATIENT}/record"
    etag = (await chart.get(path)).headers["etag"]
    assert (await chart.get(path, headers={"If-None-Match": etag})).status_code == 304
    await plant_draft(sandbox)
    assert (await chart.get(path, headers={"If-None-Match": etag})).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}]
)
async def test_another_site_cannot_act_in_the_chart(
    chart: httpx.AsyncClient, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    reply = await chart.post(f"/patient/{PATIENT}/ada-marlowe-recording/revoke", headers=headers)
    assert reply.status_code == 403
    assert (await sandbox.record.read("Consent", "ada-marlowe-recording"))["status"] == "active"


async def test_a_foreign_name_for_this_machine_does_not_reach_the_chart(chart: httpx.AsyncClient) -> None:
    assert (await chart.get("/", headers={"Host": "evil.example"})).status_code == 400


@pytest.mark.parametrize("path", ["/patient/nobody", "/patient/%3Cscript%3E", "/patient/nobody/record"])
async def test_a_chart_that_is_not_there_is_said_plainly(chart: httpx.AsyncClient, path: str) -> None:
    reply = await chart.get(path)
    assert reply.status_code in (404, 502)
    assert "<script>" not in reply.text.replace('<script type="module"', "")


async def test_a_wrong_launch_request_says_what_is_needed(chart: httpx.AsyncClient) -> None:
    assert (await chart.post("/launch", content=b"[]")).status_code == 400
    assert (await chart.post("/launch", content=b"x")).json()["message"].startswith("Send JSON")


async def test_after_midnight_the_schedule_is_for_the_new_day(chart: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await chart.post(f"/patient/{PATIENT}/ada-marlowe-recording/revoke")
    sandbox.practice.clock = lambda: NOON + timedelta(days=1)
    page = (await chart.get("/")).text
    assert "Tuesday, 24 November 2026" in page
    assert len(re.findall(r"<time>", page)) == 10
    assert (await sandbox.record.read("Consent", "ada-marlowe-recording"))["status"] == "inactive"
