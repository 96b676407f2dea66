"""Consent followed at a real server: the front's own Subscription, HAPI's own notification, and its deletion."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.ehr.site import EhrSite
from gateway.front.notifying import ConsentNotices, create_notify_route
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines
from tests.hapi.definitions import PROFILES, HapiServer, read_json
from tests.unit.front.conftest import FixedAccess

pytestmark = pytest.mark.hapi
PATIENCE_SECONDS = 60  # HAPI activates a Subscription when it comes to it
QUIET_SECONDS = 5


class Listening:
    """A front's side of notifications, on a real port of this machine."""

    def __init__(self, hapi: HapiServer, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl", b"k" * 32)
        self.file = folder / "ledger.jsonl"
        self.config = uvicorn.Config(None, port=0, log_config=None, lifespan="off")
        self.listener = self.config.bind_socket()
        address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        access = {"hapi": FixedAccess()}
        verify = ssl.create_default_context()
        self.notices = ConsentNotices(access, verify, self.ledger, address, secrets.token_urlsafe)
        self.config.app = Starlette(routes=[create_notify_route(self.notices)])
        self.heard: dict[str, int] = {}
        given = {"id": "hapi", "name": "HAPI", "issuer": hapi.base, "client": {"id": "c"}, "backend": {"id": "b"}}
        self.site = EhrSite.model_validate({**given, "consent": {"subscription": True}})

    def follow(self, patient: str, until: datetime) -> None:
        async def hear() -> None:
            self.heard[patient] = self.heard.get(patient, 0) + 1

        self.notices.follow(f"visit-{patient}", self.site, patient, until, hear)

    def outcomes(self, event: str) -> list[str]:
        lines = [line.fields for line in read_lines(self.file)]
        return [line["outcome"] for line in lines if line["event"] == event and "outcome" in line]


@pytest.fixture
async def listening(hapi: HapiServer, tmp_path: Path) -> AsyncIterator[Listening]:
    listening = Listening(hapi, tmp_path)
    server = uvicorn.Server(listening.config)
    serving = asyncio.create_task(server.serve(sockets=[listening.listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listening
    await listening.notices.stop()
    server.should_exit = True
    await serving
    listening.listener.close()
    listening.ledger.close()


async def wait_until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.2)


async def test_a_change_of_consent_is_told_and_another_patients_is_not(hapi: HapiServer, listening: Listening) -> None:
    tag = secrets.token_hex(4)
    ada, bo = f"notices-ada-{tag}", f"notices-bo-{tag}"
    for patient in (ada, bo):
        hapi.put({"resourceType": "Patient", "id": patient})
    example = read_json(sorted((PROFILES / "examples").glob("Consent-*.json"))[0])
    kept = {"resourceType", "status", "scope", "category", "dateTime", "policyRule", "provision"}
    consent = {name: value for name, value in example.items() if name in kept}

    def write(patient: str, status: str) -> dict[str, Any]:
        given = {"id": f"consent-{patient}", "patient": {"reference": f"Patient/{patient}"}, "status": status}
        return hapi.put({**consent, **given})

    until = datetime.now(UTC) + timedelta(hours=1)
    listening.follow(ada, until)
    listening.follow(bo, until)
    await wait_until(lambda: listening.outcomes("front:subscription:create") == ["done", "done"])
    own = [one for one in hapi.search("Subscription") if one["criteria"] == f"Consent?patient={ada}"]
    assert len(own) == 1
    await wait_until(lambda: hapi.read(f"Subscription/{own[0]['id']}")["status"] == "active")

    def provoke() -> bool:
        """HAPI may call a Subscription active a moment before it sends: so until something comes, change it again."""
        write(ada, "inactive" if hapi.search("Consent", patient=ada, status="active") else "active")
        return ada in listening.heard

    await wait_until(provoke)
    await asyncio.sleep(QUIET_SECONDS)
    assert bo not in listening.heard
    before = listening.heard[ada]
    write(ada, "rejected")
    await wait_until(lambda: listening.heard[ada] > before)
    listening.notices.end(f"visit-{ada}")
    await wait_until(lambda: listening.outcomes("front:subscription:delete") == ["done"])
    assert hapi.http.get(f"{hapi.base}/Subscription/{own[0]['id']}").status_code == 410
    await asyncio.to_thread(write, bo, "active")
    await wait_until(lambda: bo in listening.heard)
