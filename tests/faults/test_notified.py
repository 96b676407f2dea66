"""Real processes from end to end: the sandbox says that a Consent has changed, and the visit's page shows it."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.ledger.reading import read_lines
from tests.bench.browser import PlainBrowser
from tests.browser import demo_servers
from tests.browser.demo_servers import Product, run_product
from tests.unit.front.conftest import make_folder

pytestmark = pytest.mark.processes
ADA = "ada-marlowe"
PATIENCE_SECONDS = 30
SOON_SECONDS = 5


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    make_config = demo_servers._make_config

    def make(folder: Path, ehr: str) -> Path:
        config = make_config(folder, ehr)
        site = config / "ehrs" / "sandbox.toml"
        text = site.read_text(encoding="utf-8")
        assert "[consent]\n" in text
        site.write_text(text.replace("[consent]\n", "[consent]\nsubscription = true\n"), encoding="utf-8")
        return config

    monkeypatch.setattr(demo_servers, "_make_config", make)
    with make_folder() as folder, run_product(folder) as running:
        yield running


def outcomes(product: Product, event: str) -> list[str]:
    lines = [line.fields for line in read_lines(product.folder / "state" / "ledger.jsonl")]
    return [line["outcome"] for line in lines if line["event"] == event and "outcome" in line]


def wait_for(product: Product, event: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while outcomes(product, event) != ["done"]:
        assert time.monotonic() < deadline, product.read_said()[-4000:]
        time.sleep(0.05)


def test_a_revocation_reaches_the_page_without_anybody_asking(product: Product) -> None:
    with httpx.Client(timeout=30, trust_env=False) as http:
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch(ADA), f"{product.gateway}/callback")
        visit = browser.open_visit(callback)

        def permits() -> bool:
            answers = {one["activity"]: one["permitted"] for one in browser.view(visit)["consents"]}
            return answers["ai-drafting"]

        browser.wait(visit, "choosing")
        assert permits()
        wait_for(product, "front:subscription:create")
        revoked = time.monotonic()
        product.act_in_chart(ADA, f"{ADA}-ai-drafting", "revoke")
        while permits():
            assert time.monotonic() - revoked < SOON_SECONDS, product.read_said()[-4000:]
            time.sleep(0.02)
        print(f"seen after {time.monotonic() - revoked:.2f} s")
        browser.post(f"{visit}api/cancel", json={})
        wait_for(product, "front:subscription:delete")
    said = product.read_said()
    assert "/notify/" not in said
    assert ADA not in said
