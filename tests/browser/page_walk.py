"""Steps through the page that several tests take, and what they watch on the way."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Request, ViewportSize, expect

from tests.browser.page_server import PageServer
from tests.browser.scripted_visit import ScriptedVisit

numbers = itertools.count(1)
WIDE: ViewportSize = {"width": 1280, "height": 860}
WAV = b"RIFF\x04\x00\x00\x00WAVE"  # all that the page looks at


@dataclass
class Watched:
    """A page at a visit of its own, and what it did that a page should not do."""

    page: Page
    visit: ScriptedVisit
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def note_error(self, error: Error) -> None:
        self.errors.append(str(error))

    def note_console(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.errors.append(said.text)

    def note_request(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).netloc)

    def posts(self, path: str) -> list[Any]:
        return [body for name, body in self.visit.posts if name == path]


@contextmanager
def open_visit(
    chromium: Browser,
    server: PageServer,
    scene: str,
    *,
    viewport: ViewportSize = WIDE,
    frame: str | None = None,
    permissions: list[str] | None = None,
    apart: bool = False,
    expected_errors: bool = False,
) -> Iterator[Watched]:
    """Open a scene; an error on the page, CSP's among them, fails the test.

    Args:
        frame: open it in another site's frame that is allowed this.
        apart: in a browser context of its own, for a test that changes it; else in the browser's first page, where
            Chromium need not start a process for it.
    """
    visit_id = f"{scene}-{next(numbers)}"
    own = chromium.new_context(permissions=permissions) if apart or permissions else None
    page = own.new_page() if own else chromium.contexts[0].pages[0]
    page.set_viewport_size(viewport)
    watched = Watched(page, server.visit(visit_id))
    page.on("pageerror", watched.note_error)
    page.on("console", watched.note_console)
    page.on("request", watched.note_request)
    page.goto(server.url(visit_id) if frame is None else server.frame_url(visit_id, frame))
    if frame is None:
        expect(page.locator(".place h2")).not_to_have_text("Reading the chart")
    try:
        yield watched
        if not expected_errors:
            assert watched.errors == []
    finally:
        page.remove_listener("pageerror", watched.note_error)
        page.remove_listener("console", watched.note_console)
        page.remove_listener("request", watched.note_request)
        if own:
            own.close()
        else:
            page.goto("about:blank")


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is there, as a person would; it must be reachable."""
    for _ in range(120):
        if target.evaluate("element => element === document.activeElement"):
            visible = "element => element.matches(':focus-visible') && element.checkVisibility()"
            assert target.evaluate(visible)
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached by Tab")


def press(page: Page, name: str, key: str = "Enter") -> None:
    target = page.get_by_role("button", name=name, exact=True).filter(visible=True).first
    tab_to(page, target)
    page.keyboard.press(key)


def watch_microphone(page: Page) -> Callable[[], list[str]]:
    """From now on, what each microphone that the page opened is doing: ``live``, ``muted`` or ``ended``."""
    page.evaluate(
        "() => { window.tracks = []; const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        " navigator.mediaDevices.getUserMedia = async (wish) =>"
        " { const stream = await get(wish); window.tracks.push(...stream.getTracks()); return stream; }; }"
    )
    look = "tracks.map((track) => track.readyState === 'live' && !track.enabled ? 'muted' : track.readyState)"
    return lambda: list(page.evaluate(look))


def choose(page: Page, way: str) -> None:
    page.get_by_role("button", name=way).click()
    expect(page.locator("gather-material, review-draft")).to_be_visible()


def give_dictation(page: Page) -> None:
    file = {"name": "note.wav", "mimeType": "audio/wav", "buffer": WAV}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]  # a FilePayload
    expect(page.locator("evidence-lines .line").nth(5)).to_be_visible()


def gather_session(at: Watched) -> None:
    """In the scene ``listening``, where a session was recorded already."""
    choose(at.page, "Record the session")
    expect(at.page.locator(".line")).to_have_count(12)


def find_line(page: Page, number: int) -> Locator:
    return page.locator(f"evidence-lines .line[data-number='{number}']")


def ask_draft(page: Page) -> None:
    page.get_by_role("button", name="Draft the note").click()
    expect(page.locator("attest-form")).to_be_visible(timeout=15000)


def decide_all(page: Page) -> None:
    for section in page.locator("note-section").all():
        section.get_by_role("button", name="Accept").click()
        expect(section.locator(".section-state")).to_have_text("Accepted")
    for risk in page.locator(".risk-decision").all():
        risk.get_by_role("button", name="Keep").click()
        expect(risk.locator(".risk-state")).to_have_text("Kept")
    expect(page.locator(".open-count")).to_have_text("Everything is decided")


def attest(page: Page) -> None:
    page.locator("attest-form input[type=checkbox]").check()


def file_note(page: Page) -> None:
    page.get_by_role("button", name="File as an unsigned note").click()
    expect(page.get_by_role("heading", name="In the chart, awaiting your signature")).to_be_visible()
