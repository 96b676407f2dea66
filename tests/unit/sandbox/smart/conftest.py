"""A sandbox in this process, a clock that tests can move, and an app that goes through a launch step by step."""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from gateway.sandbox.app import Sandbox, create_sandbox
from gateway.sandbox.settings import SandboxSettings

ORIGIN = "http://127.0.0.1:9000"
CALLBACK = "http://localhost:8000/callback"
SCOPES = "launch openid fhirUser offline_access patient/*.cruds user/Practitioner.r"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Clock:
    """Noon of an ordinary day; ``move`` lets time pass."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    @property
    def seconds(self) -> int:
        return int(self.time.timestamp())


@dataclass
class App:
    """An app as the sandbox sees it. Each step can be taken by itself and with other values than the right ones."""

    http: httpx.AsyncClient
    sandbox: Sandbox
    clock: Clock
    keys: list[Any]
    client_id: str = "countersign-public"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def open_launch(self, **context: Any) -> str:
        given = {"patient": "ada-marlowe", "encounter": "ada-marlowe-today", **context}
        return str((await self.http.post("/launch", json=given)).json()["launch"])

    def ask(self, **other: str | None) -> dict[str, str]:
        """An authorization request; a value of None leaves a parameter away."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": SCOPES,
            "state": "state-of-122-bits",
            "aud": f"{ORIGIN}/fhir",
            "nonce": "nonce-1",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **other,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    async def authorize(self, method: str = "GET", **other: str | None) -> dict[str, str]:
        """The parameters that come back to the redirect_uri."""
        if "launch" not in other:
            other["launch"] = await self.open_launch()
        request = self.ask(**other)
        sent = {"params": request} if method == "GET" else {"data": request}
        reply = await self.http.request(method, "/auth/authorize", **sent)
        return read_redirect(reply)

    async def redeem(self, code: str, **other: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.send_token({**form, "code_verifier": self.verifier, **other})

    async def send_token(self, form: Mapping[str, str]) -> httpx.Response:
        credentials = {} if self.client_id != "countersign-public" else {"client_id": self.client_id}
        return await self.http.post("/auth/token", data={**credentials, **form})

    async def launch(self, scope: str = SCOPES, **context: Any) -> dict[str, Any]:
        """A whole EHR launch: the token reply."""
        answer = await self.authorize(scope=scope, launch=await self.open_launch(**context))
        reply = await self.redeem(answer["code"])
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def refresh(self, token: str, **other: str) -> httpx.Response:
        return await self.send_token({"grant_type": "refresh_token", "refresh_token": token, **other})

    def sign_assertion(self, alg: str = "ES384", header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = next(key for key in self.keys if key.as_dict()["alg"] == alg)
        now = self.clock.seconds
        content = {
            "iss": "countersign-backend",
            "sub": "countersign-backend",
            "aud": f"{ORIGIN}/auth/token",
            "exp": now + 240,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            **claims,
        }
        head = {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            {name: value for name, value in content.items() if value is not None},
            key,
            algorithms=["ES384", "RS384", "RS256", "ES256"],
            default_type=None,
        )

    async def ask_backend(self, assertion: str, scope: str = "system/DocumentReference.rs") -> httpx.Response:
        form = {"grant_type": "client_credentials", "scope": scope}
        proof = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
        return await self.http.post("/auth/token", data={**form, **proof})

    async def fhir(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"/fhir/{path}", headers={"Authorization": f"Bearer {token}"}, **more)


def read_redirect(reply: httpx.Response) -> dict[str, str]:
    assert reply.status_code == 303, reply.text
    assert reply.headers["location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


@pytest.fixture(scope="session")
def keys() -> list[Any]:
    return [
        ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True),
        RSAKey.generate_key(2048, {"alg": "RS384", "use": "sig"}, auto_kid=True),
    ]


@pytest.fixture
async def app(keys: list[Any]) -> AsyncIterator[App]:
    clock = Clock()

    async def fetch(url: str) -> Mapping[str, Any]:
        assert url == "http://localhost:8000/.well-known/jwks.json"
        return KeySet(keys).as_dict(private=False)

    application = create_sandbox(SandboxSettings(clock=clock, fetch=fetch, faults=True))
    sandbox: Sandbox = application.state.sandbox
    await sandbox.plant()
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield App(http, sandbox, clock, keys)
