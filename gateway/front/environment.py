"""The environment that the front and the fork server are started with, and what each sets for itself at once.

In: the settings. Out: variables for exec. Freed memory is overwritten and not cached (``GLIBC_TUNABLES`` with
``PYTHONMALLOC=malloc``), no library starts threads at import, none writes or calls home. The front is given the
operator's own variables, the clients' secrets among them; the fork server, whose memory every visit inherits, only
those that are known to hold no secret.
"""

import ctypes
import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from types import TracebackType

from gateway.settings import Settings
from gateway.visit.faults import locate_fault

RUN_DIR = "COUNTERSIGN_RUN_DIR"
PARENT = "COUNTERSIGN_STARTED_BY"
EXIT_WRONG = 78  # sysexits.h, EX_CONFIG: starting it again would not help
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h

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
# Even to be asked whether it is there starts a GPU's runtime, which no fork server can carry across a fork.
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": ""}
# What a fork server needs of the operator's environment: to find Python, its libraries and its words, and how the
# engines compute.
PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_DATA_HOME", "VIRTUAL_ENV"),
        *("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SSL_CERT_FILE"),
    }
)
PASSED_ON_KINDS = ("LC_", "OMP_", "KMP_", "MKL_", "CT2_", "GGML_", "CUDA_", "HIP_", "ROCR_", "HSA_", "VK_")
SECRET_SETTINGS = frozenset({"database_url"})


def make_environment(settings: Settings, run_dir: Path) -> dict[str, str]:
    """The variables for the front; the settings travel as ``COUNTERSIGN_*``, which win over files."""
    return {**os.environ, **_name_settings(settings), **_set_up_child(run_dir)}


def make_bare_environment(settings: Settings, run_dir: Path) -> dict[str, str]:
    """The variables for the fork server: no secret of the operator's, and every setting, so that it opens no file."""
    kept = {name: os.environ[name] for name in os.environ if name in PASSED_ON or name.startswith(PASSED_ON_KINDS)}
    hidden = {f"COUNTERSIGN_{name.upper()}": "" for name in SECRET_SETTINGS}
    gpu = {} if settings.gpu_layers else NO_GPU
    return {**kept, **_name_settings(settings), **hidden, **gpu, **_set_up_child(run_dir)}


def _name_settings(settings: Settings) -> dict[str, str]:
    given = settings.model_dump(mode="json").items()
    return {f"COUNTERSIGN_{name.upper()}": str(value) for name, value in given if value is not None}


def _set_up_child(run_dir: Path) -> dict[str, str]:
    return {**WIPING, **QUIET, PARENT: str(os.getpid()), RUN_DIR: str(run_dir)}


def forks_socket(run_dir: Path) -> Path:
    return run_dir / "forks.sock"


def end_with_parent(with_signal: signal.Signals) -> None:
    """Have the kernel send ``with_signal`` when the supervisor is gone, however it went."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    started_by = os.environ.pop(PARENT, "")
    if started_by and os.getppid() != int(started_by):
        raise SystemExit(0)


def guard_memory() -> None:
    """No core dump, and no look into this process by others of its user (ptrace, /proc/pid/mem, /proc/pid/environ)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def set_up_logging() -> None:
    """Event names and ids to standard error, one line each; what other libraries say is free text and goes nowhere.

    So do warnings, and the text of an error that nobody caught: either may quote what it was given.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = logging.getLogger("countersign")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    own.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    logging.raiseExceptions = False  # a line that can't be written is not told with what was in it
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _note_uncaught(kind, trace)
    sys.unraisablehook = lambda given: _note_uncaught(given.exc_type, given.exc_traceback)
    threading.excepthook = lambda given: _note_uncaught(given.exc_type, given.exc_traceback)


def _note_uncaught(kind: type[BaseException] | None, trace: TracebackType | None) -> None:
    """Which error, and where; never its text."""
    name = kind.__name__ if kind else "none"
    logging.getLogger("countersign").error("process.fault error=%s at=%s", name, locate_fault(trace))


def is_swap_on() -> bool:
    """Whether this machine may write memory to a disk."""
    try:
        return len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) > 1
    except OSError:
        return False
