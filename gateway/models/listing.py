"""What ``countersign models list`` shows: one line a model, or everything about the models that are named.

In: the catalogue, what is installed and what this machine has. Out: rows and lines of text; nothing is printed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ModelError
from gateway.models.catalogue import Kind, ModelEntry
from gateway.models.folder import count_bytes
from gateway.models.installed import is_present, open_installed
from gateway.models.measuring import Measured, read_measured
from gateway.models.memory import Shortage, count_needed, find_shortage

COLUMNS = ("id", "kind", "licence", "size", "memory", "SHA-256", "installed", "runs here", "measured")


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has: memory to take (None: not known), what llama.cpp lacks of the processor, and whether it
    finds a GPU (None: it was not asked)."""

    available_bytes: int | None
    lacking: tuple[str, ...] = ()
    has_gpu: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model on this machine.

    Attributes:
        installed: ``no``, ``yes``, or what is wrong with it (``damaged``, ``unreadable``).
        on_disk_bytes: that its folder takes, a download that is not whole included.
        shortage: the memory that is missing for it and one visit, or None.
        lacking: the instructions that are missing for it.
    """

    entry: ModelEntry
    installed: str
    on_disk_bytes: int
    shortage: Shortage | None
    lacking: tuple[str, ...]
    measured: Measured | None

    @property
    def runs(self) -> str:
        if self.lacking:
            return f"no: {' '.join(self.lacking)}"
        return "no: memory" if self.shortage else "yes"


def look_at(entry: ModelEntry, models: Path, machine: Machine) -> ModelState:
    """The state of one model; files whose size or time changed since they were hashed are hashed again."""
    installed = "no"
    if is_present(entry, models):
        try:
            open_installed(entry, models)
            installed = "yes"
        except ModelError as error:
            installed = error.code.removeprefix("model.")
    return ModelState(
        entry,
        installed,
        count_bytes(models / entry.id),
        find_shortage(machine.available_bytes, [entry.need]),
        machine.lacking if entry.kind is Kind.TEXT else (),
        read_measured(models, entry.id, entry.weights.sha256),
    )


def make_row(state: ModelState) -> tuple[str, ...]:
    """One line of the table, as ``COLUMNS``."""
    entry = state.entry
    size, memory = show_bytes(entry.size_bytes), show_bytes(count_needed([entry.need]))
    checksum = f"{entry.weights.sha256[:12]}…"
    measured = str(state.measured) if state.measured else ""
    return (entry.id, entry.kind.value, entry.licence, size, memory, checksum, state.installed, state.runs, measured)


def describe(state: ModelState) -> Iterator[str]:
    """Everything about one model, a line each."""
    entry, need = state.entry, state.entry.need
    yield f"{entry.id}: {entry.name}, {entry.kind.value}, {entry.licence}, by {entry.publisher}"
    if entry.hub:
        yield f"  on the hub   {entry.hub.repository} @ {entry.hub.revision}"
    yield f"  verified     {'downloaded and compared here' if entry.verified else 'no: the checksum is as published'}"
    on_disk = f"{show_bytes(state.on_disk_bytes)} of {show_bytes(entry.size_bytes)}"
    yield f"  installed    {state.installed}; {on_disk} on disk"
    for file in entry.files:
        yield f"  {file.sha256}  {file.name} ({file.size_bytes} bytes)"
    shared = f"{show_bytes(need.weights_bytes)} once and " if need.weights_bytes else ""
    yield f"  memory       {shared}{show_bytes(need.per_visit_bytes)} for each visit"
    if state.lacking:
        yield f"  runs here    no: the processor lacks {', '.join(state.lacking)}, which llama.cpp was built for"
    elif state.shortage:
        yield f"  runs here    no: {state.shortage}, with one visit"
    else:
        yield "  runs here    yes: there is memory for it and a visit now"
    if state.measured:
        peak, threads = show_bytes(state.measured.peak_bytes), state.measured.threads
        yield f"  measured     {state.measured}, with {threads} threads; {peak} at its highest"
    else:
        yield "  measured     not yet: `countersign models list --measure`"


def show_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 999_500_000 else f"{count / 1e6:.0f} MB"
