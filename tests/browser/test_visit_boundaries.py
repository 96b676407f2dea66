"""Who may reach a visit: its own page in the browser that opened it, framed by its own EHR, and nobody else.

That every answer of the gateway forbids storing, inline script and strangers' frames is watched in every whole visit
(``visit_walk.is_guarded``); here others try.
"""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.demo_servers import Product
from tests.browser.page_server import PageServer
from tests.browser.visit_walk import choose_way, expect_choosing, open_by_launch, open_in_frame, type_notes, watch_page

pytestmark = [pytest.mark.browser, pytest.mark.processes]

POST_FROM_ELSEWHERE = """async (address) => {
  await fetch(address, { method: "POST", mode: "no-cors", credentials: "include", body: "{}" }).catch(() => null);
  const form = document.createElement("form");
  form.method = "post"; form.action = address; form.target = "_blank";
  document.body.append(form); form.submit();
}"""
READ_FROM_ELSEWHERE = (
    """(address) => fetch(address, { credentials: "include" }).then((a) => a.text(), () => "blocked")"""
)
OPEN_SOCKET = """(address) => new Promise((done) => {
  const socket = new WebSocket(address);
  socket.onopen = () => done("open"); socket.onerror = () => done("refused");
})"""
FIELDS = """() => [...document.querySelectorAll("textarea, input")].map((field) => [
  field.autocomplete, field.type === "textarea" ? field.getAttribute("spellcheck") : "false"].join())"""


def test_no_other_site_can_act_in_a_visit_or_read_it(
    chromium: Browser, product: Product, page_server: PageServer
) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        place = open_in_frame(watched, "ada-marlowe")
        choose_way(place, "Type")
        type_notes(place)
        frame, chart = watched.find_frame(), watched.page
        address = frame.url
        with watched.context.expect_page() as opened:
            chart.evaluate(POST_FROM_ELSEWHERE, f"{address}api/cancel")
        expect(opened.value.locator("body")).to_contain_text("This did not come from Countersign's own page.")
        opened.value.close()
        assert chart.evaluate(READ_FROM_ELSEWHERE, f"{address}api/view") == "blocked"
        assert chart.evaluate(OPEN_SOCKET, f"{address}api/events".replace("http", "ws", 1)) == "refused"
        frame.goto(address)
        expect(place.get_by_label("Notes", exact=True)).not_to_have_value("")  # it is still there, with what was typed
        assert set(frame.evaluate(FIELDS)) == {"off,false"}


def test_another_browser_gets_nothing_of_a_visit(chromium: Browser, product: Product) -> None:
    with watch_page(chromium, product) as watched:
        page = open_by_launch(watched, "ada-marlowe")
        stranger = chromium.new_context()
        other = stranger.new_page()
        other.goto(page.url)  # the page has no data in it
        expect(other.get_by_role("alert")).to_contain_text("This visit was opened in another browser window.")
        assert "Marlowe" not in other.content()
        stranger.close()
        expect_choosing(page)


def test_only_the_ehrs_own_pages_may_frame_a_visit(
    chromium: Browser, product: Product, page_server: PageServer
) -> None:
    with watch_page(chromium, product, troubled=True) as watched:
        address = open_by_launch(watched, "ada-marlowe").url
        framing = watched.context.new_page()
        blocked: list[str] = []
        framing.on("console", lambda said: blocked.append(said.text))
        framing.goto(f"http://127.0.0.1:{page_server.port}/frame?visit=plain-frame&allow=")
        framing.evaluate("(address) => { document.querySelector('iframe').src = address; }", address)
        expect(framing.frame_locator("iframe").locator("visit-page")).to_have_count(0)
        framing.wait_for_event("console", lambda said: "frame-ancestors" in said.text) if not blocked else None
        assert any("frame-ancestors" in words for words in blocked)
        watched.strangers.clear()
        framing.close()
