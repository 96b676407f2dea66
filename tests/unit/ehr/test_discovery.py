"""Discovery: what is accepted, what is refused, and whom it never asks."""

import asyncio

import httpx
import pytest

from gateway.ehr.discovery import Discovery, is_loopback, read_configuration, read_key_set
from gateway.errors import EhrError, EhrGarbled, EhrRefused, EhrUnreachable
from tests.unit.ehr.conftest import BASE, make_site


async def test_resolves_relative_addresses_against_the_base(http, clock, server, site):
    server.configuration = {"token_endpoint": "auth/token", "jwks_uri": "/keys"}
    found = await Discovery(http, clock).read_configuration(site)
    assert found.token_endpoint == f"{BASE}/auth/token"
    assert found.jwks_uri == "https://ehr.example.org/keys"
    assert str(server.requests[0].url) == f"{BASE}/.well-known/smart-configuration"


async def test_asks_once_until_its_time_is_over(http, clock, server, site):
    discovery = Discovery(http, clock, ttl_seconds=60)
    await asyncio.gather(*(discovery.read_keys(site) for _ in range(5)))
    assert len(server.requests) == 2
    clock.advance(59)
    await discovery.read_keys(site)
    assert len(server.requests) == 2
    clock.advance(1)
    await discovery.read_keys(site)
    assert len(server.requests) == 4


async def test_what_failed_is_asked_again(http, clock, server, site):
    discovery = Discovery(http, clock)
    server.answers = {"smart-configuration": httpx.Response(503)}
    with pytest.raises(EhrRefused):
        await discovery.read_configuration(site)
    server.answers = {}
    assert await discovery.read_configuration(site)


@pytest.mark.parametrize("methods", [["plain"], [], None, "S256", ["s256"]])
async def test_requires_pkce_with_s256(http, clock, server, site, methods):
    server.configuration = {"code_challenge_methods_supported": methods}
    with pytest.raises(EhrGarbled, match=r"discovery\.pkce"):
        await Discovery(http, clock).read_configuration(site)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address",
    [
        "http://ehr.example.org/x",
        "http://127.0.0.1:8000/x",
        "https://127.0.0.1/x",
        "http://localhost/x",
        "https://[::1]/x",
        "https://user:pass@ehr.example.org/x",
        "https://ehr.example.org/x#y",
        "ftp://ehr.example.org/x",
        "file:///etc/passwd",
        "https://ehr.example.org:99999/x",
        None,
        7,
        "",
    ],
)
async def test_an_address_must_be_https_and_not_this_machine(http, clock, server, site, name, address):
    server.configuration = {name: address}
    with pytest.raises(EhrGarbled, match=r"discovery\.(address|configuration)"):
        await Discovery(http, clock).read_configuration(site)


def test_an_issuer_on_loopback_may_stay_there():
    local = make_site(issuer="http://127.0.0.1:9000/fhir")
    document = {
        "code_challenge_methods_supported": ["S256", "plain"],
        "authorization_endpoint": "http://127.0.0.1:9000/authorize",
        "token_endpoint": "http://localhost:9000/token",
        "jwks_uri": "jwks",
    }
    found = read_configuration(document, local)
    assert found.jwks_uri == "http://127.0.0.1:9000/fhir/jwks"
    assert found.issuer == "http://127.0.0.1:9000/fhir"
    with pytest.raises(EhrGarbled):
        read_configuration({**document, "token_endpoint": "http://ehr.example.org/token"}, local)


async def test_an_issuer_without_https_is_not_asked(http, clock, server):
    with pytest.raises(EhrGarbled, match=r"discovery\.address"):
        await Discovery(http, clock).read_configuration(make_site(issuer="http://ehr.example.org/fhir"))
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, text="<html>Sign in</html>"), EhrGarbled),
        (httpx.Response(200, json=[]), EhrGarbled),
        (httpx.Response(200, content=b"x" * 600_000), EhrGarbled),
        (httpx.Response(302, headers={"location": "https://evil.example.org"}), EhrGarbled),
        (httpx.Response(404), EhrRefused),
        (httpx.Response(500), EhrRefused),
        (httpx.Response(504), EhrUnreachable),
    ],
)
@pytest.mark.parametrize("document", ["smart-configuration", "jwks"])
async def test_every_failure_is_one_sentence_that_names_the_ehr(http, clock, server, site, answer, error, document):
    server.answers = {document: answer}
    with pytest.raises(error) as caught:
        await Discovery(http, clock).read_keys(site)
    assert caught.value.code in ("discovery.configuration", "discovery.keys")
    assert caught.value.public.startswith("North EHR's SMART")
    assert all(request.url.host == "ehr.example.org" for request in server.requests)


async def test_an_ehr_that_does_not_answer_is_waited_for_no_longer_than_the_site_says(clock):
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as http:
        with pytest.raises(EhrUnreachable):
            await Discovery(http, clock).read_configuration(make_site(timeout_seconds=0.05))


def test_keys_that_are_none_are_passed_over(rsa_key):
    public = rsa_key.as_dict(private=False)
    odd = [
        {"kty": "oct", "k": "AA"},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-256", "x": 1},
        "x",
        {**public, "use": "enc"},
    ]
    assert [key.kid for key in read_key_set({"keys": [*odd, public]})] == [rsa_key.kid]
    private = read_key_set({"keys": [rsa_key.as_dict(private=True)]})[0]
    assert not private.is_private


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": []}])
def test_a_key_set_without_a_key_is_garbled(document):
    with pytest.raises(EhrError, match=r"discovery\.keys"):
        read_key_set(document)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("ehr", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_told_by_the_name(host, local):
    assert is_loopback(host) is local
    assert not is_loopback(None)
