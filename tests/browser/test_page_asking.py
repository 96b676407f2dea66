"""Asking the patient: read in her language, answered question by question, and nothing sent before it is saved."""

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.page_server import WORDINGS, PageServer, show_wording
from tests.browser.page_walk import (
    ask_draft,
    choose,
    give_dictation,
    open_visit,
    press,
    tab_to,
    watch_microphone,
)

pytestmark = pytest.mark.browser

READ = "Read this with the patient"


def open_asking(page: Page, name: str = "Ask the patient") -> None:
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", name=READ)).to_be_focused()
    expect(page.locator("ask-question:visible").first).to_be_visible()


def find_answer(page: Page, label: str, answer: str) -> Locator:
    return page.get_by_role("group", name=f"Answer to {label}").get_by_role("radio", name=answer, exact=True)


def find_detail(page: Page, question: str, answer: str) -> Locator:
    return page.get_by_role("group", name=question).get_by_role("radio", name=answer)


def test_each_question_is_read_in_the_patients_language_and_answered_by_itself(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "asking") as at:
        page = at.page
        open_asking(page)
        for title in ("May we record the sound of this visit?", "May a computer program help"):
            expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page.get_by_role("heading", name="by video or phone?")).to_have_count(0)  # she is in the room
        expect(page.locator("ask-question").first.locator("dt")).to_have_count(6)
        for label in ("Recording", "AI drafting"):
            expect(find_answer(page, label, "Not answered")).to_be_checked()
        expect(page.get_by_text("Mark at least one answer first.")).to_be_visible()

        find_answer(page, "Recording", "No").check()
        page.get_by_role("radio", name="Español").check()
        expect(page.get_by_role("heading", name="¿Podemos grabar el sonido de esta visita?")).to_be_visible()
        assert page.locator("ask-question .reading-text").first.get_attribute("lang") == "es"
        expect(find_answer(page, "Recording", "No")).to_be_checked()
        assert at.visit.wordings_asked == ["en", "es"]

        expect(page.get_by_text("Say who answered.")).to_be_visible()
        page.get_by_role("button", name="Save the answers").click(force=True)
        page.wait_for_timeout(100)
        assert at.visit.posts == []
        find_detail(page, "Who answered", "The patient").check()
        expect(
            page.get_by_text("To be saved: Recording: no; The patient, spoken, now, witnessed by you.")
        ).to_be_visible()
        page.get_by_role("button", name="Save the answers").click()
        expect(page.get_by_role("heading", name=READ)).to_have_count(0)
        assert at.posts("answers") == [
            {
                "language": "es",
                "performer": "Patient/p1",
                "how": "spoken",
                "witness": "clinician",
                "given_at": None,
                "answers": {"recording": "no"},
            }
        ]
        expect(page.locator("visit-page > p[role=status]")).to_have_text("The answers are saved and read back.")
        expect(page.get_by_role("button", name="Ask the patient")).to_be_focused()  # drafting is still not answered


def test_who_how_when_and_before_whom_is_the_clinicians_to_say(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking") as at:
        page = at.page
        open_asking(page)
        find_answer(page, "AI drafting", "Yes").check()
        find_detail(page, "Who answered", "Parent: Ilse Achterberg").check()
        find_detail(page, "How", "Signed on paper").check()
        find_detail(page, "Who witnessed it", "Another member of staff").check()
        find_detail(page, "When", "Earlier").check()
        expect(page.get_by_text("Give the date and time of the answer.")).to_be_visible()
        page.get_by_label("Date and time of the answer").fill("2026-11-20T10:02")
        expect(page.get_by_text("signed on paper, 20 Nov 2026, 10:02, witnessed by another member")).to_be_visible()
        page.get_by_role("button", name="Save the answers").click()
        expect(page.get_by_role("button", name="Dictate")).to_be_enabled()
        [body] = at.posts("answers")
        assert body == {
            "language": "en",
            "performer": "RelatedPerson/r1",
            "how": "signed",
            "witness": "staff",
            "given_at": "2026-11-20T10:02",
            "answers": {"ai-drafting": "yes"},
        }


def test_answers_stay_when_they_could_not_be_saved(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking", expected_errors=True) as at:
        page = at.page
        open_asking(page)
        find_answer(page, "AI drafting", "Yes").check()
        find_detail(page, "Who answered", "The patient").check()
        save = page.get_by_role("button", name="Save the answers")
        at.visit.fail_next["answers"] = (503, {"code": "ledger", "message": "The log can't be written."})
        save.click()
        expect(page.get_by_text("Not saved; the answers are still here. The log can't be written.")).to_be_visible()
        at.visit.answers_problem = {"code": "ehr", "message": "The EHR took the answers, but they can't be read back."}
        save.click()
        expect(page.get_by_text("Not saved; the answers are still here. The EHR took the answers")).to_be_visible()
        expect(save).to_be_focused()
        expect(find_answer(page, "AI drafting", "Yes")).to_be_checked()
        save.click()
        expect(page.get_by_role("heading", name=READ)).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert len(at.posts("answers")) == 2  # the first was refused


def test_while_answers_are_read_back_nothing_can_be_changed(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "attest") as at:
        page = at.page
        open_asking(page)
        find_answer(page, "AI drafting", "Yes").check()
        at.visit.pace_seconds = 0.3
        page.get_by_role("button", name="Save the answers").click()
        expect(page.get_by_text("Reading the answers back")).to_be_visible()
        expect(find_answer(page, "AI drafting", "Yes")).to_be_disabled()
        page.get_by_role("button", name="Save the answers").click(force=True)
        expect(page.get_by_role("heading", name=READ)).to_have_count(0)
        assert len(at.posts("answers")) == 1


def test_going_back_keeps_nothing(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking") as at:
        page = at.page
        open_asking(page)
        find_answer(page, "AI drafting", "Yes").check()
        page.get_by_role("button", name="Back without saving").last.click()
        expect(page.get_by_role("button", name="Ask the patient")).to_be_focused()
        open_asking(page)
        expect(find_answer(page, "AI drafting", "Not answered")).to_be_checked()
        assert at.visit.posts == []


def test_telehealth_is_asked_where_the_visit_may_be_one(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "telehealth") as at:
        open_asking(at.page, "Change an answer")
        expect(at.page.get_by_role("heading", name="by video or phone?")).to_be_visible()
        assert at.page.locator("ask-question").count() == 3


def test_a_page_that_can_not_be_read_can_be_tried_again(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking", expected_errors=True) as at:
        page = at.page
        at.visit.wording_fails = True
        page.get_by_role("button", name="Ask the patient").click()
        expect(page.get_by_text("The page can't be read now.")).to_be_visible()
        expect(page.get_by_role("button", name="Save the answers")).to_be_hidden()
        at.visit.wording_fails = False
        page.locator("ask-consent").get_by_role("button", name="Try again").click()
        expect(page.get_by_role("heading", name="May we record")).to_be_visible()


def test_a_language_from_right_to_left_is_read_so(chromium: Browser, page_server: PageServer) -> None:
    arabic: dict[str, Any] = show_wording(WORDINGS["en"]) | {"language": "ar", "title": "خياراتك في هذه الزيارة"}
    with open_visit(chromium, page_server, "asking", apart=True) as at:
        at.page.route("**/api/wording*", lambda route: route.fulfill(body=json.dumps(arabic)))
        open_asking(at.page)
        assert at.page.get_by_role("heading", name="خياراتك").locator("..").get_attribute("dir") == "rtl"


def test_where_no_consent_can_be_written_it_is_said(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "attest") as at:
        open_asking(at.page)
        expect(at.page.get_by_text("takes no Consent. The answers count for this visit only")).to_be_visible()
        expect(find_detail(at.page, "Who answered", "The patient")).to_be_checked()
    with open_visit(chromium, page_server, "noasking") as at:
        expect(at.page.get_by_text("This EHR takes no Consent, so the patient is asked in the EHR")).to_be_visible()
        expect(at.page.get_by_role("button", name="Ask the patient")).to_have_count(0)


def test_nobody_is_pressed_after_a_no(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        expect(at.page.get_by_role("button", name="Change an answer")).to_be_visible()
        expect(at.page.get_by_role("button", name="Ask the patient")).to_have_count(0)


def test_a_changed_mind_while_gathering_takes_back_what_rested_on_it(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Type notes")
        page.get_by_label("Notes", exact=True).fill("Half a sent")
        open_asking(page, "Change an answer")
        expect(page.get_by_text("Until now: permitted")).to_have_count(2)
        expect(page.locator("gather-material")).to_be_hidden()
        page.get_by_role("button", name="Back without saving").first.click()
        expect(page.get_by_label("Notes", exact=True)).to_have_value("Half a sent")
        open_asking(page, "Change an answer")
        find_answer(page, "AI drafting", "No").check()
        page.get_by_role("button", name="Save the answers").click()
        expect(page.get_by_role("alert")).to_contain_text("AI drafting is no longer permitted.")
        expect(page.get_by_role("heading", name="How do you want to work?")).to_be_focused()
        expect(page.get_by_role("button", name="Dictate")).to_be_disabled()


def test_an_edit_survives_reading_with_the_patient(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.locator("note-section").nth(1).get_by_role("button", name="Edit").click()
        page.keyboard.type("Half a sent")
        open_asking(page, "Change an answer")
        page.keyboard.press("a")  # decides nothing behind the page that is read
        page.keyboard.press("n")
        page.get_by_role("button", name="Back without saving").first.click()
        expect(page.get_by_label("Objective, in your words")).to_have_value("Half a sent")
        assert at.posts("section") == []


def test_the_microphone_pauses_while_it_is_read(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        choose(page, "Record the session")
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        open_asking(page, "Change an answer")
        assert microphone() == ["muted"]
        expect(page.locator(".strip")).to_contain_text("Recording paused")
        expect(page.get_by_text("The microphone is paused meanwhile.")).to_be_visible()
        page.get_by_role("button", name="Back without saving").first.click()
        expect(page.get_by_role("button", name="Go on recording")).to_be_visible()
        assert [body["do"] for body in at.posts("capture")] == ["start", "pause"]


def test_the_visits_end_closes_it(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking") as at:
        open_asking(at.page)
        at.visit.end("expired", None)
        expect(at.page.get_by_role("heading", name="The time for this visit ran out")).to_be_focused()
        expect(at.page.locator("ask-consent")).to_have_count(0)


def test_the_patient_is_asked_by_keyboard_alone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "asking") as at:
        page = at.page
        press(page, "Ask the patient")
        expect(page.get_by_role("heading", name="May we record")).to_be_visible()
        tab_to(page, page.get_by_role("radio", name="English"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("heading", name="¿Podemos grabar")).to_be_visible()
        for label in ("Recording", "AI drafting"):
            tab_to(page, find_answer(page, label, "Not answered"))
            page.keyboard.press("ArrowRight")  # round to the first
            expect(find_answer(page, label, "Yes")).to_be_checked()
        tab_to(page, find_detail(page, "Who answered", "The patient"))
        page.keyboard.press("Space")
        press(page, "Save the answers")
        expect(page.get_by_role("button", name="Change an answer")).to_be_focused()
        expect(page.get_by_role("button", name="Record the session")).to_be_enabled()
        assert at.posts("answers")[0]["answers"] == {"recording": "yes", "ai-drafting": "yes"}
