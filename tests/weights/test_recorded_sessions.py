"""With the published weights: three sessions of ten minutes go all the way to a filed note, faster than real time.

Invented sessions of the truth are spoken by two voices of espeak-ng and sent as the page sends them, each voice on its
own channel. Real processes, real faster-whisper with two hearings, real llama.cpp. Times and memory are printed.
"""

import time
from collections.abc import Iterator

import httpx
import pytest

from gateway.settings import read_settings
from tests.browser.demo_servers import Product, run_product, search_files
from tests.weights.recorded import RecordedVisit, watch_memory
from tests.weights.spoken import speak_session

pytestmark = pytest.mark.weights

MINUTES = 10
SESSIONS = {
    "04-psychodynamic-surveyor": ["surveyor"],
    "10-intake-warsaw-kitchens": ["Warsaw"],
    "34-veteran-the-wall-at-dusk": ["dusk"],
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    settings = {"models_dir": str(read_settings().models), "speech_model": "whisper-base"}
    with run_product(tmp_path_factory.mktemp("w"), **settings) as running:
        yield running


@pytest.mark.parametrize("name", SESSIONS)
def test_ten_minutes_become_a_filed_note_and_nothing_stays(
    product: Product, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session = speak_session(name, MINUTES * 60)
    resting = len(product.list_processes())
    took: dict[str, float] = {}
    with httpx.Client(timeout=60.0) as http, watch_memory(product) as peak:
        visit = RecordedVisit.open(product, http)
        visit.start()
        started = time.perf_counter()
        visit.send(session.room, session.call)
        took["sent"] = time.perf_counter() - started
        visit.stop()
        view = visit.wait_until_heard()
        took["heard"] = time.perf_counter() - started
        said = [one for one in view["segments"] if one["source"] == "session"]
        assert {one["speaker"] for one in said} >= {"clinician", "patient"}
        marked = [one for one in said if one["look"]]

        started = time.perf_counter()
        view = visit.draft()
        took["drafted"] = time.perf_counter() - started
        assert (view["phase"], view["drafter"]["kind"]) == ("reviewing", "model"), view["problem"]
        statements, withheld = [one for section in view["sections"] for one in section["statements"]], view["withheld"]
        assert len(statements) >= 8
        assert all(one["segments"] for one in statements)

        visit.decide_all()
        started = time.perf_counter()
        view = visit.file()
        took["filed"] = time.perf_counter() - started
        assert view["outcome"] == "filed", view["problem"]
        words = {word for one in said for word in one["text"].lower().split() if len(word) > 9}
    deadline = time.monotonic() + 20
    while len(product.list_processes()) > resting:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    kept = sorted(words)[:20]
    for left in ("state", "run", "tmp"):
        assert search_files(product.folder / left, kept) == []
    log = product.read_said().lower()
    assert [word for word in kept if word in log] == []
    assert took["heard"] < session.seconds, "slower than people talk"
    with capsys.disabled():
        times = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in took.items())
        print(
            f"\n{name}: {session.seconds:.0f} s of talk, {len(said)} lines, {len(marked)} to look at; {times}; "
            f"{len(statements)} statements shown, {len(withheld)} withheld; at most {peak['mb']:.0f} MB"
        )
