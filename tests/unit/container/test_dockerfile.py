"""The container's files hold together; and, on request, the Dockerfile's steps are run in an empty folder.

The run takes minutes and wants the package index: ``COUNTERSIGN_CONTAINER=1 pytest tests/unit/container``. No
container engine is used: what it left out is printed with what it ran.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs among the development tools

from gateway.settings import Settings
from tests.unit.container.image import Image, build_image, read_dockerfile, read_env

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
STEPS = read_dockerfile(DOCKERFILE)
LAST = STEPS[-1].stage
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
START_SECONDS = 60

slow = pytest.mark.skipif(
    not os.environ.get("COUNTERSIGN_CONTAINER"), reason="takes minutes: set COUNTERSIGN_CONTAINER=1 (make container)"
)


def _last(name: str) -> str:
    return next(step.value for step in reversed(STEPS) if step.name == name and step.stage == LAST)


def _env_names(env: dict[str, str]) -> set[str]:
    return {name.removeprefix("COUNTERSIGN_").lower() for name in env if name.startswith("COUNTERSIGN_")}


def test_runs_as_a_user_without_rights() -> None:
    assert _last("USER") not in ("root", "0")


def test_copies_only_what_is_there() -> None:
    copies = [step.value.split() for step in STEPS if step.name == "COPY" and "--from" not in step.value]
    assert all((ROOT / source).exists() for parts in copies for source in parts[:-1])


def test_holds_no_weights_and_no_keys() -> None:
    copied = [source for step in STEPS if step.name == "COPY" for source in step.value.split()[:-1]]
    assert "." not in copied
    found = [path for name in copied if (ROOT / name).is_dir() for path in (ROOT / name).rglob("*")]
    assert not [path for path in found if path.suffix in (".gguf", ".bin", ".key", ".db") or "jwk" in path.name]


def test_the_base_image_is_named_once_and_with_its_release() -> None:
    bases = {step.value.split()[0] for step in STEPS if step.name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", bases.pop())


def test_every_variable_of_the_image_is_a_setting() -> None:
    assert _env_names(read_env(STEPS, LAST)) <= set(Settings.model_fields)


def test_the_health_check_asks_the_exposed_port() -> None:
    assert f"127.0.0.1:{_last('EXPOSE')}/health" in _last("HEALTHCHECK")
    assert read_env(STEPS, LAST)["COUNTERSIGN_PORT"] == _last("EXPOSE")


def test_everything_is_installed_by_its_hash() -> None:
    installs = [step.value for step in STEPS if step.name == "RUN" and re.search(r"pip (install|sync)", step.value)]
    assert all("--require-hashes" in value or "--no-deps" in value for value in installs)


def test_what_builds_a_package_is_pinned_too() -> None:
    """Else the newest build backend of the day would be fetched for the packages that come as sources."""
    installers = [value for step in STEPS if step.name == "RUN" and "/uv pip" in (value := step.value)]
    script = (ROOT / "requirements" / "setup.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    installers += [line for line in script.splitlines() if '/uv" pip' in line]
    assert len(installers) == 4
    assert all("-b requirements/build.lock" in value for value in installers)
    assert "CMAKE_ARGS=" not in "".join(installers) + script  # no part of the name under which a build is kept


@pytest.mark.parametrize("service", ["gateway", "sandbox"])
def test_compose_gives_no_unknown_setting(service: str) -> None:
    environment = COMPOSE["services"][service].get("environment", {})
    assert _env_names(environment) <= set(Settings.model_fields)


def test_compose_gives_the_gateway_no_rights() -> None:
    gateway = COMPOSE["services"]["gateway"]
    assert gateway["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in gateway["security_opt"]
    assert not gateway.get("privileged")


def test_the_gateways_system_calls_leave_a_visit_its_namespaces_and_little_else() -> None:
    """Docker's default profile would forbid the two namespaces; none at all would leave everything open."""
    [name] = [
        option.partition("=")[2] for option in COMPOSE["services"]["gateway"]["security_opt"] if "seccomp" in option
    ]
    profile = json.loads((ROOT / name).read_text(encoding="utf-8"))
    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    assert all(rule["action"] == "SCMP_ACT_ERRNO" for rule in profile["syscalls"])

    def refuses(call: str, first: int = 0) -> bool:
        rules = [rule for rule in profile["syscalls"] if call in rule["names"]]
        return any(
            all(first & each["value"] == each["valueTwo"] and each["index"] == 0 for each in rule.get("args", []))
            for rule in rules
        )

    user, network, mounts, processes = 0x1000_0000, 0x4000_0000, 0x2_0000, 0x2000_0000  # linux/sched.h
    assert not refuses("unshare", user | network)
    assert refuses("unshare", user | mounts)
    assert refuses("clone", user | processes)
    for call in ("mount", "bpf", "ptrace", "process_vm_readv", "perf_event_open", "io_uring_setup", "keyctl", "setns"):
        assert refuses(call)
    for call in ("prctl", "pidfd_open", "sendmsg", "recvmsg", "setrlimit", "execve"):
        assert not refuses(call)


def test_compose_starts_the_sandbox_with_flags_that_it_has() -> None:
    from gateway.sandbox.__main__ import _read_arguments

    command = COMPOSE["services"]["sandbox"]["command"]
    assert command[:3] == ["python", "-m", "gateway.sandbox"]
    given = _read_arguments(command[3:])
    assert (given.port, given.gateway) == (9000, "http://localhost:8000")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    built = build_image(DOCKERFILE, ROOT, tmp_path_factory.mktemp("image"))
    print("\nrun as they stand:", *built.ran, sep="\n  ")
    print("left out:", *built.left_out, sep="\n  ")
    return built


@slow
def test_the_steps_install_the_gateway_with_its_page_and_profiles(image: Image) -> None:
    where = _run(image, "import gateway, pathlib; print(pathlib.Path(gateway.__file__).parent.parent)")
    installed = Path(where)
    assert installed.is_relative_to(image.root)
    assert (installed / "smart_app" / "index.html").is_file()
    assert list((installed / "fhir_profiles").glob("*.json"))
    assert not list(image.root.rglob("*.gguf"))


@slow
def test_the_image_serves_and_its_health_check_agrees(image: Image) -> None:
    _serve_once(image)


@slow
def test_it_serves_without_the_extras(image: Image) -> None:
    uv = f"{image.root}/opt/countersign/bin/uv"
    python = f"{image.root}/opt/countersign/bin/python"
    # jinja2 stays: llama-cpp-python asks for it too.
    _call(image, [uv, "pip", "uninstall", "--python", python, "python-multipart", "psycopg", "psycopg-binary"])
    loaded = "import gateway.app, gateway.visit.composition, sys; print('multipart' in sys.modules)"
    assert _run(image, loaded) == "False"
    _serve_once(image)


def _serve_once(image: Image) -> None:
    """Start the image's CMD with its ENV, ask its HEALTHCHECK and one page, and stop it."""
    port = _free_port()
    env = {
        **image.run_environment(),
        "COUNTERSIGN_HOST": "127.0.0.1",
        "COUNTERSIGN_PORT": str(port),
        "COUNTERSIGN_PUBLIC_URL": f"http://localhost:{port}",
    }
    check = [part.replace(":8000/", f":{port}/") for part in json.loads(_last("HEALTHCHECK").split("CMD ", 1)[1])]
    with _running(json.loads(_last("CMD")), image, env) as gateway:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(check, env=env, capture_output=True, check=False).returncode:
            assert gateway.poll() is None, gateway.communicate()[0]
            assert time.monotonic() < deadline, "not healthy in time"
            time.sleep(0.3)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert answer.status == 200
        gateway.send_signal(signal.SIGTERM)
        output = gateway.communicate(timeout=30)[0]
    assert gateway.returncode == 0, output
    assert "Traceback" not in output


@contextlib.contextmanager
def _running(command: list[str], image: Image, env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    whole = [f"{image.root}/opt/countersign/bin/{command[0]}", *command[1:]]
    process = subprocess.Popen(
        whole, cwd=image.root, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _run(image: Image, code: str) -> str:
    return _call(image, [f"{image.root}/opt/countersign/bin/python", "-c", code])


def _call(image: Image, command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=image.root, env=image.run_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr[-3000:]}"
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
