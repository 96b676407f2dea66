"""The backend client's token: one at a time, kept until shortly before its end."""

import asyncio

import pytest

from gateway.ehr.backend_services import BackendAccess
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.errors import LaunchError
from tests.unit.ehr.conftest import make_site


@pytest.fixture
def access(http, clock, server, tmp_path):
    site = make_site(backend={"id": "watcher"})
    server.token = {"scope": "system/DocumentReference.read", "refresh_token": None, "id_token": None}
    ids = iter(range(100))
    credential = read_credentials([site], tmp_path, {}).backends["north"]
    return BackendAccess(http, Discovery(http, clock), site, credential, clock, lambda: f"id-{next(ids)}")


async def test_asks_with_an_assertion_and_once_for_all(access, server):
    tokens = await asyncio.gather(*(access.take_token() for _ in range(4)))
    assert set(tokens) == {"access-1"}
    form = server.form()
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "system/DocumentReference.rs")
    assert form["client_assertion"].count(".") == 2
    assert len(server.requests) == 2


async def test_renews_shortly_before_the_end_or_when_refused(access, server, clock):
    await access.take_token()
    clock.advance(269)
    await access.take_token()
    assert len(server.requests) == 2
    clock.advance(2)
    server.token["access_token"] = "access-2"
    assert await access.take_token() == "access-2"
    assert await access.renew_token("access-1") == "access-2"
    server.token["access_token"] = "access-3"
    assert await access.renew_token("access-2") == "access-3"


async def test_a_token_without_an_end_is_kept_for_minutes(access, server, clock):
    server.token["expires_in"] = None
    await access.take_token()
    clock.advance(271)
    await access.take_token()
    assert len(server.requests) == 3


async def test_too_small_a_grant_is_named(access, server):
    server.token["scope"] = "system/Patient.rs"
    with pytest.raises(LaunchError) as caught:
        await access.take_token()
    assert "system/DocumentReference.rs" in caught.value.public


async def test_another_use_asks_for_scopes_of_its_own(http, clock, server, tmp_path):
    site = make_site(backend={"id": "watcher"})
    server.token = {"scope": "system/Subscription.crud", "refresh_token": None, "id_token": None}
    credential = read_credentials([site], tmp_path, {}).backends["north"]
    discovery = Discovery(http, clock)
    own = BackendAccess(http, discovery, site, credential, clock, lambda: "id-1", "system/Subscription.crud")
    assert await own.take_token() == "access-1"
    assert server.form()["scope"] == "system/Subscription.crud"
