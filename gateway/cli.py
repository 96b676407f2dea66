"""The command line: ``countersign serve | demo | consent | models | ledger``.

Every failure is one sentence on standard error and a status other than 0; no traceback, no patient data.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.app import LEDGER_FILE, read_record
from gateway.consent.commands import create_consent_app
from gateway.demo import run_demo
from gateway.errors import CountersignError
from gateway.front.environment import set_up_logging
from gateway.front.supervisor import serve as run_serve
from gateway.ledger.reading import read_lines, verify_chain
from gateway.models.commands import app as models_app
from gateway.settings import read_settings

app = typer.Typer(
    name="countersign",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Countersign drafts visit notes beside an EHR, with local models; the EHR's record is its only store.\n\n"
    "Settings: config/gateway.toml, or COUNTERSIGN_<NAME> in the environment. EHRs: config/ehrs/*.toml.",
)
ledger_app = typer.Typer(
    name="ledger",
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="Read and check the log.",
    help="The log of every read, decision, write and purge: codes, counts and keyed hashes, never content.",
)
app.add_typer(models_app)
app.add_typer(create_consent_app(read_record))
app.add_typer(ledger_app)

Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="the port to listen on, in place of the setting's; public_url stays as it is set"
    ),
]
LedgerFile = Annotated[Path | None, typer.Option("--file", help="another ledger than the one in state_dir")]


@app.command(short_help="Run the gateway until Ctrl-C.")
def serve(port: Port = None) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    It starts the front, which browsers and the EHR talk to, and the fork server, which starts one process without a
    network for each visit; either is started again when it dies.

    \b
    Example:
      COUNTERSIGN_PUBLIC_URL=https://notes.example.org countersign serve
    """
    set_up_logging()
    settings = read_settings() if port is None else read_settings(port=port)
    typer.echo(f"Countersign: {settings.public_url}  (listening on {settings.host}:{settings.port}; Ctrl-C stops it)")
    run_serve(settings)


@app.command(short_help="Try it with a sandbox EHR and invented patients.")
def demo() -> None:
    """Try it: the sandbox EHR on port 9000 and the gateway on port 8000, with invented patients.

    Everything is thrown away at the end. Without a text model (`countersign models pull`), or with
    DRAFTER=outline, drafts are an outline of the clinician's own lines.

    \b
    Example:
      DRAFTER=outline countersign demo
    """
    set_up_logging()
    run_demo(typer.echo)


@ledger_app.command("show", short_help="Print it, one JSON object a line.")
def show_ledger(
    file: LedgerFile = None,
    visit: Annotated[str, typer.Option(help="only this visit's lines")] = "",
    last: Annotated[int, typer.Option(min=0, help="only so many of the newest lines; 0: all")] = 0,
) -> None:
    """Print the ledger, oldest line first, one JSON object a line.

    \b
    Example:
      countersign ledger show --last 20
    """
    lines = [line.fields for line in read_lines(_ledger_file(file)) if visit in ("", line.fields.get("visit"))]
    for fields in lines[-last:] if last else lines:
        typer.echo(json.dumps(fields))


@ledger_app.command("verify", short_help="Check that nobody changed it.")
def verify_ledger(file: LedgerFile = None) -> None:
    """Check that no line of the ledger was changed, removed or put in between.

    \b
    Example:
      countersign ledger verify
    """
    path = _ledger_file(file)
    verdict = verify_chain(path)
    if not verdict.holds:
        typer.echo(f"{path}: line {verdict.broken_at} does not fit: {verdict.reason}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{path}: {verdict.lines} lines, the chain holds.")


def _ledger_file(given: Path | None) -> Path:
    return given or read_settings().state / LEDGER_FILE


def main() -> None:
    """Run the command line; every expected failure becomes one sentence and exit status 1."""
    try:
        app()
    except CountersignError as error:
        print(f"countersign: {error.public}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
    except OSError as error:
        print(f"countersign: {error.filename or 'The output'} can't be used ({error.strerror}).", file=sys.stderr)
        raise SystemExit(1) from None
