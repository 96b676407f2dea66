"""Reads a Dockerfile and runs its steps below an empty folder, for machines without a container engine.

In: the Dockerfile, the build context and an empty folder that stands for the image's root. Out: the files that the
image would hold, and what was run and what was not. This machine's Python stands for the base image's; steps that
change the base image's own system (packages, users) are left out and named.
"""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_COMMANDS = ("apt-get", "useradd", "rm -rf /var/lib/apt")
OWNER_OPTIONS = re.compile(r"\s-[og]\s+\S+")
IMAGE_FOLDERS = ("/opt", "/etc/countersign", "/var/lib/countersign", "/build")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a stage: ``RUN``, ``COPY`` …, and the rest of its line, continuations joined."""

    stage: int
    name: str
    value: str


@dataclass(slots=True)
class Image:
    """An image's root on this machine. ``environment`` holds the last stage's ENV as it stands in the Dockerfile."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def place(self, text: str) -> str:
        """``text`` with the image's own folders put below ``root``."""
        for folder in IMAGE_FOLDERS:
            text = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?=[/\s:\"']|$)", f"{self.root}{folder}", text)
        return text

    def run_environment(self) -> dict[str, str]:
        """What a command of the image sees: its ENV, and of this machine only how to reach the package index."""
        passed = {name: value for name, value in os.environ.items() if _reaches_index(name)}
        own = {name: self.place(value) for name, value in self.environment.items() if name != "PATH"}
        path = self.place(self.environment.get("PATH", "$PATH")).replace("$PATH", f"{self.root}/base:/usr/bin:/bin")
        return {**passed, **own, "PATH": path}


def read_dockerfile(path: Path) -> list[Instruction]:
    """Every instruction in order; comments dropped, continuation lines joined."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found, stage = [], -1
    for line in filter(str.strip, joined.splitlines()):
        name, _, value = line.strip().partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(value.split())))
    return found


def read_env(instructions: list[Instruction], stage: int) -> dict[str, str]:
    """The ENV of one stage."""
    pairs = [shlex.split(one.value) for one in instructions if one.stage == stage and one.name == "ENV"]
    return dict(pair.split("=", 1) for part in pairs for pair in part)


def build_image(dockerfile: Path, context: Path, root: Path) -> Image:
    """Run the steps in order below ``root``.

    Raises:
        subprocess.CalledProcessError: a step failed; its output is in the error.
    """
    image, workdir, stage = Image(root), root, 0
    base = root / "base"
    base.mkdir()
    for name in ("python", "python3"):
        (base / name).symlink_to(Path(str(getattr(sys, "_base_executable", sys.executable))).resolve())
    ignored = _read_ignored(context)
    for step in read_dockerfile(dockerfile):
        if step.stage != stage:
            stage, workdir, image.environment = step.stage, root, {}
        match step.name:
            case "WORKDIR":
                workdir = Path(image.place(step.value))
                workdir.mkdir(parents=True, exist_ok=True)
            case "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in shlex.split(step.value))
            case "COPY":
                _copy(step.value, context, workdir, image, ignored)
            case "RUN":
                for command in step.value.split("&&"):
                    _run(command.strip(), workdir, image)
            case _:
                image.left_out.append(f"{step.name} {step.value}")
    return image


def _run(command: str, workdir: Path, image: Image) -> None:
    if command.startswith(SYSTEM_COMMANDS):
        image.left_out.append(command)
        return
    placed = image.place(OWNER_OPTIONS.sub("", command))
    done = subprocess.run(
        ["sh", "-ec", placed],
        cwd=workdir,
        env=image.run_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command}\nended with {done.returncode}:\n{done.stdout[-4000:]}")
    image.ran.append(command)


def _copy(value: str, context: Path, workdir: Path, image: Image, ignored: list[str]) -> None:
    options = [part for part in value.split() if part.startswith("--")]
    *sources, target = (part for part in value.split() if not part.startswith("--"))
    if any(option.startswith("--from=") for option in options):
        # Both stages share this root, so the folder is where the copy would put it.
        assert sources == [target], f"COPY {value}: to another place than it was made in"
        assert Path(image.place(target)).is_dir()
        image.ran.append(f"COPY {value}")
        return
    into = Path(image.place(target)) if target.startswith("/") else workdir / target
    for source in sources:
        origin = context / source
        if origin.is_dir():
            shutil.copytree(origin, into, ignore=_ignore(context, ignored), dirs_exist_ok=True)
        else:
            place = into / origin.name if target.endswith("/") else into
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, place)
    image.ran.append(f"COPY {value}")


def _read_ignored(context: Path) -> list[str]:
    lines = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _ignore(context: Path, patterns: list[str]):  # type: ignore[no-untyped-def]  # shutil's own shape
    def names(folder: str, entries: list[str]) -> set[str]:
        inside = Path(folder).relative_to(context)
        return {name for name in entries if any(_fits(str(inside / name), pattern) for pattern in patterns)}

    return names


def _fits(path: str, pattern: str) -> bool:
    """Docker's own patterns, as far as this file uses them: a name at the top, or ``**/name`` anywhere."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(Path(path).name, pattern[3:])
    return fnmatch.fnmatch(path, pattern)


def _reaches_index(name: str) -> bool:
    own = name.startswith(("PIP_", "UV_", "SSL_CERT_")) or name.lower().endswith("_proxy")
    return own or name in ("HOME", "LANG", "TMPDIR", "REQUESTS_CA_BUNDLE")
