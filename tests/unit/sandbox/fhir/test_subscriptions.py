"""Subscriptions of the sandbox's record: who is told of what, and who is not."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.subscriptions import Subscriptions

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
CODE = {"coding": [{"system": "https://example.org/codes", "code": "x"}]}


class Record:
    """A record with two patients, its clock, and what it sent where."""

    def __init__(self) -> None:
        self.now = NOW
        self.sent: list[str] = []
        self.backend = MemoryBackend("http://127.0.0.1:8088/fhir", lambda: self.now)
        self.backend.subscriptions = Subscriptions("http://127.0.0.1:8088/fhir", lambda: self.now, self.keep)
        self.client = FhirClient(self.backend)

    async def keep(self, endpoint: str) -> None:
        self.sent.append(endpoint)

    async def told(self) -> int:
        await asyncio.sleep(0.01)
        count = len(self.sent)
        self.sent.clear()
        return count


@pytest.fixture
async def record() -> Record:
    record = Record()
    for id_ in ("ada", "bo"):
        await record.client.update({"resourceType": "Patient", "id": id_})
    return record


def consent(patient: str = "ada", **other: object) -> Resource:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": CODE,
        "category": [CODE],
        "patient": {"reference": f"Patient/{patient}"},
        "policyRule": CODE,
        **other,
    }


def subscription(endpoint: str = "http://127.0.0.1:1/notify/x", **other: object) -> Resource:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "a test",
        "criteria": "Consent?patient=ada",
        "channel": {"type": "rest-hook", "endpoint": endpoint},
        **other,
    }


async def test_each_change_of_what_matches_is_told_once(record: Record) -> None:
    stored = await record.client.create(subscription())
    assert stored["status"] == "active"
    made = await record.client.create(consent())
    assert await record.told() == 1
    changed = await record.client.update({**made, "status": "inactive"})
    assert await record.told() == 1
    await record.client.update(changed)
    assert await record.told() == 0  # nothing changed
    await record.client.delete("Consent", made["id"])
    assert await record.told() == 1


async def test_a_consent_that_becomes_anothers_is_told_too(record: Record) -> None:
    made = await record.client.create(consent())
    await record.client.create(subscription())
    await record.client.update({**made, "patient": {"reference": "Patient/bo"}})
    assert await record.told() == 1


async def test_other_patients_and_other_types_are_not_told(record: Record) -> None:
    await record.client.create(subscription())
    await record.client.create(consent("bo"))
    await record.client.create({"resourceType": "RelatedPerson", "patient": {"reference": "Patient/ada"}})
    assert await record.told() == 0


async def test_one_that_has_ended_was_turned_off_or_is_deleted_tells_nothing(record: Record) -> None:
    end = (NOW + timedelta(hours=1)).isoformat()
    ending = await record.client.create(subscription(end=end))
    turned_off = await record.client.create(subscription())
    deleted = await record.client.create(subscription())
    await record.client.update({**turned_off, "status": "off"})
    await record.client.delete("Subscription", deleted["id"])
    await record.client.create(consent())
    assert await record.told() == 1
    record.now = NOW + timedelta(hours=1)
    await record.client.create(consent())
    assert await record.told() == 0
    assert (await record.client.read("Subscription", ending["id"]))["end"] == end


@pytest.mark.parametrize(
    "other",
    [
        {"channel": {"type": "rest-hook", "endpoint": "https://example.org/notify"}},
        {"channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1.example.org/"}},
        {"channel": {"type": "rest-hook", "endpoint": "file:///etc/passwd"}},
        {"channel": {"type": "rest-hook", "endpoint": "http://[::1"}},
        {"channel": {"type": "rest-hook"}},
        {"channel": {"type": "rest-hook", "endpoint": "http://localhost:1/", "payload": "application/fhir+json"}},
        {"channel": {"type": "rest-hook", "endpoint": "http://localhost:1/", "header": ["Cookie: a"]}},
        {"channel": {"type": "email", "endpoint": "mailto:ada@example.org"}},
        {"criteria": "Consent?colour=red"},
        {"criteria": "Unheard?patient=ada"},
    ],
)
async def test_what_it_does_not_send_is_stored_as_an_error_with_the_reason(record: Record, other: Resource) -> None:
    stored = await record.client.create(subscription(**other))
    assert (stored["status"], bool(stored["error"])) == ("error", True)
    await record.client.create(consent())
    assert await record.told() == 0
    mended = await record.client.update({**stored, **subscription()})
    assert (mended["status"], "error" in mended) == ("active", False)


async def test_a_write_does_not_wait_for_a_notification_that_really_arrives(serve) -> None:
    arrived: list[bytes] = []
    may_answer = asyncio.Event()

    async def take(request: Request) -> Response:
        arrived.append(await request.body())
        await may_answer.wait()
        return Response(status_code=500)

    backend = MemoryBackend("http://127.0.0.1:8088/fhir")
    client = FhirClient(backend)
    await client.update({"resourceType": "Patient", "id": "ada"})
    async with serve(Starlette(routes=[Route("/notify/{token}", take, methods=["POST"])])) as address:
        await client.create(subscription(f"{address}/notify/x"))
        await client.create(consent())
        assert arrived == []
        async with asyncio.timeout(5):
            while not arrived:
                await asyncio.sleep(0.01)
        assert arrived == [b""]
        may_answer.set()
    await client.create(consent())  # nobody is there any more
    await asyncio.sleep(0.05)
    await backend.subscriptions.close()
