"""Which models lie on this machine, whole and unchanged.

A model is one folder, ``settings.models/<id>``. Every file is hashed when it is pulled and by ``verify``; beside
them ``.verified`` keeps what was hashed with its size and modification time. At start only these are compared, so
that a gigabyte of weights costs nothing; a file whose size is wrong is refused at once, and one that was touched
since is hashed again before it is believed.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError, ModelError
from gateway.models.catalogue import Kind, ModelEntry, ModelFile, read_catalogue
from gateway.models.memory import NO_NEED, Need
from gateway.settings import Settings

STAMP = ".verified"
MEASURED = "measured.json"
_BLOCK_BYTES = 1 << 20

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that is here. ``path`` is what an engine opens: the GGUF file of a text model, the folder of a speech
    model; ``sha256`` is that of its weights, for the Provenance; ``need`` is the memory it takes."""

    id: str
    name: str
    kind: Kind
    path: Path
    sha256: str
    need: Need = NO_NEED


def find_installed(settings: Settings, kind: Kind) -> InstalledModel | None:
    """The model of this kind that the settings name, else the first of ``models.toml`` that is installed.

    Returns:
        None where no model is named and none is installed.

    Raises:
        ConfigurationError: the named model is not in ``models.toml``, or is of another kind.
        ModelError: the named model is not installed, or a file of the chosen one is damaged or cut short.
    """
    catalogue = read_catalogue(settings.config_dir)
    key = f"{kind.value}_model"
    named = str(getattr(settings, key))
    if not named:
        here = (entry for entry in catalogue.of_kind(kind) if is_present(entry, settings.models))
        entry = next(here, None)
        return open_installed(entry, settings.models) if entry else None
    named_entry = catalogue.models.get(named)
    if named_entry is None or named_entry.kind is not kind:
        raise ConfigurationError(
            settings.config_dir / "gateway.toml", key, f"models.toml has no {kind.value} model {named!r}"
        )
    if not is_present(named_entry, settings.models):
        raise ModelError(
            "model.missing",
            f"The {kind.value} model {named} is not installed: run `countersign models pull {named}`.",
        )
    return open_installed(named_entry, settings.models)


def is_present(entry: ModelEntry, models: Path) -> bool:
    """Whether every file is there, whole or not."""
    return all((models / entry.id / file.name).is_file() for file in entry.files)


def open_installed(entry: ModelEntry, models: Path) -> InstalledModel:
    """Admit a model for use: sizes are compared, and what changed since it was hashed is hashed again.

    Raises:
        ModelError: a file is missing, damaged or cut short.
    """
    folder = models / entry.id
    stamps = _read_stamps(folder)
    touched = [file for file in entry.files if stamps.get(file.name) != _stamp_of(folder, entry, file)]
    if touched:
        for file in touched:
            check_file(folder, entry, file)
        write_stamps(folder, entry)
    path = folder / entry.weights.name if entry.kind is Kind.TEXT else folder
    return InstalledModel(entry.id, entry.name, entry.kind, path, entry.weights.sha256, entry.need)


def verify_model(entry: ModelEntry, models: Path, on_bytes: OnBytes = lambda count: None) -> None:
    """Hash every file again. ``on_bytes`` hears of each block read.

    Raises:
        ModelError: a file is missing, damaged or cut short.
    """
    folder = models / entry.id
    for file in entry.files:
        check_file(folder, entry, file, on_bytes)
    write_stamps(folder, entry)


def check_file(folder: Path, entry: ModelEntry, file: ModelFile, on_bytes: OnBytes = lambda count: None) -> None:
    """Compare one file's size and SHA-256 with the catalogue.

    Raises:
        ModelError: it is missing, damaged or cut short.
    """
    _check_size(folder, entry, file)
    if hash_file(folder / file.name, on_bytes) != file.sha256:
        raise _damaged(entry, f"{file.name} is damaged: its SHA-256 is not the published one")


def hash_file(path: Path, on_bytes: OnBytes = lambda count: None) -> str:
    """The SHA-256 of a file, in hex.

    Raises:
        ModelError: it can't be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                on_bytes(len(block))
    except OSError as error:
        raise ModelError("model.unreadable", f"{path} can't be read ({error.strerror}).") from error
    return digest.hexdigest()


def write_stamps(folder: Path, entry: ModelEntry) -> None:
    """Remember that these files were hashed as they are now. Where the folder can't be written, nothing is kept."""
    stamps = {file.name: _stamp_of(folder, entry, file) for file in entry.files}
    temporary = folder / f"{STAMP}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(stamps), encoding="utf-8")
        temporary.replace(folder / STAMP)
    except OSError:  # a read-only volume of models: each start hashes again, which is slow but right
        temporary.unlink(missing_ok=True) if os.access(folder, os.W_OK) else None


def _check_size(folder: Path, entry: ModelEntry, file: ModelFile) -> os.stat_result:
    try:
        found = (folder / file.name).stat()
    except OSError as error:
        raise _damaged(entry, f"{file.name} is missing") from error
    if found.st_size < file.size_bytes:
        raise _damaged(entry, f"{file.name} is cut short ({found.st_size} of {file.size_bytes} bytes)")
    if found.st_size > file.size_bytes:
        raise _damaged(entry, f"{file.name} is too long ({found.st_size} for {file.size_bytes} bytes)")
    return found


def _stamp_of(folder: Path, entry: ModelEntry, file: ModelFile) -> list[object]:
    found = _check_size(folder, entry, file)
    return [file.sha256, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _read_stamps(folder: Path) -> dict[str, object]:
    try:
        stamps = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _damaged(entry: ModelEntry, what: str) -> ModelError:
    return ModelError(
        "model.damaged", f"{entry.name}: {what}. Run `countersign models pull {entry.id}` to fetch it again."
    )
