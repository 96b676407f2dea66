"""The gateway's own SMART client against the sandbox: what each believes of the standard must fit together."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.ehr.authorization import PendingLaunches
from gateway.ehr.backend_services import BackendAccess
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.ehr.site import Backend, Client, EhrSite
from gateway.ehr.smart import Launcher
from gateway.sandbox.app import Sandbox, create_sandbox
from gateway.sandbox.settings import SandboxSettings
from gateway.sandbox.smart.clients import TEST_SECRET
from gateway.sandbox.smart.grants import Launch

Auth = Literal["public", "client_secret_basic", "private_key_jwt"]


def read_now() -> datetime:
    return datetime.now(UTC)


def make_id() -> str:
    return secrets.token_urlsafe(16)


@pytest.mark.parametrize(
    ("client_id", "auth", "algorithm", "by_post"),
    [
        ("countersign", "private_key_jwt", "ES384", False),
        ("countersign", "private_key_jwt", "RS384", True),
        ("countersign-public", "public", "ES384", False),
        ("countersign-secret", "client_secret_basic", "ES384", True),
    ],
)
async def test_the_gateway_launches_with_each_kind_of_client(
    tmp_path: Path, client_id: str, auth: Auth, algorithm: Literal["ES384", "RS384"], by_post: bool
) -> None:
    client = Client(id=client_id, auth=auth, secret_env="SECRET", algorithm=algorithm, authorize_post=by_post)
    backend = Backend(id="countersign-backend", algorithm=algorithm)
    site = EhrSite(id="sandbox", name="Sandbox", issuer="http://127.0.0.1:9000/fhir", client=client, backend=backend)
    credentials = read_credentials([site], tmp_path, {"SECRET": TEST_SECRET})

    async def fetch(_: str) -> Mapping[str, Any]:
        return credentials.public_jwks()

    application = create_sandbox(SandboxSettings(fetch=fetch))
    sandbox: Sandbox = application.state.sandbox
    await sandbox.plant()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as http:
        discovery = Discovery(http, read_now)
        pending = PendingLaunches(read_now, secrets.token_urlsafe)
        launcher = Launcher(http, {"sandbox": site}, discovery, credentials, pending, read_now, make_id)
        opened = sandbox.chart.open_launch(Launch(sandbox.practice.user, "ada-marlowe", "ada-marlowe-today"))
        query = parse_qs(urlsplit(opened).query)
        asked = await launcher.start_launch(
            query["iss"][0], query["launch"][0], "http://localhost:8000/callback", "browser secret"
        )
        reply = await (http.post(asked.url, data=dict(asked.form)) if asked.form else http.get(asked.url))
        back = parse_qs(urlsplit(reply.headers["location"]).query)
        launched = await launcher.complete_launch({name: one[0] for name, one in back.items()}, "browser secret")
        context = launched.context
        assert (context.patient_id, context.encounter_id) == ("ada-marlowe", "ada-marlowe-today")
        assert context.practitioner == "Practitioner/mara-ellison"

        access = BackendAccess(http, discovery, site, credentials.backends["sandbox"], read_now, make_id)
        bearer = {"Authorization": f"Bearer {await access.take_token()}"}
        notes = await http.get(f"{site.issuer}/DocumentReference?patient=ada-marlowe", headers=bearer)
        assert notes.json()["total"] == 2
