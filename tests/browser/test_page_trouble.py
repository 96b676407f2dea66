"""When something is in the way: a plain sentence that says what to do, and nothing typed is lost."""

import pytest
from playwright.sync_api import Browser, expect

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


def test_a_refusal_is_said_once_and_what_was_done_stays(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        choose(page, "Type notes")
        page.get_by_label("Notes", exact=True).fill("Slept well.")
        message = "The ledger can't be written, so nothing may start. Tell your IT desk."
        at.visit.fail_next["draft"] = (503, {"code": "ledger", "message": message})
        page.get_by_role("button", name="Draft the note").click()
        expect(page.get_by_role("alert")).to_have_text(message)
        expect(page.get_by_label("Notes", exact=True)).to_have_value("Slept well.")
        page.get_by_role("button", name="Draft the note").click()
        expect(page.locator("attest-form")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)


def test_the_visits_own_problem_is_an_alert(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        at.visit.change(problem={"code": "ehr", "message": "The EHR did not answer. Try again in a minute."})
        expect(at.page.get_by_role("alert")).to_have_text("The EHR did not answer. Try again in a minute.")
        at.visit.change(problem=None)
        expect(at.page.get_by_role("alert")).to_have_count(0)


def test_what_is_typed_while_the_line_is_down_arrives_when_it_is_back(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "plain", apart=True, expected_errors=True) as at:
        page = at.page
        choose(page, "Type notes")
        page.context.set_offline(True)
        page.get_by_label("Notes", exact=True).fill("Typed in the lift.")
        expect(page.get_by_role("alert")).to_contain_text("What you typed stays on this page")
        expect(page.get_by_text("Not kept yet")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_text("Kept for this visit")).to_be_visible(timeout=12000)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert at.visit.view["typed"]["text"] == "Typed in the lift."


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "This browser no longer holds this visit."), (404, "This visit is no longer here.")],
)
def test_a_lost_visit_is_said_plainly_and_the_words_can_still_be_copied(
    chromium: Browser, page_server: PageServer, status: int, sentence: str
) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        choose(page, "Type notes")
        at.visit.gone = status
        with page.expect_response(lambda answer: answer.url.endswith("api/view") and answer.status == status):
            page.get_by_label("Notes", exact=True).fill("Still here.")  # refused; then the page looks for the visit
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(page.get_by_label("Notes", exact=True)).to_have_value("Still here.")
        at.visit.gone = None
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_text("Kept for this visit")).to_be_visible()
        assert at.visit.view["typed"]["text"] == "Still here."


def test_try_again_counts_while_the_last_try_is_still_on_its_way(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        choose(page, "Type notes")
        at.visit.view_after_seconds = 0.5
        for path in ("typed", "view"):
            at.visit.fail_next[path] = (404, {"code": "", "message": ""})
        page.get_by_label("Notes", exact=True).fill("Still here.")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_text("Kept for this visit")).to_be_visible()


def test_an_unsaved_edit_holds_filing_back(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        decide_all(page)
        attest(page)
        page.locator("note-section").nth(3).get_by_role("button", name="Edit").click()
        expect(page.get_by_text("An edit is not saved yet: Plan.")).to_be_visible()
        page.get_by_role("button", name="File as an unsigned note").click(force=True)
        page.wait_for_timeout(100)
        assert at.posts("file") == []
        page.get_by_role("button", name="Discard the edit").click()
        file_note(page)


def test_a_changed_note_takes_the_tick_away(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        decide_all(page)
        attest(page)
        page.locator("note-section").nth(3).get_by_role("button", name="Strike").click()
        expect(page.locator("attest-form input")).not_to_be_checked()
        expect(page.get_by_text("Confirm that you have reviewed the note.")).to_be_visible()


def test_an_edit_survives_a_change_of_the_view(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.locator("note-section").nth(1).get_by_role("button", name="Edit").click()
        page.keyboard.type("Half a sent")
        at.visit.change(problem={"code": "x", "message": "Something else happened."})
        expect(page.get_by_role("alert")).to_be_visible()
        page.keyboard.type("ence.")
        expect(page.get_by_label("Objective, in your words")).to_have_value("Half a sentence.")


def test_a_click_hits_what_it_aimed_at_in_a_side_panel(chromium: Browser, page_server: PageServer) -> None:
    """Lines open beneath the statement at hand; that must not move a button away under the pointer."""
    with open_visit(chromium, page_server, "plain", viewport={"width": 380, "height": 800}) as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        page.get_by_role("button", name="Keep").click()
        expect(page.locator(".risk-state")).to_have_text("Kept")
        expect(page.locator(".statement.at-hand .beneath li")).to_have_count(2)
        page.get_by_role("button", name="Line 9", exact=True).first.click()
        expect(page.locator("evidence-lines .line").nth(8)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(".statement.at-hand")).to_be_focused()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.wav", b"", "That file is empty."),
        ("a.wav", b"ID3 this is something else", "That is neither a WAV nor a FLAC file."),
        ("a.mp3", b"\xff\xfb\x90", "That is neither a WAV nor a FLAC file."),
    ],
)
def test_a_file_that_is_no_dictation_is_refused_in_the_page(
    chromium: Browser, page_server: PageServer, name: str, content: bytes, sentence: str
) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        choose(at.page, "Dictate")
        file = {"name": name, "mimeType": "audio/wav", "buffer": content}
        at.page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]  # a FilePayload
        expect(at.page.get_by_text(sentence)).to_be_visible()
        assert at.visit.sounds == []


def test_a_dictation_that_did_not_arrive_can_be_sent_again(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        choose(page, "Dictate")
        page.get_by_role("button", name="Start dictating").click()
        expect(page.locator(".strip")).to_contain_text("0:01")
        at.visit.fail_next["dictation"] = (503, {"code": "busy", "message": "The speech model is busy. Try again."})
        page.get_by_role("button", name="Stop and transcribe").click()
        expect(page.get_by_role("alert")).to_have_text("The speech model is busy. Try again.")
        expect(page.get_by_text("It is still on this page")).to_be_visible()
        page.get_by_role("button", name="Send again").click()
        expect(page.locator("evidence-lines .line").nth(5)).to_be_visible()
        assert len(at.visit.sounds) == 1


def test_a_frame_without_the_microphone_offers_a_tab(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", frame="", expected_errors=True) as at:
        frame = at.page.frame_locator("iframe")
        frame.get_by_role("button", name="Dictate").click()
        frame.get_by_role("button", name="Start dictating").click()
        expect(frame.get_by_text("does not let this page use the microphone")).to_be_visible()
        link = frame.get_by_role("link", name="Open in a tab")
        expect(link).to_have_attribute("target", "_blank")
        expect(link).to_have_attribute("href", page_server.url(at.visit.id))


def test_a_frame_with_the_microphone_records(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", frame="microphone") as at:
        frame = at.page.frame_locator("iframe")
        frame.get_by_role("button", name="Dictate").click()
        frame.get_by_role("button", name="Start dictating").click()
        expect(frame.locator(".strip")).to_contain_text("dictating 0:01")


def test_without_speech_dictation_says_so(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "outline") as at:
        choose(at.page, "Dictate")
        expect(at.page.get_by_text("Speech is not ready here")).to_be_visible()
        expect(at.page.get_by_role("button", name="Start dictating")).to_be_disabled()
        expect(at.page.get_by_role("button", name="Arrange the note")).to_be_visible()


def test_telehealth_and_the_visit_are_asked_where_the_record_does_not_say(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "telehealth") as at:
        at.page.get_by_role("button", name="Yes, telehealth").click()
        expect(at.page.locator("visit-line")).to_contain_text("· Telehealth ·")
        assert at.posts("telehealth") == [{"remote": True}]
    with open_visit(chromium, page_server, "encounters") as at:
        at.page.get_by_role("button", name="Medication check").click()
        expect(at.page.get_by_role("button", name="Dictate")).to_be_enabled()
        expect(at.page.get_by_role("button", name="Medication check")).to_have_attribute("aria-pressed", "true")
        assert at.posts("encounter") == [{"id": "e2"}]


def test_going_back_to_the_material_keeps_the_lines(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Type notes")
        page.get_by_label("Notes", exact=True).fill("One.\nTwo.")
        ask_draft(page)
        page.get_by_role("button", name="Back to the material").click()
        page.get_by_role("button", name="Go back").click()
        expect(page.get_by_label("Notes", exact=True)).to_have_value("One.\nTwo.")
        page.get_by_role("radio", name="BIRP").check()
        ask_draft(page)
        assert at.posts("draft")[-1] == {"format": "birp"}


def test_the_receipt_is_waited_for_after_the_end(chromium: Browser, page_server: PageServer) -> None:
    """The visit ends before the front can say that its process is gone."""
    with open_visit(chromium, page_server, "plain") as at:
        at.visit.end("filed", "DocumentReference/n1", receipt=None, signature=None)
        expect(at.page.get_by_role("heading", name="In the chart, awaiting your signature")).to_be_visible()
        at.visit.end("filed", "DocumentReference/n1")
        expect(at.page.get_by_role("heading", name="Receipt")).to_be_visible()
        expect(at.page.get_by_text("DocumentReference/n1")).to_be_visible()


def test_a_lost_visit_says_what_became_of_it(chromium: Browser, page_server: PageServer) -> None:
    sentence = "The visit was lost and everything in it destroyed. Open Countersign again from the EHR."
    with open_visit(chromium, page_server, "plain") as at:
        at.visit.end("lost", None, problem={"code": "visit.lost", "message": sentence})
        expect(at.page.get_by_role("heading", name="This visit is over")).to_be_visible()
        expect(at.page.get_by_role("alert")).to_have_text(sentence)


def test_a_struck_section_still_asks_for_its_risk_line(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        choose(page, "Dictate")
        give_dictation(page)
        ask_draft(page)
        section = page.locator("note-section").first
        section.locator(".decide").get_by_role("button", name="Strike").click()
        expect(section.locator(".section-state")).to_have_text("Struck: not in the note")
        section.get_by_role("button", name="Keep").click()
        expect(section.locator(".section-state")).to_have_text("Struck, but for the risk line you keep")


def test_a_step_refused_for_consent_does_not_lose_the_visit(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "plain", expected_errors=True) as at:
        page = at.page
        choose(page, "Type notes")
        page.get_by_label("Notes", exact=True).fill("Slept well.")
        message = "AI drafting is no longer permitted. Choose another way of working."
        at.visit.fail_next["draft"] = (403, {"code": "consent.ai-drafting", "message": message})
        page.get_by_role("button", name="Draft the note").click()
        expect(page.get_by_role("alert")).to_have_text(message)
        at.visit.change(phase="choosing", way=None)
        expect(page.get_by_role("heading", name="How do you want to work?")).to_be_visible()
