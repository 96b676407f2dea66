"""The whole product for tests: the sandbox EHR and ``countersign serve`` as processes of their own, on free ports.

Both are started as a site starts them: by their commands, with a configuration folder, a state folder, a folder for
sockets and one for temporary files of their own, so that a test can search all that they may write to. At the end
both are told to stop, and what they leave behind fails the test.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from gateway.sandbox.seed.people import PEOPLE
from tests.models.make_speech_model import make_speech_model
from tests.models.make_text_model import make_scripted_model

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 90.0, 40.0
WATCH_SECONDS = 2  # between two looks at a note's signature, or at consent while recording; a site's own are longer
HEARD = "The patient slept well. She has no pain."  # what the scripted speech model hears in every dictation
InFront = Callable[[int], AbstractContextManager[int]]


@dataclass(frozen=True, slots=True)
class Product:
    """A running product: two addresses, and where its processes keep their files.

    ``folder`` holds ``config``, ``state``, ``run``, ``tmp`` and what both programs said (``*.log``).
    """

    ehr: str
    gateway: str
    folder: Path
    sandbox: "subprocess.Popen[bytes]"
    serve: "subprocess.Popen[bytes]"

    @property
    def issuer(self) -> str:
        return f"{self.ehr}/fhir"

    def open_launch(self, patient: str, encounter: str | None = "", user: str = "") -> str:
        """The address that starts the gateway for this patient, in today's visit if not told otherwise."""
        given = {"patient": patient, "encounter": f"{patient}-today" if encounter == "" else encounter, "user": user}
        answer = httpx.post(f"{self.ehr}/launch", json=given, timeout=30).raise_for_status().json()
        return str(answer["url"])

    def act_in_chart(self, patient: str, item: str, action: str) -> None:
        """What a press of a button in the chart does, from elsewhere: revoke, permit, deny."""
        address = f"{self.ehr}/patient/{patient}/{item}/{action}"
        httpx.post(address, headers={"accept": "application/json"}, timeout=30).raise_for_status()

    def arm(self, fault: str, **where: Any) -> None:
        """Let the EHR misbehave: ``gateway/sandbox/faults.py`` names the faults."""
        httpx.post(f"{self.ehr}/_faults", json={"fault": fault, **where}, timeout=30).raise_for_status()

    def disarm(self) -> None:
        httpx.delete(f"{self.ehr}/_faults", timeout=30).raise_for_status()

    def set_policy(self, **switches: Any) -> None:
        httpx.put(f"{self.ehr}/_policy", json=switches, timeout=30).raise_for_status()

    def list_processes(self) -> list[psutil.Process]:
        """Both programs, and whatever they have started that still runs."""
        own = [psutil.Process(self.sandbox.pid), psutil.Process(self.serve.pid)]
        return own + [child for process in own for child in process.children(recursive=True)]

    def read_said(self) -> str:
        """All that both programs wrote to standard output and error."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("*.log")))


@contextmanager
def run_product(
    folder: Path,
    ehr_module: str = "gateway.sandbox",
    ehr_options: Sequence[str] = (),
    gateway_module: str = "gateway",
    heard: str = HEARD,
    drafted: Mapping[str, str] | None = None,
    in_front: InFront | None = None,
    **settings: str,
) -> Iterator[Product]:
    """Start both; once both answer, yield; then stop both and fail if anything of them is left.

    Args:
        folder: an empty folder; its path is short enough for Unix sockets in it.
        ehr_module: what to run as the EHR, with the sandbox's own arguments.
        ehr_options: more of those, such as ``--fhir`` and an address.
        gateway_module: what to run as the gateway, with ``serve``.
        heard: what the scripted speech model hears in every piece of sound.
        drafted: what a scripted text model writes (see ``make_scripted_model``); None: the outline drafter.
        in_front: given the gateway's own port, opens the one that a browser comes to.
        settings: of the gateway, in place of the scripted models.
    """
    ehr_port, gateway_port = _find_free_ports(2)
    ehr = f"http://127.0.0.1:{ehr_port}"
    for name in ("state", "run", "tmp"):
        (folder / name).mkdir(parents=True, mode=0o700)
    config = _make_config(folder / "config", ehr)
    with ExitStack() as ends:
        public_port = ends.enter_context(in_front(gateway_port)) if in_front else gateway_port
        gateway = f"http://localhost:{public_port}"
        given = {
            "config_dir": str(config),
            "state_dir": str(folder / "state"),
            "run_dir": str(folder / "run"),
            "port": str(gateway_port),
            "public_url": gateway,
            "model_threads": "2",
            **(settings or _script_models(folder / "models", config, heard, drafted)),
        }
        environment = _inherit() | {f"COUNTERSIGN_{name.upper()}": value for name, value in given.items()}
        environment["TMPDIR"] = str(folder / "tmp")
        sandbox_command = [ehr_module, "--port", str(ehr_port), "--gateway", gateway, "--faults", *ehr_options]
        sandbox = ends.enter_context(_run(sandbox_command, environment, folder / "sandbox.log"))
        serve = ends.enter_context(_run([gateway_module, "serve"], environment, folder / "serve.log"))
        product = Product(ehr, gateway, folder, sandbox, serve)
        _wait_until_ready(product)
        yield product
        processes = product.list_processes()
        for program in (serve, sandbox):
            program.send_signal(signal.SIGTERM)
        assert (serve.wait(STOP_SECONDS), sandbox.wait(STOP_SECONDS)) == (0, 0), product.read_said()[-4000:]
        assert_nothing_left(product, processes, (ehr_port, gateway_port))


def assert_nothing_left(product: Product, processes: list[psutil.Process], ports: tuple[int, ...]) -> None:
    """No process, no socket, no taken port, no temporary file, and no patient in what was said."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
    assert [file.name for file in (product.folder / "run").iterdir()] == []
    assert [file.name for file in (product.folder / "tmp").iterdir()] == []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    said = product.read_said()
    names = [word for person in PEOPLE for word in (person.id, person.family, person.birth_date) if word in said]
    assert names == []


def search_files(folder: Path, words: list[str]) -> list[str]:
    """``file: word`` for every word that stands in a file of the folder, in UTF-8 or UTF-16, whatever its case."""
    found = []
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        held = file.read_bytes().lower()
        for word in words:
            if any(word.lower().encode(coding) in held for coding in ("utf-8", "utf-16-le")):
                found.append(f"{file.relative_to(folder)}: {word}")
    return found


def _inherit() -> dict[str, str]:
    """This process's environment without what steers Countersign or measures it."""
    dropped = ("COUNTERSIGN_", "DRAFTER", "COV_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def _make_config(folder: Path, ehr: str) -> Path:
    """The repository's own configuration, with the sandbox at this address and quicker looks at what may change."""
    shutil.copytree(ROOT / "config", folder)
    site = folder / "ehrs" / "sandbox.toml"
    site.write_text(site.read_text(encoding="utf-8").replace("http://127.0.0.1:9000", ehr), encoding="utf-8")
    with (folder / "consent" / "default.toml").open("a", encoding="utf-8") as rules:
        rules.write(f"\n[watch]\nevery_seconds = {WATCH_SECONDS}\n")
    retention = folder / "retention.toml"
    text = retention.read_text(encoding="utf-8")
    assert "watch_seconds = 20\n" in text
    retention.write_text(text.replace("watch_seconds = 20\n", f"watch_seconds = {WATCH_SECONDS}\n"), encoding="utf-8")
    return folder


def _script_models(models: Path, config: Path, heard: str, drafted: Mapping[str, str] | None) -> dict[str, str]:
    """Settings for tiny models that always hear and write the same, put into the catalogue as a site adds its own."""
    speech = make_speech_model(models / "scripted-speech", heard)
    (speech / "made-from").unlink()
    lines = _list_model(speech, "speech", "tests/models/make_speech_model.py")
    if drafted is not None:
        text = models / "scripted-text"
        text.mkdir()
        shutil.copyfile(make_scripted_model(drafted), text / "model.gguf")
        lines += _list_model(text, "text", "tests/models/make_text_model.py")
    (config / "models.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"drafter": "outline" if drafted is None else "model", "models_dir": str(models)}


def _list_model(folder: Path, kind: str, publisher: str) -> list[str]:
    """A model's entry in ``models.toml``."""
    name = folder.name
    lines = [
        f"[models.{name}]",
        f'name = "Scripted {kind}"',
        f'kind = "{kind}"',
        'licence = "none"',
        f'publisher = "{publisher}"',
        f'hub = {{ repository = "tests/{name}", revision = "{"0" * 40}" }}',
    ]
    for file in sorted(folder.iterdir()):
        held = file.read_bytes()
        lines += [f"[[models.{name}.files]]", f"name = {json.dumps(file.name)}"]
        lines += [f"size_bytes = {len(held)}", f'sha256 = "{hashlib.sha256(held).hexdigest()}"']
    return lines


def _find_free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def _run(arguments: list[str], environment: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python module as a process; killed at the end if it still runs then."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait_until_ready(product: Product) -> None:
    deadline = time.monotonic() + START_SECONDS
    for address in (f"{product.ehr}/", f"{product.gateway}/health"):
        while True:
            try:
                if httpx.get(address, timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            ended = [process.returncode for process in (product.sandbox, product.serve) if process.poll() is not None]
            assert ended == [], product.read_said()[-4000:]
            assert time.monotonic() < deadline, product.read_said()[-4000:]
            time.sleep(0.1)
