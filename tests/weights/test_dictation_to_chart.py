"""With the published weights: a dictation spoken by espeak-ng becomes an unsigned note in the chart, and nothing stays.

Real processes, real faster-whisper, real llama.cpp. What each part took is printed.
"""

import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from gateway.settings import read_settings
from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import run_product, search_files
from tests.weights.recorded import RecordedVisit

pytestmark = pytest.mark.weights

SPOKEN = (
    "The patient reports that she slept five hours a night this week. "
    "She had two panic attacks on the bus on Wednesday. "
    "She practiced the breathing exercise every morning. "
    "Her mood was calm and she made good eye contact. "
    "We will meet again next Thursday. "
    "For homework she will keep the sleep diary."
)
MARKED = ["panic attack", "breathing exercise", "sleep diary", "eye contact"]


@pytest.fixture
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("w")


def speak(file: Path) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    subprocess.run([program, "-s", "150", "-w", str(file), SPOKEN], check=True, timeout=60)
    return file.read_bytes()


def test_a_spoken_dictation_becomes_an_unsigned_note_and_nothing_stays(folder: Path, capsys) -> None:
    sound = speak(folder / "spoken.wav")
    took: dict[str, float] = {}
    with (
        run_product(folder / "p", models_dir=str(read_settings().models)) as product,
        httpx.Client(timeout=30.0) as http,
    ):
        resting = len(product.list_processes())
        browser = PlainBrowser(http)
        callback = browser.go_to_callback(product.open_launch("ada-marlowe"), f"{product.gateway}/callback")
        visit = browser.open_visit(callback)
        browser.wait(visit, "choosing")
        browser.post(urljoin(visit, "api/way"), json={"way": "dictate", "format": "soap"})

        started = time.perf_counter()
        browser.post(urljoin(visit, "api/dictation"), content=sound, headers={"content-type": "audio/wav"})
        view = browser.wait(visit, "gathering", every_seconds=0.1)
        took["heard"] = time.perf_counter() - started
        numbers = {segment["number"] for segment in view["segments"]}
        assert len(numbers) >= 5

        started = time.perf_counter()
        browser.post(urljoin(visit, "api/draft"), json={"format": "soap"})
        view = browser.wait(visit, "reviewing", every_seconds=0.1)
        took["drafted"] = time.perf_counter() - started
        assert view["drafter"]["kind"] == "model"
        statements = [statement for section in view["sections"] for statement in section["statements"]]
        assert len(statements) >= 4
        assert all(statement["segments"] for statement in statements)
        assert {number for statement in statements for number in statement["segments"]} <= numbers

        RecordedVisit(browser, visit).decide_all()
        started = time.perf_counter()
        version = browser.view(visit)["version"]
        browser.post(urljoin(visit, "api/file"), json={"attested": True, "version": version})
        view = browser.wait(visit, "ended", every_seconds=0.1)
        took["filed"] = time.perf_counter() - started
        assert view["outcome"] == "filed"

        chart = httpx.get(f"{product.ehr}/patient/ada-marlowe", timeout=30).text
        assert "sleep" in chart
        assert "Unsigned" in chart or "unsigned" in chart
        deadline = time.monotonic() + 20
        while len(product.list_processes()) > resting:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for left in ("state", "run", "tmp"):
            assert search_files(product.folder / left, MARKED) == []
        assert [word for word in MARKED if word in product.read_said().lower()] == []
    with capsys.disabled():
        print("\n" + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()))
