"""The microphone and the visit: it opens only when consent has been read again, and closes when the visit says so."""

import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.page_server import PageServer
from tests.browser.page_walk import Watched, choose, give_dictation, open_visit, watch_microphone

pytestmark = pytest.mark.browser

NO_ANSWER = "The EHR has not answered for a minute, so consent can't be checked. The recording is paused."


def start_recording(page: Page) -> None:
    choose(page, "Record the session")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator(".strip")).to_contain_text("recording the session 0:01")


def list_captures(at: Watched) -> list[str]:
    return [body["do"] for body in at.posts("capture")]


def test_the_microphone_waits_for_consent_to_be_read_again(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        choose(page, "Record the session")
        expect(page.get_by_text("who spoke is not told apart")).to_be_visible()
        expect(page.locator("input[type=file]")).to_be_hidden()
        at.visit.pace_seconds = 0.3
        page.get_by_role("button", name="Start recording").click()
        expect(page.get_by_role("status").filter(has_text="Reading consent again…")).to_be_visible()
        page.wait_for_timeout(300)
        assert microphone() == []
        expect(page.locator(".strip")).to_contain_text("recording the session 0:01")
        expect(page.get_by_role("button", name="Pause")).to_be_focused()
        expect(page.get_by_text("Consent last read at ")).to_be_visible()
        assert microphone() == ["live"]
        assert list_captures(at) == ["start"]


def test_a_start_that_is_refused_opens_nothing(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        microphone = watch_microphone(page)
        choose(page, "Record the session")
        start = page.get_by_role("button", name="Start recording")
        at.visit.fail_next["capture"] = (503, {"code": "ledger", "message": "The log can't be written."})
        start.click()
        expect(page.get_by_role("alert")).to_have_text("The log can't be written.")
        expect(start).to_be_focused()
        problem = {"code": "ehr.away", "message": "The consents could not be read again."}
        at.visit.capture_becomes = {"state": "off", "problem": problem}
        start.click()
        expect(page.get_by_role("alert")).to_have_text("The consents could not be read again.")
        expect(start).to_be_enabled()
        assert microphone() == []
        assert list_captures(at) == ["start"]  # the first was refused; nothing is left to stop


def test_a_start_can_be_given_up_while_consent_is_read(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        choose(page, "Record the session")
        at.visit.pace_seconds = 0.2
        page.get_by_role("button", name="Start recording").click()
        page.get_by_role("button", name="Don't start").click()
        expect(page.get_by_role("button", name="Start recording")).to_be_focused()
        page.wait_for_timeout(1200)
        assert microphone() == []
        assert list_captures(at) == ["start", "stop"]


def test_going_on_after_a_pause_reads_consent_again(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start_recording(page)
        page.get_by_role("button", name="Pause").click()
        assert microphone() == ["muted"]
        at.visit.pace_seconds = 0.2
        page.get_by_role("button", name="Go on recording").click()
        expect(page.get_by_role("status").filter(has_text="Reading consent again…")).to_be_visible()
        assert microphone() == ["muted"]
        expect(page.locator(".record-state")).to_have_text("Recording")
        assert microphone() == ["live"]
        at.visit.pace_seconds = 0.02
        page.get_by_role("button", name="Pause").click()
        at.visit.capture_becomes = {"state": "paused", "words": NO_ANSWER}
        page.get_by_role("button", name="Go on recording").click()
        expect(page.get_by_text(NO_ANSWER)).to_be_visible()
        assert microphone() == ["muted"]
        assert list_captures(at) == ["start", "pause", "start", "pause", "start"]


def test_the_visit_pauses_when_consent_can_no_longer_be_read(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start_recording(page)
        at.visit.set_capture("paused", NO_ANSWER)
        expect(page.get_by_text(NO_ANSWER)).to_be_visible()
        expect(page.locator(".strip")).to_contain_text("Recording paused")
        assert microphone() == ["muted"]
        page.get_by_role("button", name="Go on recording").click()
        expect(page.locator(".record-state")).to_have_text("Recording")
        expect(page.get_by_text(NO_ANSWER)).to_be_hidden()


@pytest.mark.parametrize("paused", [False, True])
def test_a_permission_that_ends_closes_the_microphone_within_a_second(
    chromium: Browser, page_server: PageServer, paused: bool
) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start_recording(page)
        if paused:
            with page.expect_response(lambda answer: answer.url.endswith("api/capture")):
                page.get_by_role("button", name="Pause").click()
        at.visit.take_back(["Recording"])
        by = time.monotonic() + 1
        while microphone() != ["ended"]:
            assert time.monotonic() < by
        alert = page.get_by_role("alert")
        expect(alert).to_have_text(
            "Recording is no longer permitted. What was recorded, typed and drafted is destroyed. "
            "You can write the note yourself."
        )
        expect(page.get_by_role("heading", name="How do you want to work?")).to_be_focused()
        expect(page.locator(".strip")).to_be_hidden()
        assert at.visit.sounds == []
        assert list_captures(at) == (["start", "pause"] if paused else ["start"])
        page.get_by_role("button", name="I have read this").click()
        expect(alert).to_have_count(0)
        expect(page.get_by_role("heading", name="How do you want to work?")).to_be_focused()
        at.visit.take_back(["AI drafting"])
        expect(alert).to_contain_text("AI drafting is no longer permitted.")


def test_capture_that_is_off_at_the_visit_is_off_here(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        microphone = watch_microphone(page)
        start_recording(page)
        at.visit.set_capture("off")
        expect(page.get_by_text("The visit ended this recording.")).to_be_visible()
        assert microphone() == ["ended"]
        expect(page.get_by_role("button", name="Start recording")).to_be_enabled()
        assert at.visit.sounds == []


def test_stopping_a_dictation_tells_the_visit_before_the_sound_is_sent(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "plain") as at:
        page = at.page
        microphone = watch_microphone(page)
        choose(page, "Dictate")
        page.get_by_role("button", name="Start dictating").click()
        expect(page.locator(".strip")).to_contain_text("dictating 0:01")
        page.get_by_role("button", name="Stop and transcribe").click()
        expect(page.locator("evidence-lines .line-about").first).to_have_text("dictated · 0:00")
        assert microphone() == ["ended"]
        assert list_captures(at) == ["start", "stop"]
        assert [path for path, _ in at.visit.posts][-2:] == ["capture", "dictation"]


def test_a_microphone_that_does_not_open_is_told(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording", frame="", expected_errors=True) as at:
        frame = at.page.frame_locator("iframe")
        frame.get_by_role("button", name="Record the session").click()
        with at.page.expect_response(lambda answer: '"stop"' in (answer.request.post_data or "")):
            frame.get_by_role("button", name="Start recording").click()
        expect(frame.get_by_text("does not let this page use the microphone")).to_be_visible()
        expect(frame.get_by_role("link", name="Open in a tab")).to_be_visible()
        assert list_captures(at) == ["start", "stop"]


def test_a_page_opened_anew_says_that_nothing_is_recorded_here(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        choose(page, "Record the session")
        at.visit.fail_next["capture"] = (503, {"code": "x", "message": "Not now."})
        with page.expect_response(lambda answer: answer.url.endswith("api/capture") and answer.status == 503):
            at.visit.set_capture("on")
        page.wait_for_timeout(300)
        assert list_captures(at) == []  # it is said once for each view, not over and over
        with page.expect_response(lambda answer: answer.url.endswith("api/capture") and answer.ok):
            page.reload()
        assert list_captures(at) == ["stop"]
        assert at.visit.view["capture"]["state"] == "off"


def test_a_visit_that_is_lost_to_the_page_pauses_the_microphone(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording", expected_errors=True) as at:
        page = at.page
        microphone = watch_microphone(page)
        start_recording(page)
        at.visit.gone = 403
        at.visit.change()
        expect(page.get_by_text("no longer holds the visit, so the recording is paused")).to_be_visible()
        assert microphone() == ["muted"]


def test_a_visit_that_is_not_reached_for_a_minute_pauses_a_dictation(
    chromium: Browser, page_server: PageServer
) -> None:
    with open_visit(chromium, page_server, "plain", apart=True, expected_errors=True) as at:
        page = at.page
        page.clock.install()
        microphone = watch_microphone(page)
        choose(page, "Dictate")
        page.get_by_role("button", name="Start dictating").click()
        expect(page.locator(".strip")).to_contain_text("dictating 0:01")
        page.context.set_offline(True)
        page.get_by_label("Notes", exact=True).fill("Typed in the lift.")
        page.clock.run_for(1000)
        expect(page.get_by_role("alert")).to_contain_text("What you typed stays on this page")
        page.clock.run_for(50_000)
        assert microphone() == ["live"]
        page.clock.run_for(11_000)
        expect(page.get_by_text("so consent can't be checked. The dictation is paused")).to_be_visible()
        assert microphone() == ["muted"]


def test_a_file_needs_no_capture(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        choose(at.page, "Dictate")
        give_dictation(at.page)
        assert list_captures(at) == []


def test_a_note_is_tidied_from_what_is_pasted(chromium: Browser, page_server: PageServer) -> None:
    with open_visit(chromium, page_server, "recording") as at:
        page = at.page
        choose(page, "Tidy my note")
        expect(page.get_by_role("heading", name="Which note shall be tidied?")).to_be_focused()
        expect(page.get_by_label("What you observed")).to_have_count(0)
        expect(page.get_by_role("button", name="Start")).to_have_count(0)
        expect(page.get_by_text("Paste your note first.")).to_be_visible()
        page.get_by_label("Your note").fill("Slept well.\nMood better.")
        page.get_by_role("button", name="Tidy the note").click()
        expect(page.locator("attest-form")).to_be_visible()
        assert at.posts("typed") == [{"text": "Slept well.\nMood better.", "observations": ""}]
