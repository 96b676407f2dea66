"""A session's sound is in the visit's memory alone: the front holds nothing of it a second after the last byte."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.front.visit_socket import TAKE_SECONDS
from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import Product, run_product
from tests.faults.memory import can_scan, count_marks
from tests.faults.test_real_visit import find_processes
from tests.unit.front.conftest import make_folder
from tests.unit.front.scripted_desk import HEADER, make_frame

pytestmark = pytest.mark.processes
MARK = os.urandom(64)
QUARTER, WHOLE = MARK * 125, MARK * 1000  # 0.25 s and the longest frame there is, 2 s
LATER_SECONDS = 1.5


@dataclass
class Session:
    """A page in a visit, and the two processes that its sound passes through."""

    browser: PlainBrowser
    address: str
    front: int
    visit: int

    def connect(self) -> connect:
        headers = {"cookie": self.browser._headers()["cookie"]}
        origin = "http://" + self.address.split("/")[2]
        url = urljoin(self.address, "api/session").replace("http", "ws", 1)
        return connect(url, origin=origin, additional_headers=headers, proxy=None)

    def tell(self, what: str) -> None:
        self.browser.post(urljoin(self.address, f"api/sound/{what}"), json={})

    def count_frames(self) -> int:
        return self.browser.get(urljoin(self.address, "api/sound")).json()["frames"]


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with make_folder() as folder, run_product(folder, gateway_module="tests.faults.sounding_visit") as running:
        yield running


@pytest.fixture
def session(product: Product) -> Iterator[Session]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch("ada-marlowe"), f"{product.gateway}/callback")
        address = browser.open_visit(callback)
        browser.wait(address, "choosing")
        processes = find_processes(product)
        session = Session(browser, address, processes["front"].pid, processes["visit"].pid)
        if not (can_scan(session.front) and can_scan(session.visit)):
            pytest.skip("only root may read these processes' memory")
        yield session
        session.tell("go-on")
        browser.post(urljoin(address, "api/cancel"), json={})


@pytest.fixture
async def page(session: Session) -> AsyncIterator[ClientConnection]:
    async with session.connect() as page:
        await page.send('{"begin": {"channels": ["room"]}}')
        yield page


async def send_sound(page: ClientConnection, first: int = 0) -> int:
    """Frames of both lengths, acknowledged to the last."""
    start = first * len(WHOLE)
    for number in range(first, first + 40):
        pcm = WHOLE if number % 4 == 0 else QUARTER
        await page.send(make_frame(number, start, pcm))
        start += len(pcm) // 2
    async with asyncio.timeout(10):
        while json.loads(await page.recv())["ack"]["number"] < first + 40:
            pass
    return first + 40


async def fill(page: ClientConnection) -> int:
    """Send until nothing goes on any more."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 2000:
            async with asyncio.timeout(1):
                await page.send(make_frame(sent, 0, WHOLE))
            sent += 1
    assert 0 < sent < 2000
    return sent


async def test_the_front_holds_nothing_of_what_passed_and_the_visit_does(session, page) -> None:
    number = await send_sound(page)
    await asyncio.sleep(LATER_SECONDS)
    assert count_marks(session.front, MARK) == 0
    assert count_marks(session.visit, MARK) >= 10 * len(WHOLE) // len(MARK)
    await send_sound(page, number)
    await page.close()
    await asyncio.sleep(LATER_SECONDS)
    assert count_marks(session.front, MARK) == 0


async def test_the_scanner_finds_what_waits_in_the_front_and_nothing_once_it_went_on(session, page) -> None:
    session.tell("wait")
    sent = await fill(page)
    assert count_marks(session.front, MARK) > 100
    session.tell("go-on")
    deadline = time.monotonic() + 20
    while session.count_frames() < sent:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await asyncio.sleep(LATER_SECONDS)
    assert count_marks(session.front, MARK) == 0


@pytest.mark.parametrize("how", ["left", "newer", "half a message", "too large"])
async def test_a_connection_that_ends_with_sound_under_way_leaves_nothing_in_the_front(session, page, how) -> None:
    session.tell("wait")
    match how:
        case "half a message":
            await send_half(page)
            page.transport.abort()
        case "too large":
            await page.send(WHOLE * 3)
        case "newer":
            await fill(page)
            newer = asyncio.create_task(_connect(session))
            await page.wait_closed()
            newer.cancel()
            await asyncio.gather(newer, return_exceptions=True)
        case "left":
            await fill(page)
            page.transport.abort()
            await asyncio.sleep(TAKE_SECONDS)  # while it waits for the visit the front does not look at the browser
    await asyncio.sleep(LATER_SECONDS + 1)  # a second for what the visit is still to take
    assert count_marks(session.front, MARK) == 0


async def _connect(session: Session) -> None:
    async with session.connect() as newer:
        await newer.wait_closed()


async def send_half(page: ClientConnection) -> None:
    """The beginning of a frame, by hand; the rest never comes."""
    page.transport.write(b"\x82\xff" + len(WHOLE).to_bytes(8) + bytes(4) + HEADER.pack(1, 0, 0, 0) + QUARTER)
    await asyncio.sleep(0.2)
