"""Steps of a visit on the real page, in a tab or in the EHR's frame, and what is watched on the way."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Frame,
    FrameLocator,
    Locator,
    Page,
    Response,
    expect,
)

from tests.browser.appearance import FULL
from tests.browser.demo_servers import Product

WAIT_MS = 30_000
PAGE_PLACE = re.compile(r"/visit/[^/]+/$")
RISK_QUESTION = "Asked whether she has thoughts of ending her life; she said no, none since the spring."
NOTES = f"""Slept about six hours on most nights, two nights were broken.
Worried less about the review at work than last week.
Used the paced breathing on four days.
{RISK_QUESTION}
Takes sertraline 50 mg every morning, no side effects.
Reviewed the sleep diary together.
Anxiety is improving: GAD-7 is 9, last time 13.
Plan: keep the sleep diary; next session in one week."""
OBSERVED = "Calm, good eye contact, tearful once when she spoke of her sister."
CANCEL = """() => fetch("api/cancel", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })
  .then(() => null, () => null)"""
KEPT = """async () => {
  // A store that the browser denies to a frame of another site holds nothing.
  const count = (what) => { try { return what().length; } catch { return 0; } };
  return {
    local: count(() => localStorage), session: count(() => sessionStorage), cookie: document.cookie,
    databases: (await indexedDB.databases().catch(() => [])).length,
    caches: (await caches.keys().catch(() => [])).length,
    workers: (await navigator.serviceWorker.getRegistrations().catch(() => [])).length,
  };
}"""
NOTHING_KEPT = {"local": 0, "session": 0, "cookie": "", "databases": 0, "caches": 0, "workers": 0}

Place = Page | FrameLocator


@dataclass
class Watched:
    """A page, and what it did that neither the gateway's page nor the EHR's should do."""

    page: Page
    product: Product
    errors: list[str] = field(default_factory=list)
    unguarded: list[str] = field(default_factory=list)  # answers of the gateway without its headers
    strangers: set[str] = field(default_factory=set)  # origins that are neither the EHR nor the gateway

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def find_frame(self) -> Frame:
        """The frame or tab that holds the visit's page, to run a script in it."""
        pages = [frame for page in self.context.pages for frame in page.frames if PAGE_PLACE.search(frame.url)]
        assert len(pages) == 1, [frame.url for page in self.context.pages for frame in page.frames]
        return pages[0]

    def note_answer(self, answer: Response) -> None:
        origin = "/".join(answer.url.split("/")[:3])
        if origin == self.product.gateway:
            if not is_guarded(answer.headers, self.product.ehr):
                self.unguarded.append(f"{answer.url} {answer.headers}")
        elif origin != self.product.ehr and not answer.url.startswith(("data:", "blob:")):
            self.strangers.add(origin)


def is_guarded(headers: dict[str, str], ehr: str) -> bool:
    """Whether an answer is kept nowhere, runs nothing but the gateway's own files, and is framed by this EHR alone."""
    policy = dict(part.strip().split(" ", 1) for part in headers.get("content-security-policy", "").split(";") if part)
    ancestors, target = policy.pop("frame-ancestors", ""), policy.pop("form-action", "")
    return (
        headers.get("cache-control") == "no-store"
        and headers.get("referrer-policy") == "no-referrer"
        and headers.get("x-content-type-options") == "nosniff"
        and policy.get("default-src") == "'self'"
        and policy.get("object-src") == policy.get("base-uri") == "'none'"
        and not any(word in value for value in policy.values() for word in ("unsafe", "*", "http"))
        and ancestors in ("'none'", ehr)
        and target in ("'self'", ehr)
    )


@contextmanager
def watch_page(chromium: Browser, product: Product, *, troubled: bool = False, **options: Any) -> Iterator[Watched]:
    """A page in a browser context of its own. Its visits are stopped at the end.

    Args:
        troubled: errors on the console are expected (an answer that is no 200 is one).
    """
    options.setdefault("viewport", FULL)
    context = chromium.new_context(**options)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    watched = Watched(page, product)

    def watch(one: Page) -> None:
        one.on("pageerror", lambda error: watched.errors.append(str(error)))
        one.on("console", lambda said: said.type in ("error", "warning") and watched.errors.append(said.text))

    watch(page)
    context.on("page", watch)
    context.on("response", watched.note_answer)
    try:
        yield watched
        assert watched.unguarded == [], watched.unguarded
        assert watched.strangers == set(), watched.strangers
        assert troubled or watched.errors == [], watched.errors
    finally:
        for frame in [frame for one in context.pages for frame in one.frames if PAGE_PLACE.search(frame.url)]:
            frame.evaluate(CANCEL)
        context.close()


def open_in_frame(watched: Watched, patient: str) -> FrameLocator:
    """Press Open Countersign in the chart."""
    watched.page.goto(f"{watched.product.ehr}/patient/{patient}")
    watched.page.get_by_role("button", name="Open Countersign").click()
    place = watched.page.frame_locator("#frame iframe")
    expect_choosing(place)
    return place


def open_in_tab(watched: Watched, patient: str) -> Page:
    """Press In a tab in the chart."""
    watched.page.goto(f"{watched.product.ehr}/patient/{patient}")
    with watched.context.expect_page() as opened:
        watched.page.get_by_role("button", name="In a tab").click()
    expect_choosing(opened.value)
    return opened.value


def open_by_launch(watched: Watched, patient: str) -> Page:
    """Go to the launch address, without the chart around it."""
    watched.page.goto(watched.product.open_launch(patient))
    expect_choosing(watched.page)
    return watched.page


def open_standalone(watched: Watched, patient: str, visit: str) -> Page:
    """Begin at the gateway; the EHR asks for the patient and the visit."""
    page = watched.page
    page.goto(watched.product.gateway)
    page.get_by_role("link", name="Sandbox EHR").click()
    page.get_by_role("button", name=patient).click()
    page.get_by_role("button", name=visit).click()
    expect_choosing(page)
    return page


def expect_choosing(place: Place) -> None:
    expect(place.get_by_role("heading", name="How do you want to work?")).to_be_visible()


def find_way(place: Place, name: str) -> Locator:
    """One of the ways of working: its button, what it needs, and why it is not offered."""
    return place.locator(".way").filter(has=place.get_by_role("button", name=name, exact=True))


def choose_way(place: Place, name: str, note_format: str = "SOAP") -> None:
    place.get_by_role("radio", name=note_format).check()
    place.get_by_role("button", name=name, exact=True).click()
    expect(place.locator("gather-material, review-draft").first).to_be_visible()


def type_notes(place: Place, notes: str = NOTES, observed: str = OBSERVED) -> None:
    """Type, and wait until the visit has it: the numbered lines stand beside it."""
    place.get_by_label("Notes", exact=True).fill(notes)
    place.get_by_label("What you observed").fill(observed)
    expect(place.get_by_text("Kept for this visit")).to_be_visible()
    last = (observed or notes).splitlines()[-1]
    expect(place.locator("evidence-lines .line-text").last).to_have_text(last)


def ask_draft(place: Place) -> None:
    place.get_by_role("button", name="Arrange the note").click()
    expect(place.get_by_role("heading", name="Review the draft")).to_be_visible()
    expect(place.locator("attest-form")).to_be_visible()


def find_section(place: Place, title: str) -> Locator:
    return place.locator("note-section").filter(has=place.get_by_role("heading", name=title, exact=True))


def decide_rest(place: Place) -> None:
    """Listen to every marked line, accept every open section and keep every open risk line, one by one."""
    for _ in range(40):
        mark = place.locator("mark-list li button").first
        section = place.locator('note-section[data-decision="open"]').first
        risk = place.locator(".statement[data-open]").first
        if mark.count():
            decide_line(place, mark.inner_text().removeprefix("Line "))
        elif section.count():
            title = section.get_by_role("heading").inner_text()
            section.get_by_role("button", name="Accept").click()
            expect(find_section(place, title)).not_to_have_attribute("data-decision", "open")
        elif risk.count():
            number = risk.get_attribute("data-statement")
            risk.get_by_role("button", name="Keep").click()
            expect(place.locator(f'[data-statement="{number}"][data-open]')).to_have_count(0)
        else:
            break
    expect(place.locator(".open-count")).to_have_text("Everything is decided")


def decide_line(place: Place, number: str) -> None:
    """Hear it where it can be heard, then let it be as it was heard first."""
    line = place.locator(f"evidence-lines .line[data-number='{number}']")
    play = line.get_by_role("button", name=f"Play line {number}")
    if play.count():
        play.click()
        expect(line.get_by_role("button", name=f"Stop line {number}")).to_be_visible()
        expect(play).to_be_visible()
    line.get_by_role("button", name=re.compile("That is what was said|Nothing that matters")).or_(
        line.locator(".hearing").first
    ).first.click()
    expect(line.locator(".look")).to_have_count(0)


def attest_and_file(place: Place, button: str = "File as an unsigned note") -> None:
    place.locator("attest-form input[type=checkbox]").check()
    place.get_by_role("button", name=button).click()


def expect_awaiting(place: Place) -> None:
    heading = place.get_by_role("heading", name="In the chart, awaiting your signature")
    expect(heading).to_be_visible()


def expect_refusal(place: Place, words: str) -> None:
    """A page of the front with one sentence, and nothing else to read but its code."""
    expect(place.get_by_role("heading", name="Countersign could not be opened")).to_be_visible()
    sentence = place.get_by_role("alert")
    expect(sentence).to_have_text(words)
    assert words.count(". ") <= 1
    assert len(words) < 200
