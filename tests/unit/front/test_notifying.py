"""Consent followed by Subscription: what is asked of the EHR, and what a notification does and does not do."""

import asyncio
import itertools
import json
import logging
import secrets
import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.errors import LedgerError, VisitError
from gateway.front import notifying
from gateway.front.notifying import MAX_BODY_BYTES, ConsentNotices, build_subscription, create_notify_route
from gateway.ledger.log import Ledger
from gateway.ledger.reading import read_lines
from tests.unit.front.conftest import FixedAccess

UNTIL = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)


@pytest.fixture
def following(site):
    return site.model_copy(update={"consent": site.consent.model_copy(update={"subscription": True})})


@pytest.fixture
def entries(tmp_path):
    def read():
        lines = [line.fields for line in read_lines(tmp_path / "state" / "ledger.jsonl")]
        return [(line["event"], line.get("outcome", "")) for line in lines]

    return read


class Heard:
    """A visit that counts how often it is told; ``fails`` of the first times it can't be."""

    def __init__(self, fails=0):
        self.times, self.fails = [], fails

    async def __call__(self):
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) <= self.fails:
            raise VisitError("visit.gone", "This visit has ended.")


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(notifying, "PAUSE_SECONDS", 0.1)


@pytest.fixture
async def server(notices):
    transport = httpx.ASGITransport(app=Starlette(routes=[create_notify_route(notices)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://front") as http:
        yield http


async def wait_until(holds):
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_subscription_is_made_for_the_visit_and_dropped_at_its_end(notices, following, ehr, entries):
    notices.follow("v1", following, "p1", UNTIL, Heard())
    await wait_until(lambda: len(ehr.requests) == 1)
    method, path, headers, body = ehr.requests[0]
    assert (method, path, headers["authorization"]) == ("POST", "/fhir/Subscription", "Bearer backend-1")
    assert json.loads(body) == {
        "resourceType": "Subscription",
        "status": "requested",
        "end": "2026-11-23T19:00:00Z",
        "reason": notifying.REASON,
        "criteria": "Consent?patient=p1",
        "channel": {"type": "rest-hook", "endpoint": "https://notes.test/notify/notice-1"},
    }
    await wait_until(lambda: ("front:subscription:create", "done") in entries())
    notices.end("v1")
    await wait_until(lambda: len(ehr.requests) == 2)
    assert ehr.requests[1][:2] == ("DELETE", "/fhir/Subscription/7")
    await wait_until(lambda: len(entries()) == 4)
    created, deleted = "front:subscription:create", "front:subscription:delete"
    assert entries() == [(created, ""), (created, "done"), (deleted, ""), (deleted, "done")]


def test_its_end_is_written_in_utc():
    until = datetime(2026, 11, 23, 14, 0, 0, 999, tzinfo=UTC) + timedelta(0)
    assert build_subscription("p1", "https://notes.test/notify/x", until)["end"] == "2026-11-23T14:00:00Z"


async def test_a_site_that_offers_none_is_not_asked(notices, site, following, ehr, entries):
    notices.follow("v1", site, "p1", UNTIL, Heard())
    notices.follow("v2", following.model_copy(update={"id": "without-backend"}), "p1", UNTIL, Heard())
    await asyncio.sleep(0.1)
    assert ehr.requests == []
    assert not notices.take("notice-1")


async def test_nothing_is_asked_before_its_entry_is_in_the_ledger(notices, following, ehr, monkeypatch):
    async def fail(self, entry):
        raise LedgerError("ledger.unwritable", "The log can't be written.")

    monkeypatch.setattr(Ledger, "append", fail)
    notices.follow("v1", following, "p1", UNTIL, Heard())
    await asyncio.sleep(0.1)
    assert ehr.requests == []


async def test_a_refusal_stops_nothing_and_is_logged_without_token_or_patient(notices, following, ehr, entries, caplog):
    caplog.set_level(logging.DEBUG)
    ehr.refuse_tokens = {"backend-1", "backend-2"}
    heard = Heard()
    notices.follow("v1", following, "patient-1", UNTIL, heard)
    await wait_until(lambda: ("front:subscription:create", "ehr.401") in entries())
    assert notices.take("notice-1")  # whoever sends it: the worst is a read
    await wait_until(lambda: heard.times)
    notices.end("v1")
    await notices.stop()
    assert [method for method, *_ in ehr.requests] == ["POST", "POST"]
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("countersign"))
    assert "notices.create.failed visit=v1 code=ehr.401" in said
    assert "notice-1" not in said
    assert "patient-1" not in said


async def test_a_deletion_that_fails_holds_nobody_up(notices, following, ehr, entries):
    notices.follow("v1", following, "p1", UNTIL, Heard())
    await wait_until(lambda: ("front:subscription:create", "done") in entries())
    ehr.stall_seconds = 10
    notices.end("v1")
    assert not notices.take("notice-1")
    await wait_until(lambda: ("front:subscription:delete", "ehr.no-answer") in entries())


async def test_one_that_is_made_after_the_end_is_dropped_too(notices, following, ehr):
    ehr.stall_seconds = 0.2
    notices.follow("v1", following, "p1", UNTIL, Heard())
    await asyncio.sleep(0.05)
    notices.end("v1")
    await notices.stop()
    assert [method for method, *_ in ehr.requests] == ["POST", "DELETE"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_notification_tells_its_visit_and_no_other(notices, following, server, fast, method):
    one, other = Heard(), Heard()
    notices.follow("v1", following, "p1", UNTIL, one)
    notices.follow("v2", following, "p2", UNTIL, other)
    reply = await server.request(method, "/notify/notice-1", content=b'{"resourceType": "Consent"}')
    assert (reply.status_code, reply.content) == (202, b"")
    await wait_until(lambda: one.times)
    assert other.times == []


@pytest.mark.parametrize("token", ["notice-2", "", "notice-1/more", "Notice-1", "%00", "x" * 10_000])
async def test_an_unknown_token_is_nothing(notices, following, server, token):
    heard = Heard()
    notices.follow("v1", following, "p1", UNTIL, heard)
    assert (await server.post(f"/notify/{token}")).status_code == 404
    await asyncio.sleep(0.05)
    assert heard.times == []


async def test_a_notification_is_not_a_page(server):
    assert (await server.get("/notify/notice-1")).status_code == 405


async def test_many_notifications_are_few_messages_and_the_last_is_not_lost(notices, following, fast):
    heard = Heard()
    notices.follow("v1", following, "p1", UNTIL, heard)
    ends = asyncio.get_running_loop().time() + 0.35
    sent = 0
    while asyncio.get_running_loop().time() < ends:
        sent += notices.take("notice-1")
        await asyncio.sleep(0.002)
    last = asyncio.get_running_loop().time()
    await wait_until(lambda: heard.times[-1] >= last - 0.002)
    await asyncio.sleep(0.2)
    assert sent > 30
    assert len(heard.times) <= 6
    assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(heard.times))


async def test_a_message_that_did_not_arrive_is_sent_again(notices, following, fast):
    heard = Heard(fails=2)
    notices.follow("v1", following, "p1", UNTIL, heard)
    notices.take("notice-1")
    await wait_until(lambda: len(heard.times) == 3)
    await asyncio.sleep(0.3)
    assert len(heard.times) == 3


async def test_a_long_body_is_not_read_to_its_end(notices, following, fast):
    heard, given = Heard(), []
    notices.follow("v1", following, "p1", UNTIL, heard)
    sent = []

    async def receive():
        given.append(1)
        return {"type": "http.request", "body": b"x" * 4096, "more_body": True}

    async def send(message):
        sent.append(message)

    path = "/notify/notice-1"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
    app = Starlette(routes=[create_notify_route(notices)])
    await app({**scope, "query_string": b"", "http_version": "1.1", "scheme": "http"}, receive, send)
    assert sent[0]["status"] == 202
    assert len(given) * 4096 <= MAX_BODY_BYTES + 4096
    await wait_until(lambda: heard.times)


async def test_the_token_is_random_enough(following, ehr, ledger):
    asked = []
    notices = ConsentNotices(
        {"test": FixedAccess()},
        ssl.create_default_context(),
        ledger,
        "https://notes.test",
        lambda n: asked.append(n) or "",
    )
    notices.follow("v1", following, "p1", UNTIL, Heard())
    await notices.stop()
    assert asked[0] * 8 >= 128


async def test_the_sandbox_tells_of_a_revocation_and_forgets_the_visit_afterwards(practice):
    """A real server with its sign-in on one side, a real port of the front's on the other."""
    ledger, verify, heard = practice.hold_ledger(), ssl.create_default_context(), Heard()
    config = uvicorn.Config(None, port=0, log_config=None, lifespan="off")
    listener = config.bind_socket()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(trust_env=False) as http:
        access = practice.make_access(http, notifying.SUBSCRIPTION_SCOPES)
        notices = ConsentNotices({"sandbox": access}, verify, ledger, address, secrets.token_urlsafe)
        config.app = Starlette(routes=[create_notify_route(notices)])
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        site = practice.site.model_copy(
            update={"consent": practice.site.consent.model_copy(update={"subscription": True})}
        )
        notices.follow("v1", site, "ada-marlowe", datetime.now(UTC) + timedelta(hours=1), heard)
        await wait_until(lambda: len(practice.entries()) == 2)
        chart = f"{site.issuer.removesuffix('/fhir')}/patient"
        for patient, is_heard in (("jonas-telford", 0), ("ada-marlowe", 1)):
            answer = await http.post(
                f"{chart}/{patient}/{patient}-telehealth/revoke", headers={"accept": "application/json"}
            )
            assert answer.status_code < 400, answer.text
            await asyncio.sleep(0.3)
            assert bool(heard.times) == is_heard
        assert len(await practice.sandbox.record.search("Subscription")) == 1
        notices.end("v1")
        await notices.stop()
        assert await practice.sandbox.record.search("Subscription") == []
    server.should_exit = True
    await serving
    listener.close()
    ledger.close()
