"""What `make setup` can't do without is one sentence that says what to do, before anything is made."""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.settings import ROOT

SCRIPT = ROOT / "requirements" / "setup.sh"
USED = ("bash", "awk", "grep", "uname", "mktemp", "rm", "tail")
WHOLE = {
    "python3": 'case "$*" in --version) echo "Python 3.11.2";; esac; exit 0',
    "c++": "exit 0",
    "df": 'printf "Filesystem 1024-blocks Used Available\\n/dev/x 9 9 9000000\\n"',
}


def run_setup(folder: Path, **given: str | None) -> tuple[int, str]:
    """Run it on a machine that has only these programs; ``None``: not even that one."""
    programs = folder / "bin"
    programs.mkdir()
    for name in USED:
        found = next(path for place in ("/bin", "/usr/bin") if (path := Path(place) / name).exists())
        (programs / name).symlink_to(found)
    for name, body in {**WHOLE, **given}.items():
        if body is not None:
            (programs / name).write_text(f"#!{programs}/bash\n{body}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHON", "CXX")}
    done = subprocess.run(
        [str(programs / "bash"), str(SCRIPT), str(folder / "venv")],
        cwd=ROOT,
        env={**environment, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not (folder / "venv").exists()
    return done.returncode, done.stderr


OLD = 'case "$*" in --version) echo "Python 3.9.2";; *version_info*) exit 1;; esac; exit 0'
BARE = 'case "$*" in *ensurepip*) exit 1;; esac; exit 0'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"python3": None}, "setup: Python is not installed; install Python 3.11 or newer and run this again."),
        ({"python3": OLD}, "setup: Python 3.9.2 is too old; install Python 3.11 or newer, or name one with PYTHON="),
        ({"python3": BARE}, "setup: this Python has no venv module; install it (Debian: apt-get install python3-venv)"),
        ({"c++": None}, "setup: no C++ compiler was found; install one (Debian: apt-get install build-essential)"),
        (
            {"df": 'printf "x\\n/dev/x 9 9 2000000\\n"'},
            "setup: the disk has 1953 MB free and the installation needs 3000 MB",
        ),
    ],
    ids=["no-python", "old-python", "no-venv", "no-compiler", "full-disk"],
)
def test_what_is_missing_is_one_sentence(tmp_path: Path, given: dict[str, str | None], said: str) -> None:
    status, err = run_setup(tmp_path, **given)
    assert status == 1
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_step_that_fails_shows_why(tmp_path: Path) -> None:
    broken = 'case "$*" in "-m venv"*) echo "No space left on device"; exit 1;; esac; exit 0'
    status, err = run_setup(tmp_path, python3=broken)
    assert status == 1
    assert err == "No space left on device\nsetup: that step failed; the reason stands above.\n"
