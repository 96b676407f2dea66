"""Whether this machine's processor can run llama.cpp as it was built: where it can't, the process would die at once.

In: the loaded library's own answers and ``/proc/cpuinfo``. Out: nothing, or a sentence. Nothing is computed here.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from gateway.errors import ModelError

# ggml's names of the x86 instruction sets that it may be built for, as the kernel calls them.
FLAGS = {"avx": "avx", "avx2": "avx2", "bmi2": "bmi2", "f16c": "f16c", "fma": "fma", "avx512": "avx512f"}


def require_processor(is_built_for: Callable[[str], bool], cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Refuse a build that this processor can't run.

    Raises:
        ModelError: instructions are missing; the sentence names them.
    """
    lacking = find_lacking(is_built_for, read_flags(cpuinfo))
    if lacking:
        raise ModelError(
            "model.processor",
            f"This machine's processor lacks {', '.join(lacking)}, which llama.cpp was built for: install Countersign "
            'on this machine itself (`make setup`), or set drafter = "outline".',
        )


def find_lacking(is_built_for: Callable[[str], bool], flags: Collection[str]) -> tuple[str, ...]:
    """What the build uses and the processor has not; nothing where the processor's flags are not known."""
    return tuple(name.upper() for name, flag in FLAGS.items() if flags and flag not in flags and is_built_for(name))


def read_flags(cpuinfo: Path) -> frozenset[str]:
    """The first processor's x86 flags; empty on other machines."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()[2:]) for line in lines if line.startswith("flags")), frozenset())
