"""Bars and last sentences of ``countersign models``: both go to standard error, so that a list can be piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from gateway.errors import CountersignError


class PullReporter:
    """Carries what ``pull_model`` tells to one line of a bar."""

    def __init__(self, bar: Progress, task: TaskID, name: str) -> None:
        self._bar, self._task, self._name = bar, task, name

    def __call__(self, phase: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=f"{self._name}: {phase}", completed=done, total=total)


def make_bar(*columns: ProgressColumn) -> Progress:
    """A bar with its description before it and the given columns after it."""
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=Console(stderr=True))


@contextmanager
def count_hashed(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar that counts bytes as they are hashed; gives what is to be called with each block's length."""
    with make_bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task(description, total=total)

        def advance(count: int) -> None:
            bar.update(task, advance=count)

        yield advance


@contextmanager
def one_sentence() -> Iterator[None]:
    """What goes wrong is one sentence on standard error and exit code 1; Ctrl-C is exit code 130."""
    try:
        yield
    except CountersignError as error:
        typer.echo(error.public, err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("Stopped. What has arrived is kept: run the same command to go on.", err=True)
        raise typer.Exit(130) from error
