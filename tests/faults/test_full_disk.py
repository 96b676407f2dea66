"""A disk that is full under the real gateway: one sentence, nothing filed, nothing lost; stopping always works."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import httpx
import psutil
import pytest

from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import Product, run_product
from tests.browser.visit_walk import NOTES

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    with run_product(tmp_path_factory.mktemp("d")) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[PlainBrowser]:
    with httpx.Client(timeout=30.0) as http:
        yield PlainBrowser(http)


@contextmanager
def full_disk(product: Product) -> Iterator[None]:
    """The front may make no file longer: to it, writing fails as on a disk without room."""
    (front,) = (one for one in psutil.Process(product.serve.pid).children() if "gateway.app" in one.cmdline())
    before = resource.prlimit(front.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(front.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(front.pid, resource.RLIMIT_FSIZE, before)


def open_visit(product: Product, browser: PlainBrowser, patient: str) -> str:
    callback = browser.go_to_callback(product.open_launch(patient), f"{product.gateway}/callback")
    visit = browser.open_visit(callback)
    browser.wait(visit, "choosing")
    return visit


def review_note(browser: PlainBrowser, visit: str) -> None:
    browser.post(urljoin(visit, "api/way"), json={"way": "type", "format": "soap"})
    browser.post(urljoin(visit, "api/typed"), json={"text": NOTES, "observations": ""})
    browser.post(urljoin(visit, "api/draft"), json={"format": "soap"})
    view = browser.wait(visit, "reviewing")
    for section in view["sections"]:
        browser.post(urljoin(visit, "api/section"), json={"id": section["id"], "decision": "accepted"})
        for statement in section["statements"]:
            if statement["risk"]:
                kept = {"number": statement["number"], "decision": "kept"}
                browser.post(urljoin(visit, "api/risk"), json=kept)


def ask_filing(browser: PlainBrowser, visit: str) -> None:
    version = browser.view(visit)["version"]
    browser.post(urljoin(visit, "api/file"), json={"attested": True, "version": version})


def count_drafts(product: Product, patient: str) -> int:
    return httpx.get(f"{product.ehr}/patient/{patient}", timeout=30).text.count('class="note draft"')


def read_ledger(product: Product) -> list[dict]:
    lines = (product.folder / "state" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_nothing_is_filed_nothing_is_lost_and_it_goes_on_when_there_is_room(product, browser):
    visit = open_visit(product, browser, "ada-marlowe")
    review_note(browser, visit)
    before = browser.view(visit)
    drafts = count_drafts(product, "ada-marlowe")
    with full_disk(product):
        ask_filing(browser, visit)
        view = browser.wait(visit, "reviewing")
        assert view["problem"] is not None
        assert view["problem"]["message"].count(".") <= 2
        assert [section["text"] for section in view["sections"]] == [one["text"] for one in before["sections"]]
        assert view["open_decisions"] == 0
        assert count_drafts(product, "ada-marlowe") == drafts
    ask_filing(browser, visit)
    assert browser.wait(visit, "ended")["outcome"] == "filed"
    assert count_drafts(product, "ada-marlowe") == drafts + 1


def test_no_visit_is_opened(product, browser):
    callback = browser.go_to_callback(product.open_launch("jonah-pryce"), f"{product.gateway}/callback")
    with full_disk(product):
        answer = browser.get(callback)
    assert answer.status_code in (409, 503)
    assert "Ask the operator to look at" in answer.text
    assert "Marlowe" not in answer.text
    assert httpx.get(f"{product.gateway}/health", timeout=30).json()["visits"] == 0


def test_stopping_always_works_and_its_entry_is_written_when_there_is_room(product, browser):
    visit = open_visit(product, browser, "ada-marlowe")
    lines = len(read_ledger(product))
    with full_disk(product):
        browser.post(urljoin(visit, "api/cancel"), json={})
        view = browser.wait(visit, "ended")
        assert view["outcome"] == "cancelled"
        while not view["receipt"]:
            view = browser.view(visit)
        assert "process" in view["receipt"]["proof"][0]
        assert len(read_ledger(product)) == lines
    deadline = time.monotonic() + 10
    while len(read_ledger(product)) == lines:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    last = read_ledger(product)[-1]
    assert (last["event"], last["outcome"], last["owed"]) == ("front:visit:purge", "cancelled", True)
