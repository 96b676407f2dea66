"""The sandbox EHR in Chromium: HL7's own JavaScript client launches against it, and a clinician works in its chart."""

import asyncio
import base64
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from gateway.sandbox.app import Sandbox, create_sandbox
from gateway.sandbox.settings import SandboxSettings
from gateway.sandbox.smart.clients import Client
from gateway.sandbox.smart.scopes import parse_scopes
from tests.browser.appearance import ALL_SIZES, PANEL, list_faults

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).resolve().parent / "fhirclient"
LIBRARY = FOLDER / "node_modules" / "fhirclient" / "build" / "fhir-client.pure.js"
SCOPES = "launch openid fhirUser online_access patient/Patient.r patient/Encounter.rs user/Practitioner.r"
LAUNCH_PAGE = """<!doctype html><script src="/fhir-client.js"></script><script>
FHIR.oauth2.authorize({ %s clientId: "fhirclient-test", scope: "%s", redirectUri: "/app.html", pkceMode: "required" });
</script>"""

APP_PAGE = """<!doctype html><pre id="result"></pre><script src="/fhir-client.js"></script><script>
(async () => {
  const client = await FHIR.oauth2.ready();
  const before = client.state.tokenResponse.access_token;
  const patient = await client.patient.read();
  const user = await client.user.read();
  await client.refresh();
  const encounter = await client.request(`Encounter/${client.encounter.id}`);
  const other = await client.request("Patient/bruno-castellan").then(() => "read", (error) => error.status);
  return { patient: patient.id, user: user.id, encounter: encounter.id, other,
           refreshed: client.state.tokenResponse.access_token !== before };
})().catch((error) => ({ error: String(error) })).then((found) => {
  document.getElementById("result").textContent = JSON.stringify(found);
});
</script>"""

# Stands in for the gateway: says what a framed app may do.
FRAMED_PAGE = """<!doctype html><title>app</title><p id="microphone">asking</p><script>
navigator.mediaDevices.getUserMedia({ audio: true }).then(() => "granted", (error) => error.name).then((words) => {
  document.getElementById("microphone").textContent = words;
});
</script>"""


@dataclass(frozen=True)
class Running:
    """A sandbox on 127.0.0.1 and an app on localhost, as cross-site as an EHR and an app are."""

    ehr: str
    app: str
    sandbox: Sandbox
    launches: list[dict[str, str]]
    run: Callable[[Any], Any]


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a thread of its own: Playwright's loop holds this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def listen() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def serve(application: Any, listener: socket.socket) -> tuple[uvicorn.Server, threading.Thread]:
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.02)
    return server, thread


@pytest.fixture
def running() -> Iterator[Running]:
    with listen() as ehr_socket, listen() as app_socket:
        ehr = f"http://127.0.0.1:{ehr_socket.getsockname()[1]}"
        app = f"http://localhost:{app_socket.getsockname()[1]}"
        scopes = parse_scopes(f"{SCOPES} launch/patient launch/encounter")
        client = Client("fhirclient-test", "HL7's JavaScript client", "public", scopes, (f"{app}/app.html",))
        sandbox_app = create_sandbox(SandboxSettings(origin=ehr, gateway_url=app, extra_clients=(client,)))
        alone = SCOPES.replace("launch ", "launch/patient launch/encounter ")
        launches: list[dict[str, str]] = []

        async def start(http: Request) -> Response:
            """The gateway's launch address; for fhirclient its own launch page."""
            launches.append(dict(http.query_params))
            return HTMLResponse(FRAMED_PAGE)

        pages = Starlette(
            routes=[
                Route("/launch", start),
                Route("/launch.html", lambda _: HTMLResponse(LAUNCH_PAGE % ("", SCOPES))),
                Route("/standalone.html", lambda _: HTMLResponse(LAUNCH_PAGE % (f'iss: "{ehr}/fhir",', alone))),
                Route("/app.html", lambda _: HTMLResponse(APP_PAGE)),
                Route("/fhir-client.js", lambda _: FileResponse(LIBRARY)),
            ]
        )
        servers = [serve(sandbox_app, ehr_socket), serve(pages, app_socket)]
        try:
            yield Running(ehr, app, sandbox_app.state.sandbox, launches, run_apart)
        finally:
            for server, thread in servers:
                server.should_exit = True
                thread.join(timeout=10)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


@pytest.fixture(scope="module")
def fhirclient() -> Path:
    """HL7's client, installed from its lock file on first use."""
    if not LIBRARY.exists():
        if shutil.which("npm") is None:
            pytest.skip("no npm: Node.js installs HL7's JavaScript client for this test")
        done = subprocess.run(["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip("npm could not install HL7's JavaScript client (is the npm registry reachable?)")
    return LIBRARY


def read_result(page: Page) -> dict[str, Any]:
    expect(page.locator("#result")).to_have_text(re.compile(r"^\{"))
    return json.loads(page.locator("#result").inner_text())


def test_hl7s_javascript_client_launches_from_the_ehr_reads_and_refreshes(
    running: Running, page: Page, fhirclient: Path
) -> None:
    launch = page.request.post(
        f"{running.ehr}/launch", data={"patient": "ada-marlowe", "encounter": "ada-marlowe-today"}
    ).json()
    page.goto(f"{running.app}/launch.html?iss={launch['iss']}&launch={launch['launch']}")
    assert read_result(page) == {
        "patient": "ada-marlowe",
        "user": "mara-ellison",
        "encounter": "ada-marlowe-today",
        "other": 403,
        "refreshed": True,
    }


def test_the_clinician_chooses_patient_and_visit_in_a_standalone_launch(
    running: Running, page: Page, fhirclient: Path
) -> None:
    page.goto(f"{running.app}/standalone.html")
    page.get_by_role("button", name="Bruno Castellan").click()
    page.get_by_role("button", name="Individual psychotherapy").click()
    result = read_result(page)
    assert (result["patient"], result["encounter"]) == ("bruno-castellan", "bruno-castellan-today")


def test_countersign_opens_beside_the_chart_with_visit_and_microphone(running: Running, page: Page) -> None:
    page.goto(f"{running.ehr}/patient/ada-marlowe")
    page.get_by_role("button", name="Open Countersign").click()
    expect(page.frame_locator("#frame iframe").locator("#microphone")).to_have_text("granted")
    launch = running.launches[0]
    assert launch["iss"] == f"{running.ehr}/fhir"
    context = running.sandbox.grants.take_launch(launch["launch"])
    assert (context.user, context.patient, context.encounter) == (
        "Practitioner/mara-ellison",
        "ada-marlowe",
        "ada-marlowe-today",
    )
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#frame iframe")).to_have_count(0)


def test_in_a_narrow_window_chart_and_countersign_take_turns(running: Running, page: Page) -> None:
    page.set_viewport_size(PANEL)
    page.goto(f"{running.ehr}/patient/ada-marlowe")
    page.get_by_role("button", name="Open Countersign").click()
    expect(page.frame_locator("#frame iframe").locator("#microphone")).to_have_text("granted")
    expect(page.locator("#record")).to_be_hidden()
    page.get_by_role("button", name="Chart").click()
    expect(page.locator("#record")).to_be_visible()
    page.get_by_role("button", name="Open Countersign").click()
    expect(page.frame_locator("#frame iframe").locator("#microphone")).to_be_visible()
    assert len(running.launches) == 1


def test_countersign_opens_in_a_tab(running: Running, page: Page) -> None:
    page.goto(f"{running.ehr}/patient/ada-marlowe")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="In a tab").click()
    opened.value.wait_for_url(f"{running.app}/launch*")
    assert len(running.launches) == 1


def test_a_draft_appears_while_the_chart_is_open_and_is_signed_and_locked(running: Running, page: Page) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/record")):  # what is new is new since then
        page.goto(f"{running.ehr}/patient/ada-marlowe")
    page.get_by_role("button", name="Open Countersign").click()
    expect(page.frame_locator("#frame iframe").locator("#microphone")).to_have_text("granted")
    hostile = "<script>window.hit = 1</script> sleeps five hours"
    note_id = running.run(plant_draft(running.sandbox, hostile))["id"]
    draft = page.locator(".note.draft")
    expect(draft.locator(".text")).to_have_text(hostile)
    expect(page.locator("#message")).to_have_text("A draft has arrived and awaits your signature.")
    assert page.evaluate("window.hit") is None
    draft.get_by_role("button", name="Sign").click()
    expect(page.locator("#message")).to_have_text("Signed. The note is final and locked.")
    expect(page.locator(".note.draft")).to_have_count(0)
    expect(page.locator("#frame iframe")).to_have_count(1)  # the visit in the frame is not lost by signing
    signed = running.run(running.sandbox.record.read("DocumentReference", note_id))
    assert (signed["docStatus"], signed["meta"]["versionId"]) == ("final", "2")
    assert signed["authenticator"] == {"reference": "Practitioner/mara-ellison"}


def test_the_clinician_revokes_a_consent_by_keyboard_alone(running: Running, page: Page) -> None:
    page.goto(f"{running.ehr}/patient/ada-marlowe")
    revoke = page.locator("#revoke-ada-marlowe-recording")
    revoke.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_have_text("The consent is revoked from now on.")
    expect(page.locator(".mark.revoked")).to_have_count(1)
    consent = running.run(running.sandbox.record.read("Consent", "ada-marlowe-recording"))
    assert consent["status"] == "inactive"


def test_the_pages_fit_a_narrow_panel_and_have_no_accessibility_violation(running: Running, page: Page) -> None:
    running.run(plant_draft(running.sandbox, "Draft"))
    faults = []
    for path in ("/", "/patient/ada-marlowe", "/patient/clara-nystrom", "/patient/nobody"):
        page.goto(running.ehr + path)
        faults += [f"{path} {fault}" for fault in list_faults(page, sizes=ALL_SIZES)]
    assert faults == []


async def plant_draft(sandbox: Sandbox, text: str) -> dict[str, Any]:
    """An app's preliminary note, as it stands in the record."""
    signed = await sandbox.record.read("DocumentReference", "ada-marlowe-7d-note")
    kept = {name: value for name, value in signed.items() if name not in ("id", "meta", "authenticator")}
    data = base64.b64encode(text.encode()).decode()
    attachment = {"contentType": "text/plain;charset=utf-8", "data": data}
    return await sandbox.record.create({**kept, "docStatus": "preliminary", "content": [{"attachment": attachment}]})
