"""A visit that moves from the EHR's frame, which has no microphone, to a tab of its own and back."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.demo_servers import Product
from tests.browser.visit_walk import choose_way, open_in_frame, watch_page

pytestmark = [pytest.mark.browser, pytest.mark.processes]

MOVED = "This visit goes on in another tab"


# As an EHR does that gives the microphone to none of its frames (Permissions Policy, section 5.2).
WITHHOLD = "Object.defineProperty(HTMLIFrameElement.prototype, 'allow', { set() {} })"


def test_without_a_microphone_in_the_frame_the_visit_goes_on_in_a_tab_and_back(
    chromium: Browser, product: Product
) -> None:
    with watch_page(chromium, product, troubled=True) as watched:  # a refused read stands on the console
        watched.page.add_init_script(WITHHOLD)
        frame = open_in_frame(watched, "ada-marlowe")
        choose_way(frame, "Dictate")
        frame.get_by_role("button", name="Start dictating").click()
        expect(frame.get_by_text("does not let this page use the microphone")).to_be_visible()

        asked: list[str] = []
        watched.context.on("request", lambda request: asked.append(request.url))
        with watched.context.expect_page() as opened:
            frame.get_by_role("link", name="Open in a tab").click()
        tab = opened.value
        expect(tab.locator("patient-banner")).to_contain_text("Ada Marlowe")
        address = next(url for url in asked if "tab?key=" in url)
        assert re.search(r"/visit/[^/?]+/$", tab.url)
        assert tab.evaluate("document.referrer") == ""
        assert tab.evaluate("history.length") == 1  # nothing to go back to
        tab.get_by_role("button", name="Start dictating").click()
        expect(tab.locator(".strip")).to_contain_text("dictating")

        expect(frame.get_by_role("alert")).to_contain_text(MOVED)
        stranger = watched.context.new_page()
        stranger.goto(address)
        expect(stranger.get_by_role("alert")).to_contain_text("already used")
        stranger.close()

        frame.get_by_role("button", name="Go on here").click()
        expect(frame.get_by_role("button", name="Start dictating")).to_be_visible()
        expect(frame.get_by_role("alert")).to_be_hidden()
        expect(tab.get_by_role("alert")).to_contain_text(MOVED)
        said = product.read_said()
        assert "visit.moved" in said
        assert address.partition("key=")[2] not in said
        assert "tab?" not in said
