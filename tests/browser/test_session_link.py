"""A session's sound on its way, over a line that breaks: nothing lost, nothing doubled, order kept."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.page_server import PageServer
from tests.browser.scripted_sound import ScriptedSound

pytestmark = pytest.mark.browser
numbers = itertools.count(1)

SET_UP = """async (channels) => {
  const { SessionLink } = await import("/page/session-link.js");
  const { sessionUrl } = await import("/page/api.js");
  const { writeHead } = await import("/page/sound-frame.js");
  window.told = { changes: 0, struck: [], refused: [], forbidden: 0, full: 0 };
  window.hashes = [];
  window.sockets = [];
  window.buffered = null;
  const makeSocket = (address) => {
    const socket = new WebSocket(address);
    if (window.buffered !== null) Object.defineProperty(socket, "bufferedAmount", { get: () => window.buffered });
    window.sockets.push(socket);
    return socket;
  };
  window.link = new SessionLink(sessionUrl(), channels, {
    onChange: () => (told.changes += 1), onStruck: (span) => told.struck.push(span),
    onRefused: (message) => told.refused.push(message), onForbidden: () => (told.forbidden += 1),
    onFull: () => (told.full += 1),
  }, makeSocket);
  window.send = async (count, samples = 1600) => {
    for (let turn = 0; turn < count; turn += 1) {
      for (const [place] of channels.entries()) {
        const frame = new ArrayBuffer(16 + 2 * samples);
        writeHead(new DataView(frame), place, begun.numbers[place], begun.clock);
        new Int16Array(frame, 16).set(Array.from({ length: samples }, () => Math.random() * 60000 - 30000));
        begun.numbers[place] += 1;
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", frame));
        hashes.push([channels[place], [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("")]);
        link.push(frame);
      }
      begun.clock += samples;
    }
  };
  window.begun = await link.open();
  return begun;
}"""

Open = Callable[..., tuple[Page, ScriptedSound, Any]]


@pytest.fixture
def open_link(chromium: Browser, page_server: PageServer) -> Iterator[Open]:
    """A link on a page of its own visit; what the page hashed before it was pushed is compared at the end."""
    context = chromium.new_context()
    page = context.new_page()

    def open_it(channels: tuple[str, ...] = ("room",), **trouble: Any) -> tuple[Page, ScriptedSound, Any]:
        visit = page_server.visit(f"plain-link{next(numbers)}")
        visit.sound = sound = ScriptedSound()
        for name, value in trouble.items():
            setattr(sound, name, value)
        page.goto(page_server.url(visit.id))
        return page, sound, page.evaluate(SET_UP, list(channels))

    yield open_it
    context.close()


def assert_each_frame_is_there_once(page: Page, sound: ScriptedSound) -> None:
    pushed: dict[str, list[str]] = {}
    for channel, digest in page.evaluate("hashes"):
        pushed.setdefault(channel, []).append(digest)
    for channel, digests in pushed.items():
        assert [hashlib.sha256(frame).hexdigest() for frame in sound.frames[channel]] == digests


def wait_for(page: Page, done: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(round(seconds * 50)):
        if done():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not come to that")


def test_frames_arrive_and_are_forgotten_when_they_are_acknowledged(open_link: Open) -> None:
    page, sound, begun = open_link()
    assert begun == {"numbers": [0], "clock": 0}
    page.evaluate("send(20)")
    assert page.evaluate("link.finish()") is True
    assert page.evaluate("link.heldSeconds") == 0
    assert sound.said("finish") == [{"room": 20}]
    assert sound.arrivals == [("room", number) for number in range(20)]
    assert_each_frame_is_there_once(page, sound)


def test_nothing_is_lost_or_doubled_when_the_line_breaks_and_acknowledgements_are_lost(open_link: Open) -> None:
    page, sound, _ = open_link(("room", "call"), drop_at={5, 6, 19, 40, 41, 42, 77})
    page.evaluate("send(15)")
    sound.lose_acks = True
    page.evaluate("send(15)")
    wait_for(page, lambda: len(sound.arrivals) == 60)
    sound.lose_acks, sound.mute_begins = False, True
    sound.close(0)
    page.evaluate("send(15)")
    assert page.evaluate("link.finish()") is True
    assert sound.begins >= 8
    assert len(sound.arrivals) > 90  # some came twice
    assert {channel: len(frames) for channel, frames in sound.frames.items()} == {"room": 45, "call": 45}
    assert sound.said("finish")[-1] == {"room": 45, "call": 45}
    assert_each_frame_is_there_once(page, sound)


def test_what_was_acknowledged_is_not_sent_again(open_link: Open) -> None:
    page, sound, _ = open_link()
    page.evaluate("send(10)")
    wait_for(page, lambda: page.evaluate("link.heldSeconds") == 0)
    sound.close(0)
    page.evaluate("send(3)")
    assert page.evaluate("link.finish()") is True
    assert sound.begins == 2
    assert sound.arrivals == [("room", number) for number in range(13)]


def test_words_keep_their_place_among_the_frames_and_survive_a_break(open_link: Open) -> None:
    page, sound, _ = open_link(away=False)
    page.evaluate("send(2)")
    wait_for(page, lambda: page.evaluate("link.heldSeconds") == 0)
    sound.away = True
    sound.close(0)
    wait_for(page, lambda: not page.evaluate("link.online"))
    page.evaluate(
        """async () => {
        link.tell({ mark: { speaker: "patient", from: 0, to: 1600 } });
        await send(1);
        link.tell({ pause: 4800 });
        link.tell({ resume: 4800 });
        await send(1);
        }"""
    )
    assert sound.words == []
    sound.away = False
    page.evaluate("link.retry()")
    assert page.evaluate("link.finish()") is True
    kinds = [next(iter(word)) for word in sound.words]
    assert kinds == ["mark", "pause", "resume", "finish"]


def test_a_page_that_begins_anew_goes_on_where_the_one_before_ended(open_link: Open) -> None:
    frame = b"\x01\x00\x00\x00" + (0).to_bytes(4, "little") + (0).to_bytes(8, "little") + bytes(8000)
    page, sound, begun = open_link(frames={"room": [frame], "call": []})
    assert begun == {"numbers": [1], "clock": 4000}
    page.evaluate("send(2)")
    assert page.evaluate("link.finish()") is True
    assert sound.said("finish") == [{"room": 3}]
    assert [number for _, number in sound.arrivals] == [1, 2]


def test_a_strike_leaves_nothing_of_what_is_still_here(open_link: Open) -> None:
    page, sound, _ = open_link()
    page.evaluate("send(1, 16000)")
    wait_for(page, lambda: page.evaluate("link.heldSeconds") == 0)
    sound.away = True
    sound.close(0)
    wait_for(page, lambda: not page.evaluate("link.online"))
    page.evaluate("send(4, 16000)")
    assert page.evaluate("link.strike(2, 56000)") == {"from": 24_000, "to": 56_000}
    assert page.evaluate("told.struck") == []
    sound.away = False
    page.evaluate("link.retry()")
    page.evaluate("send(1, 16000)")
    assert page.evaluate("link.finish()") is True
    payload = b"".join(frame[16:] for frame in sound.frames["room"])
    assert len(payload) == 2 * 96_000
    assert not any(payload[48_000:112_000])
    assert any(payload[:48_000])
    assert any(payload[46_000:48_000])
    assert any(payload[112_000:114_000])
    assert page.evaluate("told.struck") == [{"from": 24_000, "to": 56_000}]
    assert sound.said("strike") == [{"seconds": 2, "now": 56_000}]


def test_ten_minutes_are_held_while_nobody_answers_and_all_of_it_arrives(open_link: Open) -> None:
    page, sound, _ = open_link()
    sound.away = True
    sound.close(0)
    wait_for(page, lambda: not page.evaluate("link.online"))
    page.evaluate("send(299, 32000)")
    assert page.evaluate("told.full") == 0
    page.evaluate("send(2, 32000)")
    assert page.evaluate("told.full") == 1
    assert page.evaluate("link.heldSeconds") == 602
    sound.away = False
    page.evaluate("link.retry()")
    assert page.evaluate("link.finish()") is True
    assert len(sound.arrivals) == 301
    assert_each_frame_is_there_once(page, sound)


def test_the_browsers_own_buffer_is_not_filled(open_link: Open) -> None:
    page, sound, _ = open_link()
    page.evaluate("Object.defineProperty(sockets[0], 'bufferedAmount', { get: () => 300_000, configurable: true })")
    page.evaluate("send(5)")
    page.wait_for_timeout(200)
    assert sound.arrivals == []
    page.evaluate("Object.defineProperty(sockets[0], 'bufferedAmount', { get: () => 0 })")
    assert page.evaluate("link.finish()") is True
    assert_each_frame_is_there_once(page, sound)


def test_a_line_that_says_nothing_is_given_up_and_made_anew(open_link: Open) -> None:
    page, sound, _ = open_link()
    sound.lose_acks = True
    page.clock.install()
    page.evaluate("send(3)")
    page.clock.run_for(14_000)
    assert sound.begins == 1
    sound.lose_acks = False
    page.clock.run_for(2_000)
    wait_for(page, lambda: sound.begins == 2)
    wait_for(page, lambda: page.evaluate("link.heldSeconds") == 0)


def test_a_permission_that_ended_drops_everything(open_link: Open) -> None:
    page, sound, _ = open_link()
    sound.lose_acks = True
    page.evaluate("send(3)")
    sound.close(4403)
    wait_for(page, lambda: page.evaluate("told.forbidden") == 1)
    assert page.evaluate("link.heldSeconds") == 0
    page.evaluate("send(3)")
    assert page.evaluate("link.finish()") is False
    page.wait_for_timeout(500)
    assert sound.begins == 1
    assert sound.said("finish") == []


def test_a_refusal_is_told_once_with_its_sentence(open_link: Open) -> None:
    page, sound, _ = open_link(refuse_next=("frames.too-long", "Four hours are the most."))
    page.evaluate("send(1)")
    wait_for(page, lambda: page.evaluate("told.refused") == ["Four hours are the most."])
    page.wait_for_timeout(500)
    assert sound.begins == 1


def test_a_visit_that_lost_what_it_had_is_not_taken_for_the_same(open_link: Open) -> None:
    page, sound, _ = open_link()
    page.evaluate("send(5)")
    wait_for(page, lambda: page.evaluate("link.heldSeconds") == 0)
    sound.frames["room"].clear()
    sound.close(0)
    wait_for(page, lambda: page.evaluate("told.refused") == [""])


def test_giving_it_up_sends_nothing_more(open_link: Open) -> None:
    page, sound, _ = open_link()
    sound.lose_acks = True
    page.evaluate("send(2)")
    wait_for(page, lambda: len(sound.arrivals) == 2)
    page.evaluate("link.abort()")
    page.evaluate("send(2)")
    wait_for(page, lambda: sound.closes == [1000])
    page.wait_for_timeout(300)
    assert len(sound.arrivals) == 2
    assert sound.begins == 1


def test_a_door_that_nobody_opens_is_said_after_a_while(open_link: Open) -> None:
    _, sound, begun = open_link(away=True)
    assert begun is None
    assert sound.begins == 0
