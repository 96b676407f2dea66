"""The environment that the front and the fork server are started with, and what each sets for itself at once.

In: the settings. Out: variables for exec. Freed memory is overwritten and not cached (``GLIBC_TUNABLES`` with
``PYTHONMALLOC=malloc``), no library starts threads at import, none writes or calls home.
"""

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

from gateway.settings import Settings

RUN_DIR = "COUNTERSIGN_RUN_DIR"
PARENT = "COUNTERSIGN_STARTED_BY"
EXIT_WRONG = 78  # sysexits.h, EX_CONFIG: starting it again would not help
PR_SET_PDEATHSIG = 1  # linux/prctl.h

WIPING = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165",
    "PYTHONMALLOC": "malloc",
}
QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "GOMP_SPINCOUNT": "1000",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}


def make_environment(settings: Settings, run_dir: Path) -> dict[str, str]:
    """The variables for a child of the supervisor; the settings travel as ``COUNTERSIGN_*``, which win over files."""
    given = {
        f"COUNTERSIGN_{name.upper()}": str(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None
    }
    parent = {PARENT: str(os.getpid())}
    return {**os.environ, **given, **WIPING, **QUIET, **parent, RUN_DIR: str(run_dir)}


def forks_socket(run_dir: Path) -> Path:
    return run_dir / "forks.sock"


def end_with_parent(with_signal: signal.Signals) -> None:
    """Have the kernel send ``with_signal`` when the supervisor is gone, however it went."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    started_by = os.environ.pop(PARENT, "")
    if started_by and os.getppid() != int(started_by):
        raise SystemExit(0)


def set_up_logging() -> None:
    """Event names and ids to standard error, one line each; what other libraries say is free text and goes nowhere."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = logging.getLogger("countersign")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    own.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())


def is_swap_on() -> bool:
    """Whether this machine may write memory to a disk."""
    try:
        return len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) > 1
    except OSError:
        return False
