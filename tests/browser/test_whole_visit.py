"""Whole visits on the whole product: from the chart, through the gateway's page, to a signed note in the chart."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.appearance import ALL_SIZES, FULL, list_faults
from tests.browser.demo_servers import HEARD, Product, search_files
from tests.browser.pictures import take_picture
from tests.browser.visit_walk import (
    KEPT,
    NOTES,
    NOTHING_KEPT,
    RISK_QUESTION,
    Watched,
    ask_draft,
    attest_and_file,
    choose_way,
    decide_rest,
    expect_awaiting,
    find_section,
    open_by_launch,
    open_in_frame,
    open_in_tab,
    open_standalone,
    type_notes,
    watch_page,
)

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LIT = ".beneath:visible li, evidence-lines .line.lit:visible"  # beside the draft, or beneath where it is narrow
EDITED = "Calm; good eye contact. Tearful once, when she spoke of her sister Marigold."


def sign_draft(chart: Page, words: str) -> None:
    """In the chart the draft is plainly unsigned; sign it there."""
    draft = chart.locator(".note.draft").filter(has_text=words)
    expect(draft).to_have_count(1)
    expect(draft.locator(".mark.draft")).to_have_text("Unsigned draft")
    expect(draft).to_contain_text("Not part of the legal record until it is signed.")
    draft.get_by_role("button", name="Sign").click()
    expect(chart.locator("#message")).to_have_text("Signed. The note is final and locked.")
    expect(chart.locator(".note.draft").filter(has_text=words)).to_have_count(0)


def test_a_visit_beside_the_chart_from_launch_to_signature(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        chart = watched.page
        plain = {"name": "third-party", "value": "1", "url": product.gateway, "secure": True, "sameSite": "None"}
        watched.context.add_cookies([plain])  # type: ignore[list-item]  # a SetCookieParam
        place = open_in_frame(watched, "ada-marlowe")
        frame = watched.find_frame()
        assert frame.evaluate("document.cookie") == ""  # so third-party cookies are blocked indeed

        expect(place.locator("patient-banner")).to_contain_text("Ada Marlowe")
        expect(place.locator("consent-lights .light-yes")).to_have_count(3)
        place.locator("consent-lights summary", has_text="AI drafting").click()
        grounds = place.locator("consent-lights details[open] .grounds li").filter(has_text="permits")
        expect(grounds).to_contain_text("Consent/ada-marlowe-ai-drafting")
        place.locator("consent-lights summary", has_text="AI drafting").click()
        expect(place.locator("read-list")).to_contain_text("Read from the EHR")
        take_picture(chart, "chart")
        assert list_faults(chart, frame, ALL_SIZES) == []

        choose_way(place, "Type")
        type_notes(place)
        assert list_faults(chart, frame, ALL_SIZES) == []
        ask_draft(place)

        statement = place.locator("note-section .statement").filter(has_text="sertraline")
        statement.click()
        numbers = (statement.get_attribute("data-lines") or "").split()
        expect(place.locator(LIT).first).to_contain_text("sertraline 50 mg")
        assert len(numbers) == 1
        risk = place.locator(".statement.risk")
        expect(risk).to_have_count(1)
        expect(risk.locator(".statement-text")).to_contain_text(f'"{RISK_QUESTION}"')

        assert list_faults(chart, frame, ALL_SIZES) == []

        file_button = place.get_by_role("button", name="File as an unsigned note")
        expect(file_button).to_have_attribute("aria-disabled", "true")
        find_section(place, "Subjective").get_by_role("button", name="Accept").click()
        risk.get_by_role("button", name="Keep").click()
        expect(risk.locator(".risk-state")).to_have_text("Kept")
        objective = find_section(place, "Objective")
        objective.get_by_role("button", name="Edit").click()
        objective.get_by_label("Objective, in your words").fill(EDITED)
        objective.get_by_role("button", name="Save the edit").click()
        expect(objective).to_have_attribute("data-decision", "edited")
        find_section(place, "Assessment").get_by_role("button", name="Strike").click()
        expect(find_section(place, "Assessment")).to_have_attribute("data-decision", "struck")
        decide_rest(place)
        assert frame.evaluate(KEPT) == NOTHING_KEPT
        attest_and_file(place)
        expect_awaiting(place)
        expect(place.locator(".receipt")).to_contain_text("Destroyed")
        expect(chart.locator(".note.draft")).to_be_visible()
        take_picture(chart, "filed", chart.locator(".note.draft").get_by_role("button", name="Sign"))
        assert list_faults(chart, frame, ALL_SIZES) == []
        assert list_faults(chart, sizes=(FULL,)) == []

        text = chart.locator(".note.draft .text").inner_text()
        assert EDITED in text
        assert RISK_QUESTION in text
        assert "GAD-7" not in text  # the assessment was struck
        assert "AI" in text
        sign_draft(chart, "sister Marigold")
        expect(place.get_by_role("heading", name="Signed")).to_be_visible()

        cookies = [cookie for cookie in watched.context.cookies() if cookie["name"] != "third-party"]
        assert cookies != []
        for cookie in cookies:
            assert cookie["name"].startswith("__Host-")
            assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "None")
            assert cookie.get("partitionKey")
        assert frame.evaluate(KEPT) == NOTHING_KEPT
    kept = search_files(product.folder, ["sister Marigold", "sertraline 50 mg", "paced breathing"])
    assert kept == []


def test_a_visit_in_a_tab_dictated_into_the_microphone(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_in_tab(watched, "bruno-castellan")
        choose_way(page, "Dictate")
        page.get_by_role("button", name="Start dictating").click()
        expect(page.locator(".strip")).to_contain_text("dictating 0:03")
        assert list_faults(page, sizes=ALL_SIZES) == []
        page.get_by_role("button", name="Stop and transcribe").click()
        lines = page.locator("evidence-lines .line-text")
        expect(lines.first).to_be_visible()
        assert all(line.rstrip(".") in HEARD for line in lines.all_inner_texts())
        expect(page.locator("evidence-lines .line-about").first).to_contain_text("dictated")
        ask_draft(page)
        decide_rest(page)
        attest_and_file(page)
        expect_awaiting(page)
        sign_draft(watched.page, "The patient slept well.")
        expect(page.get_by_role("heading", name="Signed")).to_be_visible()
        expect(page.locator(".receipt")).to_contain_text("audio")


def test_a_visit_beside_the_chart_by_keyboard_alone(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        chart = watched.page
        chart.goto(f"{product.ehr}/patient/henry-quill")
        press(chart, chart.get_by_role("button", name="Open Countersign"))
        place = chart.frame_locator("#frame iframe")
        way = place.get_by_role("button", name="Type", exact=True)
        expect(way).to_be_disabled()  # his partner takes part, and was not asked yet
        asked = place.locator("person-row").get_by_role("group", name="AI drafting").get_by_role("radio", checked=True)
        tab_to(chart, asked)
        chart.keyboard.press("ArrowRight")  # from "Not asked" round to "Yes"
        expect(way).to_be_enabled()
        press(chart, way)
        tab_to(chart, place.get_by_label("Notes", exact=True))
        for line in NOTES.splitlines():
            chart.keyboard.type(line)
            chart.keyboard.press("Enter")
        press(chart, place.get_by_role("button", name="Arrange the note"))
        expect(place.locator("attest-form")).to_be_visible()
        expect(place.get_by_role("heading", name="Review the draft")).to_be_focused()

        chart.keyboard.press("ArrowDown")
        expect(place.locator("note-section .statement").first).to_be_focused()
        expect(place.locator(LIT).first).to_contain_text("Slept")
        for _ in range(10):
            if place.locator(".open-count").inner_text() == "Everything is decided":
                break
            before = place.locator(".open-count").inner_text()
            chart.keyboard.press("n")
            on_risk = place.locator(".statement:focus").count() > 0
            chart.keyboard.press("k" if on_risk else "a")
            expect(place.locator(".open-count")).not_to_have_text(before)
        expect(place.locator(".open-count")).to_have_text("Everything is decided")
        box = place.locator("attest-form input[type=checkbox]")
        tab_to(chart, box)
        chart.keyboard.press("Space")
        press(chart, place.get_by_role("button", name="File as an unsigned note"))
        expect_awaiting(place)
        draft = chart.locator(".note.draft").filter(has_text="GAD-7 is 9")
        sign = draft.get_by_role("button", name="Sign")
        expect(sign).to_have_count(1)
        press(chart, sign, "Shift+Tab")
        expect(chart.locator("#message")).to_have_text("Signed. The note is final and locked.")
        expect(place.get_by_role("heading", name="Signed")).to_be_visible()


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until the focus is there, as a person would."""
    for _ in range(150):
        if target.evaluate("element => element === element.ownerDocument.activeElement && document.hasFocus()"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{target} is not reached by {key}")


def press(page: Page, target: Locator, key: str = "Tab") -> None:
    tab_to(page, target, key)
    page.keyboard.press("Enter")


def test_a_reload_in_the_middle_loses_nothing(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        choose_way(page, "Type")
        type_notes(page)
        page.reload()
        expect(page.get_by_label("Notes", exact=True)).to_have_value(NOTES)
        ask_draft(page)
        page.locator("note-section .statement").filter(has_text="sertraline").click()
        expect(page.locator(LIT)).to_have_count(1)
        take_picture(page, "review")
        find_section(page, "Subjective").get_by_role("button", name="Accept").click()
        expect(find_section(page, "Subjective")).to_have_attribute("data-decision", "accepted")
        plan = find_section(page, "Plan")
        plan.get_by_role("button", name="Edit").click()
        plan.get_by_label("Plan, in your words").fill("Keep the sleep diary.")
        plan.get_by_role("button", name="Save the edit").click()
        expect(plan).to_have_attribute("data-decision", "edited")
        page.reload()
        expect(find_section(page, "Subjective")).to_have_attribute("data-decision", "accepted")
        expect(find_section(page, "Plan").locator(".edited-text")).to_have_text("Keep the sleep diary.")
        expect(page.locator("evidence-lines .line").first).to_contain_text("Slept about six hours")
        assert page.evaluate(KEPT) == NOTHING_KEPT


def test_a_standalone_visit_is_handed_over_where_the_ehr_holds_no_unsigned_notes(
    chromium: Browser, product: Product
) -> None:
    with watch_page(chromium, product, permissions=["clipboard-read", "clipboard-write"]) as watched:
        page = open_standalone(watched, "Jonas Telford", "Individual psychotherapy")
        expect(page.locator("patient-banner")).to_contain_text("Jonas Telford")
        choose_way(page, "Type", "DAP")
        type_notes(page, "Slept well, with an ochre-marker.", "")
        ask_draft(page)
        decide_rest(page)
        product.arm("oracle", times=None)
        try:
            attest_and_file(page)
            expect(page.get_by_role("heading", name="Put the text into the EHR")).to_be_visible()
            assert list_faults(page, sizes=ALL_SIZES) == []
            text = page.get_by_label("The note")
            expect(text).to_have_value(re.compile("ochre-marker"))
            page.get_by_role("button", name="Copy the text").click()
            expect(page.get_by_text("Copied.")).to_be_visible()
            assert read_clipboard(watched) == text.input_value()
            confirm = page.get_by_role("button", name="Confirm and destroy the rest")
            expect(confirm).to_have_attribute("aria-disabled", "true")
            page.get_by_role("checkbox", name="The text is in the EHR").check()
            confirm.click()
            expect(page.get_by_role("heading", name="Handed over")).to_be_visible()
        finally:
            product.disarm()
        expect(page.locator(".receipt")).to_contain_text("Destroyed")
        assert read_clipboard(watched) == ""
        page.goto(f"{product.ehr}/patient/jonas-telford")
        assert "ochre-marker" not in page.content()
    assert search_files(product.folder, ["ochre-marker"]) == []


def read_clipboard(watched: Watched) -> str:
    """As another program would: the gateway's own pages may not."""
    other = watched.context.new_page()
    other.goto(watched.product.ehr)
    text: str = other.evaluate("navigator.clipboard.readText()")
    other.close()
    watched.page.bring_to_front()
    return text


def test_stop_and_destroy_leaves_nothing_in_the_chart(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, "jonas-telford")
        choose_way(page, "Type")
        type_notes(page, "Notes with an amber-marker in them.", "")
        page.get_by_role("button", name="Stop and destroy").click()
        page.get_by_role("button", name="Destroy everything").click()
        expect(page.get_by_role("heading", name="Stopped and destroyed")).to_be_visible()
        expect(page.locator(".receipt")).to_contain_text("Destroyed")
        assert "amber-marker" not in page.content()
        page.reload()
        expect(page.get_by_role("heading", name=re.compile("Stopped and destroyed"))).to_be_visible()
        page.goto(f"{product.ehr}/patient/jonas-telford")
        expect(page.locator(".note")).to_have_count(0)
    assert search_files(product.folder, ["amber-marker"]) == []
