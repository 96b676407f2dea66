"""The purge of a process that is no visit at all: it holds for whatever a pidfd names."""

import asyncio
import os
import subprocess
from datetime import UTC, datetime

import pytest

from gateway.errors import VisitError
from gateway.proof import ForgedProof, Maker
from gateway.visit.purge import PurgeReceipt, Remains, Settled, purge_visit, remove_leftovers

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def remains(tmp_path):
    reading, writing = os.pipe()
    process = subprocess.Popen(["cat"], stdin=reading, stdout=subprocess.DEVNULL)
    os.close(reading)
    sockets = (tmp_path / "v.browser.sock", tmp_path / "v.ehr.sock")
    for path in sockets:
        path.touch()
    yield Remains("v", process.pid, os.pidfd_open(process.pid), writing, sockets, NOW)
    process.wait()


async def settle(kept=()):
    return Settled(("tokens",), kept)


async def test_the_receipt_names_what_is_gone_and_what_proves_it(remains):
    receipt = await purge_visit(
        remains,
        "filed",
        settle(("the reference, until tomorrow",)),
        document="DocumentReference/7",
        destroyed=("transcript",),
        clock=lambda: NOW,
    )
    assert receipt.to_view()["document"] == "DocumentReference/7"
    assert (receipt.destroyed[0], receipt.destroyed[-1]) == ("transcript", "tokens")
    assert receipt.to_view()["kept"] == ["the reference, until tomorrow"]
    assert str(remains.pid) in receipt.proof[0]
    assert not any(path.exists() for path in remains.sockets)


async def test_there_is_no_receipt_while_a_socket_can_not_be_removed(remains):
    remains.sockets[0].unlink()
    remains.sockets[0].mkdir()
    settling = asyncio.ensure_future(settle())
    with pytest.raises(VisitError, match="could not be seen to end"):
        await purge_visit(remains, "filed", settling, clock=lambda: NOW)
    await settling


async def test_the_process_ends_before_anything_else_is_waited_for(remains):
    ended = []

    async def settle_late():
        ended.append(os.waitid(os.P_PID, remains.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None)
        return Settled()

    await purge_visit(remains, "filed", settle_late(), clock=lambda: NOW)
    assert ended == [True]


def test_nobody_else_makes_a_receipt():
    with pytest.raises(ForgedProof):
        PurgeReceipt(Maker("somebody"), "v", "filed", NOW, NOW, (), (), (), None)


def test_leftover_sockets_are_removed_and_the_fork_servers_stays(tmp_path):
    for name in ("a.browser.sock", "a.ehr.sock", "b.ehr.sock", "forks.sock"):
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == ["a", "b"]
    assert [path.name for path in tmp_path.iterdir()] == ["forks.sock"]
