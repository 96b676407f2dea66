"""A session's WebSocket through a real front server to a real visit process, with a page that a test plays."""

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.front.app import VISIT_COOKIE, create_front
from gateway.front.visits import HeldVisit
from gateway.settings import ROOT
from gateway.visit.web_socket import MAX_MESSAGE_BYTES, ForgetfulSocket
from tests.unit.front.scripted_desk import make_frame
from tests.unit.front.test_app import FilledDesk

pytestmark = pytest.mark.processes
ORIGIN = "https://notes.example.org"
BEGIN = '{"begin": {"channels": ["room", "call"]}}'
PCM = bytes(8000)


@dataclass
class Page:
    """A browser with the visit's cookie."""

    base: str
    held: HeldVisit
    http: httpx.AsyncClient

    @property
    def cookie(self) -> str:
        return f"{VISIT_COOKIE}{self.held.id}={self.held.holding.secret}"

    def connect(self, cookie: str | None = None, origin: str | None = ORIGIN, path: str = "api/session") -> connect:
        headers = {"cookie": self.cookie if cookie is None else cookie}
        address = f"{self.base.replace('http', 'ws', 1)}/visit/{self.held.id}/{path}"
        return connect(address, origin=origin, additional_headers=headers, proxy=None, max_size=None)

    async def ask(self, path: str) -> dict:
        reply = await self.http.get(f"/visit/{self.held.id}/api/{path}", headers={"cookie": self.cookie})
        return reply.json()

    async def tell(self, path: str) -> httpx.Response:
        headers = {"cookie": self.cookie, "origin": ORIGIN}
        return await self.http.post(f"/visit/{self.held.id}/api/{path}", json={}, headers=headers)


@pytest.fixture
async def base(visits, notices, site, context, access) -> AsyncIterator[str]:
    app = create_front(
        {"test": site},
        FilledDesk(site, context, access),
        visits,
        notices,
        public_url=ORIGIN,
        page_dir=ROOT / "smart_app",
        is_ready=lambda: True,
    )
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws=ForgetfulSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def page(base, visits, site, context, access) -> AsyncIterator[Page]:
    held = await visits.start(site)
    await visits.open(held, context, access)
    async with httpx.AsyncClient(base_url=base, timeout=10, trust_env=False) as http:
        yield Page(base, held, http)


async def wait_for_close(socket: ClientConnection, seconds: float = 5.0) -> int | None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None


async def test_frames_reach_the_visit_as_they_were_and_acks_come_back(page) -> None:
    frames = [make_frame(number, number * 4000, os.urandom(8000), number % 2) for number in range(200)]
    async with page.connect() as socket:
        await socket.send(BEGIN)
        for frame in frames:
            await socket.send(frame)
        await socket.send('{"strike": {"seconds": 1, "now": 32000}}')
        heard = []
        while not heard or "struck" not in heard[-1]:
            heard.append(json.loads(await socket.recv()))
    got = await page.ask("sound")
    assert got["sha256"] == hashlib.sha256(b"".join(frames)).hexdigest()
    assert heard[-1] == {"struck": {"from": 16_000}}


async def test_a_visit_loads_nothing_for_its_first_web_socket(page) -> None:
    before = (await page.ask("sound"))["modules"]
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await socket.send(make_frame(0, 0, PCM))
        await socket.recv()
    assert (await page.ask("sound"))["modules"] == before


async def test_finish_closes_both_sides(page) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await socket.send('{"finish": {}}')
        assert await wait_for_close(socket) == 1000


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://notes.example.org", "https://notes.example.org.evil.test"]
)
async def test_another_origin_is_refused_before_there_is_a_web_socket(page, origin) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await page.connect(origin=origin)
    assert refused.value.response.status_code == 403
    assert (await page.ask("sound"))["calls"] == []


async def test_a_browser_that_does_not_hold_the_visit_is_refused(page) -> None:
    for cookie in ("", f"{VISIT_COOKIE}{page.held.id}=guess", f"{VISIT_COOKIE}x={page.held.holding.secret}"):
        with pytest.raises(InvalidStatus) as refused:
            await page.connect(cookie=cookie)
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["error"]["code"] == "visit.browser"


async def test_there_is_one_web_socket_and_no_other(page) -> None:
    for path in ("api/view", "api/session/x", "api/sound", "../../internal/open", ""):
        with pytest.raises(InvalidStatus):
            await page.connect(path=path)


async def test_a_visit_that_nobody_has_is_refused(page) -> None:
    page.held.id += "x"
    with pytest.raises(InvalidStatus) as refused:
        await page.connect()
    assert refused.value.response.status_code == 404


async def test_a_newer_connection_of_the_holder_ends_the_older(page) -> None:
    async with page.connect() as older:
        await older.send(BEGIN)
        async with page.connect() as newer:
            assert await wait_for_close(older) == 4403
            await newer.send(BEGIN)
            await newer.send(make_frame(0, 0, PCM))
            assert json.loads(await newer.recv())["ack"]["number"] == 1


async def test_many_at_once_leave_one(page) -> None:
    sockets = await asyncio.gather(*(page.connect() for _ in range(5)))
    codes = [asyncio.create_task(wait_for_close(socket)) for socket in sockets]
    await asyncio.sleep(1)
    assert sorted(code.result() for code in codes if code.done()) == [4403] * 4
    (left,) = [socket for socket, code in zip(sockets, codes, strict=True) if not code.done()]
    await left.send('{"x": 1}')
    for code in codes:
        await code
    assert codes[sockets.index(left)].result() == 4400


async def test_a_visit_that_moves_closes_the_connection_of_the_browser_before(page, visits) -> None:
    before = page.cookie
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await visits.move(page.held)
        assert await wait_for_close(socket) == 4403
        with pytest.raises(InvalidStatus):
            await page.connect(cookie=before)
        async with page.connect() as again:
            await again.send(BEGIN)
            await again.send(make_frame(0, 0, PCM))
            await again.recv()


async def test_a_visit_that_ends_closes_the_connection(page, visits) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await visits.abandon(page.held)
        assert await wait_for_close(socket) == 4403
    with pytest.raises(InvalidStatus) as refused:
        await page.connect()
    assert refused.value.response.status_code == 409


async def test_a_visit_that_crashes_closes_the_connection(page) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        with contextlib.suppress(httpx.HTTPError):
            await page.tell("crash")
        assert await wait_for_close(socket) == 4403


async def test_a_connection_that_the_visit_breaks_off_may_come_back(page) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await page.tell("sound/fail")
        await socket.send(make_frame(0, 0, PCM))
        assert await wait_for_close(socket) == 1013


async def test_the_visits_own_refusals_and_codes_reach_the_page(page) -> None:
    async with page.connect() as socket:
        await socket.send("not a command")
        assert json.loads(await socket.recv())["refused"]["code"] == "session.garbled"
        assert await wait_for_close(socket) == 4400
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await page.tell("sound/close")
        assert await wait_for_close(socket) == 4403


async def test_a_message_beyond_the_limit_goes_no_further(page) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        with contextlib.suppress(ConnectionClosed):
            await socket.send(bytes(MAX_MESSAGE_BYTES + 1))
        assert await wait_for_close(socket) == 1009
    async with page.connect() as socket:
        await socket.send(BEGIN)
        with contextlib.suppress(ConnectionClosed):
            await socket.send([bytes(40_000)] * 4)  # in parts
        assert await wait_for_close(socket) == 1009
    assert (await page.ask("sound"))["frames"] == 0


async def test_a_visit_without_time_slows_the_page_and_nothing_gathers(page) -> None:
    await page.tell("sound/wait")
    before = psutil.Process().memory_info().rss
    frame = make_frame(0, 0, bytes(64_000))
    sent = 0
    async with page.connect() as socket:
        await socket.send(BEGIN)
        with contextlib.suppress(TimeoutError):
            while sent < 5000:
                async with asyncio.timeout(1):
                    await socket.send(frame)
                sent += 1
        assert sent * len(frame) < 24e6  # this machine's kernel buffers, both legs; 320 MB were to be sent
        assert psutil.Process().memory_info().rss - before < 24e6
        await page.tell("sound/go-on")
        for _ in range(20):
            await socket.send(frame)
        deadline = time.monotonic() + 20
        while (await page.ask("sound"))["frames"] < sent + 20:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_a_visit_that_takes_nothing_for_long_is_given_up_and_the_page_comes_back(page) -> None:
    await page.tell("sound/wait")
    async with page.connect() as socket:
        await socket.send(BEGIN)
        with contextlib.suppress(ConnectionClosed):
            await send_many(socket, 5000)
        assert await wait_for_close(socket) == 1013
    await page.tell("sound/go-on")
    async with page.connect() as socket:
        await socket.send(BEGIN)
        await socket.send(make_frame(0, 0, PCM))
        assert json.loads(await socket.recv())["ack"]["number"] == 1


async def test_http_goes_through_as_before_while_a_session_runs(page) -> None:
    async with page.connect() as socket:
        await socket.send(BEGIN)
        sending = asyncio.create_task(send_many(socket, 200))
        assert (await page.ask("view"))["patient"] == "p1"
        await sending
        assert (await page.tell("echo")).content == b"{}"


async def send_many(socket: ClientConnection, count: int) -> None:
    for number in range(count):
        await socket.send(make_frame(number, number * 4000, PCM))


async def test_ten_minutes_of_two_channels_pass_much_faster_than_they_were_spoken(page) -> None:
    """As a page replays what it held while it was offline: frames of a quarter of a second, as fast as they go."""
    count = 2 * 4 * 600
    frames = [make_frame(number // 2, number // 2 * 4000, os.urandom(8000), number % 2) for number in range(count)]
    async with page.connect() as socket:
        await socket.send(BEGIN)
        began = time.perf_counter()
        sending = asyncio.create_task(send_all(socket, frames))
        acknowledged = {}
        while sum(acknowledged.values()) < count:
            ack = json.loads(await socket.recv())["ack"]
            acknowledged[ack["channel"]] = ack["number"]
        seconds = time.perf_counter() - began
        await sending
    assert (await page.ask("sound"))["sha256"] == hashlib.sha256(b"".join(frames)).hexdigest()
    print(f"relay: 600 s of two channels in {seconds:.2f} s, {600 / seconds:.0f} times real time")
    assert seconds < 60


async def send_all(socket: ClientConnection, frames: list[bytes]) -> None:
    for frame in frames:
        await socket.send(frame)
