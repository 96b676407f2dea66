"""Recorded sessions in the running product, with the published base and 1.5B weights: whether they keep up, and memory.

Spoken by espeak-ng, sent as the page sends them, faster than real time. ``COUNTERSIGN_BENCH_TALK_MINUTES`` (50) makes
the long session shorter where a machine is slow; its memory grows by the sound alone, 3.8 MB a minute of two channels.
"""

import os
import threading
import time
from pathlib import Path

import httpx

from gateway.settings import Settings
from tests.browser.demo_servers import Product, run_product
from tests.weights.recorded import RecordedVisit, find_visits, read_private_mb, watch_memory
from tests.weights.spoken import SpokenSession, join_sessions, speak_session

Figures = dict[str, float]
TALK_MINUTES = float(os.environ.get("COUNTERSIGN_BENCH_TALK_MINUTES", "50"))
LONG = (
    "04-psychodynamic-surveyor",
    "10-intake-warsaw-kitchens",
    "34-veteran-the-wall-at-dusk",
    "39-burnout-the-night-coordinator",
)
SHORT = "17-cbt-insomnia-short"
SHORT_SECONDS = 120.0


def measure_recording(folder: Path, settings: Settings) -> Figures:
    """Every figure of a recorded session."""
    given = {"models_dir": str(settings.models), "speech_model": "whisper-base"}
    with run_product(folder, **given) as product:
        return measure_long(product) | measure_two(product)


def measure_long(product: Product) -> Figures:
    """A two-channel session, from its first frame until all of it is heard, drafted and checked; and its memory."""
    session = join_sessions(speak_session(name, TALK_MINUTES * 60 / len(LONG)) for name in LONG)
    with httpx.Client(timeout=60.0) as http, watch_memory(product, every_seconds=5) as peak:
        visit = RecordedVisit.open(product, http)
        visit.start()
        started = time.perf_counter()
        private = work_through(product, visit, session)
        took = time.perf_counter() - started
        visit.post("cancel")
    return {
        "session_realtime_ratio": took / session.seconds,
        "session_peak_gb": peak["mb"] / 1000,
        "second_visit_mb": private,  # the weights are shared: another visit adds what is its own
    }


def work_through(product: Product, visit: RecordedVisit, session: SpokenSession) -> float:
    """Send it, end it, have it drafted; the visit's own memory in MB at its end."""
    visit.send(session.room, session.call)
    visit.stop()
    visit.wait_until_heard(3 * session.seconds)
    view = visit.draft()
    assert view["phase"] == "reviewing", view["problem"]
    [process, *_] = find_visits(product)
    return read_private_mb(process.pid)


def measure_two(product: Product) -> Figures:
    """The same two minutes worked through by one visit, and by two at once: how much is done in a second."""
    session = speak_session(SHORT, SHORT_SECONDS)
    alone = time_visits(product, session, ["ada-marlowe"])
    both = time_visits(product, session, ["ada-marlowe", "jonas-telford"])
    return {"two_visits_throughput_ratio": 2 * alone / both}


def time_visits(product: Product, session: SpokenSession, patients: list[str]) -> float:
    """Seconds until all of them have their draft."""
    with httpx.Client(timeout=60.0) as http:
        visits = [RecordedVisit.open(product, http, patient) for patient in patients]
        for visit in visits:
            visit.start()
        threads = [threading.Thread(target=work_through, args=(product, visit, session)) for visit in visits]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - started
        for visit in visits:
            assert visit.view()["phase"] == "reviewing"
            visit.post("cancel")
    return took
