"""The confinement of a visit of the real product, as the kernel tells it, and its log through the supervisor."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import psutil
import pytest

from gateway.visit.confinement import can_limit_calls
from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import Product, run_product

pytestmark = pytest.mark.processes
SECRET = "hush-this-client-secret"


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACME_CLIENT_SECRET", SECRET)  # as a site with client_secret_basic has it
        with run_product(tmp_path_factory.mktemp("r")) as running:
            yield running


@pytest.fixture
def visit(product) -> Iterator[tuple[PlainBrowser, str]]:
    with httpx.Client(timeout=30.0) as http:
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch("ada-marlowe"), f"{product.gateway}/callback")
        address = browser.open_visit(callback)
        browser.wait(address, "choosing")
        yield browser, address
        browser.post(urljoin(address, "api/cancel"), json={})


def find_processes(product: Product) -> dict[str, psutil.Process]:
    """The supervisor's two children, and the one visit."""
    found = {}
    for child in psutil.Process(product.serve.pid).children():
        found["front" if "gateway.app" in child.cmdline() else "fork server"] = child
    (found["visit"],) = found["fork server"].children()
    return found


def read_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_real_visit_has_no_rights_no_files_to_write_and_a_call_filter(product, visit) -> None:
    pid = find_processes(product)["visit"].pid
    status = read_status(pid)
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    if can_limit_calls():
        assert status["Seccomp"] == "2"
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    assert any(line.startswith("Max file size") and line.split()[3:5] == ["0", "0"] for line in limits)
    assert any(line.startswith("Max core file size") and line.split()[4:6] == ["0", "0"] for line in limits)


def test_the_clients_secret_is_in_the_front_and_in_no_process_that_visits_come_from(product, visit) -> None:
    processes = find_processes(product)
    environments = {name: Path(f"/proc/{one.pid}/environ").read_bytes() for name, one in processes.items()}
    assert SECRET.encode() in environments["front"]
    assert SECRET.encode() not in environments["fork server"] + environments["visit"]


def test_a_visits_own_log_line_reaches_the_log_though_it_may_write_to_no_file(product, visit) -> None:
    browser, address = visit
    answer = browser.http.post(
        urljoin(address, "api/way"),
        json={"way": "type", "format": "none"},
        headers={**browser._headers(), "sec-fetch-site": "same-origin"},
    )
    assert answer.status_code == 409
    deadline = time.monotonic() + 5
    while "visit.refused code=visit.format" not in product.read_said():
        assert time.monotonic() < deadline
        time.sleep(0.05)
