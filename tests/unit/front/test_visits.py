"""Whole visits seen from the front: real processes, a real EHR over HTTP, the relay, the broker and the end."""

import asyncio
import json
import os
import ssl
import statistics
import time
from datetime import datetime, timedelta

import httpx
import psutil
import pytest

from gateway.ehr.context import admit_launch
from gateway.errors import LaunchError, LedgerError, VisitError
from gateway.front.operator import OperatorDesk
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines
from gateway.store.database import Awaiting

pytestmark = pytest.mark.processes


@pytest.fixture
async def held(visits, site, context, access):
    held = await visits.start(site)
    await visits.open(held, context, access)
    return held


@pytest.fixture
def events(tmp_path):
    return lambda: [line.fields["event"] for line in read_lines(tmp_path / "state" / "ledger.jsonl")]


async def call(held, method, path, **given):
    """Through the relay, as the front does it: a real HTTP server would only be in the way."""

    async def app(scope, receive, send):
        await held.relay.pass_request(scope, receive, send, scope["path"])

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://front", timeout=10) as http:
        return await http.request(method, path, **given)


async def test_the_visit_is_handed_the_launch_and_answers(held):
    assert (await call(held, "GET", "/api/view")).json()["patient"] == "p1"


async def test_reading_adds_the_token_and_logs_before(held, ehr, events):
    reply = (await call(held, "GET", "/api/fhir/Patient/p1")).json()
    assert reply == {"status": 200, "body": '{"resourceType": "Patient"}'}
    method, path, headers, _ = ehr.requests[0]
    assert (method, path) == ("GET", "/fhir/Patient/p1")
    assert headers["authorization"] == "Bearer token-1"
    assert "cookie" not in headers
    assert events() == ["front:visit:open", "front:fhir:read"]


async def test_another_patients_search_is_refused_before_anything_is_sent(held, ehr):
    assert (await call(held, "GET", "/api/fhir/Consent?patient=p2")).json()["status"] == 403
    assert (await call(held, "GET", "/api/fhir/Patient/p2")).json()["status"] == 403
    assert ehr.requests == []


async def test_medications_are_passed_on_where_the_site_has_them_read(held, visits, site, context, access, ehr):
    search = "/api/fhir/MedicationRequest?patient=p1&status=active"
    assert (await call(held, "GET", search)).json()["status"] == 403
    await visits.abandon(held)
    chart = site.chart.model_copy(update={"medications": "MedicationRequest"})
    reading = await visits.start(site.model_copy(update={"chart": chart}))
    await visits.open(reading, context, access)
    assert (await call(reading, "GET", search)).json()["status"] == 200
    assert (await call(reading, "GET", search.replace("Request", "Statement"))).json()["status"] == 403
    assert [path for _, path, _, _ in ehr.requests] == ["/fhir/MedicationRequest?patient=p1&status=active"]


async def test_a_visit_says_nothing_to_the_ehr_but_what_a_fhir_call_says(held, ehr):
    given = {"X-HTTP-Method-Override": "DELETE", "X-Forwarded-User": "root", "Prefer": "return=representation"}
    assert (await call(held, "POST", "/api/write", content=b"{}", headers=given)).json()["status"] == 201
    headers = ehr.requests[0][2]
    assert headers["prefer"] == "return=representation"
    assert not any(name.startswith("x-") for name in headers)


async def test_a_refused_token_is_renewed_once(held, ehr, access):
    ehr.refuse_tokens = {"token-1"}
    assert (await call(held, "GET", "/api/fhir/Patient/p1")).json()["status"] == 200
    assert (await call(held, "POST", "/api/write", content=b"{}")).json()["status"] == 201
    ehr.refuse_tokens = {"token-2", "token-3"}
    assert (await call(held, "POST", "/api/write", content=b'{"note": 1}')).json()["status"] == 401
    assert [body for _, _, _, body in ehr.requests][-2:] == [b'{"note": 1}'] * 2


async def test_a_redirect_is_passed_on_and_never_followed(held, ehr):
    assert (await call(held, "GET", "/api/fhir/Binary/moved")).json()["status"] == 302
    assert len(ehr.requests) == 1


async def test_an_ehr_that_does_not_answer_is_unknown_and_one_that_is_down_is_not_reached(held, ehr, site):
    ehr.stall_seconds = 1.5
    assert (await call(held, "GET", "/api/fhir/Patient/p1")).json()["status"] == 504
    object.__setattr__(held.broker, "_base", "http://127.0.0.1:1/fhir")
    assert (await call(held, "GET", "/api/fhir/Patient/p1")).json()["status"] == 503


async def test_without_the_ledger_nothing_is_sent_to_the_ehr(held, ehr, monkeypatch):
    async def fail(self, entry):
        raise LedgerError("ledger.unwritable", "The log can't be written.")

    monkeypatch.setattr(Ledger, "append", fail)
    assert (await call(held, "GET", "/api/fhir/Patient/p1")).json()["status"] == 503
    assert (await call(held, "POST", "/api/write", content=b"{}")).json()["status"] == 503
    assert (await call(held, "POST", "/api/log", json={"event": "visit:draft:start"})).json()["status"] == 503
    assert (await call(held, "POST", "/api/log", json={"event": "visit:a:b", "owe": True})).json()["status"] == 202
    assert ehr.requests == []


async def test_the_visits_entries_carry_its_patient_as_a_hash(held, tmp_path):
    entry = {"event": "visit:draft:start", "counts": {"format": "soap", "segments": 3}}
    assert (await call(held, "POST", "/api/log", json=entry)).json()["status"] == 204
    words = {"event": "visit:draft:start", "counts": {"text": "what the patient said"}}
    assert (await call(held, "POST", "/api/log", json=words)).json()["status"] == 503
    line = list(read_lines(tmp_path / "state" / "ledger.jsonl"))[-1].fields
    assert (line["event"], line["segments"], line["visit"]) == ("visit:draft:start", 3, held.id)
    assert len(line["patient"]) == 32


@pytest.mark.parametrize("event", ["front:visit:open", "ledger:tail:cut", "visit", "Visit:a:b", " visit:a:b"])
async def test_a_visit_speaks_for_itself_alone_in_the_ledger(held, events, event):
    for owe in (False, True):
        assert (await call(held, "POST", "/api/log", json={"event": event, "owe": owe})).json()["status"] == 503
    assert events() == ["front:visit:open"]


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "Ada Marlowe wants to end her life"},
        {"outcome": "x" * 21},
        {"document": "Ada Marlowe"},
        {"document": "Patient/p1"},
        {"document": "DocumentReference/7/../../Patient/p2"},
        {"destroyed": ["x" * 4001]},
        {"note": "more"},
    ],
)
async def test_a_report_of_the_end_carries_no_content(held, change, caplog):
    await call(held, "POST", "/api/end", json={"outcome": "filed", "document": "DocumentReference/7", **change})
    await asyncio.wait_for(held.gone.wait(), 5)
    assert held.receipt.outcome == "lost"  # the visit left, and nobody knows how
    assert "Marlowe" not in "".join(record.getMessage() for record in caplog.records)


async def test_a_visit_that_ends_answers_first_then_leaves_a_receipt_and_nothing_else(
    held, visits, run_dir, access, database, events
):
    report = {"outcome": "cancelled", "destroyed": ["transcript"]}
    assert (await call(held, "POST", "/api/end", json=report)).json() == {"phase": "ended"}
    await asyncio.wait_for(held.gone.wait(), 5)
    await asyncio.sleep(0.05)
    assert held.receipt.to_view()["outcome"] == "cancelled"
    assert "transcript" in held.receipt.destroyed
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}
    assert not psutil.pid_exists(held.process.pid)
    assert access.forgotten
    assert database.list_open_visits() == []
    assert events()[-1] == "front:visit:purge"


async def file(held):
    await call(held, "POST", "/api/end", json={"outcome": "filed", "document": "DocumentReference/7"})
    await asyncio.wait_for(held.gone.wait(), 5)
    return held.receipt.to_view()


async def test_a_filed_note_is_watched_until_it_is_signed_and_the_receipt_says_what_that_keeps(
    held, watch, database, access, events, tmp_path
):
    receipt = await file(held)
    (kept,) = receipt["kept"]
    assert "reference" in kept
    assert "encrypted in the gateway's database, until the signature is seen, at most until 20" in kept
    assert kept.endswith("UTC; then deleted")
    assert any("tokens" in one for one in receipt["destroyed"])
    assert access.forgotten
    await until(lambda: watch.looks > 1)
    assert held.news.to_view()["status"] == "awaiting"
    assert [note.document for note in database.list_awaiting()] == ["DocumentReference/7"]
    for file_ in (tmp_path / "state").iterdir():
        assert b"DocumentReference/7" not in file_.read_bytes()
    watch.signed = True
    await until(lambda: held.news.status == "signed")
    await until(lambda: database.list_awaiting() == [])
    await until(lambda: events()[-1] == "front:signature:forget")


async def test_tokens_that_look_for_the_signature_are_kept_said_so_and_destroyed_then(held, watch, access, database):
    watch.keeps_session = True
    receipt = await file(held)
    assert not any("tokens" in one for one in receipt["destroyed"])
    _, kept = receipt["kept"]
    assert "tokens" in kept
    assert "in the gateway's memory" in kept
    assert "then destroyed" in kept
    assert not access.forgotten
    watch.signed = True
    await until(lambda: access.forgotten)
    await until(lambda: database.list_awaiting() == [])


async def test_at_the_deadline_the_reference_and_the_tokens_are_destroyed(
    visits, site, context, access, watch, database, events
):
    watch.keeps_session = True
    object.__setattr__(visits._rooms, "watch_days", 0.5 / 86400)
    held = await visits.start(site)
    await visits.open(held, context, access)
    await file(held)
    assert not access.forgotten
    await until(lambda: access.forgotten and database.list_awaiting() == [])
    await until(lambda: events()[-1] == "front:signature:forget")


async def test_where_nobody_may_look_nothing_is_kept(held, watch, access, database):
    watch.allowed = False
    receipt = await file(held)
    assert receipt["kept"] == []
    assert access.forgotten
    assert held.news.to_view()["status"] == "unknown"
    assert database.list_awaiting() == []
    assert watch.looks == 0


async def test_a_database_that_fails_keeps_no_reference_and_the_receipt_claims_none(held, database, monkeypatch):
    def fail(note):
        raise OSError("disk full")

    monkeypatch.setattr(database, "keep_awaiting", fail)
    assert (await file(held))["kept"] == []


async def test_after_a_restart_a_reference_that_nobody_may_use_is_forgotten(visits, watch, database, clock, events):
    watch.allowed = False
    for visit, days in (("a", 1), ("b", -1)):
        now = clock()
        database.keep_awaiting(Awaiting(visit, "test", "DocumentReference/7", "p1", now, now + timedelta(days=days)))
    assert await visits._signatures.resume() == 0
    assert database.list_awaiting() == []
    await until(lambda: events() == ["front:signature:forget"] * 2)


async def test_a_fresh_launch_comes_back_to_the_visit_that_runs(held, visits, site, context, access, ehr, events):
    assert visits.find_running(site, context) is held
    before = held.holding.secret
    await visits.come_back(held, context, type(access)("fresh"))
    assert access.forgotten
    assert not held.holding.is_holder(before)
    assert not held.holding.passed_it_on(before)
    await call(held, "GET", "/api/fhir/Patient/p1")
    assert ehr.requests[-1][2]["authorization"] == "Bearer fresh-1"
    assert "front:visit:come-back" in events()


async def test_a_launch_for_another_clinicians_visit_is_refused(held, visits, site, context):
    other = admit_launch({**context.to_message(), "practitioner": "Practitioner/somebody-else"})
    with pytest.raises(LaunchError, match="Another clinician"):
        visits.find_running(site, other)


async def test_a_launch_for_another_patient_or_encounter_finds_no_running_visit(held, visits, site, context):
    for change in ({"patient_id": "p9"}, {"encounter_id": "e9"}):
        assert visits.find_running(site, admit_launch({**context.to_message(), **change})) is None


async def test_a_visit_that_crashes_is_lost_and_purged(held, database):
    with pytest.raises(VisitError, match="ended"):
        await call(held, "POST", "/api/crash")
    await asyncio.wait_for(held.gone.wait(), 5)
    assert held.receipt.outcome == "lost"
    assert database.find_visit(held.id).outcome == "lost"


async def test_a_visit_past_its_deadline_is_told_and_ends(visits, site, context, access):
    object.__setattr__(visits._rooms, "visit_hours", 0.5 / 3600)
    held = await visits.start(site)
    await visits.open(held, context, access)
    await asyncio.wait_for(held.gone.wait(), 8)
    assert held.receipt.outcome == "expired"
    assert "a test" in held.receipt.destroyed


async def test_a_visit_that_was_never_opened_leaves_nothing(visits, site, run_dir):
    held = await visits.start(site)
    await visits.abandon(held)
    await until(lambda: visits.find(held.id) is None)
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}


async def test_what_an_earlier_front_left_is_cleaned_up(visits, database, run_dir, events):
    database.add_visit("earlier", "test", 999999)
    (run_dir / "earlier.ehr.sock").touch()
    await visits.clean_up()
    await until(lambda: events() == ["front:visit:purge"])
    assert database.find_visit("earlier").outcome == "lost"
    assert not (run_dir / "earlier.ehr.sock").exists()


async def test_rows_of_visits_that_ended_long_ago_are_deleted(visits, database, clock, monkeypatch, events):
    for visit, days, outcome in (("old", 31, "filed"), ("young", 29, "filed"), ("open", 31, None)):
        monkeypatch.setattr(database, "_clock", lambda days=days: clock() - timedelta(days=days))
        database.add_visit(visit, "test", 1)
        if outcome:
            database.close_visit(visit, outcome)
    monkeypatch.setattr(database, "_clock", clock)
    await visits.clean_up()
    await until(lambda: database.find_visit("old") is None)
    assert database.find_visit("young").outcome == "filed"
    assert database.find_visit("open").outcome == "lost"
    await until(lambda: "front:rows:delete" in events())


async def test_twenty_visits_leave_no_process_and_no_socket(visits, site, context, access, run_dir, fork_server):
    async def one():
        held = await visits.start(site)
        await visits.open(held, context, access)
        await call(held, "POST", "/api/end", json={"outcome": "cancelled"})
        await held.gone.wait()

    for _ in range(4):
        await asyncio.gather(*(one() for _ in range(5)))
    await until(lambda: not psutil.Process(fork_server.pid).children())
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}
    assert visits.count_running() == 0


# The relay --------------------------------------------------------------------------------------------------------


async def test_large_bodies_pass_both_ways_unchanged(held):
    body = os.urandom(5_000_000)
    reply = await call(held, "POST", "/api/echo", content=body, headers={"cookie": "__Host-visit-x=secret"})
    assert reply.content == body
    asked = await call(held, "POST", "/api/echo?cookie=", content=b"", headers={"cookie": "__Host-visit-x=secret"})
    assert asked.content == b"none"


async def test_events_pass_as_they_come(held):
    chunks, times = [], []

    async def send(message):
        if message.get("body"):
            chunks.append(message["body"])
            times.append(time.perf_counter())

    gone = asyncio.Event()

    async def receive():
        if not receive.asked:
            receive.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    receive.asked = False
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": []}
    passing = asyncio.create_task(held.relay.pass_request(scope, receive, send, "/api/events"))
    await until(lambda: len(chunks) >= 4)
    gone.set()
    await asyncio.wait_for(passing, 2)
    assert times[3] - times[0] > 0.1
    assert (await call(held, "GET", "/api/view")).status_code == 200


async def test_a_browser_that_goes_away_in_the_middle_harms_nothing(held):
    async def receive():
        if not receive.asked:
            receive.asked = True
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}
        return {"type": "http.disconnect"}

    receive.asked = False

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "query_string": b"", "headers": []}
    with pytest.raises(VisitError, match="ended"):
        await asyncio.wait_for(held.relay.pass_request(scope, receive, send, "/api/echo"), 3)
    assert (await call(held, "GET", "/api/view")).status_code == 200


async def test_the_relay_adds_little(held):
    direct = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(held.process.browser_socket)))
    own, relayed = [], []
    async with direct:
        for _ in range(100):
            began = time.perf_counter()
            await held.relay.post("/internal/open", b"{}")
            relayed.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await direct.post("http://visit/internal/open", content=b"{}")
            own.append((time.perf_counter() - began) * 1000)
    print(f"\nrelay {statistics.median(relayed):.2f} ms, plain httpx client {statistics.median(own):.2f} ms")
    assert statistics.median(relayed) < statistics.median(own) + 3


async def until(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_notification_reaches_the_visit_until_it_ends(visits, notices, site, context, access, ehr):
    consent = site.consent.model_copy(update={"subscription": True})
    held = await visits.start(site.model_copy(update={"consent": consent}))
    await visits.open(held, context, access)
    assert notices.take("notice-1")
    async with asyncio.timeout(5):
        while (await call(held, "GET", "/api/heard")).json() != {"heard": 1}:
            await asyncio.sleep(0.02)
    subscription = next(json.loads(body) for _, path, _, body in ehr.requests if path == "/fhir/Subscription")
    ends = datetime.fromisoformat(subscription["end"])
    assert abs((ends - held.opened_at).total_seconds() - 3600) <= 1
    await visits.abandon(held)
    assert not notices.take("notice-1")
    await notices.stop()
    assert ("DELETE", "/fhir/Subscription/7") in [sent[:2] for sent in ehr.requests]


async def test_a_visit_is_known_as_one_so_that_the_operators_socket_can_refuse_it(
    visits, held, run_dir, tmp_path, ledger
):
    assert visits.is_visit(held.process.pid)
    assert not visits.is_visit(os.getpid())
    desk = OperatorDesk({}, {}, ssl.create_default_context(), ledger, visits.is_visit)
    await desk.listen(run_dir, tmp_path)
    try:
        tried = await call(held, "POST", "/api/try/connect", content=str(run_dir / "operator.sock"))
        assert tried.json()["outcome"] != "done"
        transport = httpx.AsyncHTTPTransport(uds=str(run_dir / "operator.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            assert (await http.post("/consents")).status_code == 400  # this process is heard
    finally:
        desk.close()
