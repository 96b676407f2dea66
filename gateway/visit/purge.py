"""Purging a visit, seen from outside it: its process ends, its sockets go, and a receipt says what proves it.

In: what of a visit exists outside its own memory. Out: ``PurgeReceipt``, which names what is kept as well. Ending the
process waits for nothing, and for its end not long: what does not leave by itself is killed.
"""

import asyncio
import os
import select
import signal
from collections.abc import Awaitable, Callable
from dataclasses import InitVar, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.errors import VisitError
from gateway.proof import Maker

MAKER = Maker("visit/purge (purge_visit)")

PATIENCE_SECONDS = 2.0  # to leave by itself, and again to be gone once killed

IN_MEMORY = "everything in the visit's memory: chart, consents, audio, transcript, draft, model caches"


@dataclass(frozen=True, slots=True)
class Remains:
    """What of a visit is outside its own memory.

    Attributes:
        pidfd: names the process itself, so that a pid used again is never taken for it.
        lifeline: the front's writing end of the pipe; closing it asks the process to end.
        sockets: the visit's paths in the run folder.
    """

    visit_id: str
    pid: int
    pidfd: int
    lifeline: int
    sockets: tuple[Path, ...]
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of what the front held of a visit: its access to the EHR, a filed note's reference."""

    destroyed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PurgeReceipt:
    """A visit that is gone: what was destroyed, when, and what proves it. No patient data.

    ``kept`` says what outlives the visit, where, in which form and until when; empty: nothing does.

    ``outcome`` is the visit's own (``filed``, ``cancelled`` …), or ``lost`` or ``stopped`` where it ended otherwise;
    ``document`` is the filed note's relative reference.
    """

    maker: InitVar[Maker]
    visit_id: str
    outcome: str
    opened_at: datetime
    ended_at: datetime
    destroyed: tuple[str, ...]
    kept: tuple[str, ...]
    proof: tuple[str, ...]
    document: str | None

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)

    def to_view(self) -> dict[str, Any]:
        """As the page shows it."""
        return {
            "visit": self.visit_id,
            "outcome": self.outcome,
            "opened_at": self.opened_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "destroyed": list(self.destroyed),
            "kept": list(self.kept),
            "proof": list(self.proof),
            "document": self.document,
        }


async def purge_visit(
    remains: Remains,
    outcome: str,
    settling: Awaitable[Settled],
    *,
    document: str | None = None,
    destroyed: tuple[str, ...] = (),
    clock: Callable[[], datetime],
    patience_seconds: float = PATIENCE_SECONDS,
) -> PurgeReceipt:
    """End a visit's process, remove its sockets, and see that both are gone. Done once for each visit.

    Args:
        settling: ends when the front has let go of, or put away, what it held; waited for after the process's end.
        destroyed: what the visit itself says it dropped before it ended.

    Raises:
        VisitError: the process could not be ended, or a socket not removed: there is no receipt.
    """
    os.close(remains.lifeline)
    killed = False
    if not await _wait_for_end(remains.pidfd, patience_seconds):
        killed = True
        signal.pidfd_send_signal(remains.pidfd, signal.SIGKILL)
        if not await _wait_for_end(remains.pidfd, patience_seconds):
            raise _unfinished(remains, "the process did not end")
    os.close(remains.pidfd)
    for path in remains.sockets:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unfinished(remains, f"socket errno {error.errno}") from error
    if any(path.exists() for path in remains.sockets):
        raise _unfinished(remains, "a socket is still there")
    settled = await settling
    return PurgeReceipt(
        MAKER,
        visit_id=remains.visit_id,
        outcome=outcome,
        opened_at=remains.opened_at,
        ended_at=clock(),
        destroyed=(*destroyed, IN_MEMORY, *settled.destroyed),
        kept=settled.kept,
        proof=(
            f"process {remains.pid} {'was killed and' if killed else 'has'} ended: its memory is the system's again",
            "its two sockets are gone from the run folder",
        ),
        document=document,
    )


def remove_leftovers(run_dir: Path) -> list[str]:
    """Remove the sockets that an earlier front left behind; the ids of their visits."""
    visits: set[str] = set()
    for path in [*run_dir.glob("*.browser.sock"), *run_dir.glob("*.ehr.sock")]:
        visits.add(path.name.split(".")[0])
        path.unlink(missing_ok=True)
    return sorted(visits)


async def _wait_for_end(pidfd: int, seconds: float) -> bool:
    """Whether the process ends in that time (a pidfd reads as ready once its process has ended)."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    watched = os.dup(pidfd)  # the loop knows a descriptor once: whoever else watches this process keeps theirs
    loop.add_reader(watched, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return _has_ended(pidfd)
    finally:
        loop.remove_reader(watched)
        os.close(watched)
    return True


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _unfinished(remains: Remains, detail: str) -> VisitError:
    return VisitError(
        "purge.unfinished",
        "The visit is over, but its process could not be seen to end. Tell the operator.",
        f"visit={remains.visit_id} pid={remains.pid}: {detail}",
    )
