"""Whole visits with HAPI as the record, behind the sandbox's sign-in: real processes, one HTTP call after another."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.app import LEDGER_FILE
from gateway.filing.document import IDENTIFIER_SYSTEM
from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import HEARD, ROOT, Product, run_product, search_files
from tests.flow.steps import VisitSteps
from tests.hapi.definitions import HapiServer
from tests.hapi.test_validation import list_findings

pytestmark = pytest.mark.hapi

NOTE = """S: Pt reports sleeping five hours a night since March.
She worries about the zanzibar review on Friday.
O: Alert, speech quiet.
A: Generalized anxiety, a little better than last month.
P: Continue the quokka diary. See again next Tuesday."""
MARKED = ["zanzibar", "quokka"]
SAMPLE = ROOT / "gateway" / "sandbox" / "samples" / "dictation.flac"
ADA, BRUNO, JONAS = "sandbox-ada-marlowe", "sandbox-bruno-castellan", "sandbox-jonas-telford"
CLARA = "sandbox-clara-nystrom"
SIGN_FORM = re.compile(r"/(?P<note>[^/\"]+)/sign\"")


@pytest.fixture(scope="module")
def product(hapi: HapiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The sandbox EHR over HAPI, and the gateway; consents are as seeded, whatever an earlier run left."""
    for consent in hapi.search("Consent", patient=f"{ADA},{BRUNO},{JONAS},{CLARA}"):
        if not consent["id"].startswith("sandbox-"):
            forget_consent(hapi, consent)
    with run_product(tmp_path_factory.mktemp("h"), ehr_options=("--fhir", hapi.base)) as running:
        yield running


def forget_consent(hapi: HapiServer, consent: dict[str, Any]) -> None:
    """With what refers to it, which HAPI asks to be deleted first."""
    for provenance in hapi.search("Provenance", target=f"Consent/{consent['id']}"):
        hapi.delete(provenance)
    hapi.delete(consent)


@asynccontextmanager
async def open_visit(product: Product, patient: str) -> AsyncIterator[VisitSteps]:
    """Launch, sign in, come back; leaves the visit cancelled if it still runs at the end."""
    with httpx.Client(timeout=30, trust_env=False) as http:
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch(patient), f"{product.gateway}/callback")
        address = browser.open_visit(callback)
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    async with httpx.AsyncClient(
        base_url=address, headers=headers | {"sec-fetch-site": "same-origin"}, timeout=30, trust_env=False
    ) as http:
        visit = VisitSteps(http=http)
        await visit.settle("choosing", "ended")
        yield visit
        if (await visit.view())["phase"] != "ended":
            await visit.post("cancel")
            await visit.settle("ended")


async def wait_for_signature(visit: VisitSteps, status: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (signature := (await visit.view())["signature"]) is None or signature["status"] != status:
            await asyncio.sleep(0.2)
    return signature


def press(product: Product, patient: str, note: str, button: str, version: str) -> httpx.Response:
    """What a button of the chart sends: sign, discard or withdraw the version that it stands beside."""
    address = f"{product.ehr}/patient/{patient}/{note}/{button}"
    return httpx.post(address, data={"version": version}, headers={"accept": "application/json"}, timeout=30)


def list_signable(product: Product, patient: str) -> set[str]:
    """The notes beside which the chart shows Sign."""
    page = httpx.get(f"{product.ehr}/patient/{patient}", timeout=30).text
    return {match["note"] for match in SIGN_FORM.finditer(page)}


def take_token(product: Product, patient: str) -> str:
    """A token of another app, launched by the same clinician, that may write notes."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect = f"{product.gateway}/callback"
    asked = {
        "response_type": "code",
        "client_id": "countersign-public",
        "redirect_uri": redirect,
        "scope": "launch patient/DocumentReference.cruds",
        "state": secrets.token_urlsafe(24),
        "aud": product.issuer,
        "launch": parse_qs(urlsplit(product.open_launch(patient)).query)["launch"][0],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    back = httpx.get(f"{product.ehr}/auth/authorize", params=asked, timeout=30).headers["location"]
    form = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": redirect,
        "client_id": "countersign-public",
        "code_verifier": verifier,
    }
    reply = httpx.post(f"{product.ehr}/auth/token", data=form, timeout=30).raise_for_status()
    return str(reply.json()["access_token"])


async def find_filed(hapi: HapiServer, visit: VisitSteps) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The note that a visit's receipt names, and its Provenances, straight from HAPI."""
    async with asyncio.timeout(20):
        while (receipt := (await visit.view())["receipt"]) is None:  # the visit is still being purged
            await asyncio.sleep(0.05)
    return hapi.read(receipt["document"]), hapi.search("Provenance", target=receipt["document"])


def read_text(document: dict[str, Any]) -> str:
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode()


async def test_a_whole_visit_is_filed_signed_seen_and_gone(product: Product, hapi: HapiServer) -> None:
    resting, since = len(product.list_processes()), hapi.mark_now()
    async with open_visit(product, ADA) as visit:
        view = await visit.view()
        assert (view["patient"]["name"], view["patient"]["birth_date"]) == ("Ada Marlowe", "1988-04-17")
        assert view["patient"]["identifiers"][0]["label"] == "MRN"
        assert [row["reference"].split("/_history")[0] for row in view["read"] if row["what"] == "Medication"] == [
            f"MedicationStatement/{ADA}-medication-1"
        ]
        assert view["encounter"]["id"] == f"{ADA}-today"
        assert all(consent["permitted"] for consent in view["consents"])
        assert hapi.list_written(since) == []

        view = await visit.type_note(NOTE)
        assert view["drafter"]["kind"] == "outline"
        assert all(statement["segments"] for section in view["sections"] for statement in section["statements"])
        assert (await visit.accept_all())["open_decisions"] == 0
        assert hapi.list_written(since) == []

        view = await visit.file()
        assert (view["phase"], view["outcome"]) == ("ended", "filed")
        document, [provenance] = await find_filed(hapi, visit)
        assert (document["status"], document["docStatus"]) == ("current", "preliminary")
        assert document["subject"]["reference"] == f"Patient/{ADA}"
        assert document["context"]["encounter"][0]["reference"] == f"Encounter/{ADA}-today"
        assert document["author"][0]["reference"] == "Practitioner/sandbox-mara-ellison"
        assert all(word in read_text(document) for word in MARKED)
        note, one = f"DocumentReference/{document['id']}", f"Provenance/{provenance['id']}"
        assert provenance["target"][0]["reference"] in (note, f"{note}/_history/1")  # HAPI drops the version
        assert provenance["agent"][0]["onBehalfOf"]["reference"] == "Organization/sandbox-practice"
        for resource in (document, provenance):
            assert list(list_findings(hapi, resource)) == []
        assert hapi.list_written(since) == [f"{note}/_history/1", f"{one}/_history/1"]
        assert (await wait_for_signature(visit, "awaiting"))["words"] == "In the chart, awaiting your signature."

        assert document["id"] in list_signable(product, ADA)
        assert press(product, ADA, document["id"], "sign", "2").status_code == 409
        assert press(product, ADA, document["id"], "sign", "1").status_code == 200
        signed = hapi.read(note)
        assert (signed["meta"]["versionId"], signed["docStatus"]) == ("2", "final")
        assert signed["authenticator"]["reference"] == "Practitioner/sandbox-mara-ellison"
        assert signed["content"] == document["content"]
        assert hapi.read(f"{note}/_history/1")["docStatus"] == "preliminary"

        assert document["id"] not in list_signable(product, ADA)
        assert press(product, ADA, document["id"], "sign", "2").status_code == 409
        headers = {"Authorization": f"Bearer {take_token(product, ADA)}", "Content-Type": "application/fhir+json"}
        refused = httpx.put(f"{product.issuer}/{note}", json=signed, headers=headers, timeout=30)
        assert (refused.status_code, "locked" in refused.text) == (409, True)

        signature = await wait_for_signature(visit, "signed")
        assert signature["seen_at"]
        assert hapi.list_written(since) == [f"{note}/_history/1", f"{note}/_history/2", f"{one}/_history/1"]
        assert (await visit.view())["receipt"]["proof"]

    deadline = time.monotonic() + 20
    while len(product.list_processes()) > resting:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    for left in ("state", "run", "tmp"):
        assert search_files(product.folder / left, [*MARKED, "Marlowe"]) == []
    assert [word for word in MARKED if word in product.read_said().lower()] == []


def read_ledger(product: Product, visit: VisitSteps) -> list[dict[str, Any]]:
    id_ = urlsplit(str(visit.http.base_url)).path.strip("/").split("/")[-1]
    lines = (product.folder / "state" / LEDGER_FILE).read_text().splitlines()
    return [line for line in map(json.loads, lines) if line.get("visit") == id_]


async def test_a_revocation_during_the_visit_stops_and_destroys_what_was_recorded(product, hapi) -> None:
    consent = hapi.read(f"Consent/{ADA}-recording")
    async with open_visit(product, ADA) as visit:
        await visit.post("way", {"way": "record", "format": "soap"})
        await visit.post("capture", {"do": "start"})
        assert (await visit.settle("gathering"))["capture"]["state"] == "on"
        sound = {"content": SAMPLE.read_bytes(), "headers": {"content-type": "audio/flac"}}
        assert (await visit.http.post("/api/dictation", **sound)).status_code == 200
        assert (await visit.settle("gathering"))["segments"]
        try:
            hapi.put({**consent, "status": "inactive"})
            async with asyncio.timeout(15 + 5):  # the timer's, and for the answer
                while (view := await visit.view())["phase"] == "gathering":
                    await asyncio.sleep(0.1)
        finally:
            hapi.delete(consent)
            hapi.put(consent)
        assert (view["phase"], view["capture"]["state"], view["segments"]) == ("choosing", "off", [])
        assert view["taken_back"]["labels"] == ["Recording the session"]
        assert {way["id"] for way in view["ways"] if way["offered"]} == {"dictate", "type", "tidy", "write"}
        said = read_ledger(product, visit)
    refused = [one for one in said if one.get("outcome") == "refusal.revoked"]
    assert [one["activity"] for one in refused] == ["recording"]
    assert refused[0]["resources"]
    [destroyed] = [one for one in said if one["event"] == "visit:material:destroy"]
    assert (destroyed["outcome"], destroyed["segments"] > 0) == ("recording", True)
    assert said.index(refused[0]) < said.index(destroyed)
    assert [one["event"] for one in said].index("visit:capture:start") < said.index(refused[0])


async def test_an_answer_asked_for_on_the_spot_is_in_the_record_and_counts(product, hapi) -> None:
    async with open_visit(product, CLARA) as visit:
        assert not any(one["permitted"] for one in (await visit.view())["consents"])
        asked = {"language": "es", "performer": f"Patient/{CLARA}", "how": "spoken", "witness": "clinician"}
        reply = await visit.post("answers", {**asked, "answers": {"ai-drafting": "yes", "recording": "no"}})
        assert reply.status_code == 200, reply.text
        answers = {one["activity"]: one["permitted"] for one in reply.json()["consents"]}
        assert answers == {"telehealth": False, "recording": False, "ai-drafting": True}
        reply = await visit.post("answers", {**asked, "answers": {"ai-drafting": "no"}})
        assert not any(one["permitted"] for one in reply.json()["consents"])
        reply = await visit.post("answers", {**asked, "answers": {"recording": "yes", "ai-drafting": "yes"}})
        assert [one["permitted"] for one in reply.json()["consents"]] == [False, True, True]
    for consent in hapi.search("Consent", patient=CLARA):
        assert list(list_findings(hapi, consent)) == []
        for provenance in hapi.search("Provenance", target=f"Consent/{consent['id']}"):
            assert list(list_findings(hapi, provenance)) == []
        forget_consent(hapi, consent)  # the other tests find her as she was: asked nothing


async def test_a_dictated_note_is_labelled_as_made_with_ai(product: Product, hapi: HapiServer) -> None:
    async with open_visit(product, ADA) as visit:
        await visit.post("way", {"way": "dictate", "format": "soap"})
        sound = {"content": SAMPLE.read_bytes(), "headers": {"content-type": "audio/flac"}}
        assert (await visit.http.post("/api/dictation", **sound)).status_code == 200
        await visit.settle("gathering")
        await visit.post("draft", {"format": "soap"})
        await visit.settle("reviewing")
        await visit.accept_all()
        await visit.file()
        document, [provenance] = await find_filed(hapi, visit)
    assert [one["code"] for one in document["meta"]["security"]] == ["AIAST"]
    assert provenance["reason"][0]["coding"][0]["code"] == "AIAST"
    assert "dictation (transcribed by an AI speech model)" in read_text(document)
    assert all((said in read_text(document), said in str(provenance)) == (True, False) for said in HEARD.split(". "))
    for resource in (document, provenance):
        assert list(list_findings(hapi, resource)) == []


@pytest.mark.parametrize(("button", "status"), [("discard", "unknown"), ("withdraw", "changed")])
async def test_what_becomes_of_a_note_that_is_not_signed_is_told(product, hapi, button: str, status: str) -> None:
    async with open_visit(product, ADA) as visit:
        await visit.type_note(NOTE)
        await visit.accept_all()
        await visit.file()
        document, [_] = await find_filed(hapi, visit)
        assert press(product, ADA, document["id"], button, "1").status_code == 200
        assert (await wait_for_signature(visit, status))["words"].endswith(".")


@pytest.mark.parametrize(
    ("patient", "with_ai"),
    [
        (ADA, True),
        (BRUNO, True),  # recording refused
        ("sandbox-clara-nystrom", False),  # nothing on file
        ("sandbox-dmitri-okoye", False),  # refused
        ("sandbox-elena-whitcombe", False),  # expired
        ("sandbox-farid-johansson", False),  # revoked
        ("sandbox-grace-abernathy", False),  # a scanned form
    ],
)
async def test_only_what_the_consents_in_hapi_permit_is_offered(product: Product, patient: str, with_ai: bool) -> None:
    async with open_visit(product, patient) as visit:
        view = await visit.view()
        ways = {way["id"] for way in view["ways"] if way["offered"]}
        assert ways - {"record"} == ({"dictate", "type", "tidy", "write"} if with_ai else {"write"})
        assert ("record" in ways) == (patient != BRUNO and with_ai)  # he refused to be recorded
        [drafting] = [consent for consent in view["consents"] if consent["activity"] == "ai-drafting"]
        assert drafting["permitted"] is with_ai
        assert drafting["words"].endswith(".")
        grounds = {(ground["reference"].split("/_history")[0], ground["effect"]) for ground in drafting["grounds"]}
        if patient == ADA:
            assert (f"Consent/{ADA}-ai-drafting", "permit") in grounds
        if patient == "sandbox-dmitri-okoye":
            assert (f"Consent/{patient}-ai-drafting", "deny") in grounds
        refused = await visit.post("way", {"way": "type", "format": "soap"})
        assert refused.status_code == (200 if with_ai else 409)


async def test_a_refusal_during_the_visit_is_seen_before_the_draft_and_a_new_yes_by_the_next_visit(product) -> None:
    async with open_visit(product, BRUNO) as visit:
        await visit.post("way", {"way": "type", "format": "soap"})
        await visit.post("typed", {"text": NOTE, "observations": ""})
        product.act_in_chart(BRUNO, "ai-drafting", "deny")
        await visit.post("draft", {"format": "soap"})
        view = await visit.settle("choosing")
        assert not next(way for way in view["ways"] if way["id"] == "type")["offered"]
        assert (view["sections"], view["segments"]) == ([], [])
    product.act_in_chart(BRUNO, "ai-drafting", "permit")
    async with open_visit(product, BRUNO) as visit:
        assert (await visit.post("way", {"way": "type", "format": "soap"})).status_code == 200


async def test_a_consent_that_is_revoked_after_the_review_stops_the_filing(product, hapi: HapiServer) -> None:
    async with open_visit(product, JONAS) as visit:
        await visit.type_note(NOTE)
        view = await visit.accept_all()
        product.act_in_chart(JONAS, f"{JONAS}-telehealth", "revoke")
        since = hapi.mark_now()
        await visit.post("file", {"attested": True, "version": view["version"]})
        view = await visit.settle("choosing")
        assert next(one for one in view["consents"] if one["activity"] == "telehealth")["permitted"] is False
        assert hapi.list_written(since) == []


@pytest.mark.parametrize("fault", ["drop-reply", "reset-body", "stall"])
async def test_a_note_whose_answer_was_lost_is_found_and_not_doubled(product, hapi: HapiServer, fault: str) -> None:
    since = hapi.mark_now()
    async with open_visit(product, ADA) as visit:
        await visit.type_note(NOTE)
        await visit.accept_all()
        product.arm(fault, kind="create", type="DocumentReference", seconds=0.5)
        view = await visit.file()
        assert view["outcome"] == "filed"
        document, [_] = await find_filed(hapi, visit)
    assert [one for one in hapi.list_written(since) if one.startswith("DocumentReference/")] == [
        f"DocumentReference/{document['id']}/_history/1"
    ]


async def test_filing_twice_at_the_same_moment_leaves_one_note(product: Product, hapi: HapiServer) -> None:
    since = hapi.mark_now()
    async with open_visit(product, ADA) as visit:
        await visit.type_note(NOTE)
        version = (await visit.accept_all())["version"]
        body = {"attested": True, "version": version}
        replies = await asyncio.gather(*(visit.post("file", body) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
        await visit.settle("ended")
        document, [provenance] = await find_filed(hapi, visit)
    assert hapi.list_written(since) == [
        f"DocumentReference/{document['id']}/_history/1",
        f"Provenance/{provenance['id']}/_history/1",
    ]


async def test_a_note_that_the_index_does_not_show_yet_is_not_doubled_by_the_next_try(product, hapi) -> None:
    async with open_visit(product, ADA) as visit:
        await visit.type_note(NOTE)
        await visit.accept_all()
        product.arm("stale-search", kind="search", type="DocumentReference", times=3)
        product.arm("drop-reply", kind="create", type="DocumentReference")
        view = await visit.file()
        assert (view["phase"], view["problem"]["code"]) == ("reviewing", "filing.unknown")
        view = await visit.file()
        assert view["outcome"] == "filed"
        document, [_] = await find_filed(hapi, visit)
    [identifier] = document["identifier"]
    assert identifier["system"] == IDENTIFIER_SYSTEM
    assert len(hapi.search("DocumentReference", identifier=f"{IDENTIFIER_SYSTEM}|{identifier['value']}")) == 1
