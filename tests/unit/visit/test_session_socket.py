"""The session's WebSocket as the front talks to it: a real server on a Unix socket, a desk that a test scripts."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from gateway.errors import CaptureError, LedgerError
from gateway.front.visit_socket import VisitSocket
from gateway.visit.session_socket import add_session_route
from gateway.visit.web_socket import MAX_MESSAGE_BYTES, ForgetfulSocket
from tests.unit.front.scripted_desk import ScriptedDesk, make_frame

BEGIN = '{"begin": {"channels": ["room", "call"]}}'
PCM = b"\x01\x02" * 4000


@pytest.fixture
async def desk() -> ScriptedDesk:
    return ScriptedDesk()


@pytest.fixture
async def path(desk: ScriptedDesk, own_folder: Path) -> AsyncIterator[Path]:
    app = FastAPI()
    add_session_route(app, lambda: desk)
    path = own_folder / "visit.sock"
    config = uvicorn.Config(
        app,
        uds=str(path),
        log_config=None,
        ws=ForgetfulSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield path
    server.should_exit = True
    await serving


@pytest.fixture
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.fixture
async def page(path: Path) -> AsyncIterator[VisitSocket]:
    socket = await VisitSocket.connect(path, "/api/session")
    yield socket
    await socket.close(1000)


async def hear(page: VisitSocket, seconds: float = 5.0) -> object:
    async with asyncio.timeout(seconds):
        message = await page.receive()
    return None if message is None else json.loads(message)


async def hear_to_the_end(page: VisitSocket) -> list[object]:
    heard = []
    while (message := await hear(page)) is not None:
        heard.append(message)
    return heard


async def test_a_frame_is_handed_on_as_it_came_and_acknowledged_at_once(page, desk) -> None:
    await page.send(BEGIN)
    await page.send(make_frame(0, 0, PCM))
    assert await hear(page, 0.09) == {"ack": {"channel": "room", "number": 1, "start": 4000}}
    assert desk.frames == [make_frame(0, 0, PCM)]
    assert desk.calls == [("begin", ("room", "call"))]


async def test_acks_of_a_stream_come_together_the_newest_of_each_channel(page, desk) -> None:
    await page.send(BEGIN)
    for number in range(100):
        for channel in (0, 1):
            await page.send(make_frame(number, number * 4000, PCM, channel))
    last = {}
    heard = 0
    while [last.get(name) for name in ("room", "call")] != [100, 100]:
        ack = (await hear(page))["ack"]
        last[ack["channel"]], heard = ack["number"], heard + 1
    assert heard < 40
    assert len(desk.frames) == 200


async def test_commands_reach_the_desk_and_a_strike_is_answered(page, desk) -> None:
    await page.send(BEGIN)
    await page.send('{"pause": 16000}')
    await page.send('{"resume": 32000}')
    await page.send('{"mark": {"speaker": "patient", "from": 0, "to": 800}}')
    await page.send('{"strike": {"seconds": 120, "now": 2000000}}')
    assert await hear(page) == {"struck": {"from": 80_000}}
    assert desk.calls[1:] == [
        ("pause", 16_000),
        ("resume", 32_000),
        ("mark", "patient", 0, 800),
        ("strike", 120.0, 2_000_000),
    ]


async def test_finish_acknowledges_what_is_there_and_closes(page, desk) -> None:
    await page.send(BEGIN)
    for number in range(3):
        await page.send(make_frame(number, number * 4000, PCM))
    await page.send('{"finish": {"room": 3}}')
    heard = await hear_to_the_end(page)
    assert heard[-1] == {"ack": {"channel": "room", "number": 3, "start": 12_000}}
    assert page.close_code == 1000
    assert desk.calls[-1] == ("finish", {"room": 3})


@pytest.mark.parametrize(
    "garbled",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"begin": null}',
        BEGIN,
        '{"pause": -1}',
        '{"pause": 1.5}',
        '{"pause": "1"}',
        '{"pause": {"at": 1}}',
        '{"pause": 1, "resume": 2}',
        '{"pause": 1, "resume": null}',
        '{"strike": {"seconds": 1e999, "now": 1}}',
        '{"strike": {"seconds": NaN, "now": 1}}',
        '{"finish": {"a": 1, "b": 1, "c": 1}}',
        '{"pause": 1' + " " * 5000 + "}",
    ],
)
async def test_what_is_garbled_is_refused_and_the_connection_closed(page, desk, garbled) -> None:
    await page.send(BEGIN)
    await page.send(garbled)
    (said,) = await hear_to_the_end(page)
    assert said["refused"]["code"] == "session.garbled"
    assert page.close_code == 4400
    assert desk.calls == [("begin", ("room", "call"))]


async def test_a_begin_is_told_where_each_channel_goes_on(page, desk) -> None:
    desk.says_where = True
    await page.send(BEGIN)
    assert [await hear(page), await hear(page)] == [
        {"ack": {"channel": "room", "number": 0, "start": 0}},
        {"ack": {"channel": "call", "number": 0, "start": 0}},
    ]


@pytest.mark.parametrize("first", [b"sound before begin", '{"pause": 1}', '{"begin": {"channels": []}}'])
async def test_nothing_comes_before_begin(page, desk, first) -> None:
    await page.send(first)
    (said,) = await hear_to_the_end(page)
    assert said["refused"]["code"] == "session.garbled"
    assert page.close_code == 4400
    assert desk.calls == desk.frames == []


async def test_a_begin_that_is_not_permitted_is_refused(page, desk) -> None:
    desk.permitted = False
    await page.send(BEGIN)
    assert await hear_to_the_end(page) == [
        {"refused": {"code": "consent.recording", "message": "Recording is not permitted any more."}}
    ]
    assert page.close_code == 4403


@pytest.mark.parametrize(
    ("fault", "code"), [(CaptureError("frames.clock", "A."), 4400), (LedgerError("ledger.disk", "B."), 4403)]
)
async def test_a_desk_that_refuses_a_frame_ends_the_connection(page, desk, fault, code) -> None:
    desk.fault = fault
    await page.send(BEGIN)
    await page.send(make_frame(0, 0, PCM))
    assert await hear_to_the_end(page) == [{"refused": {"code": fault.code, "message": fault.public}}]
    assert page.close_code == code


async def test_a_desk_that_fails_breaks_the_connection_off_without_a_word(page, desk) -> None:
    desk.fault = RuntimeError("words of a patient")
    await page.send(BEGIN)
    await page.send(make_frame(0, 0, PCM))
    assert await hear_to_the_end(page) == []
    assert page.close_code is None


async def test_the_visit_may_close_the_capture_while_a_frame_is_being_taken(page, desk) -> None:
    desk.going.clear()
    await page.send(BEGIN)
    await page.send(make_frame(0, 0, PCM))
    await asyncio.sleep(0.05)
    desk.is_closed.set()
    assert await hear_to_the_end(page) == []
    assert page.close_code == 4403


async def test_a_message_beyond_the_limit_ends_the_connection(page, desk) -> None:
    await page.send(BEGIN)
    await page.send(bytes(MAX_MESSAGE_BYTES + 1))
    assert await hear_to_the_end(page) == []
    assert page.close_code == 1009
    assert desk.frames == []


async def test_the_next_connection_waits_until_the_one_before_was_read(page, path, desk) -> None:
    desk.going.clear()
    await page.send(BEGIN)
    await page.send(make_frame(0, 0, PCM))
    await page.send(make_frame(1, 4000, PCM))
    await page.close(1001)
    opening = asyncio.create_task(VisitSocket.connect(path, "/api/session"))
    await asyncio.sleep(0.1)
    assert not opening.done()
    desk.going.set()
    again = await opening
    await again.send(BEGIN)
    await again.send(make_frame(2, 8000, PCM))
    assert (await hear(again))["ack"]["number"] == 3
    assert desk.frames == [make_frame(number, number * 4000, PCM) for number in range(3)]
    await again.close(1000)
