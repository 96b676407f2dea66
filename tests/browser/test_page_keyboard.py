"""The whole visit by keyboard alone: nothing here moves a pointer."""

import io
import wave

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.page_server import PageServer
from tests.browser.page_walk import ask_draft, choose, give_dictation, open_visit, press, tab_to, watch_microphone

pytestmark = pytest.mark.browser


def test_walks_from_choosing_to_the_signature(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        tab_to(page, page.get_by_role("radio", name="SOAP"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="DAP")).to_be_checked()
        press(page, "Dictate")
        expect(page.get_by_role("heading", name="What happened in this visit?")).to_be_focused()
        assert at.posts("way") == [{"way": "dictate", "format": "dap"}]

        press(page, "Start dictating")
        expect(page.locator(".strip")).to_contain_text("dictating 0:01")
        expect(page).to_have_title("● Microphone on: Countersign")
        page.keyboard.press("Space")  # the focus is on Pause
        expect(page.locator(".strip")).to_contain_text("paused")
        page.keyboard.press("Space")
        press(page, "Stop and transcribe")
        expect(page.locator("evidence-lines .line").nth(5)).to_be_visible()
        expect(page.locator(".strip")).to_be_hidden()

        tab_to(page, page.get_by_label("What you observed"))
        page.keyboard.type("Tearful when speaking of her daughter? Yes.")
        press(page, "Draft the note")
        expect(page.get_by_role("heading", name="Review the draft")).to_be_focused()
        expect(page.locator("attest-form")).to_be_visible()

        page.keyboard.press("ArrowDown")
        first = page.locator("note-section .statement").first
        expect(first).to_be_focused()
        expect(page.locator("evidence-lines .line.lit .line-number")).to_have_text(["Line 2"])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.locator("evidence-lines .line.lit .line-number")).to_have_text(["Line 4", "Line 5"])
        page.keyboard.press("Enter")
        expect(page.locator("evidence-lines .line").nth(3)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("note-section .statement").nth(2)).to_be_focused()

        press(page, "Keep")
        expect(page.locator(".risk-state")).to_have_text("Kept")
        page.keyboard.press("a")
        expect(page.locator("note-section").nth(0)).to_have_attribute("data-decision", "accepted")
        page.keyboard.press("n")
        expect(page.get_by_role("heading", name="Objective")).to_be_focused()
        page.keyboard.press("e")
        page.keyboard.type("Tearful, then composed. A nice A, S, N and ?")
        page.keyboard.press("Control+Enter")
        expect(page.locator("note-section").nth(1)).to_have_attribute("data-decision", "edited")
        page.keyboard.press("n")
        page.keyboard.press("s")
        expect(page.locator("note-section").nth(2)).to_have_attribute("data-decision", "struck")
        page.keyboard.press("n")
        page.keyboard.press("a")
        expect(page.locator(".open-count")).to_have_text("Everything is decided")

        tab_to(page, page.locator("attest-form input[type=checkbox]"))
        page.keyboard.press("Space")
        version = at.visit.view["version"]
        press(page, "File as an unsigned note")
        ended = page.get_by_role("heading", name="In the chart, awaiting your signature")
        expect(ended).to_be_focused()
        assert at.posts("file") == [{"attested": True, "version": version}]
        assert at.posts("section")[1]["text"] == "Tearful, then composed. A nice A, S, N and ?"

        at.visit.sign()
        expect(page.get_by_role("heading", name="Signed")).to_be_visible(timeout=12000)
        assert "All" not in " ".join(page.get_by_role("button").all_inner_texts())

        [(kind, sound)] = at.visit.sounds
        assert kind == "audio/wav"
        with wave.open(io.BytesIO(sound)) as recording:
            assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, 16000)
            assert 1 < recording.getnframes() / 16000 < 10
            assert any(recording.readframes(recording.getnframes()))


def test_hands_the_text_over_once_and_clears_the_clipboard(chromium: Browser, page_server: PageServer) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with open_visit(chromium, page_server, "handover", permissions=allowed) as at:
        page = at.page
        expect(page.get_by_text("holds no unsigned notes. At the end")).to_be_visible()
        press(page, "Type notes")
        tab_to(page, page.get_by_label("Notes", exact=True))
        page.keyboard.type("Slept five hours.\nMood better.\nWalks daily.\nNext visit in two weeks.")
        press(page, "Draft the note")
        expect(page.locator("attest-form")).to_be_visible()
        for key in ("a", "k", "a", "a", "a"):  # the second is the risk line of the first section
            before = at.visit.view["open_decisions"]
            page.keyboard.press("n")
            page.keyboard.press(key)
            expect(page.locator(".open-count")).not_to_contain_text(str(before))
        tab_to(page, page.locator("attest-form input[type=checkbox]"))
        page.keyboard.press("Space")
        press(page, "Show the text to hand over")
        expect(page.get_by_role("heading", name="Put the text into the EHR")).to_be_focused()
        text = page.get_by_label("The note").input_value()
        assert "PLAN" in text
        assert page.get_by_label("The note").get_attribute("readonly") is not None
        press(page, "Copy the text")
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == text
        tab_to(page, page.get_by_role("checkbox", name="The text is in the EHR"))
        page.keyboard.press("Space")
        press(page, "Confirm and destroy the rest")
        expect(page.get_by_role("heading", name="Handed over")).to_be_focused()
        assert page.evaluate("navigator.clipboard.readText()") == ""


def test_writes_every_section_without_a_model(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "refused") as at:
        page = at.page
        for way in ("Dictate", "Type notes"):
            expect(page.get_by_role("button", name=way)).to_be_disabled()
        expect(page.get_by_text("AI drafting is not permitted for this patient.").first).to_be_visible()
        press(page, "Write it yourself")
        expect(page.get_by_role("heading", name="Write the note")).to_be_visible()
        page.keyboard.press("n")
        page.keyboard.press("e")
        page.keyboard.type("In my own words.")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".edited-text").first).to_have_text("In my own words.")


def test_stop_and_destroy_asks_once_in_its_place(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        press(page, "Stop and destroy")
        expect(page.get_by_role("button", name="Go on", exact=True)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Stop and destroy")).to_be_focused()
        assert at.posts("cancel") == []
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Stopped and destroyed")).to_be_focused()
        expect(page.get_by_role("button", name="Stop and destroy")).to_be_hidden()


def test_stopping_a_recording_closes_the_microphone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        microphone = watch_microphone(page)
        press(page, "Start dictating")
        expect(page.locator(".strip")).to_contain_text("dictating 0:01")
        press(page, "Stop and destroy")
        press(page, "Destroy everything")
        expect(page.get_by_role("heading", name="Stopped and destroyed")).to_be_visible()
        assert microphone() == ["ended"]
        expect(page.locator(".strip")).to_be_hidden()
        assert at.visit.sounds == []


def test_single_keys_are_shown_and_can_be_turned_off(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.keyboard.press("?")
        keys = page.get_by_role("region", name="Keys")
        expect(keys).to_be_visible()
        tab_to(page, page.get_by_role("checkbox", name="Single keys are on"))
        page.keyboard.press("Space")
        press(page, "Close")
        expect(keys).to_be_hidden()
        page.locator("note-section h3").first.focus()
        page.keyboard.press("a")
        page.keyboard.press("?")
        page.wait_for_timeout(150)
        assert at.posts("section") == []
        expect(keys).to_be_hidden()
