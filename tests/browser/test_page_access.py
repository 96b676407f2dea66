"""WCAG 2.2 AA by axe in every phase, light and dark, as a side panel and at full width; and reflow."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.appearance import ALL_SIZES, PANEL, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import (
    ask_draft,
    attest,
    choose,
    decide_all,
    file_note,
    give_dictation,
    open_visit,
)

pytestmark = pytest.mark.browser


def test_axe_finds_nothing_and_nothing_runs_off_in_any_phase(chromium: Browser, page_server: PageServer) -> None:
    looked: dict[str, list[str]] = {}

    with open_visit(chromium, page_server, "plain") as at:
        page = at.page

        def look(name: str) -> None:
            looked[name] = list_faults(page)

        for light in page.locator("details.light summary").all():
            light.click()
        page.locator("read-list summary").click()
        look("choosing, folds open")
        page.keyboard.press("?")
        look("keys")
        page.keyboard.press("?")
        choose(page, "Dictate")
        look("gathering")
        page.get_by_role("button", name="Start dictating").click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        look("dictating")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Discard").click()
        look("paused, asked whether to discard")
        page.get_by_role("button", name="Discard it").click()
        give_dictation(page)
        look("lines")
        at.visit.pace_seconds = 0.6
        page.get_by_role("button", name="Draft the note").click()
        expect(page.locator(".statement").nth(1)).to_be_visible()
        look("drafting")
        at.visit.pace_seconds = 0.02
        expect(page.locator("attest-form")).to_be_visible(timeout=15000)
        page.locator("withheld-list summary").click()
        page.locator("note-section .statement").nth(1).hover()
        look("review")
        at.visit.view["problem"] = {"code": "scripted", "message": "The EHR did not answer. Try again in a minute."}
        page.get_by_role("button", name="Take over").first.click()
        page.locator("note-section").nth(1).get_by_role("button", name="Edit").click()
        page.get_by_role("button", name="Stop and destroy").click()
        look("edits and questions open")
        page.get_by_role("button", name="Go on", exact=True).click()
        page.get_by_role("button", name="Leave it out").click()
        page.get_by_role("button", name="Discard the edit").click()
        page.locator("note-section").nth(2).get_by_role("button", name="Strike").click()
        look("a problem and a struck section")
        at.visit.view["problem"] = None
        decide_all(page)
        attest(page)
        look("decided and attested")
        file_note(page)
        look("ended")
        at.visit.sign()
        expect(page.get_by_role("heading", name="Signed")).to_be_visible(timeout=12000)
        look("signed")

    for scene in ("encounters", "telehealth", "refused", "handover", "outline", "hostile"):
        with open_visit(chromium, page_server, scene) as at:
            looked[scene] = list_faults(at.page)

    with open_visit(chromium, page_server, "handover") as at:
        at.visit.change(phase="handing-over", handover_text="SUBJECTIVE\nSleeps five hours.")
        expect(at.page.get_by_label("The note")).to_be_visible()
        looked["handing over"] = list_faults(at.page)
        at.visit.change(phase="filing", handover_text=None)
        expect(at.page.get_by_role("heading", name="Filing")).to_be_visible()
        looked["filing"] = list_faults(at.page)
        at.visit.change(phase="opening")
        expect(at.page.get_by_role("heading", name="Reading the chart")).to_be_visible()
        looked["opening"] = list_faults(at.page)

    assert {name: found for name, found in looked.items() if found} == {}
    assert len(looked) == 22


def test_axe_finds_nothing_in_what_is_asked_and_recorded(chromium: Browser, page_server: PageServer) -> None:
    looked: dict[str, list[str]] = {}

    with open_visit(chromium, page_server, "asking", expected_errors=True) as at:
        page = at.page
        looked["an answer is missing"] = list_faults(page, sizes=ALL_SIZES)
        page.get_by_role("button", name="Ask the patient").click()
        expect(page.get_by_role("heading", name="May we record")).to_be_visible()
        looked["read with the patient"] = list_faults(page, sizes=ALL_SIZES)
        page.get_by_role("radio", name="Español").check()
        page.locator("ask-question").first.get_by_role("radio", name="Yes").check()
        page.get_by_role("radio", name="The patient").check()
        page.get_by_role("radio", name="Earlier").check()
        page.get_by_label("Date and time of the answer").fill("2026-11-20T10:02")
        at.visit.fail_next["answers"] = (503, {"code": "x", "message": "The log can't be written."})
        page.get_by_role("button", name="Save the answers").click()
        expect(page.get_by_text("Not saved;")).to_be_visible()
        looked["answers that were not saved"] = list_faults(page, sizes=ALL_SIZES)

    for scene in ("attest", "noasking", "hostile"):
        with open_visit(chromium, page_server, scene) as at:
            if scene != "noasking":
                at.page.get_by_role("button", name=re.compile("Ask the patient|Change an answer")).click()
                expect(at.page.get_by_role("heading", name="May we record")).to_be_visible()
            looked[scene] = list_faults(at.page, sizes=ALL_SIZES)

    with open_visit(chromium, page_server, "room") as at:
        page = at.page
        page.get_by_role("button", name="Add somebody").click()
        looked["adding somebody"] = list_faults(page, sizes=ALL_SIZES)
        choose(page, "Record the session")
        page.locator("room-list summary").click()
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        looked["recording"] = list_faults(page, sizes=ALL_SIZES)
        at.visit.set_capture("paused", "The EHR has not answered for a minute. The recording is paused.")
        expect(page.get_by_text("The EHR has not answered")).to_be_visible()
        looked["paused by the visit"] = list_faults(page, sizes=ALL_SIZES)
        at.visit.take_back(["Recording"])
        expect(page.get_by_role("alert")).to_be_visible()
        looked["taken back"] = list_faults(page, sizes=ALL_SIZES)
        choose(page, "Tidy my note")
        looked["tidying"] = list_faults(page, sizes=ALL_SIZES)

    assert {name: found for name, found in looked.items() if found} == {}
    assert len(looked) == 11


def test_what_is_read_and_who_is_here_fit_320_pixels(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "room", viewport={"width": 320, "height": 256}) as at:
        page = at.page
        page.get_by_role("button", name="Add somebody").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.get_by_role("button", name="Change an answer").click()
        expect(page.get_by_role("heading", name="May we record")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scene", ["plain", "hostile", "righttoleft", "long"])
def test_nothing_runs_off_the_side_at_320_pixels(chromium: Browser, page_server: PageServer, scene: str) -> None:
    """WCAG 2.2, 1.4.10: 320 CSS pixels are 1280 at 400 %."""
    with open_visit(chromium, page_server, scene, viewport={"width": 320, "height": 256}) as at:
        page = at.page
        page.locator(".way button:enabled").first.click()
        give_dictation(page)
        ask_draft(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate("getComputedStyle(document.querySelector('.bar')).position") == "static"


def test_controls_are_at_least_24_pixels(chromium: Browser, page_server: PageServer) -> None:
    """WCAG 2.2, 2.5.8; a check box or radio button counts with its own label beside it."""
    with open_visit(chromium, page_server, "plain", viewport=PANEL) as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.locator("withheld-list summary").click()
        small = page.evaluate(
            "() => [...document.querySelectorAll('button, summary, textarea, a.button')]"
            ".filter((part) => part.checkVisibility())"
            ".map((part) => [part.textContent, part.getBoundingClientRect()])"
            ".filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"
        )
        assert small == []


def test_the_focus_is_not_hidden_by_the_bar(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "long", viewport={"width": 380, "height": 700}) as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.locator("note-section .statement").nth(40).focus()
        for _ in range(30):
            page.keyboard.press("ArrowUp")
        bar = page.locator(".bar").bounding_box()
        held = page.locator(".statement.at-hand").bounding_box()
        assert bar is not None
        assert held is not None
        assert held["y"] >= bar["y"] + bar["height"]


def test_phases_are_announced_and_progress_is_live(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        status = page.locator("visit-page > p[role=status]")
        expect(status).to_have_text("The draft is ready: 8 statements, 2 withheld.")
        page.locator("note-section").first.get_by_role("button", name="Accept").click()
        expect(status).to_have_text("4 decisions open")
