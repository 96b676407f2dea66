import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.ehr.site import EhrSite
from gateway.front.environment import forks_socket, make_environment
from gateway.front.supervisor import COMPOSITION
from gateway.settings import ROOT, read_settings

assert COMPOSITION
HERE = Path(__file__).parent


class FixedAccess:
    """Tokens that a test hands out: ``token-1``, after a renewal ``token-2`` and so on."""

    def __init__(self) -> None:
        self.number, self.forgotten = 1, False

    async def take_token(self) -> str:
        return f"token-{self.number}"

    async def renew_token(self, refused: str) -> str:
        self.number += 1
        return f"token-{self.number}"

    def forget(self) -> None:
        self.forgotten = True


@pytest.fixture
def clock():
    return lambda: datetime.now(UTC)


@pytest.fixture
def access() -> FixedAccess:
    return FixedAccess()


@pytest.fixture
def site() -> EhrSite:
    return EhrSite.model_validate(
        {"id": "test", "name": "Test EHR", "issuer": "http://ehr.test/fhir", "client": {"id": "countersign"}}
    )


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import secrets
    import shutil

    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"cs-test-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def fork_server(run_dir: Path, tmp_path: Path) -> AsyncIterator["subprocess.Popen[bytes]"]:
    settings = read_settings(ROOT / "config", state_dir=tmp_path / "state")
    environment = {**make_environment(settings, run_dir), "PYTHONPATH": f"{HERE}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.front.forkserver", "tiny_visit"], env=environment, start_new_session=True
    )
    for _ in range(300):
        if forks_socket(run_dir).exists() or process.poll() is not None:
            break
        await asyncio.sleep(0.05)
    assert process.poll() is None
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(5)
