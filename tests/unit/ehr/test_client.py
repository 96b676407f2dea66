"""The FHIR client against a server in this process, and over real sockets where the wire itself misbehaves."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from gateway.ehr.client import FhirClient
from gateway.ehr.exchange import translate_errors
from gateway.ehr.reference import Reference
from gateway.errors import EhrError, EhrGarbled, EhrRefused, EhrUnreachable

EHR = "https://ehr.example.org/fhir"
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
async def answer() -> AsyncIterator[Callable[..., FhirClient]]:
    """``answer(handler or responses…)``: a client whose server answers so, one after another."""
    clients: list[httpx.AsyncClient] = []

    def answer(*answers: httpx.Response | Handler, **options: Any) -> FhirClient:
        queue = list(answers)

        def handle(request: httpx.Request) -> httpx.Response:
            client.requests.append(request)  # type: ignore[attr-defined]
            one = queue.pop(0) if len(queue) > 1 else queue[0]
            return one(request) if callable(one) else one

        http = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://broker")
        clients.append(http)
        client = FhirClient(http, ehr_base=EHR, **options)
        client.requests = []  # type: ignore[attr-defined]
        return client

    yield answer
    for http in clients:
        await http.aclose()


def bundle(*resources: Any, following: str = "", type_: str = "searchset") -> httpx.Response:
    links = [{"relation": "next", "url": following}] if following else []
    entries = [one if "resource" in one or one.get("raw") else {"resource": one} for one in resources]
    return httpx.Response(200, json={"resourceType": "Bundle", "type": type_, "link": links, "entry": entries})


def consent(id_: str) -> dict[str, Any]:
    return {"resourceType": "Consent", "id": id_}


async def test_reads_one_resource_below_the_base(answer):
    client = answer(httpx.Response(200, json={"resourceType": "Patient", "id": "1"}))
    assert (await client.read("Patient", "1"))["id"] == "1"
    await client.read("Patient", "1", version="2")
    assert [str(one.url) for one in client.requests] == [
        "http://broker/fhir/Patient/1",
        "http://broker/fhir/Patient/1/_history/2",
    ]


@pytest.mark.parametrize("body", [{"resourceType": "Patient", "id": "2"}, {"resourceType": "Group", "id": "1"}, {}])
async def test_a_wrong_resource_is_garbled(answer, body):
    with pytest.raises(EhrGarbled, match=r"wrong-resource"):
        await answer(httpx.Response(200, json=body)).read("Patient", "1")


@pytest.mark.parametrize("id_", ["../Group/1", "1/2", "", ".", "..", "a b", "1?x=1", "%2e%2e"])
async def test_an_id_never_leaves_its_place_in_the_path(answer, id_):
    client = answer(httpx.Response(200, json={}))
    with pytest.raises(EhrGarbled, match=r"wrong-id"):
        await client.read("Patient", id_)
    assert client.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 418, 422, 429, 500, 503])
async def test_a_no_says_what_to_do_and_nothing_of_the_patient(answer, status):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "conflict", "diagnostics": "Jane Roe, born 1990"}],
    }
    with pytest.raises(EhrRefused) as caught:
        await answer(httpx.Response(status, json=outcome)).read("Patient", "1")
    assert caught.value.http_status == status
    assert caught.value.detail == f"HTTP {status} conflict"
    assert caught.value.public.endswith(".")
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize("status", [502, 504])
async def test_a_proxy_without_an_answer_leaves_the_outcome_unknown(answer, status):
    with pytest.raises(EhrUnreachable, match=r"no-answer"):
        await answer(httpx.Response(status)).create(consent("1"))


@pytest.mark.parametrize("issues", [None, "x", [7, {"code": 7}, {"code": "Jane Roe"}]])
async def test_an_outcome_that_is_none_adds_nothing(answer, issues):
    with pytest.raises(EhrRefused) as caught:
        await answer(httpx.Response(404, json={"issue": issues})).read("Patient", "1")
    assert caught.value.detail == "HTTP 404"


async def test_a_redirect_is_not_followed(answer):
    client = answer(httpx.Response(302, headers={"location": "https://evil.example.org"}))
    with pytest.raises(EhrGarbled, match=r"redirected"):
        await client.read("Patient", "1")
    assert len(client.requests) == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b"[1]", b"\xff\xfe", b'{"a":', b"[" * 100_000])
async def test_an_answer_that_is_no_json_object_is_garbled(answer, content):
    with pytest.raises(EhrGarbled):
        await answer(httpx.Response(200, content=content)).read("Patient", "1")


async def test_a_reply_without_end_is_cut_off(answer, monkeypatch):
    monkeypatch.setattr("gateway.ehr.client.send_request", limited(1000))
    with pytest.raises(EhrGarbled, match=r"too-large"):
        await answer(httpx.Response(200, content=b"x" * 1001)).read("Patient", "1")


def limited(max_bytes: int) -> Any:
    from gateway.ehr.exchange import send_request

    return lambda *given, **named: send_request(*given, **named, max_bytes=max_bytes)


async def test_follows_next_within_the_ehrs_base(answer):
    pages = (
        bundle(consent("1"), following=f"{EHR}?_getpages=abc&page=2"),
        bundle(consent("2"), following="Consent?page=3"),
        bundle(consent("3")),
    )
    client = answer(*pages)
    found = await client.search("Consent", {"patient": "1"})
    assert [one["id"] for one in found.matches] == ["1", "2", "3"]
    assert found.problems == ()
    assert [one.url.raw_path.decode() for one in client.requests] == [
        "/fhir/Consent?patient=1",
        "/fhir?_getpages=abc&page=2",
        "/fhir/Consent?page=3",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.org/fhir/Consent?page=2",
        "http://ehr.example.org/fhir/Consent?page=2",
        "https://ehr.example.org/fhirx/Consent?page=2",
        "https://ehr.example.org/fhir/../admin",
        "https://ehr.example.org/fhir/%2e%2e/admin",
        "https://ehr.example.org/other",
        "https://user@ehr.example.org/fhir/Consent",
        "https://ehr.example.org/fhir/Consent#x",
    ],
)
async def test_a_next_that_leads_away_is_a_problem_not_a_request(answer, link):
    client = answer(bundle(consent("1"), following=link))
    found = await client.search("Consent", {"patient": "1"})
    assert len(client.requests) == 1
    assert len(found.matches) == 1
    assert "goes on where it can't be followed" in found.problems[0]


async def test_pages_have_an_end(answer):
    numbers = iter(range(100))
    client = answer(lambda _: bundle(consent("1"), following=f"{EHR}/Consent?page={next(numbers)}"), max_pages=3)
    assert len((await client.search("Consent", {})).problems) == 1
    assert len(client.requests) == 3
    looping = answer(lambda _: bundle(consent("1"), following=f"{EHR}/Consent?page=1"))
    assert len((await looping.search("Consent", {})).problems) == 1


async def test_a_page_that_fails_is_a_problem_of_the_result(answer):
    client = answer(bundle(consent("1"), following=f"{EHR}/Consent?page=2"), httpx.Response(500))
    found = await client.search("Consent", {})
    assert len(found.matches) == 1
    assert found.problems == ("A part of the EHR's list of Consent resources could not be read (ehr.500).",)


async def test_entries_are_read_one_by_one(answer):
    outcome = {"resourceType": "OperationOutcome"}
    found = await answer(
        bundle(
            consent("1"),
            {"raw": True},
            {"resource": {"resourceType": "Consent"}},
            {"resource": {"resourceType": "Basic", "id": "b"}},
            {"resource": {"resourceType": "Patient", "id": "1"}, "search": {"mode": "include"}},
            {"resource": {**outcome, "issue": [{"severity": "warning"}]}, "search": {"mode": "outcome"}},
            {"resource": {**outcome, "issue": [{"severity": "error"}]}, "search": {"mode": "outcome"}},
        )
    ).search("Consent", {})
    assert [one["id"] for one in found.matches] == ["1"]
    assert [one["id"] for one in found.included] == ["1"]
    assert len(found.problems) == 4


async def test_a_search_that_gives_no_bundle_is_garbled(answer):
    with pytest.raises(EhrGarbled):
        await answer(httpx.Response(200, json=consent("1"))).search("Consent", {})
    broken = httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": {}})
    assert len((await answer(broken).search("Consent", {})).problems) == 1


async def test_reads_the_history_of_a_resource(answer):
    client = answer(bundle(consent("1"), type_="history"))
    assert len((await client.history("Consent", "1")).matches) == 1


NOTE = {"resourceType": "DocumentReference", "status": "current"}


async def test_creates_once_and_asks_for_the_representation(answer):
    stored = {**NOTE, "id": "9", "meta": {"versionId": "1"}}
    client = answer(httpx.Response(201, json=stored, headers={"location": f"{EHR}/DocumentReference/9/_history/1"}))
    result = await client.create(NOTE, if_none_exist="identifier=urn%3Ax%7C1")
    assert result.reference == Reference("DocumentReference", "9", "1")
    assert result.created
    assert result.resource == stored
    sent = client.requests[0]
    assert sent.headers["prefer"] == "return=representation"
    assert sent.headers["if-none-exist"] == "identifier=urn%3Ax%7C1"
    assert sent.headers["content-type"] == "application/fhir+json"
    assert json.loads(sent.content) == NOTE


async def test_understands_an_empty_201_with_a_relative_location(answer):
    """As Epic documents it."""
    result = await answer(httpx.Response(201, headers={"location": "DocumentReference/eXy.9"})).create(NOTE)
    assert (str(result.reference), result.reference.version) == ("DocumentReference/eXy.9", None)
    assert result.resource is None


async def test_takes_the_version_of_the_etag_and_tells_found_from_made(answer):
    headers = {"location": f"{EHR}/DocumentReference/9", "etag": 'W/"4"'}
    result = await answer(httpx.Response(200, headers=headers)).create(NOTE)
    assert result.reference.version == "4"
    assert not result.created


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(201),
        httpx.Response(200, text="<html>ok</html>"),
        httpx.Response(200, json={"resourceType": "Bundle"}),
        httpx.Response(201, json={**NOTE, "id": "8"}, headers={"location": "DocumentReference/9"}),
        httpx.Response(201, headers={"location": "Binary/9"}),
        httpx.Response(201, headers={"location": "/login?next=x"}),
        httpx.Response(201, json={"resourceType": "OperationOutcome"}),
    ],
)
async def test_a_success_that_does_not_say_what_it_made_is_garbled(answer, response):
    with pytest.raises(EhrGarbled, match=r"wrong-reply"):
        await answer(response).create(NOTE)


async def test_updates_only_the_version_it_knows(answer):
    client = answer(httpx.Response(200))
    result = await client.update({**NOTE, "id": "9"}, version="3")
    assert client.requests[0].headers["if-match"] == 'W/"3"'
    assert str(result.reference) == "DocumentReference/9"
    with pytest.raises(EhrGarbled):
        await answer(httpx.Response(200, json={**NOTE, "id": "8"})).update({**NOTE, "id": "9"})


async def test_tells_what_a_server_can_do(answer):
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "software": {"name": "Test"},
        "rest": [
            {"mode": "client"},
            {
                "mode": "server",
                "resource": [
                    {
                        "type": "Consent",
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [{"name": "patient"}],
                        "conditionalCreate": True,
                    },
                    {"type": "Binary"},
                ],
            },
        ],
    }
    capability = await answer(httpx.Response(200, json=statement)).capability()
    assert (capability.fhir_version, capability.software) == ("4.0.1", "Test")
    assert capability.supports("Consent", "read")
    assert not capability.supports("Consent", "create")
    assert not capability.supports("Patient", "read")
    assert capability.conditional_create == {"Consent"}
    with pytest.raises(EhrGarbled):
        await answer(httpx.Response(200, json={})).capability()


def _httpx_errors() -> list[type[Exception]]:
    found = [one for _, one in inspect.getmembers(httpx, inspect.isclass) if issubclass(one, Exception)]
    return [one for one in found if one is not httpx.HTTPStatusError]  # raised by raise_for_status alone


@pytest.mark.parametrize("kind", _httpx_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_httpx_is_translated(kind):
    arguments = (
        ()
        if kind in (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead)
        else ("x",)
    )
    with pytest.raises(EhrError) as caught, translate_errors():
        raise kind(*arguments)
    assert caught.value.detail == kind.__name__


@asynccontextmanager
async def serve(reply: bytes | None, *, reset: bool = False) -> AsyncIterator[str]:
    """A server on a free port that sends this and closes, or nothing at all. Gives its base URL."""
    calls: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if reply is None:
                await reader.read()
            writer.write(reply or b"")
            await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
    await asyncio.gather(*(call for call in calls if call))


@pytest.mark.parametrize(
    ("reply", "reset"),
    [
        (None, False),
        (b"", False),
        (b"", True),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"resour', False),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"resour', True),
        (b"SSH-2.0-nothing\r\n\r\n", False),
    ],
)
async def test_whatever_breaks_on_the_wire_leaves_the_outcome_unknown(reply, reset):
    async with serve(reply, reset=reset) as base, httpx.AsyncClient() as http:
        with pytest.raises(EhrUnreachable, match=r"no-answer"):
            await FhirClient(http, base, timeout_seconds=0.3).create(NOTE)


async def test_a_port_without_a_server_means_nothing_was_sent():
    async with serve(b"") as base:
        pass
    async with httpx.AsyncClient() as http:
        with pytest.raises(EhrUnreachable, match=r"not-reached"):
            await FhirClient(http, base).read("Patient", "1")


async def test_a_broken_compression_is_garbled():
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    async with serve(reply) as base, httpx.AsyncClient() as http:
        with pytest.raises(EhrGarbled):
            await FhirClient(http, base).read("Patient", "1")
