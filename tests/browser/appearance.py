"""What is wrong with how a page looks: what axe finds and what runs off the side, at each size and in each scheme.

A size or a colour scheme changes only styles here, so one page is looked at again and again where it stands, and the
dark colours are asked for their contrast alone.
"""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Frame, Page, ViewportSize

FULL: ViewportSize = {"width": 1280, "height": 860}
ZOOMED: ViewportSize = {"width": 640, "height": 430}  # the same window at 200 %
PANEL: ViewportSize = {"width": 380, "height": 800}  # an EHR's side panel
ALL_SIZES = (FULL, ZOOMED, PANEL)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL = {"type": "tag", "values": RULES}
CONTRAST = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SETTLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
RUN = """(options) => axe.run(document, options).then(({ violations }) => violations.flatMap(
  ({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`)))"""


def list_faults(
    page: Page, place: Page | Frame | None = None, sizes: tuple[ViewportSize, ...] = (FULL, PANEL)
) -> list[str]:
    """What axe finds (WCAG 2.2 AA and its best practices) and how far the page runs off the side, one line each.

    Args:
        place: a frame in the page; the sizes are those of the page around it.
    """
    place = place or page
    before = page.viewport_size
    faults: list[str] = []
    for size in sizes:
        page.set_viewport_size(size)
        for scheme, rules in (("light", ALL), ("dark", CONTRAST)):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            place.evaluate(SETTLE)
            faults += [f"{size['width']} {scheme} {found}" for found in run_axe(place, rules)]
        if (width := place.evaluate(OVERFLOW)) > 0:
            faults.append(f"{size['width']}: {width} pixels run off the side")
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    if before:
        page.set_viewport_size(before)
    return faults


def run_axe(place: Page | Frame, rules: dict[str, Any] = ALL) -> list[str]:
    """What axe finds in this document alone, as it is shown now."""
    if not place.evaluate("'axe' in window"):
        place.evaluate(AXE_SCRIPT)
    found: list[str] = place.evaluate(
        RUN, {"runOnly": rules, "resultTypes": ["violations"], "iframes": False, "elementRef": False}
    )
    return found
