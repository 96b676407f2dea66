"""A small SMART server in this process, that behaves or misbehaves as a test says; all people invented."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import HealthCheck, settings
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gateway.ehr.authorization import PendingLaunches
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.ehr.site import EhrSite
from gateway.ehr.smart import Launcher

# A machine under load is no reason to fail a property.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

BASE = "https://ehr.example.org/fhir"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SCOPES = (
    "launch openid fhirUser patient/Patient.r patient/Encounter.rs patient/Consent.rs "
    "user/Practitioner.r patient/DocumentReference.crs patient/Provenance.c"
)


@dataclass
class Clock:
    moment: datetime = NOW

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class SmartServer:
    """Answers discovery, JWKS and token requests; ``token`` and ``claims`` replace what it would say."""

    clock: Clock
    key: RSAKey | ECKey
    algorithm: str = "RS256"
    published: list[Any] = field(default_factory=list)
    configuration: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        for end, answer in self.answers.items():
            if path.endswith(end):
                return answer
        if path.endswith("/.well-known/smart-configuration"):
            return httpx.Response(200, json=self.describe())
        if path.endswith("/jwks"):
            keys = self.published or [self.key]
            return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in keys]})
        if path.endswith("/token"):
            return httpx.Response(200, json=self.give_token())
        return httpx.Response(404, json={"resourceType": "OperationOutcome", "issue": [{"code": "not-found"}]})

    def describe(self) -> dict[str, Any]:
        document = {
            "issuer": BASE,
            "authorization_endpoint": "../auth/authorize",
            "token_endpoint": "https://login.example.org/token",
            "jwks_uri": f"{BASE}/jwks",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "authorize-post"],
            **self.configuration,
        }
        return {name: value for name, value in document.items() if value is not None}

    def give_token(self) -> dict[str, Any]:
        reply = {
            "access_token": "access-1",
            "refresh_token": "refresh-1",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": SCOPES,
            "patient": "1",
            "encounter": "e1",
            "need_patient_banner": True,
            "id_token": self.sign_identity(),
            **self.token,
        }
        return {name: value for name, value in reply.items() if value is not None}

    def sign_identity(self) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": BASE,
            "aud": "countersign",
            "sub": "user-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "fhirUser": "Practitioner/p1",
            **self.claims,
        }
        header = {"alg": self.algorithm, "kid": self.key.kid, **self.header}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(
            {k: v for k, v in header.items() if v is not None}, kept, self.key, algorithms=[self.algorithm]
        )

    def form(self) -> dict[str, str]:
        """The form of the last token request."""
        return dict(parse_qsl(self.requests[-1].content.decode()))


@pytest.fixture(scope="session")
def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock, rsa_key: RSAKey) -> SmartServer:
    return SmartServer(clock, rsa_key)


@pytest.fixture
async def http(server: SmartServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
        yield client


@pytest.fixture
def site() -> EhrSite:
    return make_site()


@pytest.fixture
def launcher(http: httpx.AsyncClient, clock: Clock, site: EhrSite, tmp_path: Path) -> Launcher:
    return make_launcher(http, clock, site, tmp_path)


def make_site(**changes: Any) -> EhrSite:
    client = {"id": "countersign", **changes.pop("client", {})}
    return EhrSite.model_validate({"id": "north", "name": "North EHR", "issuer": BASE, "client": client, **changes})


def make_launcher(http: httpx.AsyncClient, clock: Clock, site: EhrSite, state_dir: Path, **environ: str) -> Launcher:
    secrets: Iterator[str] = (f"secret-{number:040d}" for number in range(10_000))
    ids: Iterator[str] = (f"id-{number}" for number in range(10_000))
    return Launcher(
        http=http,
        sites={site.id: site},
        discovery=Discovery(http, clock),
        credentials=read_credentials([site], state_dir, environ),
        pending=PendingLaunches(clock, lambda _: next(secrets)),
        now=clock,
        new_id=lambda: next(ids),
    )
