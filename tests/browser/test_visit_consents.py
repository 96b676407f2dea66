"""What each patient of the sandbox permits, as the page says it: what, what not, why, and from which Consent."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo_servers import Product
from tests.browser.visit_walk import choose_way, find_section, find_way, open_by_launch, watch_page

pytestmark = [pytest.mark.browser, pytest.mark.processes]

TELEHEALTH, RECORDING, DRAFTING = "Telehealth", "Recording the session", "AI drafting"
TAKEN_BACK = (
    "No longer permitted: AI drafting. The patient took back the yes to AI drafting "
    "(Consent/lena-hartwig-ai-drafting, version 2). What was recorded, dictated, typed and drafted is destroyed."
)
NO_DRAFTING = "Not permitted: there is no consent in force for AI drafting."


def read_consent(page: Page, label: str) -> tuple[str, str]:
    """The answer to one question, and why: as folded open."""
    light = page.locator("consent-lights details").filter(has=page.get_by_text(label, exact=True))
    answer = light.locator(".light-answer").inner_text()
    light.locator("summary").click()
    why = light.locator(".light-why").inner_text()
    light.locator("summary").click()
    return answer, " ".join(why.split())


@pytest.mark.parametrize(
    ("patient", "refused", "why"),
    [
        (
            "bruno-castellan",
            [RECORDING],
            "Rests on Consent/bruno-castellan-recording, version 1 says no to recording on ",
        ),
        ("clara-nystrom", [TELEHEALTH, RECORDING, DRAFTING], "No consent to AI drafting is on file."),
        (
            "dmitri-okoye",
            [RECORDING, DRAFTING],
            "Rests on Consent/dmitri-okoye-ai-drafting, version 1 says no to AI drafting on ",
        ),
        (
            "elena-whitcombe",
            [TELEHEALTH, RECORDING, DRAFTING],
            "Consent/elena-whitcombe-ai-drafting, version 1 permitted AI drafting and is over. Ask the patient again.",
        ),
        (
            "farid-johansson",
            [RECORDING, DRAFTING],
            "took back the yes to AI drafting (Consent/farid-johansson-ai-drafting, version 1).",
        ),
        (
            "grace-abernathy",
            [TELEHEALTH, RECORDING, DRAFTING],
            "Rests on Consent/grace-abernathy-form, version 1 has words without a code, which are not understood here.",
        ),
    ],
)
def test_what_is_not_permitted_says_why_and_from_which_consent(
    chromium: Browser, product: Product, patient: str, refused: list[str], why: str
) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        for label in (TELEHEALTH, RECORDING, DRAFTING):
            answer, grounds = read_consent(page, label)
            assert answer == ("Not permitted" if label in refused else "Permitted")
            assert label in refused or f"Rests on Consent/{patient}-" in grounds
        assert why in read_consent(page, refused[-1])[1]
        for name in ("Dictate", "Type"):
            way = find_way(page, name)
            expect(way).to_contain_text("Needs consent: AI drafting")
            if DRAFTING in refused:
                expect(way.get_by_role("button")).to_be_disabled()
                expect(way).to_contain_text(NO_DRAFTING)
            else:
                expect(way.get_by_role("button")).to_be_enabled()
        expect(find_way(page, "Write without AI").get_by_role("button")).to_be_enabled()


def test_a_video_visit_needs_the_consent_to_telehealth_as_well(chromium: Browser, product: Product) -> None:
    patient = "jonas-telford"
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        expect(page.locator("visit-line")).to_contain_text("Telehealth")
        expect(find_way(page, "Type")).to_contain_text("Needs consent: AI drafting and Telehealth")
        expect(find_way(page, "Type").get_by_role("button")).to_be_enabled()
    product.act_in_chart(patient, f"{patient}-telehealth", "revoke")
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        assert read_consent(page, TELEHEALTH)[0] == "Not permitted"
        assert read_consent(page, DRAFTING)[0] == "Permitted"
        expect(find_way(page, "Type").get_by_role("button")).to_be_disabled()
        expect(find_way(page, "Type")).to_contain_text("Not permitted: there is no consent in force for Telehealth.")
    product.act_in_chart(patient, "telehealth", "permit")
    with watch_page(chromium, product) as watched:
        expect(find_way(open_by_launch(watched, patient), "Type").get_by_role("button")).to_be_enabled()


def test_a_patient_who_refused_ai_still_gets_a_note(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, "dmitri-okoye")
        page.get_by_role("button", name="Write without AI").click()
        plan = find_section(page, "Plan")
        plan.get_by_role("button", name="Edit").click()
        plan.get_by_label("Plan, in your words").fill("Next session in one week.")
        plan.get_by_role("button", name="Save the edit").click()
        expect(plan).to_have_attribute("data-decision", "edited")
        expect(page.locator("attest-form .made")).to_contain_text("wrote this note without AI")


def test_a_consent_taken_back_during_the_visit_drops_the_notes(chromium: Browser, product: Product) -> None:
    patient = "lena-hartwig"
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        choose_way(page, "Type")
        page.get_by_label("Notes", exact=True).fill("Notes with a copper-marker.")
        expect(page.get_by_text("Kept for this visit")).to_be_visible()
        product.act_in_chart(patient, f"{patient}-ai-drafting", "revoke")
        page.get_by_role("button", name="Arrange the note").click()
        expect(page.get_by_role("heading", name="How do you want to work?")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_text(TAKEN_BACK)
        expect(find_way(page, "Type").get_by_role("button")).to_be_disabled()
        assert "copper-marker" not in page.content()
    product.act_in_chart(patient, "ai-drafting", "permit")


def answer(page: Page, question: str, said: str) -> None:
    page.get_by_role("group", name=f"Answer to {question}").get_by_label(said, exact=True).check()


def test_the_patient_is_asked_in_her_language_and_the_session_recorded(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, "clara-nystrom")
        page.get_by_role("button", name="Ask the patient").click()
        page.get_by_label("Español").check()
        expect(page.get_by_role("heading", name="Sus decisiones sobre esta visita")).to_be_visible()
        answer(page, "Recording the session", "Yes")
        answer(page, AI := "AI drafting", "Yes")
        page.get_by_role("button", name="Save the answers").click()
        expect(find_way(page, "Record session").get_by_role("button")).to_be_enabled()
        assert read_consent(page, AI)[1].startswith("The patient said yes to AI drafting on ")
        page.get_by_role("button", name="Record session").click()
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("0:02")
        page.get_by_role("button", name="End the session").click()
        expect(page.locator("evidence-lines .line-about").first).to_contain_text("said in the session")
        page.get_by_role("button", name="Arrange the note").click()
        expect(page.get_by_role("heading", name="Review the draft")).to_be_visible()
        expect(page.locator("attest-form .made")).to_contain_text("recording of the session (transcribed by an AI")
        page.get_by_role("button", name="Change an answer").click()
        answer(page, "Recording the session", "No")
        page.get_by_role("button", name="Save the answers").click()
        taken = page.get_by_role("alert")
        expect(taken).to_contain_text("No longer permitted: recording. The patient said no to recording")
        expect(taken).to_contain_text("The recording and the draft are destroyed")
        expect(find_way(page, "Record session").get_by_role("button")).to_be_disabled()
        expect(find_way(page, "Type").get_by_role("button")).to_be_enabled()


def test_a_consent_revoked_while_recording_stops_the_microphone(chromium: Browser, product: Product) -> None:
    patient = "ada-marlowe"
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, patient)
        page.evaluate(
            """() => { const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
            media.getUserMedia = async (wanted) => (window.heard = await open(wanted)); }"""
        )
        choose_way(page, "Record session")
        page.get_by_role("button", name="Start recording").click()
        expect(page.locator(".strip")).to_contain_text("0:02")
        assert page.evaluate("window.heard.getTracks().map((track) => track.readyState)") == ["live"]
        product.act_in_chart(patient, f"{patient}-recording", "revoke")
        expect(page.get_by_role("alert")).to_contain_text("No longer permitted: recording.")
        assert page.evaluate("window.heard.getTracks().map((track) => track.readyState)") == ["ended"]
        expect(page.locator(".strip")).to_be_hidden()
        assert len(watched.product.read_said()) > 0
    product.act_in_chart(patient, "recording", "permit")
