import asyncio
import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from gateway.errors import LedgerError
from gateway.ledger import log as log_module
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines, verify_chain

KEY = b"k" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.jsonl"


@pytest.fixture
def ledger(path):
    ledger = Ledger(path, KEY, lambda: datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
    yield ledger
    ledger.close()


async def test_an_appended_entry_is_on_the_disk_when_append_returns(ledger, path):
    await ledger.append(Entry("front:fhir:read", visit="v1", site="s", patient="p1", codes={"type": "Patient"}))
    line = json.loads(path.read_text())
    assert (line["n"], line["at"], line["event"]) == (1, "2026-11-23T09:00:00.000Z", "front:fhir:read")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_ids_of_people_are_kept_as_keyed_hashes_only(ledger, path):
    await ledger.append(Entry("front:fhir:read", site="s", patient="patient-4711", user="Practitioner/42"))
    await ledger.append(Entry("front:fhir:read", site="s", patient="patient-4711"))
    await ledger.append(Entry("front:fhir:read", site="other", patient="patient-4711"))
    text = path.read_text()
    assert "4711" not in text
    assert "Practitioner" not in text
    first, second, third = (json.loads(line)["patient"] for line in text.splitlines())
    assert first == second != third


@pytest.mark.parametrize(
    "entry",
    [
        Entry("not an event"),
        Entry("front:fhir"),
        Entry("front:fhir:read", "a sentence about Ms Miller"),
        Entry("front:fhir:read", codes={"text": "depressed since May"}),
        Entry("front:fhir:read", codes={"patient": "x"}),
        Entry("front:fhir:read", codes={"nested": {"a": 1}}),
        Entry("front:fhir:read", codes={"long": "x" * 81}),
        Entry("front:fhir:read", codes={"Name": 1}),
        Entry("front:fhir:read", visit="a b"),
    ],
)
async def test_an_entry_that_could_carry_content_is_refused(ledger, path, entry):
    with pytest.raises(LedgerError):
        await ledger.append(entry)
    assert path.read_text() == ""


async def test_a_refused_owed_entry_still_leaves_a_trace_without_its_content(ledger, path):
    ledger.owe(Entry("front:visit:purge", "a sentence about Ms Miller"))
    ledger.close()
    assert json.loads(path.read_text())["event"] == "ledger:entry:refused"


async def test_owed_entries_keep_their_order_and_are_marked(ledger, path):
    ledger.owe(Entry("front:visit:purge", "filed"))
    await ledger.append(Entry("front:visit:open"))
    lines = [line.fields for line in read_lines(path)]
    assert [line["event"] for line in lines] == ["front:visit:purge", "front:visit:open"]
    assert lines[0]["owed"] is True
    assert "owed" not in lines[1]


async def test_when_the_disk_is_full_starting_fails_and_what_is_owed_comes_first_later(ledger, path, monkeypatch):
    await ledger.append(Entry("front:visit:open"))
    real, full = os.pwrite, True

    def pwrite(file, data, offset):
        if full:
            real(file, data[:10], offset)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, offset)

    monkeypatch.setattr(log_module.os, "pwrite", pwrite)
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.05)
    began = time.perf_counter()
    ledger.owe(Entry("front:visit:purge", "cancelled"))
    assert time.perf_counter() - began < 0.05
    with pytest.raises(LedgerError):
        await ledger.append(Entry("visit:draft:start"))
    assert verify_chain(path).lines == 1
    full = False
    await ledger.append(Entry("front:visit:open"))
    events = [line.fields["event"] for line in read_lines(path)]
    assert events == ["front:visit:open", "front:visit:purge", "front:visit:open"]
    assert verify_chain(path).holds


async def test_an_owed_entry_is_written_without_anyone_asking_again(ledger, path, monkeypatch):
    real, failures = os.fdatasync, [OSError(errno.EIO, "error"), OSError(errno.EIO, "error")]

    def fdatasync(file):
        if failures:
            raise failures.pop()
        real(file)

    monkeypatch.setattr(log_module.os, "fdatasync", fdatasync)
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.05)
    ledger.owe(Entry("front:visit:purge", "lost"))
    for _ in range(100):
        if path.stat().st_size and not failures:
            break
        await asyncio.sleep(0.02)
    ledger.close()
    assert [line.fields["event"] for line in read_lines(path)] == ["front:visit:purge"]


async def test_many_at_once_are_numbered_without_a_gap(ledger, path):
    await asyncio.gather(*(ledger.append(Entry("front:fhir:read", codes={"count": n})) for n in range(200)))
    assert verify_chain(path).lines == 200
    assert verify_chain(path).holds


async def test_a_second_writer_is_refused_and_a_later_one_goes_on_with_the_chain(path):
    first = Ledger(path, KEY)
    with pytest.raises(LedgerError, match="Another Countersign"):
        Ledger(path, KEY)
    await first.append(Entry("front:visit:open"))
    first.close()
    second = Ledger(path, KEY)
    await second.append(Entry("front:visit:purge"))
    second.close()
    with pytest.raises(LedgerError):
        await second.append(Entry("front:visit:open"))
    assert verify_chain(path).lines == 2
    assert verify_chain(path).holds


async def test_a_line_that_a_crash_cut_short_is_cut_off_and_said(path):
    ledger = Ledger(path, KEY)
    await ledger.append(Entry("front:visit:open"))
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"n":2,"at":"2026')
    again = Ledger(path, KEY)
    again.close()
    assert [line.fields["event"] for line in read_lines(path)] == ["front:visit:open", "ledger:tail:cut"]
    assert verify_chain(path).holds


@pytest.mark.parametrize("change", ["edit", "remove", "insert", "swap", "cut"])
async def test_a_change_in_the_middle_is_found(ledger, path, change):
    for number in range(6):
        await ledger.append(Entry("front:fhir:read", codes={"count": number}))
    lines = path.read_bytes().splitlines(keepends=True)
    match change:
        case "edit":
            lines[2] = lines[2].replace(b'"count":2', b'"count":9')
        case "remove":
            del lines[2]
        case "insert":
            lines.insert(2, lines[2])
        case "swap":
            lines[2], lines[3] = lines[3], lines[2]
        case "cut":
            lines[5] = lines[5][:-5]
    path.write_bytes(b"".join(lines))
    verdict = verify_chain(path)
    assert not verdict.holds
    assert verdict.broken_at in (3, 4, 6)


async def test_each_line_holds_the_hash_of_the_line_before(ledger, path):
    await ledger.append(Entry("front:visit:open"))
    await ledger.append(Entry("front:visit:purge"))
    first, second = path.read_bytes().splitlines(keepends=True)
    assert json.loads(first)["chain"] == "0" * 64
    assert json.loads(second)["chain"] == hashlib.sha256(first).hexdigest()


async def test_what_was_confirmed_survives_a_killed_writer(path):
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from gateway.ledger.entry import Entry\n"
        "from gateway.ledger.log import Ledger\n"
        f"ledger = Ledger(Path({str(path)!r}), b'k' * 32)\n"
        "async def main():\n"
        "    for _ in range(20): await ledger.append(Entry('front:visit:open'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert verify_chain(path).lines == 20


def test_a_folder_that_is_none_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't be opened"):
        Ledger(tmp_path / "file" / "ledger.jsonl", KEY)
