import os
import subprocess
import sys
from pathlib import Path

from gateway.models.installed import InstalledModel

ROOT = Path(__file__).resolve().parents[3]

HEAR = """
import sys, threading
from pathlib import Path

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"reached out: {event} {arguments}")

sys.addaudithook(refuse)
from gateway.capture.audio import decode_audio
from gateway.capture.whisper import WhisperTranscriber
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel

model = InstalledModel("scripted", "scripted", Kind.SPEECH, Path(sys.argv[1]), "")
samples = decode_audio(Path(sys.argv[2]).read_bytes())
segments = list(WhisperTranscriber(model).transcribe(samples, threading.Event(), lambda done: None))
print(len(segments))
"""


def test_hears_without_a_connection_and_writes_nothing_at_home(tiny_whisper: InstalledModel, tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "ORT_DISABLE_TELEMETRY")
    }
    dictation = ROOT / "gateway" / "sandbox" / "samples" / "dictation.flac"
    done = subprocess.run(
        [sys.executable, "-B", "-c", HEAR, str(tiny_whisper.path), str(dictation)],
        env={**kept, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
