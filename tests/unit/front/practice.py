"""A real sandbox server as the EHR, and a gateway's configuration that names it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn

from gateway.app import LEDGER_FILE, read_record
from gateway.consent.record import ConsentRecord
from gateway.ehr.backend_services import BackendAccess
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.ehr.site import EhrSite, read_sites
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines
from gateway.sandbox.app import create_sandbox
from gateway.sandbox.settings import SandboxSettings
from gateway.settings import ROOT, Settings, read_settings
from gateway.store.sealing import read_key

ADA, JONAS = "ada-marlowe", "jonas-telford"


@dataclass
class Practice:
    """A real sandbox server, and a gateway's folders that name it."""

    settings: Settings
    site: EhrSite
    sandbox: Any

    def entries(self) -> list[dict[str, Any]]:
        return [line.fields for line in read_lines(self.settings.state / LEDGER_FILE)]

    def hold_ledger(self) -> Ledger:
        return Ledger(self.settings.state / LEDGER_FILE, read_key(self.settings.state / "audit.key"))

    def make_access(self, http: httpx.AsyncClient, scopes: str) -> BackendAccess:
        """The backend client, for these scopes."""
        credential = read_credentials([self.site], self.settings.state, {}).backends["sandbox"]
        return BackendAccess(http, Discovery(http, _now), self.site, credential, _now, lambda: str(uuid4()), scopes)

    async def read(self, patient: str = ADA) -> ConsentRecord:
        """As the command does, whose loop is its own."""
        return await asyncio.to_thread(read_record, self.settings, self.site, patient)


@asynccontextmanager
async def open_practice(folder: Path) -> AsyncIterator[Practice]:
    """Both, in a folder of its own; the sandbox reads the client's keys from there, whether a gateway runs or not."""
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "state").mkdir(mode=0o700)
    settings = read_settings(folder / "config", state_dir=folder / "state")
    keys: dict[str, Any] = {}

    async def fetch(url: str) -> dict[str, Any]:
        return read_credentials([keys["site"]], settings.state, {}).public_jwks()

    config = uvicorn.Config(None, port=0, log_config=None, lifespan="on")
    listener = config.bind_socket()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    file = settings.config_dir / "ehrs" / "sandbox.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("http://127.0.0.1:9000", origin), encoding="utf-8")
    keys["site"] = read_sites(file.parent)["sandbox"]
    config.app = create_sandbox(SandboxSettings(origin=origin, fetch=fetch))
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield Practice(settings, keys["site"], config.app.state.sandbox)
    server.should_exit = True
    await serving
    listener.close()


def _now() -> datetime:
    return datetime.now(UTC)
