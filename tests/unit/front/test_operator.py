"""An operator reads a test patient's Consents: through the gateway that runs, or by herself where none does."""

import json
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.app import LEDGER_FILE, read_record
from gateway.consent.record import READ_SCOPES, ConsentRecord
from gateway.errors import CountersignError, LedgerError
from gateway.front import operator
from gateway.front.operator import SOCKET, OperatorDesk, OperatorError, ask_gateway
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines, verify_chain
from gateway.settings import ROOT
from tests.browser.demo_servers import run_product
from tests.unit.front.conftest import make_folder
from tests.unit.front.practice import ADA, JONAS, Practice

pytest.importorskip("jinja2", reason="the sandbox is an extra: pip install countersign[sandbox]")

EVENT = "operator:consents:read"


@dataclass
class Running:
    """The part of a running front that operators meet."""

    desk: OperatorDesk
    run_dir: Path
    visits: set[int]


@pytest.fixture
async def running(practice: Practice) -> AsyncIterator[Running]:
    ledger, verify, visits = practice.hold_ledger(), ssl.create_default_context(), set()
    with make_folder() as run_dir:
        async with httpx.AsyncClient(trust_env=False) as http:
            access = practice.make_access(http, READ_SCOPES)
            desk = OperatorDesk({"sandbox": practice.site}, {"sandbox": access}, verify, ledger, visits.__contains__)
            await desk.listen(run_dir, practice.settings.state)
            yield Running(desk, run_dir, visits)
            desk.close()
    ledger.close()


def check_entries(practice: Practice, outcome: str = "done", **counts: int) -> None:
    first, second = practice.entries()[-2:]
    assert (first["event"], second["event"], second["outcome"]) == (EVENT, EVENT, outcome)
    assert "outcome" not in first
    assert (first["site"], first["uid"], len(first["patient"])) == ("sandbox", os.geteuid(), 32)
    assert {name: second[name] for name in counts} == counts
    assert verify_chain(practice.settings.state / LEDGER_FILE).holds
    assert ADA not in json.dumps(practice.entries())


def check_record(practice: Practice, record: ConsentRecord) -> None:
    assert (record.patient_id, record.birth_date, record.problems) == (ADA, "1988-04-17", ())
    assert record.consents
    assert {one["patient"]["reference"] for one in record.consents} == {f"Patient/{ADA}"}


async def test_without_a_gateway_the_command_reads_and_writes_the_entry_itself(practice):
    record = await practice.read()
    check_record(practice, record)
    check_entries(practice, consents=len(record.consents), related=len(record.related))
    practice.hold_ledger().close()  # it was let go


async def test_with_a_gateway_that_one_reads_and_writes_the_entry(practice, running):
    record = await practice.read()
    check_record(practice, record)
    check_entries(practice, consents=len(record.consents))
    assert (await practice.read(JONAS)).consents != record.consents


async def test_its_token_has_these_scopes_alone_and_is_not_kept(practice, running):
    asked = []
    issue = practice.sandbox.grants.issue_access
    practice.sandbox.grants.issue_access = lambda grant, seconds: asked.append(grant) or issue(grant, seconds)
    await practice.read()
    await practice.read()
    assert [str(grant.scopes) for grant in asked] == [READ_SCOPES] * 2


async def check_refusals(practice: Practice) -> None:
    with pytest.raises(CountersignError) as caught:
        await practice.read("nobody-of-this-id")
    assert (caught.value.code, "nobody-of-this-id" in caught.value.public) == ("operator.patient", False)
    check_entries(practice, "operator.patient")
    practice.sandbox.policy.change({"grant": ["system/Patient.r", "system/Consent.r"]})
    with pytest.raises(CountersignError) as caught:
        await practice.read()
    assert caught.value.code == "token.scopes"
    assert "system/Consent.rs, system/RelatedPerson.rs" in caught.value.public
    check_entries(practice, "token.scopes")


async def test_alone_an_unknown_patient_and_refused_scopes_are_named(practice):
    await check_refusals(practice)


async def test_through_the_gateway_an_unknown_patient_and_refused_scopes_are_named(practice, running):
    await check_refusals(practice)


async def test_a_client_that_the_ehr_can_not_know_is_explained(practice):
    async def fetch(url):
        raise OSError("nobody serves the JWKS")

    practice.sandbox.clients._fetch_json = fetch
    with pytest.raises(OperatorError) as caught:
        await practice.read()
    assert caught.value.code == "operator.keys"


async def test_nothing_is_read_where_the_ledger_can_not_be_written(practice, running, monkeypatch):
    async def fail(self, entry):
        raise LedgerError("ledger.unwritable", "The log can't be written.")

    monkeypatch.setattr(Ledger, "append", fail)
    monkeypatch.setattr(operator, "read_consent_record", None)
    with pytest.raises(OperatorError) as caught:
        await practice.read()
    assert caught.value.code == "ledger.unwritable"


async def test_a_ledger_that_is_held_without_an_answer_is_said(practice):
    ledger = practice.hold_ledger()
    for leave in ("nothing", "a link to nowhere"):
        if leave != "nothing":
            (practice.settings.state / SOCKET).symlink_to("/nowhere/operator.sock")
        with pytest.raises(OperatorError) as caught:
            await practice.read()
        assert caught.value.code == "operator.unanswered"
    ledger.close()


async def test_the_socket_is_this_users_alone_and_gone_afterwards(practice, running):
    path, link = running.run_dir / SOCKET, practice.settings.state / SOCKET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert link.resolve() == path.resolve()
    running.desk.close()
    assert not path.exists()
    assert not link.is_symlink()


async def test_a_front_that_is_started_again_takes_the_place_of_one_that_was_killed(practice, running):
    running.desk.close()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(running.run_dir / SOCKET))
    (practice.settings.state / SOCKET).symlink_to("/nowhere/operator.sock")
    await running.desk.listen(running.run_dir, practice.settings.state)
    check_record(practice, await practice.read())


async def test_a_front_whose_state_folder_takes_no_link_goes_on_without_operators(practice, running, caplog):
    running.desk.close()
    await running.desk.listen(running.run_dir, practice.settings.state / "nowhere")
    assert "operator.unheard errno=2" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("stranger", ["another user", "a visit"])
async def test_others_are_hung_up_on_unheard(practice, running, monkeypatch, stranger):
    if stranger == "a visit":
        running.visits.add(os.getpid())
    else:
        monkeypatch.setattr(operator.os, "geteuid", lambda: 12345)
        monkeypatch.setattr(operator, "read_peer", lambda connection: (os.getpid(), 54321))
    with pytest.raises(OperatorError) as caught:
        await ask_gateway(practice.settings.state, practice.site, ADA)
    assert caught.value.code == "operator.unanswered"
    assert not [entry for entry in practice.entries() if entry["event"] == EVENT]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"site": "elsewhere", "patient": ADA}, "operator.site"),
        ({"site": "sandbox", "patient": "../Patient"}, "operator.site"),
        ({"site": "sandbox"}, "operator.question"),
        ({"site": "sandbox", "patient": 7}, "operator.question"),
        ({"site": "sandbox", "patient": ADA, "more": "x"}, "operator.question"),
        ({"site": "sandbox", "patient": "x" * 10_000}, "operator.question"),
        ([], "operator.question"),
    ],
)
async def test_a_question_that_is_none_is_refused(practice, running, body, code):
    transport = httpx.AsyncHTTPTransport(uds=str(running.run_dir / SOCKET))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        reply = await http.post("/consents", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


async def test_a_folder_of_another_user_is_left_alone(practice, monkeypatch):
    monkeypatch.setattr("gateway.app.os.geteuid", lambda: 12345)
    with pytest.raises(OperatorError) as caught:
        read_record(practice.settings, practice.site, ADA)
    assert caught.value.code == "operator.user"
    assert not (practice.settings.state / LEDGER_FILE).exists()


def explain(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    environment |= {"COUNTERSIGN_CONFIG_DIR": str(folder / "config"), "COUNTERSIGN_STATE_DIR": str(folder / "state")}
    return subprocess.run(
        [sys.executable, "-m", "gateway", "consent", "explain", *words],
        cwd=ROOT,
        env=environment | {"COLUMNS": "110"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.processes
def test_the_command_asks_the_gateway_that_runs():
    with make_folder() as folder, run_product(folder) as product:
        done = explain(folder, "--ehr", "sandbox", "--patient", ADA, "--actor", "Practitioner/mara-ellison")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Consents, Patient/{ADA} at sandbox" in done.stdout
        assert done.stdout.count("yes") >= 3
        asked = explain(folder, "--ehr", "sandbox", "--patient", "nobody")
        assert asked.returncode == 1
        assert asked.stderr.startswith("countersign: The EHR knows no patient of this id.")
        assert asked.stderr.count("\n") == 1
        events = [line.fields["event"] for line in read_lines(folder / "state" / LEDGER_FILE)]
        assert events == [EVENT] * 4
        assert "operator.read site=sandbox" in product.read_said()
        assert stat.S_IMODE((folder / "run" / SOCKET).stat().st_mode) == 0o600
