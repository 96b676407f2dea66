"""Everyone in the room: who is here by the record, who is added, and what each of them answered."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.page_server import PageServer
from tests.browser.page_walk import choose, open_visit, press, tab_to

pytestmark = pytest.mark.browser


def find_person(page: Page, role: str) -> Locator:
    return page.locator("person-row").filter(has=page.get_by_text(role, exact=True))


def find_answer(place: Locator, question: str, answer: str) -> Locator:
    return place.get_by_role("group", name=question).get_by_role("radio", name=answer, exact=True)


def test_what_each_person_answered_is_sent_as_it_is_said(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "room", expected_errors=True) as at:
        page = at.page
        partner, interpreter = find_person(page, "Partner"), find_person(page, "Interpreter")
        expect(partner).to_contain_text("Tobias Achterberg")
        expect(page.get_by_text("Only the role and the answer are kept, no name.")).to_be_visible()
        expect(page.locator(".room-sum")).to_have_text("2 people, 2 not asked")
        expect(find_answer(partner, "Recording", "Not asked")).to_be_checked()
        expect(find_answer(interpreter, "Recording", "Yes")).to_be_checked()
        find_answer(partner, "Recording", "Yes").check()
        find_answer(partner, "AI drafting", "No").check()
        expect(page.locator(".room-sum")).to_have_text("2 people, 1 not asked, 1 said no")
        assert at.posts("person") == [
            {"id": "p1", "role": "partner", "answers": {"recording": "yes", "ai-drafting": "open"}},
            {"id": "p1", "role": "partner", "answers": {"recording": "yes", "ai-drafting": "no"}},
        ]
        at.visit.fail_next["person"] = (503, {"code": "ledger", "message": "The log can't be written."})
        find_answer(interpreter, "AI drafting", "Yes").click()
        expect(page.get_by_role("alert")).to_have_text("The log can't be written.")
        expect(find_answer(interpreter, "AI drafting", "Not asked")).to_be_checked()


def test_somebody_the_ehr_does_not_list_is_added_and_taken_back(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        expect(page.get_by_text("Nobody else is listed for this visit.")).to_be_visible()
        press(page, "Add somebody")
        expect(page.get_by_label("Who is it?")).to_be_focused()
        press(page, "Add to this visit")
        expect(page.get_by_text("Say who it is.")).to_be_visible()
        assert at.posts("person") == []
        tab_to(page, page.get_by_label("Who is it?"))
        page.keyboard.type("Parent")
        tab_to(page, find_answer(page.locator("add-person"), "Recording", "Not asked"))
        page.keyboard.press("ArrowRight")
        press(page, "Add to this visit")
        expect(page.get_by_role("button", name="Add somebody")).to_be_focused()
        expect(find_answer(find_person(page, "Parent"), "Recording", "Yes")).to_be_checked()
        expect(page.locator(".room-sum")).to_have_text("1 person, all said yes")
        assert at.posts("person") == [{"id": None, "role": "parent", "answers": {"recording": "yes"}}]
        added = at.visit.view["people"]["list"][0]["id"]
        press(page, "Remove Parent")
        expect(page.get_by_role("button", name="Add somebody")).to_be_focused()
        expect(page.get_by_text("Nobody else is listed for this visit.")).to_be_visible()
        assert at.posts("person-left") == [{"id": added}]


def test_a_form_that_was_opened_by_mistake_adds_nobody(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "room") as at:
        press(at.page, "Add somebody")
        at.page.keyboard.press("Escape")
        expect(at.page.get_by_role("button", name="Add somebody")).to_be_focused()
        expect(find_person(at.page, "Partner").get_by_role("button")).to_have_count(0)  # the record lists him
        assert at.posts("person") == []


def test_while_the_microphone_is_on_nobody_comes_or_goes_but_a_no_is_heard(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "room") as at:
        page = at.page
        choose(page, "Record the session")
        page.locator("room-list summary").click()
        yes = find_answer(find_person(page, "Partner"), "Recording", "Yes")
        expect(yes).to_be_enabled()
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        expect(page.get_by_text("Pause the microphone to add or remove somebody.")).to_be_visible()
        expect(page.get_by_role("button", name="Add somebody")).to_be_hidden()
        find_answer(find_person(page, "Partner"), "Recording", "No").check()
        expect(page.locator(".strip")).to_be_visible()  # the scripted visit goes on; the real one stops
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Add somebody")).to_be_visible()
        assert [one["answers"]["recording"] for one in at.posts("person")] == ["no"]


def test_where_only_the_patients_answer_counts_nobody_else_is_asked(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "room") as at:
        at.visit.view["people"]["needed"] = []
        at.visit.change()
        expect(at.page.locator("room-list")).to_be_hidden()
