"""Two hundred broken recordings, posted to real visits: each is answered, nothing grows, and the front never ends.

The front, the visits and the speech model (a tiny one that hears one sentence) are those of the product. Recordings are
made by ``malformed_sound`` from whole ones with a fixed seed.
"""

import io
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from gateway.capture.audio import SAMPLE_RATE, decode_audio
from tests.bench.browser import PlainBrowser
from tests.browser.demo_servers import ROOT, Product, run_product
from tests.faults.malformed_sound import FLAC, WAV, make_malformed, make_whole
from tests.faults.test_real_visit import find_processes
from tests.unit.front.conftest import make_folder

pytestmark = pytest.mark.processes

FILES, SEED = 200, 20261129
FILES_A_VISIT = 25
ANSWER_SECONDS = 30.0
FRONT_MB, VISIT_MB = 200, 350
LIMIT_MB = 700  # what an hour of sound may take of a visit for a moment


@dataclass(frozen=True, slots=True)
class Answer:
    """What a visit said: the code of a refusal, empty where the recording was heard."""

    code: str
    sentence: str = ""


class Dictating:
    """A clinician who dictates, in one visit after another."""

    def __init__(self, product: Product, http: httpx.Client) -> None:
        self.product = product
        self.browser = PlainBrowser(http)
        self.address = ""

    def open_visit(self) -> None:
        callback = self.product.open_launch("ada-marlowe"), f"{self.product.gateway}/callback"
        self.address = self.browser.open_visit(self.browser.go_to_callback(*callback))
        self.browser.wait(self.address, "choosing")
        self.browser.post(urljoin(self.address, "api/way"), json={"way": "dictate", "format": "soap"})

    def close_visit(self) -> None:
        process = find_processes(self.product)["visit"]
        self.browser.post(urljoin(self.address, "api/cancel"), json={})
        _, alive = psutil.wait_procs([process], timeout=ANSWER_SECONDS)
        assert not alive

    def send(self, data: bytes, declared: str) -> Answer:
        """Post one recording and wait until the visit has done with it; longer than ``ANSWER_SECONDS`` fails."""
        headers = {**self.browser._headers(), "sec-fetch-site": "same-origin", "content-type": declared}
        answer = self.browser.http.post(urljoin(self.address, "api/dictation"), content=data, headers=headers)
        if answer.status_code != 200:
            assert 400 <= answer.status_code < 500
            return _read_refusal(answer.json()["error"])
        view = self._wait()
        return _read_refusal(view["problem"]) if view["problem"] else Answer("")

    def _wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_SECONDS
        while (view := self.browser.view(self.address))["working"] is not None:
            assert time.monotonic() < deadline, view["working"]
            time.sleep(0.01)
        assert view["phase"] == "gathering"
        return view

    @property
    def pids(self) -> tuple[int, int]:
        """Of the front and of the visit."""
        processes = find_processes(self.product)
        return processes["front"].pid, processes["visit"].pid


def _read_refusal(problem: dict[str, str]) -> Answer:
    assert problem["message"].endswith(".")
    return Answer(problem["code"], problem["message"])


def read_peak_mb(pid: int) -> float:
    """The most memory that a process ever held (``VmHWM``, proc(5)), in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with make_folder() as folder, run_product(folder) as running:
        yield running


@pytest.fixture
def clinician(product: Product) -> Iterator[Dictating]:
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as http:
        dictating = Dictating(product, http)
        dictating.open_visit()
        yield dictating
        dictating.close_visit()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    sample = (ROOT / "gateway" / "sandbox" / "samples" / "dictation.flac").read_bytes()
    return decode_audio(sample)[: 3 * SAMPLE_RATE]


def test_two_hundred_broken_recordings_are_answered_and_nothing_grows(product, clinician, speech, capsys) -> None:
    front, visit = clinician.pids
    visits, answers = {visit}, Counter()
    peaks: list[float] = []
    for number, sound in enumerate(make_malformed(speech, FILES, SEED)):
        if number and number % FILES_A_VISIT == 0:
            clinician.close_visit()
            clinician.open_visit()
            _, visit = clinician.pids
            visits.add(visit)
        answer = clinician.send(sound.data, sound.declared)
        assert answer.code.startswith("audio.") or not answer.code, (sound.name, answer)
        answers[answer.code or "heard"] += 1
        if number % FILES_A_VISIT == FILES_A_VISIT - 1:
            assert clinician.pids == (front, visit)
            peaks.append(read_peak_mb(visit))
    with capsys.disabled():
        print(f"\n{dict(answers)}; peaks: front {read_peak_mb(front):.0f} MB, visits {max(peaks):.0f} MB")
    assert len(visits) == FILES / FILES_A_VISIT
    assert answers.total() == FILES
    assert answers["heard"] >= 20  # some are whole enough
    assert answers["audio.type"] >= 10
    assert answers["audio.damaged"] >= 50
    assert len(answers) >= 8
    assert max(peaks) < VISIT_MB
    assert read_peak_mb(front) < FRONT_MB
    assert "visit.work.failed" not in product.read_said()  # no error that nobody expected


def test_whole_recordings_are_heard_and_add_up(clinician, speech) -> None:
    for kind, data in make_whole(speech).items():
        assert clinician.send(data, WAV if kind.startswith("wav") else FLAC) == Answer(""), kind
    assert len(clinician.browser.view(clinician.address)["segments"]) >= 5


def encode(samples: np.ndarray, rate: int, kind: str = "FLAC") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype="PCM_16")
    return file.getvalue()


def hide_length(flac: bytes) -> bytes:
    """The samples that STREAMINFO counts become unknown (RFC 9639, 8.2)."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def test_a_recording_beyond_a_limit_is_refused_by_name_and_takes_no_more_than_an_hour_would(clinician, speech) -> None:
    front, visit = clinician.pids
    ten_hours = encode(np.zeros(10 * 3600 * 8000, np.int16), 8000)
    minute = encode(np.tile(speech, 20), SAMPLE_RATE)
    eight = np.repeat(speech[:, None], 8, axis=1)
    assert [
        clinician.send(*sent).code
        for sent in (
            (ten_hours, FLAC),
            (hide_length(ten_hours), FLAC),
            (encode(eight, SAMPLE_RATE, "WAV"), WAV),
            (encode(np.tile(speech, 4), 192_000), FLAC),
            (minute[: len(minute) // 2], FLAC),
            (bytes(100_000_001), WAV),
        )
    ] == [
        "audio.too-long",
        "audio.too-long",
        "audio.channels",
        "audio.rate",
        "audio.damaged",
        "audio.size",
    ]
    assert clinician.pids == (front, visit)
    assert read_peak_mb(visit) < LIMIT_MB
    assert read_peak_mb(front) < FRONT_MB


def test_a_visit_that_dies_over_a_recording_is_told_as_ended_and_a_new_one_opens(product, clinician, speech) -> None:
    front, visit = clinician.pids
    answers: list[httpx.Response] = []
    headers = {**clinician.browser._headers(), "sec-fetch-site": "same-origin", "content-type": WAV}
    address = urljoin(clinician.address, "api/dictation")
    sound = make_whole(speech)["wav"]

    def post() -> None:
        answers.append(httpx.post(address, content=sound, headers=headers, timeout=ANSWER_SECONDS, trust_env=False))

    os.kill(visit, signal.SIGSTOP)  # as if the decoder were at it
    posting = threading.Thread(target=post)
    posting.start()
    time.sleep(0.5)
    assert not answers
    os.kill(visit, signal.SIGKILL)
    posting.join(ANSWER_SECONDS)
    (answer,) = answers
    assert answer.json()["error"]["code"] == "visit.gone"
    assert clinician.browser.wait(clinician.address, "ended")["receipt"]["outcome"] == "lost"
    clinician.open_visit()
    assert clinician.pids[0] == front
    assert clinician.send(sound, WAV) == Answer("")
