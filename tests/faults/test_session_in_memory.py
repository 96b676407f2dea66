"""A recorded session's sound and words are in its own visit alone while it runs, and nowhere once it is over.

Everything is the real thing: the front, the fork server, the engines with tiny models that hear and write marked
sentences. Each mark is words that no file holds side by side, so whoever holds them has heard or read them.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import psutil
import pytest
import soundfile
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.bench.browser import PlainBrowser
from tests.browser.conftest import SAMPLE
from tests.browser.demo_servers import Product, run_product
from tests.faults.memory import can_scan, count_each, spell
from tests.unit.front.conftest import make_folder
from tests.unit.front.scripted_desk import make_frame

pytestmark = pytest.mark.processes
LATER_SECONDS = 1.0  # the front may hold what passed for so long after the last byte
RATE, FRAME = 16_000, 4_000
HEARD = "I slept badly since the quince lantern broke on Monday."
SCRIPT = {"The patient ": "slept badly since the lantern broke."}
NOTES = "Slept badly, up at four with the umber thimble. \N{CYRILLIC SMALL LETTER ZHE}"  # two bytes a letter in Python
OBSERVED = "Calm, but for the sorrel gimbal. \N{SLEEPING FACE}"  # four
NOISE = np.random.default_rng().integers(-2000, 2000, 32, np.int16)  # 2 ms of sound, as nobody else has it
MARKS = {
    "sound": NOISE.tobytes(),
    "sound that is heard": (NOISE / np.float32(32768)).tobytes(),
    **{f"heard, {coding}": mark for coding, mark in spell("quince lantern").items()},
    **{f"drafted, {coding}": mark for coding, mark in spell("patient slept badly since").items()},
    **{f"typed, {coding}": mark for coding, mark in spell("umber thimble").items()},
    **{f"observed, {coding}": mark for coding, mark in spell("sorrel gimbal").items()},
}
HELD = {"sound", "heard, utf-8", "typed, utf-16-le", "observed, utf-32-le"}  # what is heard of sound goes at once


@dataclass
class Session:
    """A page in a visit whose session is recorded, and the processes around it."""

    product: Product
    browser: PlainBrowser
    address: str
    visit: int
    neighbour: int  # another patient's visit

    def post(self, path: str, **body: Any) -> None:
        self.browser.post(urljoin(self.address, f"api/{path}"), json=body)

    async def send(self, sound: np.ndarray) -> None:
        """All of it, acknowledged to the last frame, and its end."""
        address = urljoin(self.address, "api/session").replace("http", "ws", 1)
        headers = {"cookie": self.browser._headers()["cookie"]}
        async with connect(
            address, origin=Origin(self.product.gateway), additional_headers=headers, proxy=None
        ) as page:
            await page.send('{"begin": {"channels": ["room"]}}')
            starts = range(0, len(sound), FRAME)
            for number, start in enumerate(starts):
                await page.send(make_frame(number, start, sound[start : start + FRAME].tobytes()))
            async with asyncio.timeout(20):
                while json.loads(await page.recv())["ack"]["number"] < len(starts):
                    pass

    def wait_for_words(self) -> None:
        by = time.monotonic() + 60
        while not any("quince" in one["text"] for one in self.browser.view(self.address)["segments"]):
            assert time.monotonic() < by
            time.sleep(0.2)

    def confirm_marked(self, view: dict[str, Any]) -> None:
        """Each line that is to be decided was heard well."""
        for line in (view["segments"][number - 1] for number in view["marks"]):
            self.post("segment", number=line["number"], heard=line["text"], text=line["text"])

    def list_others(self) -> dict[str, int]:
        """Every process of the gateway but this visit's."""
        serve = psutil.Process(self.product.serve.pid)
        front = next(child for child in serve.children() if "gateway.app" in child.cmdline())
        forks = next(child for child in serve.children() if child.pid != front.pid)
        others = {"supervisor": serve.pid, "front": front.pid, "fork server": forks.pid}
        visits = {f"visit {child.pid}": child.pid for child in forks.children() if child.pid != self.visit}
        assert self.neighbour in visits.values()
        return {**others, **visits}

    def scan_others(self) -> dict[str, int]:
        """``process: mark`` of each that is anywhere it may not be, and how often."""
        found = {name: count_each(pid, MARKS) for name, pid in self.list_others().items()}
        return {f"{name}: {mark}": count for name, marks in found.items() for mark, count in marks.items() if count}


def read_sound(seconds: int = 30) -> np.ndarray:
    """int16 (samples,): speech, and the mark in each tenth of a second of it."""
    speech, rate = soundfile.read(SAMPLE, dtype="int16")
    assert rate == RATE
    sound = np.resize(speech, seconds * RATE)
    for start in range(0, len(sound), RATE // 10):
        sound[start : start + len(NOISE)] = NOISE
    return sound


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with make_folder() as folder, run_product(folder, heard=HEARD, drafted=SCRIPT) as running:
        yield running


@pytest.fixture
def session(product: Product) -> Iterator[Session]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield from open_session(product, http)


def open_session(product: Product, http: httpx.Client) -> Iterator[Session]:
    browser, opened = PlainBrowser(http), []
    pids: list[int] = []
    for patient in ("henry-quill", "ada-marlowe"):
        callback = browser.go_to_callback(product.open_launch(patient), f"{product.gateway}/callback")
        opened.append(browser.open_visit(callback))
        browser.wait(opened[-1], "choosing")
        pids += [pid for pid in list_visits(product) if pid not in pids]
    neighbour, visit = pids
    if not can_scan(visit):
        pytest.skip("only root may read these processes' memory")
    yield Session(product, browser, opened[1], visit, neighbour)
    for address, pid in zip(opened, pids, strict=True):
        if psutil.pid_exists(pid):
            browser.post(urljoin(address, "api/cancel"), json={})


def list_visits(product: Product) -> list[int]:
    children = psutil.Process(product.serve.pid).children()
    forks = next(child for child in children if "gateway.front.forkserver" in child.cmdline())
    return [child.pid for child in forks.children()]


HOLDS = "import sys, time; held = sys.stdin.buffer.read(); print(len(held), flush=True); time.sleep(600)"


def test_the_scanner_finds_every_mark_where_it_is_and_none_elsewhere() -> None:
    for held in (b" ".join(MARKS.values()), b"nothing"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", HOLDS], **pipes) as process:  # type: ignore[call-overload]
            process.stdin.write(held)
            process.stdin.close()
            assert int(process.stdout.readline()) == len(held)
            found = {mark for mark, count in count_each(process.pid, MARKS).items() if count}
            process.kill()
        assert found == (set() if held == b"nothing" else set(MARKS))


async def record(session: Session) -> None:
    """A session as far as its words are on the page, with typed notes beside it."""
    session.post("way", way="record", format="soap")
    session.post("capture", do="start")
    session.browser.wait(session.address, "gathering")
    await session.send(read_sound())
    session.wait_for_words()
    session.post("typed", text=NOTES, observations=OBSERVED)


def draft(session: Session) -> dict[str, Any]:
    session.post("capture", do="stop")
    session.browser.wait(session.address, "gathering")
    session.post("draft", format="soap")
    return session.browser.wait(session.address, "reviewing")


async def test_sound_and_words_are_in_the_visit_alone_and_nowhere_once_it_is_filed(session: Session) -> None:
    await record(session)
    time.sleep(LATER_SECONDS)
    assert session.scan_others() == {}
    held = {mark for mark, count in count_each(session.visit, MARKS).items() if count}
    assert held >= HELD

    view = draft(session)
    time.sleep(LATER_SECONDS)
    assert session.scan_others() == {}
    assert count_each(session.visit, MARKS)["drafted, utf-8"]

    session.confirm_marked(view)
    for section in view["sections"]:
        session.post("section", id=section["id"], decision="accepted")
    version = session.browser.view(session.address)["version"]
    session.post("file", attested=True, version=version)
    session.browser.wait(session.address, "ended")
    wait_until_gone(session.visit)
    time.sleep(LATER_SECONDS)
    assert session.scan_others() == {}


@pytest.mark.parametrize("when", ["recording", "reviewing"])
async def test_a_visit_that_is_stopped_leaves_nothing_of_its_session(session: Session, when: str) -> None:
    await record(session)
    if when == "reviewing":
        draft(session)
    session.post("cancel")
    wait_until_gone(session.visit)
    time.sleep(LATER_SECONDS)
    assert session.scan_others() == {}


def wait_until_gone(pid: int) -> None:
    by = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < by
        time.sleep(0.05)
