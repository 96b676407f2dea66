"""Lines that want a person's ear: marked in words, played from memory, decided or corrected where they stand."""

import hashlib
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import (
    Watched,
    choose,
    find_line,
    gather_session,
    give_dictation,
    open_visit,
    press,
    tab_to,
)
from tests.browser.scripted_lines import make_sound

pytestmark = pytest.mark.browser

HEAR = """() => {
  window.sounds = [];
  const decode = AudioContext.prototype.decodeAudioData;
  AudioContext.prototype.decodeAudioData = async function (bytes) {
    const heard = { bytes: bytes.byteLength, ended: false, state: "", closed: () => this.state === "closed" };
    const digest = await crypto.subtle.digest("SHA-256", bytes.slice(0));
    heard.sha256 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    heard.buffer = await decode.call(this, bytes);
    sounds.push(heard);
    return heard.buffer;
  };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...args) {
    const heard = sounds.find(({ buffer }) => buffer === this.buffer);
    heard.started = true;
    heard.state = this.context.state;
    this.addEventListener("ended", () => (heard.ended = true));
    return start.apply(this, args);
  };
}"""
SOUNDS = """() => sounds.map(({ bytes, sha256, started, ended, buffer, closed }) =>
  ({ bytes, sha256, started, ended, seconds: buffer.duration, closed: closed() }))"""
ADDRESSES = "() => performance.getEntriesByType('resource').map(({ name, initiatorType }) => [initiatorType, name])"
CHANGED = "This line has changed since the page showed it. Look at it again."


def decided(at: Watched) -> Any:
    return at.posts("segment")[-1]


def test_what_a_line_needs_is_said_in_words(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        expect(page.locator("evidence-lines .line .look")).to_have_text(
            ["Heard two ways", "Heard two ways", "Unclear: listen", "Unclear: listen", "Not understood"]
        )
        expect(page.get_by_text("5 lines marked")).to_be_visible()
        expect(find_line(page, 4).locator(".hearing")).to_have_text(
            ["Have you had any thoughts of sue aside?", "Have you had any thoughts of suicide?"]
        )
        expect(find_line(page, 4).locator(".hearing b")).to_have_text(["sue aside?", "suicide?"])
        expect(find_line(page, 10)).to_contain_text("Something was said here that was not understood.")
        assert list_faults(page, sizes=ALL_SIZES) == []


def test_a_line_is_played_from_memory_and_leaves_no_address(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        page.evaluate(HEAR)
        page.evaluate("performance.clearResourceTimings()")
        play = find_line(page, 7).get_by_role("button", name="Play line 7")
        play.click()
        stop = find_line(page, 7).get_by_role("button", name="Stop line 7")
        expect(stop).to_be_visible()
        expect(play).to_be_visible()  # it was played to its end
        expect(play).to_be_focused()
        sound = make_sound(7)
        [heard] = page.evaluate(SOUNDS)
        assert heard == {
            "bytes": len(sound),
            "sha256": hashlib.sha256(sound).hexdigest(),
            "started": True,
            "ended": True,
            "seconds": pytest.approx(0.6, abs=0.01),
            "closed": True,
        }
        fetched = [entry for entry in page.evaluate(ADDRESSES) if "api/view" not in entry[1]]
        assert fetched == [["fetch", f"{page_server.url(at.visit.id)}api/segments/7/sound"]]
        assert page.locator("audio, video, source, [src*=sound], [href*=sound]").count() == 0
        assert at.visit.played == [7]


def test_a_second_press_stops_and_another_line_takes_over(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        page.evaluate(HEAR)
        page.evaluate(  # the sound goes on until it is stopped
            "() => { const start = AudioBufferSourceNode.prototype.start; AudioBufferSourceNode.prototype.start ="
            " function (...args) { this.loop = true; return start.apply(this, args); }; }"
        )
        find_line(page, 7).get_by_role("button", name="Play line 7").click()
        expect(find_line(page, 7).get_by_role("button", name="Stop line 7")).to_be_visible()
        find_line(page, 4).get_by_role("button", name="Play line 4").click()
        expect(find_line(page, 4).get_by_role("button", name="Stop line 4")).to_be_visible()
        expect(find_line(page, 7).get_by_role("button", name="Play line 7")).to_be_visible()
        find_line(page, 4).get_by_role("button", name="Stop line 4").click()
        expect(find_line(page, 4).get_by_role("button", name="Play line 4")).to_be_visible()
        page.wait_for_function("sounds.length === 2 && sounds.every(({ closed }) => closed())")


def test_one_of_two_hearings_is_chosen(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        choices = page.get_by_role("group", name="Line 4: Which was said?")
        choices.get_by_role("button", name="Have you had any thoughts of suicide?").click()
        expect(find_line(page, 4).locator(".line-text")).to_have_text("Have you had any thoughts of suicide?")
        expect(find_line(page, 4).locator(".line-about")).to_have_text(
            "said in the session · patient · 0:19 · decided by you"
        )
        expect(find_line(page, 4)).to_be_focused()
        assert decided(at) == {
            "number": 4,
            "heard": "Have you had any thoughts of sue aside?",
            "text": "Have you had any thoughts of suicide?",
        }
        expect(page.get_by_text("4 lines marked")).to_be_visible()
        expect(find_line(page, 4).get_by_role("button", name="Play")).to_be_hidden()


def test_a_second_hearing_without_a_word_is_said_so(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        at.visit.hear(text="Kill myself.", heard_also="…", start_seconds=90.0)
        expect(find_line(page, 13).locator(".hearing")).to_have_text(["Kill myself.", "Nothing was said here"])
        find_line(page, 13).get_by_role("button", name="Nothing was said here").click()
        expect(find_line(page, 13).locator(".look")).to_have_count(0)
        assert decided(at) == {"number": 13, "heard": "Kill myself.", "text": "…"}
        expect(find_line(page, 13).locator(".line-text")).to_have_text(
            "By your decision there is nothing here that matters."
        )
        find_line(page, 13).focus()
        page.keyboard.press("c")  # a slip can be mended
        page.keyboard.type("I'd kill myself.")
        page.keyboard.press("Control+Enter")
        expect(find_line(page, 13).locator(".line-text")).to_have_text("I'd kill myself.")


def test_an_unclear_line_is_confirmed_or_said_in_other_words(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        heard = at.visit.view["segments"][7]["text"]
        find_line(page, 8).get_by_role("button", name="That is what was said").click()
        expect(find_line(page, 8).locator(".look")).to_have_count(0)
        assert decided(at) == {"number": 8, "heard": heard, "text": heard}
        find_line(page, 9).get_by_role("button", name="Other words").click()
        field = page.get_by_label("Line 9, as it was said")
        expect(field).to_be_focused()
        expect(field).to_have_value(at.visit.view["segments"][8]["text"])
        field.fill("So we keep the sertraline and the walk.")
        page.get_by_role("button", name="Keep these words").click()
        expect(find_line(page, 9).locator(".line-text")).to_have_text("So we keep the sertraline and the walk.")
        assert decided(at)["text"] == "So we keep the sertraline and the walk."


def test_a_piece_that_was_not_understood_is_written_or_let_be(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        find_line(page, 10).get_by_role("button", name="Write what was said").click()
        page.get_by_role("button", name="Keep these words").click()
        expect(page.get_by_text("Write what was said first, or leave")).to_be_visible()
        assert at.posts("segment") == []
        page.get_by_role("button", name="Leave it as it is").click()
        find_line(page, 10).get_by_role("button", name="Nothing that matters").click()
        expect(find_line(page, 10).locator(".line-text")).to_have_text(
            "By your decision there is nothing here that matters."
        )
        assert decided(at) == {"number": 10, "heard": "", "text": ""}


def test_any_line_that_was_heard_can_be_corrected_and_none_that_was_typed(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        page.get_by_label("Notes", exact=True).fill("Typed here.")
        expect(find_line(page, 13)).to_be_visible()
        find_line(page, 2).hover()
        find_line(page, 2).get_by_role("button", name="Correct line 2").click()
        page.get_by_label("Line 2, as it was said").fill("About four hours a night.")
        page.keyboard.press("Control+Enter")
        expect(find_line(page, 2).locator(".line-text")).to_have_text("About four hours a night.")
        expect(find_line(page, 2)).to_be_focused()
        assert decided(at)["heard"] == "About five hours a night, I wake at four most mornings."
        for number in (11, 13):  # a silence, and what was typed
            find_line(page, number).hover()
            find_line(page, number).focus()
            page.keyboard.press("c")
            expect(find_line(page, number).get_by_role("button")).to_have_count(0)


def test_a_refusal_is_said_at_the_line_and_what_was_typed_stays(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening", expected_errors=True) as at:
        page = at.page
        gather_session(at)
        find_line(page, 9).get_by_role("button", name="Other words").click()
        field = page.get_by_label("Line 9, as it was said")
        field.fill("We keep all three.")
        at.visit.heard[8]["text"] = "So we keep it, the diary and the walk."
        at.visit.hear(text="Bye.", start_seconds=90.0)
        expect(find_line(page, 9).locator(".line-text")).to_have_text("So we keep it, the diary and the walk.")
        expect(field).to_have_value("We keep all three.")
        page.get_by_role("button", name="Keep these words").click()
        expect(find_line(page, 9).get_by_role("alert")).to_have_text(CHANGED)
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(field).to_have_value("We keep all three.")
        page.get_by_role("button", name="Keep these words").click()  # she has seen what it says now
        expect(find_line(page, 9).locator(".line-text")).to_have_text("We keep all three.")
        assert [body["heard"] for body in at.posts("segment")] == [
            "So we keep the sertraline, the sleep diary and the daily walk.",
            "So we keep it, the diary and the walk.",
        ]
        expect(page.get_by_role("alert")).to_have_count(0)
        at.visit.fail_next["segment"] = (503, {"code": "ledger", "message": "The log can't be written."})
        find_line(page, 8).get_by_role("button", name="That is what was said").click()
        expect(find_line(page, 8).get_by_role("alert")).to_have_text("The log can't be written.")
        expect(find_line(page, 8).get_by_role("button", name="That is what was said")).to_be_focused()


def test_what_is_typed_for_a_line_stays_with_it_when_its_number_moves(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        find_line(page, 8).get_by_role("button", name="Other words").click()
        page.get_by_label("Line 8, as it was said").fill("Her manager agreed.")
        at.visit.hear(text="A line that comes before.")
        expect(page.get_by_label("Line 9, as it was said")).to_have_value("Her manager agreed.")
        expect(page.get_by_label("Line 9, as it was said")).to_be_focused()
        expect(page.get_by_text("Words are not kept yet: line 9.")).to_be_visible()
        page.get_by_role("button", name="Draft the note").click(force=True)
        page.keyboard.press("Shift+Tab")
        page.get_by_role("button", name="Keep these words").click()
        expect(find_line(page, 9).locator(".line-text")).to_have_text("Her manager agreed.")
        assert decided(at)["number"] == 9
        assert at.posts("draft") == []


def test_nothing_is_played_into_an_open_microphone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        gather_session(at)
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("recording the session")
        find_line(page, 4).get_by_role("button", name="Play line 4").click()
        expect(page.get_by_text("Pause the microphone to listen")).to_be_visible()
        assert at.visit.played == []
        page.get_by_role("button", name="Pause").click()
        find_line(page, 4).get_by_role("button", name="Play line 4").click()
        expect(page.get_by_text("Pause the microphone to listen")).to_be_hidden()
        expect(find_line(page, 4).get_by_role("button", name="Stop line 4")).to_be_visible()
        assert at.visit.played == [4]
        choices = page.get_by_role("group", name="Line 4: Which was said?")  # she may decide while it goes on
        page.get_by_role("button", name="Go on recording").click()
        choices.get_by_role("button", name="suicide").click()
        expect(find_line(page, 4).locator(".look")).to_have_count(0)


def test_a_sound_that_is_gone_is_said_and_the_line_can_still_be_decided(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "listening", expected_errors=True) as at:
        page = at.page
        gather_session(at)
        at.visit.fail_next["sound"] = (404, {"code": "sound.gone", "message": "The sound of this line is gone."})
        play = find_line(page, 8).get_by_role("button", name="Play line 8")
        play.click()
        expect(find_line(page, 8).get_by_role("alert")).to_have_text("The sound of this line is gone.")
        expect(play).to_be_visible()
        at.visit.heard[7]["sound"] = False
        at.visit.hear(text="Bye.", start_seconds=90.0)
        expect(play).to_be_hidden()
        expect(find_line(page, 8).get_by_text("Its sound is gone.")).to_be_visible()
        expect(find_line(page, 8).locator(".look")).to_have_text("Unclear")
        expect(find_line(page, 8).get_by_role("button", name="That is what was said")).to_be_visible()


def test_lines_are_found_heard_and_decided_by_keyboard_alone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        press(page, "Record the session")
        expect(page.locator(".line")).to_have_count(12)
        page.keyboard.press("n")
        expect(find_line(page, 4)).to_be_focused()
        page.keyboard.press("l")
        expect(find_line(page, 4).get_by_role("button", name="Stop line 4")).to_be_visible()
        page.keyboard.press("l")
        expect(find_line(page, 4).get_by_role("button", name="Play line 4")).to_be_visible()
        tab_to(page, find_line(page, 4).get_by_role("button", name="suicide"))
        page.keyboard.press("Enter")
        expect(find_line(page, 4)).to_be_focused()
        page.keyboard.press("n")
        expect(find_line(page, 7)).to_be_focused()
        page.keyboard.press("c")
        expect(page.get_by_label("Line 7, as it was said")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(find_line(page, 7).get_by_role("button", name="Play line 7")).to_be_focused()
        page.keyboard.press("Escape")
        expect(find_line(page, 7)).to_be_focused()
        page.keyboard.press("c")
        page.keyboard.press("Escape")  # nothing was typed
        expect(find_line(page, 7).get_by_role("button", name="Other words")).to_be_visible()
        expect(find_line(page, 7)).to_be_focused()
        for _ in range(5):
            page.keyboard.press("ArrowUp")
        page.keyboard.press("Tab")
        expect(find_line(page, 2).get_by_role("button", name="Play line 2")).to_be_focused()
        page.keyboard.press("Tab")
        expect(find_line(page, 2).get_by_role("button", name="Correct line 2")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Line 2, as it was said")).to_be_focused()
        page.keyboard.type(" L, C and N are only letters here.")
        page.keyboard.press("Escape")
        expect(page.get_by_label("Line 2, as it was said")).to_be_focused()  # what was typed is not lost
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.keyboard.press("Control+Enter")
        expect(find_line(page, 2)).to_contain_text("are only letters here.")
        assert [body["number"] for body in at.posts("segment")] == [4, 2]
        assert at.visit.played == [4]
