"""At run time nothing is fetched and nothing is written: watched by every socket call and by every file.

The speech model alone is watched in ``tests/unit/capture/test_whisper_stays_at_home.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.make_speech_model import make_speech_model
from tests.models.make_text_model import make_random_model

ROOT = Path(__file__).resolve().parents[3]

WATCH = """
import sys

def refuse(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        raise SystemExit(f"reached out: {event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if str(arguments[0]) != "/dev/null":
            raise SystemExit(f"wrote: {arguments}")

sys.addaudithook(refuse)
"""

WRITE = """
import threading, time
from pathlib import Path
from gateway.note.llama import LlamaTextModel
from gateway.note.textmodel import Bound
from gateway.note.weights import load_weights

model = LlamaTextModel(load_weights(Path(sys.argv[1])), 1)
bound = Bound(threading.Event(), time.monotonic() + 60)
model.read("You write notes.", "The patient slept well.\\n", bound)
model.ask("Write the plan.", "", bound)
model.write_sentence("[A-Z][a-z ]{8,40}[.]", False, bound)
model.close()
"""

MEASURE = """
from gateway.measure import main
main()
"""


def watch(program: str, folder: Path, *arguments: str) -> str:
    """Run a program that may open no socket and no file to write; gives what it printed."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    switches = ("HF_HUB_OFFLINE", "ORT_DISABLE_TELEMETRY")
    kept = {name: value for name, value in os.environ.items() if name not in switches}
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH + program, *arguments],
        env={**kept, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    return done.stdout


def test_the_text_model_opens_no_connection_and_writes_no_file(tmp_path: Path) -> None:
    watch(WRITE, tmp_path, str(make_random_model()))


@pytest.mark.parametrize("kind", ["speech", "text"])
def test_the_measured_test_opens_no_connection_and_writes_no_file(kind: str, tmp_path: Path) -> None:
    speech = ROOT / "build" / "models" / "whisper-scripted"
    path = make_speech_model(speech) if kind == "speech" else make_random_model()
    assert '"measured"' in watch(MEASURE, tmp_path, kind, str(path), "id", "name", "0" * 64, "1")


@pytest.mark.parametrize("program", ["import socket; socket.socket()", "open('left-behind', 'w')"])
def test_these_tests_see_what_they_look_for(program: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        watch(program, tmp_path)
