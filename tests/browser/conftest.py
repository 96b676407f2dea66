"""One Chromium for all browser tests, one scripted visit server for the page's, and the whole product for visits."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.browser.demo_servers import ROOT, Product, run_product
from tests.browser.page_server import PageServer, run_server

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--test-third-party-cookie-phaseout",
)
PATIENCE_MS = 30_000  # whole processes answer here, on machines that do other things too
SAMPLE = ROOT / "gateway" / "sandbox" / "samples" / "dictation.flac"


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright_driver: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium as it will be: without third-party cookies. Somebody speaks into its microphone, which is
    allowed where the frame allows it. Its first page is for those that leave nothing in it."""
    speech: Path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    samples, rate = soundfile.read(SAMPLE, dtype="int16")
    soundfile.write(speech, samples, rate, subtype="PCM_16")
    arguments = [*ARGUMENTS, f"--use-file-for-fake-audio-capture={speech}"]
    browser = playwright_driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
    browser.new_context().new_page()
    expect.set_options(timeout=PATIENCE_MS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def page_server() -> Iterator[PageServer]:
    with run_server(pace_seconds=0.02) as server:
        yield server


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The sandbox EHR and the gateway, with the outline drafter and a speech model that needs no weights."""
    with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running
