"""A recorded session as the page sends it: frames of each channel over the visit's WebSocket, and what is seen."""

import asyncio
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import psutil
from websockets.asyncio.client import connect

from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import Product
from tests.weights.spoken import FRAME, Pcm

HEADER = struct.Struct("<BBxxIQ")
AHEAD = 40  # frames on their way without an answer, ten seconds: as fast as the visit takes them
CHANNELS = ("room", "call")


@dataclass
class RecordedVisit:
    """One visit, as its page uses it."""

    browser: PlainBrowser
    address: str
    channels: tuple[str, ...] = CHANNELS
    sent: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(
        cls, product: Product, http: httpx.Client, patient: str = "ada-marlowe", way: str = "record"
    ) -> "RecordedVisit":
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch(patient), f"{product.gateway}/callback")
        visit = cls(browser, browser.open_visit(callback))
        browser.wait(visit.address, "choosing")
        visit.post("way", way=way, format="soap")
        return visit

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.browser.post(urljoin(self.address, f"api/{path}"), json=body).json()
        return answer

    def view(self) -> dict[str, Any]:
        return self.browser.view(self.address)

    def wait(self, is_there: Callable[[dict[str, Any]], bool], seconds: float = 600) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not is_there(view := self.view()):
            assert time.monotonic() < deadline, (view["phase"], view["working"], view["problem"])
            time.sleep(0.1)
        return view

    def start(self) -> None:
        self.post("capture", do="start")
        self.wait(lambda view: view["capture"]["state"] == "on", 20)

    def send(self, *sound: Pcm, speed: float = 0.0) -> None:
        """All of it, the channels side by side; ``speed`` 1 is the pace of talk, 0 as fast as it is taken."""
        asyncio.run(self._send(sound, speed))

    async def _send(self, sound: tuple[Pcm, ...], speed: float) -> None:
        channels = self.channels[: len(sound)]
        headers = {"cookie": self.browser._headers()["cookie"]}
        origin = "http://" + self.address.split("/")[2]
        url = urljoin(self.address, "api/session").replace("http", "ws", 1)
        async with connect(url, origin=origin, additional_headers=headers, proxy=None, max_size=None) as page:
            await page.send(json.dumps({"begin": {"channels": channels}}))
            acked = dict.fromkeys(channels, 0)

            async def listen() -> None:
                async for message in page:
                    if (ack := json.loads(message).get("ack")) is not None:
                        acked[ack["channel"]] = ack["number"]

            listening = asyncio.create_task(listen())
            count = -(-len(sound[0]) // FRAME)
            started = time.monotonic()
            for number in range(count):
                while number - min(acked.values()) > AHEAD:
                    await asyncio.sleep(0.005)
                    assert not listening.done(), "the visit closed the session"
                if speed:
                    await asyncio.sleep(max(0.0, started + number * 0.25 / speed - time.monotonic()))
                for index, pcm in enumerate(sound):
                    part = pcm[number * FRAME : (number + 1) * FRAME]
                    await page.send(HEADER.pack(1, index, number, number * FRAME) + part.tobytes())
            await page.send(json.dumps({"finish": dict.fromkeys(channels, count)}))
            await listening

    def stop(self) -> None:
        self.post("capture", do="stop")

    def wait_until_heard(self, seconds: float = 600) -> dict[str, Any]:
        return self.wait(lambda view: view["working"] is None and view["phase"] == "gathering", seconds)

    def draft(self) -> dict[str, Any]:
        self.post("draft", format="soap")
        return self.browser.wait(self.address, "reviewing", "gathering", every_seconds=0.1)

    def decide_all(self) -> None:
        """As a clinician would, one by one: what is marked as it was heard, risk kept, sections accepted."""
        view = self.view()
        lines = {segment["number"]: segment for segment in view["segments"]}
        for number in view["marks"]:
            self.post("segment", number=number, heard=lines[number]["text"], text=lines[number]["text"])
        for section in self.view()["sections"]:
            for statement in section["statements"]:
                if statement["risk"]:
                    self.post("risk", number=statement["number"], decision="kept")
            self.post("section", id=section["id"], decision="accepted")

    def file(self) -> dict[str, Any]:
        self.post("file", attested=True, version=self.view()["version"])
        return self.browser.wait(self.address, "ended", "reviewing", every_seconds=0.1)


def find_visits(product: Product) -> list[psutil.Process]:
    """The processes of the visits that run: children of the fork server."""
    server = [one for one in product.list_processes() if "gateway.front.forkserver" in " ".join(one.cmdline())]
    pids = {one.pid for one in server}
    return [one for one in product.list_processes() if one.ppid() in pids]


@contextmanager
def watch_memory(product: Product, every_seconds: float = 2.0) -> Iterator[dict[str, float]]:
    """The most that the gateway's processes took together, in MB: what they share is counted once (PSS)."""
    peak = {"mb": 0.0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_seconds):
            serving = [
                product.serve.pid,
                *(one.pid for one in psutil.Process(product.serve.pid).children(recursive=True)),
            ]
            peak["mb"] = max(peak["mb"], sum(map(read_pss_mb, serving)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def read_pss_mb(pid: int) -> float:
    """Its memory, of what it shares its share. 0 for a process that is gone."""
    return _read_mb(pid, "Pss:")


def read_private_mb(pid: int) -> float:
    """Memory that is its own alone. 0 for a process that is gone."""
    return _read_mb(pid, "Private_Clean:", "Private_Dirty:")


def _read_mb(pid: int, *names: str) -> float:
    """Linux, ``smaps_rollup``; of a process that is not dumpable root alone may read it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(names))
