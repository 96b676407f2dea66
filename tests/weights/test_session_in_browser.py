"""With the published weights: two minutes spoken into Chromium's microphone become a filed note, drafted as they go on.

The fake microphone plays both voices of an invented session, so that who spoke is not known. Times are printed.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, expect, sync_playwright

from gateway.capture.audio import SAMPLE_RATE
from gateway.settings import read_settings
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.demo_servers import Product, run_product, search_files
from tests.browser.visit_walk import (
    attest_and_file,
    choose_way,
    decide_rest,
    expect_awaiting,
    open_in_frame,
    watch_page,
)
from tests.weights.spoken import speak_session

pytestmark = [pytest.mark.weights, pytest.mark.browser]

SESSION, SECONDS = "11-psychiatry-lithium-review", 120
PATIENCE_MS = 240_000
MARKED = ["lithium", "kidney"]


@pytest.fixture
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One whose microphone hears the session once."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's Chromium (apt-get install chromium)")
    sound: Path = tmp_path_factory.mktemp("microphone") / "session.wav"
    soundfile.write(sound, speak_session(SESSION, SECONDS).mixed, SAMPLE_RATE, subtype="PCM_16")
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, f"--use-file-for-fake-audio-capture={sound}%noloop"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        browser.new_context().new_page()
        expect.set_options(timeout=60_000)
        yield browser
        browser.close()


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    settings = {"models_dir": str(read_settings().models), "speech_model": "whisper-base"}
    with run_product(tmp_path_factory.mktemp("w"), **settings) as running:
        yield running


def test_two_minutes_spoken_become_a_filed_note(
    chromium: Browser, product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    with watch_page(chromium, product) as watched:
        watched.context.set_default_timeout(PATIENCE_MS)
        place = open_in_frame(watched, "ada-marlowe")
        choose_way(place, "Record session")
        place.get_by_role("button", name="Start recording").click()
        expect(place.locator(".strip")).to_contain_text(re.compile(r"recording the session 2:0\d"), timeout=PATIENCE_MS)
        so_far = place.locator("draft-so-far summary")
        drafted_before = so_far.inner_text() if so_far.is_visible() else "none"

        ended = time.perf_counter()
        place.get_by_role("button", name="End the session").click()
        expect(place.get_by_role("button", name="Start recording")).to_be_enabled(timeout=PATIENCE_MS)
        expect(place.locator("work-progress")).to_be_hidden(timeout=PATIENCE_MS)  # it may have kept up with the talk
        draft = place.get_by_role("button", name="Draft the note")
        expect(draft).not_to_have_attribute("aria-disabled", "true", timeout=PATIENCE_MS)
        heard = time.perf_counter()
        draft.click()
        expect(place.get_by_role("heading", name="Review the draft")).to_be_visible(timeout=PATIENCE_MS)
        expect(place.locator("attest-form")).to_be_visible(timeout=PATIENCE_MS)
        drafted = time.perf_counter()
        lines = place.locator("evidence-lines .line").count()
        statements = place.locator(".statement").count()
        assert lines > 10
        decide_rest(place)
        attest_and_file(place)
        expect_awaiting(place)
        for left in ("state", "run", "tmp"):
            assert search_files(product.folder / left, MARKED) == []
        assert [word for word in MARKED if word in product.read_said().lower()] == []
    with capsys.disabled():
        print(
            f"\n{SECONDS} s through the browser: {lines} lines, {statements} statements shown; while people talked: "
            f"{drafted_before}; heard {heard - ended:.1f} s after the end, drafted {drafted - heard:.1f} s later"
        )
