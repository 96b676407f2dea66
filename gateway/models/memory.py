"""Whether there is memory for a model and for one more visit: asked before it is taken.

In: what the models of the catalogue need, ``/proc/meminfo``, the limits of this process's control groups, and what
the visits that run have taken so far. Out: None, or a ``Shortage`` that can be told to a person. Nothing is allocated
here: what a running visit may still take is kept free for it by counting it as taken.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ModelError

VISIT_BYTES = 80_000_000  # a visit's own process without any model: 60 MB measured, and its transcript and audio
SPARE_BYTES = 200_000_000  # left to the front, the fork server and the system
STARTING_SECONDS = 30.0  # until a visit's own process has what it needs for itself: 0.3 s after the launch measured
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Need:
    """What a model takes: ``weights_bytes`` once, for all visits; ``per_visit_bytes`` again for each of them."""

    weights_bytes: int
    per_visit_bytes: int

    def in_each_visit(self) -> "Need":
        """The same where every visit loads the weights for itself; what a GPU takes of them is counted too."""
        return Need(0, self.weights_bytes + self.per_visit_bytes)


NO_NEED = Need(0, 0)


@dataclass(frozen=True, slots=True)
class Shortage:
    """There is too little memory: what is there, and what would be taken."""

    available_bytes: int
    needed_bytes: int

    def __str__(self) -> str:
        return f"{self.needed_bytes / 1e9:.1f} GB are needed and {self.available_bytes / 1e9:.1f} GB are free"


@dataclass(frozen=True, slots=True)
class Running:
    """A visit that runs.

    Attributes:
        age_seconds: since its fork.
        grown_bytes: what its memory has grown by since then; None where the kernel does not say.
    """

    age_seconds: float
    grown_bytes: int | None


def count_needed(needs: Iterable[Need], visits: int = 1, loaded: bool = False) -> int:
    """Bytes that these models take for so many visits.

    Args:
        needs: one for each model that a visit uses.
        visits: how many visits are still to take their share.
        loaded: the shared weights are in memory already.
    """
    models = tuple(needs)
    shared = 0 if loaded else sum(need.weights_bytes for need in models)
    return shared + visits * (VISIT_BYTES + sum(need.per_visit_bytes for need in models))


def find_shortage(
    available_bytes: int | None, needs: Iterable[Need], visits: int = 1, loaded: bool = False
) -> Shortage | None:
    """Decide whether these models fit; see ``count_needed``.

    Args:
        available_bytes: as ``read_available`` gave it; None: it is not known, and nothing is refused.
    """
    if available_bytes is None:
        return None
    needed = count_needed(needs, visits, loaded)
    return Shortage(available_bytes, needed) if needed + SPARE_BYTES > available_bytes else None


def fits(available_bytes: int | None, needs: Iterable[Need], visits: int = 1, loaded: bool = False) -> bool:
    """Whether these models fit; see ``find_shortage``."""
    return find_shortage(available_bytes, needs, visits, loaded) is None


def count_claim(visit: Running, needs: Iterable[Need]) -> int:
    """Bytes that a running visit may still take.

    Its models load when they are first used, be it an hour after its start, so it keeps a claim to all that they need
    less what it has grown by; sound and text that it holds count as grown too. What its own process takes are mostly
    copies of the fork server's pages, which are no growth: they are counted by time, for ``STARTING_SECONDS``.
    """
    itself = VISIT_BYTES if visit.age_seconds < STARTING_SECONDS else 0
    models = sum(need.per_visit_bytes for need in needs)
    return itself + max(0, models - max(0, visit.grown_bytes or 0))


def require_room_for_visit(available_bytes: int | None, needs: Iterable[Need], running: Iterable[Running] = ()) -> None:
    """Ask at a visit's start: the shared weights are loaded by then.

    Args:
        available_bytes: as ``read_available`` gave it.
        running: the visits beside it, each of which keeps its claim.

    Raises:
        ModelError: there is too little memory; the sentence says how much.
    """
    if available_bytes is None:
        return
    models = tuple(needs)
    free = max(0, available_bytes - sum(count_claim(visit, models) for visit in running))
    shortage = find_shortage(free, models, loaded=True)
    if shortage:
        raise ModelError(
            "model.memory",
            f"Countersign's computer has too little memory for one more visit ({shortage}): finish a visit that is "
            "open, then open this one again from the EHR. If none is open, tell the operator.",
        )


def read_own_bytes(pid: int, proc: Path = Path("/proc")) -> int | None:
    """What a process holds in memory that is no file's, as everybody may see it (proc(5), ``statm``).

    A forked process begins with its parent's, page for page, and shares them until one of the two writes; so the
    number says how much it has grown since, not how much it has copied. How much is its own alone (``smaps_rollup``)
    is hidden in a process that nobody may look into, as a visit's is.

    Returns:
        None where the kernel does not say (``/proc`` mounted with ``hidepid``), or the process is gone.
    """
    pages = "".join(_read_lines(proc / str(pid) / "statm")).split()
    if len(pages) < 3 or not (pages[1].isdigit() and pages[2].isdigit()):
        return None
    return (int(pages[1]) - int(pages[2])) * _PAGE_BYTES


def read_available(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process could still take: the least that the machine and its control groups have left.

    Returns:
        None where the kernel does not say.
    """
    machine = _read_table(proc / "meminfo").get("MemAvailable")
    left = [*([] if machine is None else [machine * 1024]), *_left_in_groups(proc / "self" / "cgroup", groups)]
    return max(0, min(left)) if left else None


def _left_in_groups(listing: Path, groups: Path) -> Iterator[int]:
    """What each group of this process and each above it has left (Linux cgroups, versions 2 and 1)."""
    for line in _read_lines(listing):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            root, limit, used, idle = groups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, used = groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            idle = "total_inactive_file"
        else:
            continue
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if not group.is_relative_to(root):
                break
            most, taken = _read_number(group / limit), _read_number(group / used)
            if most is not None and taken is not None:
                # Files that were read and are not in use count as used, and go as soon as memory is asked for.
                yield most - taken + _read_table(group / "memory.stat").get(idle, 0)


def _read_table(file: Path) -> dict[str, int]:
    """Lines of a name and a number, such as ``MemAvailable:  12 kB`` or ``inactive_file 12``."""
    found: dict[str, int] = {}
    for line in _read_lines(file):
        name, number = (*line.split(), "", "")[:2]
        if number.isdigit():
            found[name.rstrip(":")] = int(number)
    return found


def _read_number(file: Path) -> int | None:
    """None for ``max`` and where there is no such file."""
    text = "".join(_read_lines(file)).strip()
    return int(text) if text.isdigit() else None


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
