"""The review where lines want a person's ear: they count as decisions; each is reached, decided and come back from."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.page_server import PageServer
from tests.browser.page_walk import Watched, ask_draft, decide_all, find_line, gather_session, open_visit, tab_to

pytestmark = pytest.mark.browser

CHANGED = "This line has changed since the page showed it. Look at it again."


def review(at: Watched) -> None:
    gather_session(at)
    ask_draft(at.page)


def test_marked_lines_are_counted_as_decisions_and_explained(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        expect(page.locator(".open-count")).to_have_text("9 decisions open")
        expect(page.locator(".review-bar")).to_contain_text("4 sections, 1 risk line, 4 lines to listen to")
        expect(page.get_by_role("heading", name="Lines to decide (4)")).to_be_visible()
        expect(page.locator("mark-list li button")).to_have_text(["Line 4", "Line 7", "Line 9", "Line 10"])
        expect(page.locator("attest-form")).to_contain_text(
            "9 decisions are still open: 4 sections, 1 risk line, 4 lines"
        )
        until = page.evaluate("new Date('2026-11-23T10:12:00Z').toTimeString().slice(0, 5)")
        expect(page.get_by_text(f"The recording of the other lines is let go at {until}.")).to_be_visible()
        at.visit.let_sound_go()
        expect(page.get_by_text("is let go at")).to_be_hidden()
        expect(find_line(page, 8).locator(".look")).to_have_text("Unclear")
        expect(find_line(page, 9).locator(".look")).to_have_text("Unclear: listen")
        decide_sections = page.get_by_role("button", name="Accept")
        for section in decide_sections.all():
            section.click()
        page.get_by_role("button", name="Keep", exact=True).click()
        expect(page.locator(".open-count")).to_have_text("4 decisions open")
        expect(page.locator(".review-bar")).to_contain_text("4 lines to listen to")
        page.locator("attest-form input[type=checkbox]").check()
        expect(page.locator("attest-form")).to_contain_text("4 decisions are still open: 4 lines to listen to.")
        page.get_by_role("button", name="File as an unsigned note").click(force=True)
        assert at.posts("file") == []


def test_from_a_statement_to_the_line_that_carries_it_and_back(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        row = page.locator("note-section .statement").filter(has_text="Taking sertraline")
        row.get_by_role("button", name="Listen to line 7").click()
        expect(find_line(page, 7)).to_be_focused()
        page.keyboard.press("l")
        expect(find_line(page, 7).get_by_role("button", name="Stop line 7")).to_be_visible()
        page.keyboard.press("Escape")
        expect(row).to_be_focused()
        mark = page.locator("mark-list").get_by_role("button", name="Go to line 10")
        mark.click()
        expect(find_line(page, 10)).to_be_focused()
        page.keyboard.press("Escape")
        expect(mark).to_be_focused()
        page.get_by_role("group", name="Line 7: Which was said?").get_by_role("button", name="fifty").click()
        expect(find_line(page, 7)).to_be_focused()
        expect(row.get_by_role("button", name="Listen to line 7")).to_be_hidden()
        expect(page.locator("visit-page > p[role=status]")).to_have_text("8 decisions open")
        expect(row.locator(".line-buttons")).to_contain_text("7")


def test_every_open_decision_is_reached_by_one_key(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        page.keyboard.press("n")
        expect(find_line(page, 4)).to_be_focused()
        tab_to(page, find_line(page, 4).get_by_role("button", name="suicide"))
        page.keyboard.press("Enter")
        expect(find_line(page, 4)).to_be_focused()
        page.keyboard.press("n")
        expect(find_line(page, 7)).to_be_focused()
        page.keyboard.press("n")
        expect(find_line(page, 9)).to_be_focused()
        page.keyboard.press("n")
        expect(find_line(page, 10)).to_be_focused()
        page.keyboard.press("n")
        expect(page.get_by_role("heading", name="Subjective")).to_be_focused()
        for key in ("a", "n", "k", "n", "a", "n", "a", "n", "a"):
            before = at.visit.view["open_decisions"]
            page.keyboard.press(key)
            if key != "n":
                expect(page.locator(".open-count")).to_have_text(f"{before - 1} decisions open")
        page.keyboard.press("n")
        for number, name in ((7, "fifty"), (9, "That is what"), (10, "Nothing that matters")):
            expect(find_line(page, number)).to_be_focused()
            tab_to(page, find_line(page, number).get_by_role("button", name=name))
            page.keyboard.press("Enter")
            expect(find_line(page, number)).to_be_focused()
            page.keyboard.press("n")
        expect(page.locator("mark-list")).to_be_hidden()
        for _ in range(2):  # what rests on the lines is read again
            page.keyboard.press("a")
            page.keyboard.press("n")
        expect(page.locator(".open-count")).to_have_text("Everything is decided")
        assert at.visit.view["open_decisions"] == 0


def test_the_next_line_is_always_in_reach_of_a_finger(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening", viewport={"width": 380, "height": 700}) as at:
        page = at.page
        review(at)
        page.locator("mark-list").get_by_role("button", name="Go to line 4").click()
        bar, top = page.locator(".to-look-bar"), page.locator("visit-page > header")
        for number in (7, 9, 10, 4):
            bar.get_by_role("button", name="Next marked line").click()
            expect(find_line(page, number)).to_be_focused()
            boxes = [place.bounding_box() for place in (top, bar, find_line(page, number))]
            edges = [(round(box["y"]), round(box["y"] + box["height"])) for box in boxes if box is not None]
            assert edges[0][1] <= edges[1][0] + 1
            assert edges[1][1] <= edges[2][0] + 1  # nothing hides the line
        expect(bar).to_contain_text("4 lines to decide")


def test_words_that_are_not_kept_hold_filing_back_and_outlast_a_view(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        page.locator("mark-list").get_by_role("button", name="Go to line 9").click()
        page.keyboard.press("c")
        page.keyboard.type(" And more.")
        expect(page.locator("attest-form")).to_contain_text("An edit is not saved yet: line 9.")
        at.visit.change(working={"what": "consent", "done": 0.0, "words": "Reading consent again"})
        expect(page.get_by_text("Reading consent again")).to_be_visible()
        at.visit.change(working=None)
        expect(page.get_by_label("Line 9, as it was said")).to_be_focused()
        expect(page.get_by_label("Line 9, as it was said")).to_have_value(
            "So we keep the sertraline, the sleep diary and the daily walk. And more."
        )
        page.keyboard.press("Control+Enter")
        expect(find_line(page, 9)).to_contain_text("And more.")


def test_an_edit_of_a_section_outlasts_a_decision_on_a_line(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        plan = page.locator("note-section").nth(3)
        plan.get_by_role("button", name="Edit").click()
        plan.locator("textarea").fill("Typed and not saved.")
        at.visit.change(working={"what": "consent", "done": 0.0, "words": "Reading consent again"})
        expect(page.get_by_text("Reading consent again")).to_be_visible()
        find_line(page, 9).get_by_role("button", name="That is what was said").click()
        at.visit.change(working=None)
        expect(find_line(page, 9).locator(".look")).to_have_count(0)
        expect(plan.locator("textarea")).to_have_value("Typed and not saved.")


def test_axe_finds_nothing_in_a_review_with_lines_to_decide(chromium: Browser, page_server: PageServer) -> None:
    looked: dict[str, list[str]] = {}
    with open_visit(chromium, page_server, "listening", expected_errors=True) as at:
        page = at.page
        review(at)
        page.locator("note-section .statement").nth(3).focus()
        looked["lines to decide"] = list_faults(page, sizes=ALL_SIZES)
        find_line(page, 9).get_by_role("button", name="Other words").click()
        page.keyboard.type(" More.")
        at.visit.fail_next["segment"] = (409, {"code": "line.changed", "message": CHANGED})
        page.keyboard.press("Control+Enter")
        expect(find_line(page, 9).get_by_role("alert")).to_be_visible()
        find_line(page, 2).hover()
        looked["a refusal and a line at hand"] = list_faults(page, sizes=ALL_SIZES)
        page.keyboard.press("Control+Enter")
        page.get_by_role("group", name="Line 4: Which was said?").get_by_role("button", name="suicide").click()
        at.visit.let_sound_go()
        looked["decided, and sound gone"] = list_faults(page, sizes=ALL_SIZES)
        page.set_viewport_size({"width": 320, "height": 256})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert {name: found for name, found in looked.items() if found} == {}


def test_controls_of_lines_are_at_least_24_pixels(chromium: Browser, page_server: PageServer) -> None:
    """WCAG 2.2, 2.5.8."""
    with open_visit(chromium, page_server, "listening", viewport={"width": 380, "height": 800}) as at:
        page = at.page
        review(at)
        find_line(page, 2).focus()
        boxes = [button.bounding_box() for button in page.locator("evidence-lines button:visible").all()]
        assert len(boxes) > 10
        assert [box for box in boxes if box is None or box["height"] < 24 or box["width"] < 24] == []


def test_a_note_whose_lines_are_decided_is_filed(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "listening") as at:
        page = at.page
        review(at)
        for number, name in ((4, "suicide"), (7, "fifty"), (9, "That is what"), (10, "Nothing that matters")):
            find_line(page, number).get_by_role("button", name=name).click()
            expect(find_line(page, number).locator(".look")).to_have_count(0)
        decide_all(page)
        page.locator("attest-form input[type=checkbox]").check()
        page.get_by_role("button", name="File as an unsigned note").click()
        expect(page.get_by_role("heading", name="In the chart, awaiting your signature")).to_be_visible()
