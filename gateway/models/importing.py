"""Installs models from files that somebody carried here: for machines without a network.

In: files or folders, such as a memory stick's or a hub cache's. Out: installed models. A file is known by its size
and SHA-256 alone; its name does not matter. Either all files of a model are there and right, or nothing is installed.
Files are linked where that is possible, else copied; the given ones are never changed.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ModelError
from gateway.models.catalogue import Catalogue, ModelEntry, ModelFile
from gateway.models.folder import PARTIAL, hold_folder, is_right, put_in_place, require_space
from gateway.models.installed import InstalledModel, OnBytes, hash_file, open_installed, write_stamps


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that is complete among the given files: where each file that is still to be installed lies."""

    entry: ModelEntry
    sources: dict[str, Path]


def find_models(
    paths: Sequence[Path], catalogue: Catalogue, models: Path, on_bytes: OnBytes = lambda count: None
) -> tuple[FoundModel, ...]:
    """Recognise the models among files and folders. ``on_bytes`` hears of each block that is hashed.

    Raises:
        ModelError: a file is not in the catalogue, or not all of a model's files are there.
    """
    known = {(file.size_bytes, file.sha256) for entry in catalogue.models.values() for file in entry.files}
    sizes = {size for size, _ in known}
    found: dict[str, Path] = {}
    for path, asked_for in _list_files(paths):
        size = path.stat().st_size
        checksum = hash_file(path, on_bytes) if size in sizes else ""
        if (size, checksum) in known:
            found.setdefault(checksum, path)
        elif asked_for:
            raise ModelError(
                "model.foreign",
                f"{path} is none of the files that models.toml pins ({size} bytes, another SHA-256): nothing was "
                "installed; fetch it again, or add an entry for it.",
            )
    chosen = [entry for entry in catalogue.models.values() if entry.weights.sha256 in found]
    if not chosen:
        given = ", ".join(str(path) for path in paths)
        raise ModelError(
            "model.foreign", f"There are no weights of a model in models.toml in {given}: nothing was installed."
        )
    return tuple(_complete(entry, found, models) for entry in chosen)


def import_model(model: FoundModel, models: Path, on_bytes: OnBytes = lambda count: None) -> InstalledModel:
    """Install a model from the files that ``find_models`` found; each is hashed once more where it lies then.

    Raises:
        ModelError: a file changed meanwhile, the disk is full, or the model is being changed by another process.
    """
    entry, folder = model.entry, models / model.entry.id
    with hold_folder(folder, entry):
        arrivals = folder / PARTIAL / "import"
        shutil.rmtree(arrivals, ignore_errors=True)
        arrivals.mkdir(parents=True)
        for file in entry.files:
            if source := model.sources.get(file.name):
                arrived = arrivals / file.name
                _bring(source, arrived, folder, entry, file)
                if hash_file(arrived, on_bytes) != file.sha256:
                    raise ModelError(
                        "model.mismatch", f"{source} changed while it was read: {file.name} was not installed."
                    )
                put_in_place(arrived, folder, file)
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        write_stamps(folder, entry)
    return open_installed(entry, models)


def _complete(entry: ModelEntry, found: dict[str, Path], models: Path) -> FoundModel:
    """Raises:
    ModelError: a file of the model was neither given nor is it installed.
    """
    sources = {file.name: found[file.sha256] for file in entry.files if file.sha256 in found}
    lacking = [
        file.name
        for file in entry.files
        if file.name not in sources and not is_right(models / entry.id / file.name, file)
    ]
    if lacking:
        raise ModelError(
            "model.incomplete",
            f"{entry.name} needs {', '.join(lacking)} too, as published: give all its files, or the folder with them; "
            "nothing was installed.",
        )
    return FoundModel(entry, sources)


def _list_files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Every file, and whether it was named itself: what else lies in a folder (a README) is passed over."""
    for path in paths:
        if path.is_dir():
            yield from ((file, False) for file in sorted(path.iterdir()) if file.is_file())
        elif path.is_file():
            yield path, True
        else:
            raise ModelError("model.unreadable", f"There is no file {path}.")


def _bring(source: Path, arrived: Path, folder: Path, entry: ModelEntry, file: ModelFile) -> None:
    """Link the file itself, not a link to it; copy it where that can't be done (another disk, another's file)."""
    try:
        os.link(source.resolve(), arrived)
    except OSError:
        require_space(folder, entry, file.size_bytes)
        shutil.copyfile(source, arrived)
