"""How fast an installed model is on this machine: measured in a process of its own, and kept beside the model.

In: an installed model. Out: ``Measured``, from ``python -m gateway.measure``, which speaks in JSON lines. A crash of an
engine (a processor it was not built for) ends that process and is one sentence here. What is kept holds figures and
the model's checksum, no text and no path.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.errors import ModelError
from gateway.models.installed import MEASURED, InstalledModel

DEADLINE_SECONDS = 900.0
MODULE = "gateway.measure"
# Threads that wait must not spin: others work on the same cores. Nothing is fetched, nothing is reported.
_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000", "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}

OnStep = Callable[[str, float], None]
"""Hears what is being done and how much of all is done, 0 to 1."""


class Measured(BaseModel):
    """One measured test. A figure that does not belong to the model's kind is 0.

    Attributes:
        sha256: of the weights that were measured.
        threads: that computed.
        peak_bytes: the process's memory at its highest: weights, one visit's share and Python itself.
        real_time_factor: seconds of work for a second of speech, one hearing.
        tokens_in, tokens_out: a second, read and written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    threads: int
    peak_bytes: int
    real_time_factor: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def __str__(self) -> str:
        if self.real_time_factor:
            return f"{self.real_time_factor:.2f} s a second of speech"
        return f"{self.tokens_in:.0f} tokens/s in, {self.tokens_out:.0f} out"


def look_at_engine() -> tuple[tuple[str, ...], bool]:
    """What llama.cpp was built for and this processor has not, and whether llama.cpp finds a GPU; asked in a process
    of its own, which may die of it.

    Raises:
        ModelError: the engine can't even be looked at.
    """
    answers = list(_ask(["processor"], "llama.cpp", 60.0))
    lacking = answers[-1].get("lacking") if answers else None
    found = tuple(str(name) for name in lacking) if isinstance(lacking, list) else ()
    return found, bool(answers and answers[-1].get("gpu"))


def measure_model(model: InstalledModel, threads: int = 0, on_step: OnStep = lambda what, done: None) -> Measured:
    """Run the short test of one model; takes seconds for a small one, a few minutes for a large one.

    Raises:
        ModelError: the model can't be opened or run here, or it took longer than 15 minutes.
    """
    arguments = [model.kind.value, str(model.path), model.id, model.name, model.sha256, str(threads)]
    for answer in _ask(arguments, model.name, DEADLINE_SECONDS):
        if "measured" in answer:
            return Measured.model_validate(answer["measured"])
        on_step(str(answer.get("step", "")), float(str(answer.get("done", 0.0))))
    raise _no_result(model.name, "it said nothing")


def read_measured(models: Path, model_id: str, sha256: str) -> Measured | None:
    """The last figures that were kept for these very weights."""
    try:
        kept = Measured.model_validate_json((models / model_id / MEASURED).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return kept if kept.sha256 == sha256 else None


def keep_measured(models: Path, model_id: str, measured: Measured) -> bool:
    """Keep figures beside the model; False where its folder can't be written."""
    file = models / model_id / MEASURED
    temporary = file.with_name(f"{MEASURED}.{os.getpid()}")
    try:
        temporary.write_text(measured.model_dump_json(), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        return False
    return True


def _ask(arguments: list[str], name: str, deadline_seconds: float) -> Iterator[dict[str, object]]:
    """Start the process, yield its lines, and make one sentence of every bad end."""
    with subprocess.Popen(
        # As safe as this program's own start: no module of the folder that the command happens to run in.
        [sys.executable, "-P", "-c", f"from {MODULE} import main; main()", *arguments],
        env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        alarm = _kill_after(child, deadline_seconds)
        try:
            assert child.stdout is not None
            for line in child.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise ModelError("model.measure", str(answer["error"]))
                yield answer
            status = child.wait()
        except json.JSONDecodeError as error:
            raise _no_result(name, "it did not speak as agreed") from error
        finally:
            alarm.cancel()
            child.kill()
    if status < 0:
        raise _no_result(name, f"it ended by {signal.Signals(-status).name}")
    if status > 0:
        raise _no_result(name, f"it ended with {status}")


def _kill_after(child: subprocess.Popen[str], seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, child.kill)
    timer.daemon = True
    timer.start()
    return timer


def _no_result(name: str, why: str) -> ModelError:
    return ModelError("model.measure", f"The measured test of {name} gave no result: {why}.")
