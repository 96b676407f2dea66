"""The command line: help that teaches, and one sentence with a status other than 0 for what goes wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """``countersign`` with these words, as a shell would run it: status, output, error output."""
    monkeypatch.setenv("COUNTERSIGN_STATE_DIR", str(tmp_path / "state"))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["countersign", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        status = ended.value.code
        return status if isinstance(status, int) else 0, said.out, said.err

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with three entries."""
    file = tmp_path / "state" / "ledger.jsonl"
    file.parent.mkdir(mode=0o700)
    written = Ledger(file, b"k" * 32)
    for visit in ("v1", "v2", "v2"):
        written.owe(Entry("visit:draft:started", visit=visit))
    written.close()
    return file


COMMANDS = [[], ["serve"], ["demo"], ["models"], ["models", "list"], ["models", "pull"], ["models", "verify"]]
COMMANDS += [["consent"], ["consent", "explain"], ["ledger"], ["ledger", "show"], ["ledger", "verify"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_and_is_cut_nowhere(command: list[str]) -> None:
    result = CliRunner().invoke(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "..." not in result.output.replace("]...", "")
    if command not in ([], ["models"], ["consent"], ["ledger"]):
        assert "Example" in result.output
        assert "countersign " + " ".join(command) in result.output


def test_the_ledger_is_shown_by_visit_and_from_its_end(run: Run, ledger: Path) -> None:
    status, out, _ = run("ledger", "show", "--visit", "v2", "--last", "1")
    assert status == 0
    assert [json.loads(line)["visit"] for line in out.splitlines()] == ["v2"]
    assert len(run("ledger", "show")[1].splitlines()) == 3


def test_a_changed_ledger_is_named_with_its_line(run: Run, ledger: Path) -> None:
    assert run("ledger", "verify")[:2] == (0, f"{ledger}: 3 lines, the chain holds.\n")
    ledger.write_text(ledger.read_text(encoding="utf-8").replace('"v1"', '"v9"'), encoding="utf-8")
    status, _, err = run("ledger", "verify")
    assert status == 1
    assert err.startswith(f"{ledger}: line 2 does not fit: the line before it ")


@pytest.mark.parametrize("damage", [b"{", b"\xff\xfe\n", b"[1]\n", b""], ids=["cut", "binary", "list", "empty"])
def test_a_damaged_ledger_is_one_sentence(run: Run, ledger: Path, damage: bytes) -> None:
    ledger.write_bytes(damage)
    for command in ("show", "verify"):
        status, out, err = run("ledger", command)
        assert (status, err) == (0, "") or (status == 1 and err.count("\n") == 1 and not out), (command, out, err)


def test_no_ledger_yet_is_one_sentence(run: Run) -> None:
    status, _, err = run("ledger", "show")
    assert status == 1
    assert err.startswith("countersign: There is no ledger at ")


@pytest.mark.parametrize("command", [["serve"], ["demo"], ["ledger", "show"], ["models", "list"], ["models", "pull"]])
def test_a_wrong_setting_stops_every_command_with_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(cli, "set_up_logging", lambda: None)
    monkeypatch.setenv("COUNTERSIGN_PROT", "9")
    status, out, err = run(*command)
    assert (status, out) == (1, "")
    assert err.removeprefix("countersign: ") == (
        "environment: COUNTERSIGN_PROT: there is no such setting; the nearest is COUNTERSIGN_PORT\n"
    )


@pytest.mark.parametrize("words", [["bogus"], ["serve", "--port", "0"], ["serve", "--bogus"], ["ledger", "show", "x"]])
def test_a_wrong_word_is_refused_with_where_to_find_help(run: Run, words: list[str]) -> None:
    status, _, err = run(*words)
    assert status == 2
    assert "--help" in err
    assert "Error: " in err


@pytest.mark.parametrize("words", [["--help"], ["ledger", "show"], ["models", "list"]])
def test_a_full_disk_under_the_output_is_one_sentence(ledger: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            env={**os.environ, "COUNTERSIGN_STATE_DIR": str(ledger.parent)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "countersign: The output can't be used (No space left on device).\n"


def test_an_output_that_nobody_reads_any_more_is_no_failure_to_explain(ledger: Path) -> None:
    ledger.write_bytes(b"".join(ledger.read_bytes() for _ in range(3000)))
    command = f"{sys.executable} -m gateway ledger show --file {ledger} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_ctrl_c_is_no_failure_to_explain(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(announce: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "set_up_logging", lambda: None)
    monkeypatch.setattr(cli, "run_demo", interrupt)
    status, out, err = run("demo")
    assert status == 130
    assert "Traceback" not in out + err
