"""A session recorded through the whole product: what leaves the microphone is what is transcribed, over a line that
breaks, and nothing of it is left where it may not be."""

import base64
import hashlib
import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.broken_line import BrokenLine, open_line
from tests.browser.demo_servers import Product, run_product
from tests.browser.page_walk import watch_microphone
from tests.browser.visit_walk import (
    WAIT_MS,
    Watched,
    attest_and_file,
    choose_way,
    decide_rest,
    expect_awaiting,
    open_by_launch,
    watch_page,
)
from tests.faults.memory import can_scan, count_each, spell
from tests.faults.test_real_visit import find_processes

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SAID = ("I slept five hours a night.", "Let us keep the sleep diary.")
DRAFTED = "The patient slept five hours a night."
START, END = "Start recording", "End the session"
UNREACHED = "Countersign can't be reached. What is recorded waits"
NOT_TOLD = (
    "The visit could not be told to stop. The microphone here is off. Try again; by itself it ends at its deadline."
)
LOST = "The visit was lost and everything in it destroyed. Open Countersign again from the EHR."
CHANNELS = ("room", "call")
SECOND_BYTES = 32_000

# What leaves the audio thread and what the visit acknowledges, seen from beside the page's own code.
WATCH = """() => {
  window.left = [];
  window.acked = {};
  const [Node, Socket] = [AudioWorkletNode, WebSocket];
  window.AudioWorkletNode = class extends Node {
    constructor(...given) {
      super(...given);
      this.port.addEventListener("message", ({ data }) => data.frame && left.push(data.frame.slice(0)));
    }
  };
  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const { ack } = JSON.parse(data);
        if (ack) acked[ack.channel] = Math.max(acked[ack.channel] ?? 0, ack.number);
      });
    }
  };
}"""
TAKE_LEFT = "left.map((frame) => btoa(String.fromCharCode(...new Uint8Array(frame))))"

Sound = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def lines() -> list[BrokenLine]:
    return []


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, lines: list[BrokenLine]) -> Iterator[Product]:
    """With a text model too, and a line in front of it that can break."""

    @contextmanager
    def in_front(port: int) -> Iterator[int]:
        with open_line(port) as line:
            lines.append(line)
            yield line.port

    folder = tmp_path_factory.mktemp("recorded")
    script = {"The patient ": DRAFTED.removeprefix("The patient ")}
    with run_product(
        folder, gateway_module="tests.browser.watched_visit", heard=" ".join(SAID), drafted=script, in_front=in_front
    ) as running:
        yield running


@pytest.fixture
def line(product: Product, lines: list[BrokenLine]) -> Iterator[BrokenLine]:
    yield lines[0]
    lines[0].set_deaf(False)
    lines[0].bring_up()


@contextmanager
def watch_session(chromium: Browser, product: Product) -> Iterator[Watched]:
    """A page that counts what leaves the microphone; a line that breaks is an error on its console."""
    with watch_page(chromium, product, troubled=True) as watched:
        watched.context.add_init_script(f"({WATCH})()")
        yield watched


def start(page: Page, until: str = "0:01") -> None:
    choose_way(page, "Record session")
    page.get_by_role("button", name=START).click()
    wait_for_clock(page, until)


def wait_for_clock(page: Page, until: str) -> None:
    expect(page.locator(".strip")).to_contain_text(f"recording the session {until}")


def end(page: Page) -> None:
    page.get_by_role("button", name=END).click()
    expect(page.get_by_role("button", name=START)).to_be_enabled()


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    by = time.monotonic() + WAIT_MS / 1000
    while not holds():
        assert time.monotonic() < by
        page.wait_for_timeout(100)


def read_left(page: Page) -> Sound:
    """int16 (samples,) of each channel that left the audio thread; its frames follow on one another."""
    parts: dict[str, list[bytes]] = {}
    for frame in map(base64.b64decode, page.evaluate(TAKE_LEFT)):
        _, channel, number, begins = struct.unpack_from("<BBxxIQ", frame)
        known = parts.setdefault(CHANNELS[channel], [])
        assert (number, begins) == (len(known), sum(map(len, known)) // 2)
        known.append(frame[16:])
    return {channel: np.frombuffer(b"".join(known), "<i2") for channel, known in parts.items()}


def read_watched(page: Page) -> dict[str, Any]:
    """What the visit took; ``watched_visit`` says what of it."""
    watched: dict[str, Any] = page.evaluate("fetch('api/watched').then((answer) => answer.json())")
    return watched


def hash_samples(samples: np.ndarray) -> str:
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def assert_heard(pieces: list[dict[str, Any]], sound: Sound) -> None:
    """Each piece that the speech model was given is, sample for sample, of what left the audio thread."""
    assert pieces
    for piece in pieces:
        parts = [sound[piece["channel"]][first:last] for first, last in piece["spans"]]
        assert piece["sha256"] == hash_samples(np.concatenate(parts))


def read_lines(page: Page) -> list[str]:
    """What was heard, silences left out. The scripted model says its last full stop again and again."""
    texts = page.locator("evidence-lines .line-text").all_inner_texts()
    return [text.rstrip(".") + "." for text in texts if not text.startswith("silence")]


def test_what_leaves_the_microphone_is_what_is_transcribed_however_often_the_line_breaks(
    chromium: Browser, product: Product, line: BrokenLine
) -> None:
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        start(page)
        line.cut()
        wait_for_clock(page, "0:02")
        line.set_deaf(True)  # frames arrive and nobody hears that they did, on the next line neither: they come twice
        wait_for_clock(page, "0:03")
        line.cut()
        wait_for_clock(page, "0:06")
        line.set_deaf(False)
        line.cut_after(20_001)  # in the middle of a frame
        wait_for_clock(page, "0:08")
        line.take_down()
        expect(page.get_by_text(UNREACHED)).to_be_visible()
        line.bring_up()
        expect(page.get_by_text(UNREACHED)).to_be_hidden()
        wait_for_clock(page, "0:11")
        line.take_down()
        page.get_by_role("button", name=END).click()
        expect(page.locator(".record-state")).to_have_text("Sending the rest…")
        line.bring_up()
        expect(page.get_by_role("button", name=START)).to_be_enabled()
        assert line.cuts >= 5

        left, told = read_left(page), read_watched(page)
        [stretch] = told["stretches"]
        frames = page.evaluate("left.length")
        assert len(left["room"]) > 11 * 16_000
        assert np.any(left["room"])
        assert stretch["arrivals"] > frames
        assert stretch["room"]["frames"] == frames
        assert stretch["room"]["missing"] == stretch["room"]["gaps"] == []
        assert stretch["room"]["digests"][-1] == [len(left["room"]), hash_samples(left["room"])]
        assert_heard(told["pieces"], left)
        assert set(read_lines(page)) == set(SAID)

        page.get_by_role("button", name="Draft the note").click()
        expect(page.locator("attest-form")).to_be_visible()
        statement = page.locator("note-section .statement").filter(has_text=DRAFTED)
        expect(statement).to_have_count(1)
        statement.click()
        expect(page.locator(".lit:visible").first).to_contain_text(SAID[0])
        decide_rest(page)
        attest_and_file(page)
        expect_awaiting(page)
        page.goto(f"{product.ehr}/patient/ada-marlowe")
        expect(page.locator(".note.draft").filter(has_text=DRAFTED)).to_have_count(1)


def test_a_tab_that_is_closed_and_opened_again_loses_and_doubles_nothing_that_had_arrived(
    chromium: Browser, product: Product
) -> None:
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        start(page, "0:05")
        before, acknowledged = read_left(page), page.evaluate("acked.room")
        address = page.url
        page.close()

        page = watched.context.new_page()
        page.goto(address)
        expect(page.locator(".strip")).to_be_hidden()
        expect(page.locator("evidence-lines .line-about").filter(has_text="said in the session").first).to_be_visible()
        expect(page.get_by_role("button", name="Draft the note")).not_to_have_attribute("aria-disabled", "true")
        page.get_by_role("button", name=START).click()
        wait_for_clock(page, "0:03")
        end(page)

        after, told = read_left(page), read_watched(page)
        first, second = told["stretches"]
        assert first["room"]["frames"] >= acknowledged > 0
        assert first["room"]["missing"] == first["room"]["gaps"] == []
        read = [digest for digest in first["room"]["digests"] if digest[0] <= len(before["room"])]
        assert len(read) >= acknowledged  # and what left between the reading and the closing
        assert read == [[samples, hash_samples(before["room"][:samples])] for samples, _ in read]
        assert second["room"]["digests"][-1] == [len(after["room"]), hash_samples(after["room"])]


def test_a_consent_revoked_while_sound_waits_leaves_nothing_of_what_was_said(
    chromium: Browser, product: Product, line: BrokenLine
) -> None:
    patient = "ada-marlowe"
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        start(page, "0:03")
        end(page)
        expect(page.locator("evidence-lines .line-about").filter(has_text="said in the session").first).to_be_visible()
        before = pick_mark(take_left(page))
        page.get_by_role("button", name=START).click()
        wait_for_clock(page, "0:02")
        line.take_down()

        words = SAID[1].removesuffix(".")  # no file holds it, and no step of this test brings it to the page
        sounds = {"before": before, "now": pick_mark(take_left(page))}
        marks = {f"sound {when}": sound.tobytes() for when, sound in sounds.items()} | spell(words)
        marks |= {f"sound {when}, heard": (sound / np.float32(32768)).tobytes() for when, sound in sounds.items()}
        processes = {name: one.pid for name, one in find_processes(product).items()}
        if not can_scan(processes["visit"]):
            pytest.skip("only root may read these processes' memory")
        held = count_each(processes["visit"], marks)
        assert held["sound before"]
        assert held["sound now"]
        assert held["utf-8"]
        heap = read_heap(page)
        assert words in heap.words
        assert heap.buffer_bytes > SECOND_BYTES

        product.act_in_chart(patient, f"{patient}-recording", "revoke")
        line.bring_up()
        expect(page.get_by_role("alert")).to_contain_text("No longer permitted: recording.")
        page.wait_for_timeout(1000)
        assert {name: count_each(pid, marks) for name, pid in processes.items()} == dict.fromkeys(
            processes, dict.fromkeys(marks, 0)
        )
        page.evaluate("left.length = 0")
        heap = read_heap(page)
        assert words not in heap.words
        assert heap.buffer_bytes < SECOND_BYTES / 4
        assert read_watched(page)["stretches"] == []
    product.act_in_chart(patient, "recording", "permit")


def take_left(page: Page) -> np.ndarray:
    """int16 (samples,): what left the audio thread of the room; it is not kept any more."""
    sound = read_left(page)["room"]
    page.evaluate("left.length = 0")
    return sound


def pick_mark(sound: np.ndarray) -> np.ndarray:
    """int16 (32,): 2 ms where it is loudest, as they will not come again."""
    place = min(int(np.argmax(np.abs(sound.astype(int)))), len(sound) - 32)
    return sound[place : place + 32]


@dataclass(frozen=True, slots=True)
class Heap:
    """What the page's scripts can still reach, and the document: every string, and the bytes of all buffers."""

    words: str
    buffer_bytes: int


def read_heap(page: Page) -> Heap:
    parts: list[str] = []
    session = page.context.new_cdp_session(page)
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda told: parts.append(told["chunk"]))
    session.send("HeapProfiler.takeHeapSnapshot")  # collects what nobody holds first
    session.detach()
    taken = json.loads("".join(parts))
    strings, fields = taken["strings"], taken["snapshot"]["meta"]["node_fields"]
    nodes = np.array(taken["nodes"]).reshape(-1, len(fields))
    buffers = [place for place, name in enumerate(strings) if name == "system / JSArrayBufferData"]  # one, or none
    is_buffer = np.isin(nodes[:, fields.index("name")], buffers)
    size = int(nodes[is_buffer, fields.index("self_size")].sum())
    return Heap("\n".join(strings) + page.content(), size)


def test_a_visit_that_is_killed_while_recording_is_said_to_be_lost_and_the_microphone_is_off(
    chromium: Browser, product: Product
) -> None:
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        microphone = watch_microphone(page)
        start(page, "0:02")
        find_processes(product)["visit"].kill()
        expect(page.get_by_role("alert")).to_have_text(LOST)
        expect(page.get_by_role("heading", name="This visit is over")).to_be_visible()
        expect(page.locator(".strip")).to_be_hidden()
        assert microphone() == ["ended"]
        page.reload()
        expect(page.get_by_role("alert")).to_have_text(LOST)


def test_a_recording_that_is_discarded_while_the_line_is_down_is_destroyed_once_it_is_up(
    chromium: Browser, product: Product, line: BrokenLine
) -> None:
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        microphone = watch_microphone(page)
        start(page, "0:04")
        line.take_down()
        page.get_by_role("button", name="Stop and discard").click()
        page.get_by_role("button", name="Discard it").click()
        expect(page.get_by_role("alert")).to_contain_text("did not reach Countersign")
        assert microphone() == ["ended"]
        with page.expect_response(lambda answer: answer.url.endswith("api/capture") and answer.ok) as told:
            line.bring_up()
        assert told.value.request.post_data_json == {"do": "discard"}
        expect(page.get_by_role("alert")).to_have_count(0)
        wait_until(page, lambda: read_watched(page)["stretches"] == [])
        expect(page.get_by_role("button", name=START)).to_be_enabled()
        assert read_lines(page) == []


def test_a_visit_that_can_not_be_told_to_stop_says_so_and_sends_nothing_more(
    chromium: Browser, product: Product, line: BrokenLine
) -> None:
    with watch_session(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        microphone = watch_microphone(page)
        start(page, "0:02")
        line.take_down()
        destroy(page)
        expect(page.get_by_role("alert")).to_have_text(NOT_TOLD)
        assert microphone() == ["ended"]
        heap = read_heap(page)
        page.evaluate("left.length = 0")
        assert read_heap(page).buffer_bytes < SECOND_BYTES / 4 < heap.buffer_bytes  # the test's own copies alone
        with page.expect_response(lambda answer: answer.url.endswith("api/capture") and answer.ok):
            line.bring_up()
        expect(page.get_by_role("button", name=START)).to_be_enabled()
        expect(page.get_by_role("alert")).to_have_text(NOT_TOLD)
        destroy(page)
        expect(page.get_by_role("heading", name="Stopped and destroyed")).to_be_visible()


def destroy(page: Page) -> None:
    page.get_by_role("button", name="Stop and destroy").click()
    page.get_by_role("button", name="Destroy everything").click()
