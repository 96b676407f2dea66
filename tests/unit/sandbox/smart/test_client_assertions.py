"""private_key_jwt and Backend Services (SMART App Launch 2.2)."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from gateway.sandbox.smart.clients import Client
from gateway.sandbox.smart.scopes import parse_scopes

SAMPLE_KEYS = Path(__file__).resolve().parents[5] / "shared" / "data" / "smart-keys"


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
async def test_a_backend_client_gets_a_short_token_of_its_scopes(app: Any, alg: str) -> None:
    reply = await app.ask_backend(app.sign_assertion(alg))
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert (body["scope"], body["expires_in"]) == ("system/DocumentReference.rs", 300)
    assert not {"refresh_token", "patient", "id_token"} & set(body)
    notes = await app.fhir(body["access_token"], "GET", "DocumentReference?patient=ada-marlowe")
    assert notes.json()["total"] == 2
    assert (await app.fhir(body["access_token"], "GET", "Patient/ada-marlowe")).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "countersign"},
        {"sub": "countersign"},
        {"aud": "http://127.0.0.1:9000/fhir"},
        {"aud": None},
        {"exp": None},
        {"exp": "soon"},
        {"jti": None},
        {"jti": ""},
    ],
)
async def test_a_wrong_claim_is_refused(app: Any, claims: dict[str, Any]) -> None:
    reply = await app.ask_backend(app.sign_assertion(**claims))
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("ahead", [-60, 320, 3600])
async def test_the_assertion_ends_within_five_minutes(app: Any, ahead: int) -> None:
    reply = await app.ask_backend(app.sign_assertion(exp=app.clock.seconds + ahead))
    assert reply.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "header",
    [{"kid": None}, {"typ": None}, {"typ": "at+jwt"}, {"kid": "unknown"}, {"jku": "http://evil.example/jwks.json"}],
)
async def test_a_wrong_header_is_refused(app: Any, header: dict[str, Any]) -> None:
    reply = await app.ask_backend(app.sign_assertion(header=header))
    assert reply.json()["error"] == "invalid_client"


async def test_the_registered_jku_is_accepted(app: Any) -> None:
    jku = {"jku": "http://localhost:8000/.well-known/jwks.json"}
    assert (await app.ask_backend(app.sign_assertion(header=jku))).status_code == 200


async def test_a_jti_is_good_once(app: Any) -> None:
    assertion = app.sign_assertion()
    assert (await app.ask_backend(assertion)).status_code == 200
    assert (await app.ask_backend(assertion)).json()["error"] == "invalid_client"


async def test_a_signature_by_another_key_is_refused(app: Any) -> None:
    stranger = ECKey.generate_key("P-384", {"alg": "ES384"})
    kid = next(key.kid for key in app.keys if key.as_dict()["alg"] == "ES384")
    now = app.clock.seconds
    claims = {"iss": "countersign-backend", "sub": "countersign-backend", "jti": "1", "exp": now + 60}
    claims["aud"] = "http://127.0.0.1:9000/auth/token"
    forged = jwt.encode({"alg": "ES384", "kid": kid, "typ": "JWT"}, claims, stranger, algorithms=["ES384"])
    assert (await app.ask_backend(forged)).json()["error"] == "invalid_client"


async def test_rs256_is_refused(app: Any) -> None:
    key = RSAKey.generate_key(2048, auto_kid=True)
    assertion = jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, {"sub": "countersign-backend"}, key)
    assert (await app.ask_backend(assertion)).json()["error"] == "invalid_client"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.è.ê"])
async def test_what_is_no_jwt_is_refused(app: Any, text: str) -> None:
    reply = await app.ask_backend(text)
    assert reply.status_code in (400, 401)


async def test_scopes_that_are_not_registered_are_refused(app: Any) -> None:
    reply = await app.ask_backend(app.sign_assertion(), scope="system/Patient.rs")
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_scope")


async def test_a_launching_client_may_not_use_client_credentials(app: Any) -> None:
    assertion = app.sign_assertion(iss="countersign", sub="countersign")
    assert (await app.ask_backend(assertion)).json()["error"] == "unauthorized_client"


async def test_new_keys_at_the_jwks_url_are_found(app: Any) -> None:
    assert (await app.ask_backend(app.sign_assertion())).status_code == 200
    app.keys = [*app.keys]
    fresh = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)

    async def fetch(_: str) -> dict[str, Any]:
        return KeySet([fresh]).as_dict(private=False)

    app.sandbox.clients._fetch_json = fetch
    app.keys = [fresh]
    assert (await app.ask_backend(app.sign_assertion())).status_code == 200


async def test_a_jwks_url_that_does_not_answer_is_the_clients_problem(app: Any) -> None:
    async def fetch(_: str) -> dict[str, Any]:
        raise OSError("down")

    app.sandbox.clients._fetch_json = fetch
    reply = await app.ask_backend(app.sign_assertion())
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
async def test_the_smart_guides_own_sample_keys_work_inline(app: Any, alg: str) -> None:
    file = SAMPLE_KEYS / f"{alg}.private.json"
    if not file.exists():
        pytest.skip("the SMART guide's sample keys are not here")
    sample = json.loads(file.read_text())
    private = sample["keys"][-1] if "keys" in sample else sample
    public = json.loads((SAMPLE_KEYS / f"{alg}.public.json").read_text())
    jwks = public if "keys" in public else {"keys": [public]}
    scopes = parse_scopes("system/DocumentReference.rs")
    app.sandbox.clients.add(Client("countersign-backend", "Sample", "private_key_jwt", scopes, jwks=jwks, backend=True))
    key = (ECKey if alg == "ES384" else RSAKey).import_key({**private, "alg": alg})
    app.keys = [key]
    assert (await app.ask_backend(app.sign_assertion(alg))).status_code == 200
