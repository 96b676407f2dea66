"""Another format for a draft that is there: asked for on purpose, shown at once, drafted on where it asks for more."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import ask_draft, choose, give_dictation, open_visit, tab_to

pytestmark = pytest.mark.browser


def review(page: Page) -> None:
    choose(page, "Dictate")
    give_dictation(page)
    ask_draft(page)


def test_what_is_checked_is_shown_under_other_headings_at_once(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        review(page)
        page.locator("note-section").nth(1).get_by_role("button", name="Edit").click()
        page.keyboard.type("Tearful, then composed.")
        page.keyboard.press("Control+Enter")
        page.locator("note-section").nth(0).get_by_role("button", name="Accept").click()
        expect(page.locator(".open-count")).to_have_text("3 decisions open")
        page.locator("other-format summary").click()
        expect(page.locator("other-format summary")).to_have_text("Format: SOAP. Use another")
        expect(page.get_by_text("every section is open again")).to_be_visible()
        expect(page.get_by_text("Choose another format first.")).to_be_visible()
        page.get_by_role("radio", name="DAP").check()
        assert at.posts("format") == []  # a press of its own asks for it
        page.get_by_role("button", name="Use DAP").click()
        expect(page.locator("note-section h3")).to_have_text(["Data", "Assessment", "Plan"])
        expect(page.get_by_role("heading", name="Review the draft")).to_be_focused()
        expect(page.locator("visit-page > p[role=status]")).to_have_text(
            "The draft is in DAP now. Every section is open again."
        )
        expect(page.locator(".section-state")).to_have_text(["Open", "Open", "Open"])
        own = page.locator("note-section").first.locator(".statement").filter(has_text="Tearful, then composed.")
        expect(own.locator(".origin")).to_have_text("your own words")
        expect(page.locator("other-format summary")).to_have_text("Format: DAP. Use another")
        expect(page.locator("other-format details")).not_to_have_attribute("open", "")
        assert at.posts("format") == [{"format": "dap"}]


def test_what_is_there_stays_in_sight_while_the_rest_is_drafted(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        review(page)
        at.visit.pace_seconds = 0.3
        tab_to(page, page.locator("other-format summary"))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("radio", name="SOAP"))
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        tab_to(page, page.get_by_role("button", name="Use BIRP"))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Drafting what only BIRP asks for")).to_be_visible()
        expect(page.locator("review-draft h2")).to_have_text("Drafting")
        expect(page.locator("review-draft h2")).to_be_focused()
        expect(page.locator("note-section h3")).to_have_text(["Behavior", "Intervention", "Response", "Plan"])
        expect(page.get_by_text("Sleeps about five hours a night and wakes at four most mornings.")).to_be_visible()
        expect(page.get_by_role("button", name="Accept")).to_have_count(0)
        expect(page.get_by_role("button", name="Stop drafting")).to_be_hidden()
        page.get_by_role("button", name="Back to the material").click()  # it asks: there are decisions to lose
        expect(page.get_by_text("Go back? The draft and your decisions on it are dropped")).to_be_visible()
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.get_by_role("button", name="Stay here").click()
        expect(page.locator("note-section").nth(1)).to_contain_text("Asked about thoughts of suicide.")
        expect(page.get_by_role("heading", name="Review the draft")).to_be_visible()
        expect(page.locator(".section-state")).to_have_text(["Open"] * 4)
        assert at.posts("material") == []


def test_a_format_that_is_refused_changes_nothing_and_says_why_there(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        review(page)
        page.locator("other-format summary").click()
        page.get_by_role("radio", name="BIRP").check()
        at.visit.fail_next["format"] = (503, {"code": "ledger", "message": "The log can't be written."})
        page.get_by_role("button", name="Use BIRP").click()
        expect(page.locator("other-format").get_by_role("alert")).to_have_text("The log can't be written.")
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(page.get_by_role("radio", name="BIRP")).to_be_checked()
        expect(page.locator("note-section h3").first).to_have_text("Subjective")
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.get_by_role("button", name="Use BIRP").click()
        expect(page.locator("note-section h3").first).to_have_text("Behavior")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_an_unsaved_edit_holds_another_format_back(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        review(page)
        page.locator("other-format summary").click()
        page.get_by_role("radio", name="DAP").check()
        page.locator("note-section").nth(3).get_by_role("button", name="Edit").click()
        expect(page.locator("other-format")).to_contain_text("An edit is not saved yet: Plan.")
        page.get_by_role("button", name="Use DAP").click(force=True)
        page.wait_for_timeout(100)
        assert at.posts("format") == []
        page.get_by_role("button", name="Discard the edit").click()
        page.get_by_role("button", name="Use DAP").click()
        expect(page.locator("note-section h3").first).to_have_text("Data")
