"""A session recorded through the page: what leaves the microphone is what arrives, and who may stop it can."""

import hashlib
import itertools
import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import Watched, choose, open_visit, press, tab_to, watch_microphone

pytestmark = pytest.mark.browser

HASH_FRAMES = """() => {
  window.made = [];
  const post = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  Object.defineProperty(MessagePort.prototype, "onmessage", { ...post, set(take) {
    post.set.call(this, take && ((event) => {
      const frame = event.data.frame;
      if (frame) made.push(crypto.subtle.digest("SHA-256", frame.slice(0)).then(
        (digest) => [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")));
      take.call(this, event);
    }));
  } });
}"""
SHARE_TAB = """(sounds) => {
  window.shared = [];
  navigator.mediaDevices.getDisplayMedia = async () => {
    if (sounds === null) throw new DOMException("no", "NotAllowedError");
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 500 });
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    const canvas = document.createElement("canvas");
    canvas.getContext("2d");
    const picture = canvas.captureStream().getVideoTracks();
    const stream = new MediaStream([...picture, ...(sounds ? out.stream.getAudioTracks() : [])]);
    shared.push(...stream.getTracks());
    return stream;
  };
}"""
START, PAUSE, GO_ON, END = "Start recording", "Pause", "Go on recording", "End the session"


def start(at: Watched, until: str = "0:01") -> None:
    choose(at.page, "Record the session")
    at.page.get_by_role("button", name=START).click()
    expect(at.page.locator(".strip")).to_contain_text(f"recording the session {until}")


def end(at: Watched) -> None:
    at.page.get_by_role("button", name=END).click()
    expect(at.page.get_by_role("button", name=START)).to_be_enabled()


def list_captures(at: Watched) -> list[str]:
    return [body["do"] for body in at.posts("capture")]


def wait_for(page: Page, done: Callable[[], bool], seconds: float = 15) -> None:
    by = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < by
        page.wait_for_timeout(30)


def read_starts(frames: list[bytes]) -> list[tuple[int, int]]:
    return [(struct.unpack_from("<BBxxIQ", frame)[3], (len(frame) - 16) // 2) for frame in frames]


def test_the_frames_that_leave_the_audio_thread_are_the_frames_that_arrive(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page, sound = at.page, at.visit.sound
        microphone = watch_microphone(page)
        page.evaluate(HASH_FRAMES)
        sound.drop_at = {3, 4, 9}
        start(at, "0:03")
        sound.close(0)
        page.get_by_role("button", name=PAUSE).click()
        page.get_by_role("button", name=GO_ON).click()
        expect(page.locator(".record-state")).to_have_text("Recording")
        page.wait_for_timeout(600)
        end(at)
        assert microphone() == ["ended"]
        assert list_captures(at) == ["start", "pause", "start", "stop"]
        assert sound.begins >= 4
        frames = sound.frames["room"]
        assert sound.said("finish")[-1] == {"room": len(frames)}
        made = page.evaluate("Promise.all(made)")
        assert [hashlib.sha256(frame).hexdigest() for frame in frames] == made
        clock = 0
        for first, count in read_starts(frames):  # the clock stands still in a pause, and nothing is missing
            assert first == clock
            assert 0 < count <= 4000
            clock += count
        [paused], [resumed] = sound.said("pause"), sound.said("resume")
        assert paused == resumed
        assert any(np.frombuffer(b"".join(frame[16:] for frame in frames), "<i2"))


def test_lines_appear_while_the_session_goes_on(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        start(at)
        expect(page.locator("evidence-lines .line").nth(1)).to_be_visible()
        expect(page.locator(".record-state")).to_have_text("Recording")
        expect(page.locator("evidence-lines .line-about").first).to_have_text(
            "said in the session · speaker not told apart · 0:00"
        )
        expect(page.get_by_text("Stop the microphone first.")).to_be_visible()
        end(at)
        page.get_by_role("button", name="Draft the note").click()
        expect(page.locator("attest-form")).to_be_visible(timeout=15000)


def test_lines_show_the_call_a_second_hearing_and_silences(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Record the session")
        at.visit.hear(text="I take fifteen milligrams.", heard_also="I take fifty milligrams.", speaker="patient")
        at.visit.hear(source="silence", speaker="unknown", text="", start_seconds=65.0, end_seconds=77.0, channel=None)
        at.visit.hear(source="silence", speaker="unknown", text="4 s", start_seconds=80.0, channel=None)
        at.visit.hear(text="", speaker="unknown", unclear=True)
        at.visit.hear(text="Since June.", speaker="patient", channel="call", start_seconds=90.0)
        lines = page.locator("evidence-lines .line")
        expect(lines).to_have_count(5)
        expect(lines.nth(0).locator(".line-text")).to_have_text(
            "I take fifteen milligrams.or: I take fifty milligrams."
        )
        expect(lines.nth(0).locator(".line-about")).to_have_text("said in the session · patient · 0:00 Heard two ways")
        expect(lines.nth(1).locator(".line-body")).to_have_text("silence, 12 s1:05")
        expect(lines.nth(2).locator(".line-text")).to_have_text("silence, 4 s")
        expect(lines.nth(3)).to_contain_text("Something was said here that was not understood.")
        expect(lines.nth(3).locator(".line-about")).to_contain_text("Not understood")
        expect(lines.nth(4).locator(".line-about")).to_have_text("from the call · patient · 1:30")
        assert list_faults(page, sizes=ALL_SIZES) == []


def test_silence_alone_is_no_material(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        choose(at.page, "Record the session")
        at.visit.hear(source="silence", speaker="unknown", text="4 s")
        expect(at.page.locator(".line")).to_have_count(1)
        expect(at.page.get_by_text("Give some material first.")).to_be_visible()


def test_a_new_line_touches_none_of_a_thousand_and_steals_no_scroll(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Record the session")
        page.mouse.move(0, 0)  # a line under the pointer shows what can be done with it
        plain = {"source": "session", "speaker": "unknown", "start_seconds": 1.0, "end_seconds": 2.0, "unclear": False}
        at.visit.heard = [plain | {"text": f"Line {place}."} for place in range(999)]
        at.visit.hear(text="The thousandth.")
        expect(page.locator(".line")).to_have_count(1000)
        box = page.locator("evidence-lines")
        place = "list => Math.round(list.scrollHeight - list.scrollTop - list.clientHeight)"
        assert box.evaluate(place) < 60  # it followed
        page.evaluate(
            "() => { window.touched = 0; new MutationObserver((changes) => (touched += changes.length)).observe("
            "document.querySelector('evidence-lines'), {childList: true, subtree: true, attributes: true, "
            "characterData: true}); }"
        )
        box.evaluate("list => (list.scrollTop = 200)")
        page.wait_for_timeout(100)
        before = box.evaluate("list => list.scrollTop")
        at.visit.hear(text="One more.")
        expect(page.locator(".line")).to_have_count(1001)
        assert page.evaluate("touched") < 5
        assert box.evaluate("list => list.scrollTop") == before


def test_the_last_two_minutes_are_struck_after_a_question(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        start(at)
        strike = page.get_by_role("button", name="Strike the last 2 minutes")
        strike.click()
        expect(page.get_by_role("button", name="Keep them")).to_be_focused()
        page.get_by_role("button", name="Keep them").click()
        expect(strike).to_be_focused()
        strike.click()
        page.get_by_role("button", name="Strike them").click()
        expect(page.locator(".struck")).to_contain_text("Struck: 0:00 to 0:0")
        [struck] = at.visit.sound.said("strike")
        assert struck["seconds"] == 120
        sent = sum(count for _, count in read_starts(at.visit.sound.frames["room"]))
        assert 16_000 <= struck["now"] <= sent
        expect(page.locator(".record-state")).to_have_text("Recording")
        end(at)


def test_stopping_and_discarding_sends_nothing_more_and_tells_the_visit(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page, sound = at.page, at.visit.sound
        microphone = watch_microphone(page)
        start(at)
        expect(page.locator(".line").first).to_be_visible()
        page.get_by_role("button", name="Stop and discard").click()
        page.get_by_role("button", name="Discard it").click()
        expect(page.get_by_role("button", name=START)).to_be_focused()
        expect(page.locator(".line")).to_have_count(0)
        assert microphone() == ["ended"]
        assert list_captures(at) == ["start", "discard"]
        assert sound.closes == [1000]
        assert sound.said("finish") == []
        arrived = len(sound.arrivals)
        page.wait_for_timeout(500)
        assert len(sound.arrivals) == arrived


def test_what_was_recorded_before_is_said_to_be_kept_and_can_be_discarded(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        start(at)
        expect(page.locator(".line").first).to_be_visible()
        end(at)
        page.reload()
        expect(page.get_by_text("What was recorded before is kept")).to_be_visible()
        page.get_by_role("button", name="Discard the recording").click()
        page.get_by_role("button", name="Discard it").click()
        expect(page.locator(".line")).to_have_count(0)
        expect(page.get_by_text("What was recorded before is kept")).to_be_hidden()
        expect(page.get_by_role("button", name="Discard the recording")).to_be_hidden()
        expect(page.get_by_role("button", name=START)).to_be_focused()
        assert list_captures(at)[-1] == "discard"


def test_a_discard_that_did_not_arrive_is_told_before_the_next_recording_begins(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        start(at)
        at.visit.fail_next["capture"] = (503, {"code": "", "message": ""})
        page.get_by_role("button", name="Stop and discard").click()
        page.get_by_role("button", name="Discard it").click()
        page.get_by_role("button", name=START).click()
        expect(page.locator(".strip")).to_contain_text("recording the session 0:01")
        assert list_captures(at) == ["start", "discard", "start"]
        end(at)
        assert list_captures(at)[-1] == "stop"


def test_a_line_closed_for_want_of_permission_stops_the_microphone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start(at)
        at.visit.sound.close(4403)
        expect(page.get_by_text("what was not sent is destroyed")).to_be_visible()
        expect(page.locator(".strip")).to_be_hidden()
        assert microphone() == ["ended"]


def test_a_refusal_of_the_visit_stops_the_microphone_with_its_sentence(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start(at)
        at.visit.sound.refuse_next = ("frames.too-long", "A session is recorded for at most 240 minutes.")
        expect(page.get_by_text("at most 240 minutes")).to_be_visible()
        assert microphone() == ["ended"]
        wait_for(page, lambda: list_captures(at) == ["start", "stop"])


def test_a_visit_that_takes_no_sound_says_so_before_anything_is_recorded(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        microphone = watch_microphone(page)
        at.visit.sound.away = True
        choose(page, "Record the session")
        page.get_by_role("button", name=START).click()
        expect(page.get_by_text("The recording could not start")).to_be_visible()
        assert microphone() == ["ended"]
        wait_for(page, lambda: list_captures(at) == ["start", "stop"])


def test_the_page_says_how_much_waits_while_the_line_is_down(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page, sound = at.page, at.visit.sound
        microphone = watch_microphone(page)
        start(at)
        sound.away = True
        sound.close(0)
        expect(page.get_by_text("Countersign can't be reached. What is recorded waits")).to_be_visible()
        assert microphone() == ["live"]
        page.get_by_role("button", name=END).click()
        expect(page.locator(".record-state")).to_have_text("Sending the rest…")
        expect(page.get_by_role("button", name="Stop and discard")).to_be_visible()
        assert list_captures(at) == ["start"]
        sound.away = False
        expect(page.get_by_role("button", name=START)).to_be_enabled()
        assert sound.said("finish")[-1] == {"room": len(sound.frames["room"])}
        assert list_captures(at) == ["start", "stop"]


def test_a_second_session_goes_on_where_the_first_ended(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        start(at)
        end(at)
        at.visit.sound.words.clear()
        first = len(at.visit.sound.frames["room"])
        at.page.get_by_role("button", name=START).click()
        expect(at.page.locator(".strip")).to_be_visible()
        at.page.wait_for_timeout(500)
        end(at)
        starts = read_starts(at.visit.sound.frames["room"])
        assert len(starts) > first
        assert starts[first][0] == sum(starts[first - 1])


def test_a_flat_microphone_and_a_machine_that_slept_are_said(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        page.evaluate(
            "() => { navigator.mediaDevices.getUserMedia = async () => {"
            " const context = new AudioContext(); const out = context.createMediaStreamDestination();"
            " new ConstantSourceNode(context, { offset: 0 }).connect(out); return out.stream; }; }"
        )
        start(at)
        expect(page.get_by_text("has heard nothing for 10 seconds")).to_be_hidden()
        expect(page.get_by_text("has heard nothing for 10 seconds")).to_be_visible()
        page.evaluate("() => { const now = Date.now.bind(Date); Date.now = () => now() + 90_000; }")
        expect(page.get_by_text("seconds were not recorded")).to_contain_text("about 90 seconds")
        expect(page.locator(".clock")).to_contain_text("1:4")
        end(at)
        starts = read_starts(at.visit.sound.frames["room"])
        jumps = [after[0] - sum(before) for before, after in itertools.pairwise(starts)]
        assert sorted(jumps)[-2:] == pytest.approx([0, 90 * 16_000], abs=4_000)


def test_who_speaks_is_marked_with_a_switch_or_a_held_key(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page, sound = at.page, at.visit.sound
        start(at)
        patient = page.get_by_role("button", name="Patient speaks")
        patient.click()
        expect(patient).to_have_attribute("aria-pressed", "true")
        page.wait_for_timeout(300)
        page.get_by_role("button", name="I speak").click()
        expect(patient).to_have_attribute("aria-pressed", "false")
        page.wait_for_timeout(300)
        page.keyboard.down("p")
        expect(patient).to_have_attribute("aria-pressed", "true")
        page.wait_for_timeout(300)
        page.keyboard.up("p")
        expect(patient).to_have_attribute("aria-pressed", "false")
        page.get_by_label("Notes", exact=True).press("i")
        expect(page.get_by_role("button", name="I speak")).to_have_attribute("aria-pressed", "false")
        end(at)
        marks = sound.said("mark")
        assert [mark["speaker"] for mark in marks] == ["patient", "clinician", "patient"]
        assert all(mark["from"] < mark["to"] for mark in marks)
        assert marks[0]["to"] == marks[1]["from"]


def test_a_call_from_a_tab_is_a_channel_of_its_own_without_its_picture(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page, sound = at.page, at.visit.sound
        choose(page, "Record the session")
        page.get_by_role("radio", name="From a browser tab").check()
        expect(page.get_by_text("Wear headphones")).to_be_visible()
        page.evaluate(SHARE_TAB, None)
        page.get_by_role("button", name=START).click()
        share = page.get_by_role("button", name="Choose the tab")
        expect(share).to_be_focused()
        share.click()
        expect(page.get_by_text("No tab was shared.")).to_be_visible()
        page.evaluate(SHARE_TAB, False)
        share.click()
        expect(page.get_by_text("That tab came without its sound.")).to_be_visible()
        assert sound.begins == 0
        page.evaluate(SHARE_TAB, True)
        share.click()
        expect(page.locator(".strip")).to_contain_text("recording the session 0:01")
        assert page.evaluate("shared.map(({kind, readyState}) => `${kind} ${readyState}`).sort()") == [
            "audio live",
            "video ended",
        ]
        expect(page.get_by_role("meter")).to_have_count(2)
        expect(page.get_by_role("button", name="Patient speaks")).to_be_hidden()
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.evaluate("shared.forEach((track) => { track.stop(); track.dispatchEvent(new Event('ended')); })")
        page.get_by_role("button", name="Share the call again").click()
        expect(page.get_by_text("The call is no longer heard")).to_be_hidden()
        end(at)
        assert set(page.evaluate("shared.map(({readyState}) => readyState)")) == {"ended"}
        assert sound.channels == ["room", "call"]
        counts = {channel: len(frames) for channel, frames in sound.frames.items()}
        assert sound.said("finish")[-1] == counts
        assert read_starts(sound.frames["room"]) == read_starts(sound.frames["call"])
        call = np.frombuffer(sound.frames["call"][2][16:], "<i2").astype(float)
        loudest = np.argmax(np.abs(np.fft.rfft(call))) * 16_000 / len(call)
        assert loudest == pytest.approx(500, abs=5)


def test_a_second_input_is_chosen_by_its_name_and_can_be_changed(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page, sound = at.page, at.visit.sound
        choose(page, "Record the session")
        page.get_by_role("radio", name="From a second input").check()
        page.get_by_role("button", name=START).click()
        expect(page.locator(".strip")).to_contain_text("recording the session 0:01")
        microphone = page.get_by_label("Microphone", exact=True)
        names = microphone.locator("option").all_inner_texts()
        assert len(names) > 2
        microphone.select_option(index=len(names) - 1)
        page.get_by_label("Second input", exact=True).select_option(index=2)
        page.wait_for_timeout(500)
        assert page.locator(".notice:visible").count() == 0
        end(at)
        assert sound.channels == ["room", "call"]
        assert len(sound.frames["room"]) == len(sound.frames["call"])


def test_a_microphone_that_goes_away_pauses_and_comes_back(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start(at)
        page.evaluate("tracks.forEach((track) => { track.stop(); track.dispatchEvent(new Event('ended')); })")
        expect(page.get_by_text("The microphone went away.")).to_be_visible()
        assert list_captures(at) == ["start", "pause"]
        page.get_by_role("button", name=GO_ON).click()
        expect(page.locator(".record-state")).to_have_text("Recording")
        assert microphone() == ["ended", "live"]
        end(at)


def test_a_session_by_keyboard_alone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page, sound = at.page, at.visit.sound
        press(page, "Record the session")
        press(page, START)
        expect(page.locator(".strip")).to_contain_text("0:01")
        expect(page.get_by_role("button", name=PAUSE)).to_be_focused()
        page.keyboard.press("Space")
        expect(page.locator(".strip")).to_contain_text("paused")
        page.keyboard.press("Space")
        expect(page.locator(".record-state")).to_have_text("Recording")
        tab_to(page, page.get_by_role("button", name="I speak"))
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        page.keyboard.press("Space")
        press(page, "Strike the last 2 minutes")
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        press(page, "Strike them")
        expect(page.locator(".struck")).to_contain_text("is gone")
        press(page, END)
        expect(page.get_by_role("button", name=START)).to_be_enabled()
        assert [next(iter(word)) for word in sound.words] == ["pause", "resume", "mark", "strike", "finish"]


def test_axe_finds_nothing_at_the_desk(chromium: Browser, page_server: PageServer) -> None:
    looked: dict[str, list[str]] = {}
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        choose(page, "Record the session")
        looked["idle"] = list_faults(page, sizes=ALL_SIZES)
        page.get_by_role("button", name=START).click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        page.get_by_role("button", name="Patient speaks").click()
        page.get_by_role("button", name="Strike the last 2 minutes").click()
        looked["recording, asked whether to strike"] = list_faults(page, sizes=ALL_SIZES)
        page.get_by_role("button", name="Strike them").click()
        at.visit.sound.away = True
        at.visit.sound.close(0)
        expect(page.get_by_text("Countersign can't be reached")).to_be_visible()
        page.get_by_role("button", name=PAUSE).click()
        page.get_by_role("button", name="Stop and discard").click()
        looked["paused and offline, asked whether to discard"] = list_faults(page, sizes=ALL_SIZES)
    assert {name: found for name, found in looked.items() if found} == {}
