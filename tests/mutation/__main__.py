"""Changes gateway/consent one small thing at a time and sees whether the tests notice: ``make mutation``.

In: this tree and mutmut. Out: the counts on the screen and in build/mutation.json, the survivors in
build/mutation-survivors.txt. It works on a copy and touches nothing else. Only tests that draw nothing by chance take
part, so that two runs agree; mutmut leaves code outside of functions and decorated functions as they are.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutation"
KILLED_AT_LEAST = 0.9
CONFIGURATION = """
[tool.mutmut]
source_paths = ["gateway"]
only_mutate = ["gateway/consent/*.py"]
also_copy = ["config", "docs", "fhir_profiles", "tests"]
track_dependencies = false
use_git_change_detection = false
pytest_add_cli_args = ["-x", "-q", "-p", "no:cacheprovider", "--ignore=tests/unit/consent/test_decision_properties.py",
  "--deselect=tests/unit/consent/test_against_oracle.py::test_draws_of_the_finite_model"]
pytest_add_cli_args_test_selection = ["tests/unit/consent"]
"""


def main() -> int:
    copy_tree()
    started = time.monotonic()
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", "--max-children", "2"], cwd=COPY, check=False)
    found = subprocess.run([*mutmut, "results", "--all", "true"], cwd=COPY, check=True, capture_output=True, text=True)
    states = dict(line.strip().rsplit(": ", 1) for line in found.stdout.splitlines() if ": " in line)
    counts = Counter(states.values())
    killed = counts["killed"] + counts["timeout"] + counts["caught by type check"]
    survivors = sorted(name for name, state in states.items() if state in ("survived", "no tests", "suspicious"))
    write_survivors(mutmut, survivors)
    minutes = round((time.monotonic() - started) / 60, 1)
    figures = {"mutants": counts.total(), "noticed": killed, **counts, "minutes": minutes}
    (ROOT / "build" / "mutation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:24} {value}")
    if not states or killed < KILLED_AT_LEAST * counts.total():
        print(f"fewer than {KILLED_AT_LEAST:.0%} were noticed: see build/mutation-survivors.txt", file=sys.stderr)
        return 1
    return 0


def copy_tree() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for name in ("gateway", "config", "docs", "fhir_profiles", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, COPY / name, ignore=ignored)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (COPY / "pyproject.toml").write_text(project + CONFIGURATION, encoding="utf-8")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def write_survivors(mutmut: list[str], survivors: list[str]) -> None:
    with (ROOT / "build" / "mutation-survivors.txt").open("w", encoding="utf-8") as file:
        for name in survivors:
            shown = subprocess.run([*mutmut, "show", name], cwd=COPY, check=False, capture_output=True, text=True)
            file.write(f"{name}\n{shown.stdout}\n")


if __name__ == "__main__":
    sys.exit(main())
