"""A sandbox in this process, seen through its chart."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.app import Sandbox, create_sandbox
from gateway.sandbox.settings import SandboxSettings

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=-6)))


@pytest.fixture
async def application() -> Starlette:
    made = create_sandbox(SandboxSettings(clock=lambda: NOON))
    await made.state.sandbox.plant()
    return made


@pytest.fixture
def sandbox(application: Starlette) -> Sandbox:
    found: Sandbox = application.state.sandbox
    return found


@pytest.fixture
async def chart(application: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """The chart's pages, as a program on this machine asks for them."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as http:
        yield http
