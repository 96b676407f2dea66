"""What the page says while people talk, and takes no attention for: the draft so far, the language, the loudspeaker."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import ask_draft, choose, open_visit, tab_to

pytestmark = pytest.mark.browser

FIRST = ("Sleeps about five hours a night.", "Mood a little better.")
MORE = (*FIRST, *(f"Said something more, {place}." for place in range(30)))


def start(page: Page) -> None:
    choose(page, "Record the session")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator(".strip")).to_contain_text("recording the session 0:01")


def test_the_draft_so_far_is_folded_and_to_be_read_only(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        start(page)
        so_far = page.locator("draft-so-far")
        expect(so_far).to_be_hidden()
        at.visit.draft_so_far(FIRST[0])
        expect(so_far.locator("summary")).to_have_text("The draft so far (1 sentence)")
        expect(page.get_by_text(FIRST[0])).to_be_hidden()
        tab_to(page, so_far.locator("summary"))
        page.keyboard.press("Enter")
        expect(page.get_by_text(FIRST[0])).to_be_visible()
        expect(page.get_by_text("Checked against what was heard so far; it may change")).to_be_visible()
        expect(page.get_by_text("1 withheld: not in the note.")).to_be_visible()
        at.visit.draft_so_far("Sleeps about five hours, wakes at four.", FIRST[1])
        expect(so_far.locator("summary")).to_have_text("The draft so far (2 sentences)")
        expect(so_far.locator("li")).to_have_text(["Sleeps about five hours, wakes at four.", FIRST[1]])
        expect(so_far.locator("summary")).to_be_focused()
        expect(so_far.locator("button, textarea, input")).to_have_count(0)
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.get_by_role("button", name="End the session").click()
        ask_draft(page)
        expect(so_far).to_have_count(0)
        expect(page.locator("note-section h3").first).to_be_visible()


def test_the_draft_so_far_moves_nothing_and_takes_no_focus(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        start(page)
        notes = page.get_by_label("Notes", exact=True)
        at.visit.draft_so_far(*FIRST)
        page.locator("draft-so-far summary").click()
        notes.focus()
        page.keyboard.type("A note ")
        places = "() => [scrollY, ...['.record-panel', 'textarea', '.finish'].map((part) => " + (
            "document.querySelector(part).getBoundingClientRect().top)]"
        )
        before = page.evaluate(places)
        at.visit.draft_so_far(*MORE)
        expect(page.locator("draft-so-far summary")).to_have_text("The draft so far (32 sentences)")
        page.keyboard.type("goes on.")
        expect(notes).to_have_value("A note goes on.")
        assert page.evaluate(places) == before
        box = page.locator(".so-far").bounding_box()
        assert box is not None
        assert box["height"] <= 0.41 * 860
        assert page.locator("draft-so-far [role=status], draft-so-far [aria-live]").count() == 0
        page.get_by_role("button", name="Stop and discard").click()
        page.get_by_role("button", name="Discard it").click()


def test_it_is_said_plainly_where_there_is_no_ai_draft(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "language") as at:
        page = at.page
        choose(page, "Type notes")
        expect(page.locator("gather-material > .notice")).to_have_text(at.visit.view["language"]["words"])
        expect(page.get_by_text("Drafting: Qwen")).to_be_hidden()
        expect(page.get_by_text("No model is used: you write each section yourself")).to_be_visible()
        assert list_faults(page, sizes=ALL_SIZES) == []
        expect(page.get_by_text("Give some material first.")).to_be_hidden()
        page.get_by_label("Notes", exact=True).fill("Durmió cinco horas.")
        page.get_by_role("button", name="Write without AI").click()
        expect(page.get_by_role("heading", name="Write the note")).to_be_visible()
        expect(page.locator(".line-text")).to_have_text("Durmió cinco horas.")  # her lines stand beside
        assert at.posts("typed")[-1]["text"] == "Durmió cinco horas."
        assert at.posts("way")[-1] == {"way": "write", "format": "soap"}
        assert at.posts("draft") == []


def test_an_outline_is_arranged_in_any_language(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "language") as at:
        page = at.page
        at.visit.change(drafter={"kind": "outline", "label": ""})
        choose(page, "Type notes")
        page.get_by_label("Notes", exact=True).fill("Durmió cinco horas.")
        page.get_by_role("button", name="Arrange the note").click()
        expect(page.locator("attest-form")).to_be_visible()


def test_another_language_than_expected_is_said_while_it_is_heard(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Record the session")
        notice = page.locator("gather-material > .notice")
        expect(notice).to_be_hidden()
        language = at.visit.view["language"]
        at.visit.change(language=language | {"heard": "en-GB"})
        expect(notice).to_have_text(
            "This seems to be in British English, though another language was expected: read the lines twice."
        )
        expect(page.get_by_role("button", name="Draft the note")).to_be_visible()
        why = "What was said or typed seems to be in Spanish."
        at.visit.change(language={"code": "es", "heard": "es", "drafting": False, "words": why})
        expect(notice).to_have_text(why)
        expect(page.get_by_role("button", name="Write without AI")).to_be_visible()
        at.visit.change(language=language)
        expect(notice).to_be_hidden()
        expect(page.get_by_role("button", name="Draft the note")).to_be_visible()


def test_a_loudspeaker_that_the_room_hears_is_said_once(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Record the session")
        page.get_by_role("radio", name="From a second input").check()
        expect(page.get_by_text("Wear headphones")).to_be_visible()
        at.visit.change(bled=True)
        expect(page.get_by_text("The room's microphone hears the loudspeaker")).to_be_visible()
        expect(page.get_by_text("eadphones", exact=False)).to_have_count(1)
        assert list_faults(page, sizes=ALL_SIZES) == []
