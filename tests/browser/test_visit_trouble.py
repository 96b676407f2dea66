"""What goes wrong between the EHR and the gateway: one clear sentence, nothing filed twice, nothing lost."""

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.browser.appearance import ALL_SIZES, list_faults
from tests.browser.demo_servers import Product
from tests.browser.visit_walk import (
    Watched,
    ask_draft,
    attest_and_file,
    choose_way,
    decide_rest,
    expect_awaiting,
    expect_choosing,
    expect_refusal,
    open_by_launch,
    type_notes,
    watch_page,
)

pytestmark = [pytest.mark.browser, pytest.mark.processes]

OTHER_SIGN_IN = "This sign-in is over or began in another browser. Open Countersign again from the EHR."
HOSTILE = (
    '<img src=x onerror="window.hit=1"><script>window.hit=1</script> &amp; {{7*7}} \'"',
    "רות אבן־צור ישנה היטב \u202eright to left\u202c",
    "Slept well 😴🏳️‍🌈, e\u0301 and \u0007 bell",
)


def catch_callback(watched: Watched) -> list[str]:
    """The addresses that the EHR sends the browser back to, as they come."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if request.url.startswith(f"{watched.product.gateway}/callback"):
            seen.append(request.url)

    watched.page.on("request", note)
    return seen


def test_a_launch_that_does_not_hold_is_one_sentence(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        page = watched.page
        page.goto(f"{product.gateway}/callback?state=never-given&code=c")
        expect_refusal(page, OTHER_SIGN_IN)
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.goto(f"{product.gateway}/launch?iss=https://elsewhere.example/fhir&launch=1")
        expect_refusal(page, "This EHR is not set up here. Ask the operator to add it to Countersign's EHRs.")

        callbacks = catch_callback(watched)
        page.goto(product.open_launch("ada-marlowe"))
        expect_choosing(page)
        visit = page.url
        page.goto(callbacks[0])  # the same answer of the EHR a second time
        expect_refusal(page, OTHER_SIGN_IN)

        product.set_policy(code_seconds=0)  # as an EHR answers a code that is used, or too old
        try:
            page.goto(product.open_launch("henry-quill"))
            expect(page.get_by_role("heading", name="Countersign could not be opened")).to_be_visible()
            expect(page.get_by_role("alert")).to_contain_text("Open Countersign again from")
        finally:
            product.set_policy(code_seconds=60)
        page.goto(visit)
        expect_choosing(page)  # neither took the running visit away


def test_an_expired_launch_is_said_in_the_ehrs_frame(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        product.set_policy(launch_seconds=0)
        try:
            watched.page.goto(f"{product.ehr}/patient/ada-marlowe")
            watched.page.get_by_role("button", name="Open Countersign").click()
            frame = watched.page.frame_locator("#frame iframe")
            expect(frame.get_by_role("alert")).to_contain_text("Open Countersign again from")
        finally:
            product.set_policy(launch_seconds=300)


def test_an_ehr_that_does_not_answer_the_launch_is_one_sentence(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        product.arm("drop-request", times=None)
        try:
            watched.page.goto(product.open_launch("ada-marlowe"))
            expect(watched.page.get_by_role("heading", name="This visit could not go on")).to_be_visible()
            expect(watched.page.get_by_role("alert")).to_contain_text("EHR")
        finally:
            product.disarm()


def test_an_ehr_that_is_down_at_filing_loses_nothing_and_gets_the_note_once(
    chromium: Browser, product: Product
) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        page = open_by_launch(watched, "bruno-castellan")
        choose_way(page, "Type")
        type_notes(page, "Slept well, with a saffron-marker.", "")
        ask_draft(page)
        decide_rest(page)
        product.arm("drop-request", kind="create", type="DocumentReference", times=None)
        try:
            attest_and_file(page)
            expect(page.get_by_role("alert")).to_contain_text("EHR")
            expect(page.locator("note-section .statement").first).to_contain_text("saffron-marker")
        finally:
            product.disarm()
        attest_and_file(page)
        expect_awaiting(page)
        page.goto(f"{product.ehr}/patient/bruno-castellan")
        expect(page.locator(".note.draft").filter(has_text="saffron-marker")).to_have_count(1)


def test_hostile_words_and_200_000_characters_are_text(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        page = open_by_launch(watched, "lena-hartwig")
        choose_way(page, "Type")
        notes, observed = page.get_by_label("Notes", exact=True), page.get_by_label("What you observed")
        too_long = "é" * 200_001
        notes.fill(too_long)
        expect(page.get_by_role("alert")).to_contain_text("200,000")
        expect(notes).to_have_value(too_long)  # still here to be shortened
        notes.fill("\n".join(["Slept well. " * 160] * 100) + "x" * 7_000)
        expect(page.get_by_text("Kept for this visit")).to_be_visible()
        notes.fill("\n".join(HOSTILE))
        observed.fill(HOSTILE[0])
        lines = page.locator("evidence-lines .line-text")
        expect(lines).to_have_count(4)
        expect(lines.first).to_have_text(HOSTILE[0])
        ask_draft(page)
        statements = page.locator("note-section .statement-text")
        expect(statements.filter(has_text="<script>").first).to_be_visible()
        page.locator("note-section").last.get_by_role("button", name="Edit").click()
        page.keyboard.insert_text(HOSTILE[0])
        page.get_by_role("button", name="Save the edit").click()
        decide_rest(page)
        assert list_faults(page, sizes=ALL_SIZES) == []
        attest_and_file(page)
        expect_awaiting(page)
        assert page.evaluate("window.hit") is None
        page.goto(f"{product.ehr}/patient/lena-hartwig")
        assert page.evaluate("window.hit") is None
        draft = page.locator(".note.draft").filter(has_text="<script>window.hit=1</script>")
        expect(draft).to_have_count(1)
        expect(draft).to_contain_text("ישנה היטב")
