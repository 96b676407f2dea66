"""An app's way through authorize and token, and every way in which it may go wrong."""

from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from gateway.sandbox.smart.clients import TEST_SECRET

ORIGIN = "http://127.0.0.1:9000"


async def test_an_ehr_launch_gives_the_app_its_context_and_an_id_token(app: Any) -> None:
    reply = await app.launch()
    assert (reply["patient"], reply["encounter"], reply["token_type"]) == ("ada-marlowe", "ada-marlowe-today", "Bearer")
    assert reply["need_patient_banner"] is True
    keys = KeySet.import_key_set((await app.http.get("/auth/jwks")).json())
    token = jwt.decode(reply["id_token"], keys, algorithms=["RS256"])
    assert token.header["alg"] == "RS256"
    assert token.claims["iss"] == (await discover(app))["issuer"]
    assert token.claims["aud"] == "countersign-public"
    assert token.claims["nonce"] == "nonce-1"
    assert token.claims["fhirUser"] == f"{ORIGIN}/fhir/Practitioner/mara-ellison"
    assert token.claims["exp"] > app.clock.seconds


async def discover(app: Any) -> dict[str, Any]:
    return dict((await app.http.get("/fhir/.well-known/smart-configuration")).json())


async def test_discovery_names_endpoints_that_answer_and_only_s256(app: Any) -> None:
    smart = await discover(app)
    assert smart["code_challenge_methods_supported"] == ["S256"]
    openid = (await app.http.get(f"{smart['issuer']}/.well-known/openid-configuration")).json()
    assert (openid["issuer"], openid["jwks_uri"]) == (smart["issuer"], smart["jwks_uri"])
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert (await app.http.post(smart[name])).status_code == 400
    assert (await app.http.get(smart["authorization_endpoint"])).status_code == 400


async def test_an_authorization_request_may_be_posted(app: Any) -> None:
    answer = await app.authorize("POST")
    assert (await app.redeem(answer["code"])).status_code == 200


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"state": None}, "invalid_request"),
        ({"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "launch patient/Patient.sr"}, "invalid_scope"),
        ({"scope": None}, "invalid_request"),
        ({"launch": "unknown"}, "invalid_request"),
        ({"launch": None}, "invalid_request"),
        ({"scope": "openid"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_goes_back_to_the_app_with_its_reason(
    app: Any, other: dict[str, str | None], error: str
) -> None:
    answer = await app.authorize(**other)
    assert answer["error"] == error
    assert answer["error_description"]
    assert answer.get("state") == (None if other.get("state", "") is None else "state-of-122-bits")
    assert "code" not in answer


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "http://localhost:8000/callback/"},
        {"redirect_uri": "http://localhost:8000/callback?more=1"},
        {"redirect_uri": "http://evil.example/callback"},
        {"redirect_uri": None},
        {"client_id": "countersign-backend"},
    ],
)
async def test_nothing_is_redirected_to_a_place_that_is_not_registered(app: Any, other: dict[str, str | None]) -> None:
    reply = await app.http.get("/auth/authorize", params=app.ask(launch=await app.open_launch(), **other))
    assert reply.status_code == 400
    assert "location" not in reply.headers


async def test_a_parameter_sent_twice_is_refused(app: Any) -> None:
    pairs = [*app.ask(launch=await app.open_launch()).items(), ("scope", "launch")]
    reply = await app.http.get("/auth/authorize", params=pairs)
    assert "error=invalid_request" in reply.headers["location"]


async def test_a_launch_is_good_once_and_for_five_minutes(app: Any) -> None:
    launch = await app.open_launch()
    assert "code" in await app.authorize(launch=launch)
    assert (await app.authorize(launch=launch))["error"] == "invalid_request"
    late = await app.open_launch()
    app.clock.move(301)
    assert (await app.authorize(launch=late))["error"] == "invalid_request"


async def test_a_code_is_good_once_and_its_replay_revokes_the_tokens(app: Any) -> None:
    code = (await app.authorize())["code"]
    first = (await app.redeem(code)).json()
    assert (await app.fhir(first["access_token"], "GET", "Patient/ada-marlowe")).status_code == 200
    replay = await app.redeem(code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await app.fhir(first["access_token"], "GET", "Patient/ada-marlowe")).status_code == 401
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_code_expires(app: Any) -> None:
    code = (await app.authorize())["code"]
    app.clock.move(61)
    assert (await app.redeem(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "other",
    [{"code_verifier": "x" * 43}, {"code_verifier": "short"}, {"redirect_uri": "http://localhost:8000/other"}],
)
async def test_a_code_needs_its_verifier_and_its_redirect_uri(app: Any, other: dict[str, str]) -> None:
    reply = await app.redeem((await app.authorize())["code"], **other)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_a_code_of_another_client_is_refused_and_stays_good_for_its_own(app: Any) -> None:
    code = (await app.authorize())["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "x", "code_verifier": app.verifier}
    stolen = await app.http.post("/auth/token", data=form, auth=("countersign-secret", TEST_SECRET))
    assert stolen.json()["error"] == "invalid_grant"
    assert (await app.redeem(code)).status_code == 200


async def test_token_replies_are_not_stored(app: Any) -> None:
    reply = await app.redeem((await app.authorize())["code"])
    assert reply.headers["cache-control"] == "no-store"


async def test_a_refresh_replaces_its_token_and_a_replaced_one_ends_the_grant(app: Any) -> None:
    first = await app.launch()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["patient"] == "ada-marlowe"
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.fhir(second["access_token"], "GET", "Patient/ada-marlowe")).status_code == 401


async def test_a_refresh_narrows_and_never_widens(app: Any) -> None:
    first = await app.launch(scope="launch offline_access patient/Patient.rs patient/Consent.rs")
    wider = await app.refresh(first["refresh_token"], scope="patient/Encounter.rs")
    assert wider.json()["error"] == "invalid_scope"
    narrow = (await app.refresh(first["refresh_token"], scope="patient/Patient.r")).json()
    assert narrow["scope"] == "patient/Patient.r"
    assert (await app.fhir(narrow["access_token"], "GET", "Consent?patient=ada-marlowe")).status_code == 403
    again = (await app.refresh(narrow["refresh_token"])).json()
    assert again["scope"] == first["scope"]


async def test_without_an_access_scope_there_is_no_refresh_token(app: Any) -> None:
    assert "refresh_token" not in await app.launch(scope="launch patient/Patient.r")


async def test_online_access_ends_when_the_clinician_leaves(app: Any) -> None:
    online = await app.launch(scope="launch online_access patient/Patient.r")
    offline = await app.launch(scope="launch offline_access patient/Patient.r")
    await app.http.post("/clinician", data={"clinician": "tomas-vance"})
    assert (await app.refresh(online["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(offline["refresh_token"])).status_code == 200


async def test_the_symmetric_client_needs_its_secret(app: Any) -> None:
    async def redeem(auth: tuple[str, str] | None, **more: str) -> httpx.Response:
        code = (await app.authorize(client_id="countersign-secret"))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost:8000/callback"}
        return await app.http.post("/auth/token", data={**form, "code_verifier": app.verifier, **more}, auth=auth)

    assert (await redeem(("countersign-secret", TEST_SECRET))).status_code == 200
    wrong = await redeem(("countersign-secret", "guess"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")
    assert (await redeem(None, client_id="countersign-secret")).json()["error"] == "invalid_client"
    in_form = await redeem(None, client_id="countersign-secret", client_secret=TEST_SECRET)
    assert in_form.json()["error"] == "invalid_request"


async def test_granted_scopes_may_differ_from_the_requested(app: Any) -> None:
    app.sandbox.policy.change({"grant": "v1"})
    assert (await app.launch(scope="launch patient/Patient.r"))["scope"] == "launch patient/Patient.read"
    app.sandbox.policy.change({"grant": ["launch", "patient/Consent.rs"]})
    reply = await app.launch(scope="launch patient/Patient.r")
    assert reply["scope"] == "launch patient/Consent.rs"
    assert (await app.fhir(reply["access_token"], "GET", "Patient/ada-marlowe")).status_code == 403
    app.sandbox.policy.change({"grant": []})
    assert (await app.launch(scope="launch patient/Patient.r"))["scope"] == ""


async def test_unknown_scopes_are_not_granted(app: Any) -> None:
    assert (await app.launch(scope="launch email system/Patient.r patient/Patient.r"))["scope"] == (
        "launch patient/Patient.r"
    )


async def test_the_launch_carries_intent_tenant_and_other_context(app: Any) -> None:
    app.sandbox.policy.change({"tenant": "linden-street", "need_patient_banner": False})
    context = [{"reference": "DocumentReference/ada-marlowe-7d-note"}]
    reply = await app.launch(intent="write-note", fhirContext=context)
    assert (reply["intent"], reply["tenant"], reply["fhirContext"]) == ("write-note", "linden-street", context)
    assert reply["need_patient_banner"] is False


async def test_a_launch_may_be_without_patient_or_by_a_patient(app: Any) -> None:
    assert "patient" not in await app.launch(patient=None, encounter=None)
    reply = await app.launch(user="Patient/ada-marlowe")
    keys = KeySet.import_key_set((await app.http.get("/auth/jwks")).json())
    claims = jwt.decode(reply["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["fhirUser"] == f"{ORIGIN}/fhir/Patient/ada-marlowe"


async def test_fhir_user_may_be_relative(app: Any) -> None:
    app.sandbox.policy.change({"fhir_user": "relative"})
    reply = await app.launch()
    keys = KeySet.import_key_set((await app.http.get("/auth/jwks")).json())
    assert jwt.decode(reply["id_token"], keys, algorithms=["RS256"]).claims["fhirUser"] == "Practitioner/mara-ellison"


async def test_a_standalone_launch_lets_the_clinician_choose(app: Any) -> None:
    scope = "launch/patient launch/encounter openid fhirUser patient/Patient.r"
    page = await app.http.get("/auth/authorize", params=app.ask(scope=scope))
    reply = await choose(app, page.text, patient="jonas-telford")
    reply = await choose(app, reply.text, encounter="jonas-telford-today")
    assert reply.status_code == 303
    code = reply.headers["location"].split("code=")[1].split("&")[0]
    tokens = (await app.redeem(code)).json()
    assert (tokens["patient"], tokens["encounter"]) == ("jonas-telford", "jonas-telford-today")


async def choose(app: Any, page: str, **chosen: str) -> httpx.Response:
    handle = page.split('name="request" value="')[1].split('"')[0]
    return await app.http.post("/auth/choose", data={"request": handle, **chosen})


async def test_a_standalone_launch_can_be_cancelled_and_a_choice_is_good_once(app: Any) -> None:
    page = (await app.http.get("/auth/authorize", params=app.ask(scope="launch/patient patient/Patient.r"))).text
    denied = await choose(app, page, deny="1")
    assert "error=access_denied" in denied.headers["location"]
    assert (await choose(app, page, patient="ada-marlowe")).status_code == 400


async def test_a_patient_outside_the_practice_cannot_be_chosen(app: Any) -> None:
    page = (await app.http.get("/auth/authorize", params=app.ask(scope="launch/patient patient/Patient.r"))).text
    assert (await choose(app, page, patient="nobody")).status_code == 400


async def test_introspection_tells_a_client_with_credentials_what_a_token_is(app: Any) -> None:
    reply = await app.launch()
    secret = ("countersign-secret", TEST_SECRET)
    found = await app.http.post("/auth/introspect", data={"token": reply["access_token"]}, auth=secret)
    assert found.json() | {"exp": 0} == {
        "active": True,
        "scope": reply["scope"],
        "client_id": "countersign-public",
        "exp": 0,
        "patient": "ada-marlowe",
        "encounter": "ada-marlowe-today",
        "need_patient_banner": True,
        "iss": f"{ORIGIN}/auth",
        "sub": found.json()["sub"],
        "fhirUser": f"{ORIGIN}/fhir/Practitioner/mara-ellison",
    }
    public = {"token": reply["access_token"], "client_id": "countersign-public"}
    assert (await app.http.post("/auth/introspect", data=public)).status_code == 401
    app.clock.move(3601)
    gone = await app.http.post("/auth/introspect", data={"token": reply["access_token"]}, auth=secret)
    assert gone.json() == {"active": False}


async def test_a_client_can_revoke_its_own_tokens_only(app: Any) -> None:
    reply = await app.launch()
    secret = ("countersign-secret", TEST_SECRET)
    await app.http.post("/auth/revoke", data={"token": reply["refresh_token"]}, auth=secret)
    assert (await app.fhir(reply["access_token"], "GET", "Patient/ada-marlowe")).status_code == 200
    await app.http.post("/auth/revoke", data={"token": reply["refresh_token"], "client_id": "countersign-public"})
    assert (await app.fhir(reply["access_token"], "GET", "Patient/ada-marlowe")).status_code == 401
