"""Layers on a GPU: refused at start where there is none; else each visit loads the weights, after its fork.

No GPU is needed: llama.cpp built for the processor takes ``n_gpu_layers`` and computes all the same.
"""

import hashlib
import shutil
import subprocess
import sys

import pytest

from gateway.front.environment import EXIT_WRONG, NO_GPU, make_bare_environment
from gateway.front.forking import start_process
from gateway.settings import ROOT, read_settings
from gateway.visit.confinement import landlock_version
from tests.models.make_text_model import make_scripted_model
from tests.unit.front.conftest import HERE, run_fork_server
from tests.unit.front.test_forking import ask, purge

pytestmark = pytest.mark.processes
SAID = "She sleeps five hours a night.\nWe reviewed the sleep diary together.\nContinue sertraline 50 mg each morning."


@pytest.fixture
def settings(tmp_path):
    """A site with one tiny text model, all of it on a GPU."""
    weights = make_scripted_model({"The patient ": "sleeps five hours a night.", "Patient ": "sleeps five."})
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    shutil.copyfile(weights, folder / "model.gguf")
    shutil.copytree(ROOT / "config", tmp_path / "config")
    held = (folder / "model.gguf").read_bytes()
    (tmp_path / "config" / "models.toml").write_text(
        '[models.tiny]\nname = "Tiny"\nkind = "text"\nlicence = "none"\npublisher = "tests"\n'
        f'hub = {{ repository = "tests/tiny", revision = "{"0" * 40}" }}\n[[models.tiny.files]]\nname = "model.gguf"\n'
        f'size_bytes = {len(held)}\nsha256 = "{hashlib.sha256(held).hexdigest()}"\n',
        encoding="utf-8",
    )
    given = {"state_dir": tmp_path / "state", "models_dir": tmp_path / "models", "gpu_layers": -1, "model_threads": 1}
    return read_settings(tmp_path / "config", **given)


def start(settings, run_dir, composition):
    """What a fork server says that does not start."""
    environment = {**make_bare_environment(settings, run_dir), "PYTHONPATH": f"{HERE}:{ROOT}"}
    command = [sys.executable, "-m", "gateway.front.forkserver", composition]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == EXIT_WRONG, ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def test_without_a_gpu_start_up_stops_and_says_what_to_do(settings, own_run_dir):
    said = start(settings, own_run_dir, "gateway.visit.composition")
    assert said.startswith("countersign: llama.cpp finds no GPU here: install llama.cpp built for this machine's GPU")
    assert said.endswith("or set gpu_layers = 0.")


def test_without_a_text_model_there_is_nothing_to_compute(settings, own_run_dir):
    said = start(settings.model_copy(update={"drafter": "outline"}), own_run_dir, "gateway.visit.composition")
    assert "gateway.toml: gpu_layers: there is no text model to compute" in said


def test_a_model_that_can_not_be_loaded_is_found_at_start(settings, own_run_dir):
    """Though no visit has loaded it yet."""
    file = settings.models / "tiny" / "model.gguf"
    broken = b"GGUF" + bytes(file.stat().st_size - 4)
    file.write_bytes(broken)
    catalogue = settings.config_dir / "models.toml"
    lines = catalogue.read_text().rstrip().rsplit("\n", 1)[0]
    catalogue.write_text(f'{lines}\nsha256 = "{hashlib.sha256(broken).hexdigest()}"\n')
    assert "could not be loaded onto the GPU" in start(settings, own_run_dir, "gpu_visit")


async def test_a_visit_loads_the_weights_with_its_first_draft_and_not_before(settings, own_run_dir):
    with run_fork_server(own_run_dir, composition="gpu_visit", settings=settings) as server:
        process = await start_process(own_run_dir, "v1", "sandbox")
        before = (await ask(process, "GET", "/api/model")).json()
        written = (await ask(process, "POST", "/api/write", content=SAID, timeout=60)).json()
        after = (await ask(process, "GET", "/api/model")).json()
        with open(f"/proc/{server.pid}/maps") as maps:
            assert "model.gguf" not in maps.read(), "the fork server holds no weights"
        await purge(process)
    assert (before["waits"], before["mapped"]) == (True, False)
    assert (after["waits"], after["mapped"]) == (False, True)
    assert before["name"] == after["name"] == "Tiny"
    assert before["sha256"] == hashlib.sha256((settings.models / "tiny" / "model.gguf").read_bytes()).hexdigest()
    assert any("sleeps five" in text for text in written["statements"])


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
async def test_a_visit_may_write_to_the_gpus_node_and_to_no_other(settings, own_run_dir, tmp_path):
    with run_fork_server(own_run_dir, composition="gpu_visit", settings=settings):
        process = await start_process(own_run_dir, "v1", "sandbox")

        async def attempt(what, given):
            return (await ask(process, "POST", f"/api/try/{what}", content=str(given))).json()["outcome"]

        assert await attempt("append", "/dev/full") == "done"
        assert await attempt("append", "/dev/zero") == "Permission denied"
        assert await attempt("append", settings.models / "tiny" / "model.gguf") == "Permission denied"
        assert await attempt("read", settings.config_dir / "models.toml") == "Permission denied"
        await purge(process)


def test_without_layers_on_a_gpu_none_is_seen_by_the_fork_server(settings, tmp_path, monkeypatch):
    """Asking for one would start its runtime before the forks."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert make_bare_environment(settings, tmp_path)["CUDA_VISIBLE_DEVICES"] == "1"
    hidden = make_bare_environment(settings.model_copy(update={"gpu_layers": 0}), tmp_path)
    assert {name: hidden[name] for name in NO_GPU} == NO_GPU
