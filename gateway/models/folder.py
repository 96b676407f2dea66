"""One model's folder, ``settings.models/<id>``: held by one process at a time, filled whole or not at all, emptied.

What arrives lies in ``<id>/.partial`` until it was checked; ``put_in_place`` then makes it durable and renames it.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import ModelError
from gateway.models.catalogue import ModelEntry, ModelFile
from gateway.models.installed import MEASURED, STAMP, hash_file

PARTIAL = ".partial"
LOCK = ".lock"


@contextmanager
def hold_folder(folder: Path, entry: ModelEntry) -> Iterator[None]:
    """Make the folder and let one process change it; the kernel lets go of the lock when the process ends.

    Raises:
        ModelError: another process changes it, the disk is full, or it can't be written.
    """
    with _translated_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ModelError(
                    "model.busy", f"{entry.name} is being changed by another process: wait for it to end."
                ) from error
            yield


def is_right(path: Path, file: ModelFile) -> bool:
    """Whether a path holds the pinned file, by size and SHA-256."""
    return path.is_file() and path.stat().st_size == file.size_bytes and hash_file(path) == file.sha256


def put_in_place(arrived: Path, folder: Path, file: ModelFile) -> None:
    """Make a checked file durable and put it in its place in one step."""
    with arrived.open("rb") as stream:
        os.fsync(stream.fileno())
    arrived.replace(folder / file.name)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_space(folder: Path, entry: ModelEntry, needed_bytes: int) -> None:
    """Raises:
    ModelError: the folder's disk has less free than that.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise ModelError(
            "model.disk",
            f"{entry.name} needs {needed_bytes / 1e9:.1f} GB free in {folder.parent}, and there are "
            f"{free / 1e9:.1f} GB: make room, or set models_dir to another disk.",
        )


def count_bytes(folder: Path) -> int:
    """Bytes of all files under a folder that may change meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def remove_model(entry: ModelEntry, models: Path) -> int:
    """Delete a model's files, whole or in parts, and what is kept beside them; what else lies there stays.

    Returns:
        The bytes that were freed; 0: nothing was there.

    Raises:
        ModelError: it is being pulled or imported, or it can't be deleted.
    """
    folder = models / entry.id
    if not folder.is_dir():
        return 0
    with hold_folder(folder, entry):
        before = count_bytes(folder)
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        for name in (*(file.name for file in entry.files), STAMP, MEASURED):
            (folder / name).unlink(missing_ok=True)
        freed = before - count_bytes(folder)
        (folder / LOCK).unlink()
    with suppress(OSError):  # something else lies in it, or it is a link to another disk
        folder.rmdir()
    return freed


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
