"""Another format through the whole product: what is checked moves, her own words stay hers, the note is filed so."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.demo_servers import Product
from tests.browser.visit_walk import (
    ask_draft,
    attest_and_file,
    choose_way,
    decide_rest,
    expect_awaiting,
    find_section,
    open_by_launch,
    type_notes,
    watch_page,
)

pytestmark = [pytest.mark.browser, pytest.mark.processes]

OWN = "Seemed rested; in her own words, a good week."


def test_a_draft_moves_to_another_format_and_is_filed_in_it(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = watched.page
        open_by_launch(watched, "bruno-castellan")
        choose_way(page, "Type")
        type_notes(page)
        ask_draft(page)
        titles = page.locator("note-section h3").all_inner_texts()
        find_section(page, "Plan").get_by_role("button", name="Edit").click()
        find_section(page, "Plan").locator("textarea").fill(OWN)
        page.get_by_role("button", name="Save the edit").click()
        page.locator("other-format summary").click()
        page.get_by_role("radio", name="BIRP").check()
        page.get_by_role("button", name="Use BIRP").click()
        expect(find_section(page, "Response")).to_be_visible()
        expect(page.get_by_role("heading", name="Review the draft")).to_be_focused()
        assert page.locator("note-section h3").all_inner_texts() != titles
        expect(page.get_by_text(OWN)).to_have_count(1)
        expect(page.locator("note-section").filter(has_text="sertraline 50 mg")).to_have_count(1)
        decide_rest(page)
        attest_and_file(page)
        expect_awaiting(page)
