"""What a suite needs beside Python: found, or left out with a reason. In CI nothing may be left out."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("COUNTERSIGN_CHROMIUM", shutil.which("chromium") or shutil.which("google-chrome") or "")


def _weights_are_here() -> bool:
    from gateway.models.catalogue import Kind
    from gateway.models.installed import find_installed
    from gateway.settings import read_settings

    settings = read_settings()
    return find_installed(settings, Kind.SPEECH) is not None and find_installed(settings, Kind.TEXT) is not None


NEEDS = {
    "hapi": (lambda: bool(os.environ.get("COUNTERSIGN_HAPI")), "no HAPI FHIR server: `make hapi` starts one"),
    "postgres": (lambda: bool(os.environ.get("COUNTERSIGN_POSTGRES")), "COUNTERSIGN_POSTGRES names no database"),
    "browser": (lambda: bool(CHROMIUM), "no Chromium: apt-get install chromium, then `make test`"),
    "weights": (_weights_are_here, "no model weights: `countersign models pull`, then `make weights`"),
}
LEFT_OUT: Counter[str] = Counter()


@pytest.hookimpl(trylast=True)  # after -m has dropped what this run does not ask for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for name, (is_here, reason) in NEEDS.items():
        marked = [item for item in items if item.get_closest_marker(name)]
        if marked and not is_here():
            if os.environ.get("COUNTERSIGN_LEAVE_NOTHING_OUT"):
                pytest.exit(f"{len(marked)} tests would be left out: {reason}", returncode=1)
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
            LEFT_OUT[reason] += len(marked)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason, count in LEFT_OUT.items():
        terminalreporter.write_line(f"left out: {count} tests ({reason})")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path, for tests marked ``browser``."""
    return CHROMIUM
