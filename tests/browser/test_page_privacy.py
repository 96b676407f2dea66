"""What the page must not do: run what it shows, remember it, or send it elsewhere."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.page_scenes import HOSTILE
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

KEPT = """async () => ({
  local: localStorage.length, session: sessionStorage.length, cookie: document.cookie,
  databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
  workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""
NOTHING: dict[str, Any] = {
    "local": 0,
    "session": 0,
    "cookie": "",
    "databases": 0,
    "caches": 0,
    "workers": 0,
}


def find_live_markup(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('img, body script, [onerror], body [style]').length"))


def test_script_in_every_field_is_text(chromium: Browser, page_server: PageServer) -> None:
    shown = HOSTILE.replace("\x00", "")
    with open_visit(chromium, page_server, "hostile") as at:
        page = at.page
        assert page.locator("patient-banner").inner_text().count("<img src=x") == 5
        page.locator(".way button:enabled").first.click()
        give_dictation(page)
        page.get_by_label("Notes", exact=True).fill(HOSTILE)
        ask_draft(page)
        assert shown[:30] in page.locator("note-section .statement-text").first.inner_text()
        page.locator("note-section").nth(1).get_by_role("button", name="Edit").click()
        page.keyboard.insert_text(shown)
        page.get_by_role("button", name="Save the edit").click()
        expect(page.locator(".edited-text").nth(1)).to_contain_text("<script>")
        page.locator("withheld-list summary").click()
        page.get_by_role("button", name="Take over").first.click()
        expect(page.locator("withheld-list textarea").first).to_have_value("")
        page.locator("withheld-list textarea").first.fill(shown)
        page.get_by_role("button", name="Put it into the section").click()
        expect(page.locator("note-section").nth(3).locator(".origin")).to_have_text("your own words")
        decide_all(page)
        assert page.evaluate("window.hit") is None
        assert find_live_markup(page) == 0


def test_nothing_is_stored_and_nothing_leaves_for_elsewhere(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        page.get_by_label("Notes", exact=True).fill("Marker Quillfeather")
        expect(page.get_by_text("Kept for this visit")).to_be_visible()
        ask_draft(page)
        decide_all(page)
        attest(page)
        assert page.evaluate(KEPT) == NOTHING
        file_note(page)
        assert page.evaluate(KEPT) == NOTHING
        assert at.hosts <= {f"localhost:{page_server.port}"}


def test_no_word_of_the_patient_is_left_in_the_page_after_the_end(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        decide_all(page)
        attest(page)
        file_note(page)
        assert at.visit.view["patient"]["name"] == "Rosalind Achterberg"  # even where the answer still has it
        left = page.evaluate(
            "document.documentElement.outerHTML + [...document.querySelectorAll('textarea')].map((t) => t.value)"
        )
        for word in ("Rosalind", "Achterberg", "BW-004417", "sertraline", "daughter", "Consent/c7", "Room 4"):
            assert word not in left
        assert "DocumentReference/n1" in left


def test_no_field_is_remembered_or_checked_by_the_browser(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        fields = page.locator("textarea").all()
        ask_draft(page)
        page.locator("note-section").first.get_by_role("button", name="Edit").click()
        fields += page.locator("textarea").all()
        assert len(fields) >= 5
        for attribute, wanted in (
            ("autocomplete", "off"),
            ("spellcheck", "false"),
            ("autocorrect", "off"),
            ("autocapitalize", "off"),
            ("writingsuggestions", "false"),
        ):
            for field in page.locator("textarea").all():
                assert field.get_attribute(attribute) == wanted
        for field in page.locator("input").all():
            assert field.get_attribute("autocomplete") == "off"
        assert page.locator("html").get_attribute("translate") == "no"


def test_a_banner_the_ehr_shows_itself_is_left_out(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "nobanner") as at:
        expect(at.page.locator("patient-banner")).to_be_hidden()
        assert "Rosalind" not in at.page.content()
