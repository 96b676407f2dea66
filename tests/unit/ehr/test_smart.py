"""A whole launch against a small SMART server: what holds, and each thing that must not."""

import hmac
import json
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gateway.ehr.context import admit_launch
from gateway.ehr.smart import Launched, find_site
from gateway.errors import EhrGarbled, EhrRefused, EhrUnreachable, LaunchError
from tests.unit.ehr.conftest import BASE, SCOPES, make_launcher, make_site

BEARER = {"access_token": "a", "token_type": "bearer"}
CALLBACK = "http://localhost:8000/callback"


async def begin(launcher, server, launch: str | None = "xyz", issuer: str = BASE) -> dict[str, str]:
    request = await launcher.start_launch(issuer, launch, CALLBACK, "browser-1")
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    server.nonce = query["nonce"]
    return query


async def launch(launcher, server, **params: str) -> Launched:
    query = await begin(launcher, server)
    return await launcher.complete_launch({"code": "c1", "state": query["state"], **params}, "browser-1")


async def test_a_launch_that_holds_knows_user_patient_and_encounter(launcher, server):
    launched = await launch(launcher, server)
    context = launched.context
    assert (context.site_id, context.patient_id, context.encounter_id) == ("north", "1", "e1")
    assert (context.practitioner, context.subject) == ("Practitioner/p1", "user-1")
    assert context.scopes == tuple(SCOPES.split())
    assert launched.tokens.access == "access-1"
    assert launched.tokens.expires_at is not None


async def test_a_launch_is_handed_to_the_visit_without_its_tokens(launcher, server):
    launched = await launch(launcher, server)
    message = launched.context.to_message()
    assert admit_launch(json.loads(json.dumps(message))) == launched.context
    assert "access-1" not in str(message)


async def test_no_token_is_shown_by_any_repr(launcher, server):
    launched = await launch(launcher, server)
    shown = f"{launched!r} {launched.tokens!r} {launched.context!r}"
    assert "access-1" not in shown
    assert "refresh-1" not in shown


async def test_the_authorization_request_is_smart_2_2(launcher, server):
    request = await launcher.start_launch(BASE, "xyz", CALLBACK, "browser-1")
    url = urlsplit(request.url)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "ehr.example.org", "/auth/authorize")
    assert query["response_type"] == "code"
    assert query["client_id"] == "countersign"
    assert query["redirect_uri"] == CALLBACK
    assert query["aud"] == BASE
    assert query["launch"] == "xyz"
    assert query["scope"] == SCOPES
    assert query["code_challenge_method"] == "S256"
    assert len(query["state"]) >= 22  # 122 bits in base64url
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    server.nonce = query["nonce"]
    await launcher.complete_launch({"code": "c1", "state": query["state"]}, "browser-1")
    form = server.form()
    assert form["grant_type"] == "authorization_code"
    assert (form["code"], form["redirect_uri"], form["client_id"]) == ("c1", CALLBACK, "countersign")
    assert create_s256_code_challenge(form["code_verifier"]) == query["code_challenge"]


async def test_a_standalone_launch_asks_for_a_patient_and_echoes_no_launch(launcher, server):
    query = await begin(launcher, server, launch=None)
    assert "launch" not in query
    assert query["scope"].split()[:2] == ["launch/patient", "launch/encounter"]
    assert "launch" not in query["scope"].split()


async def test_a_site_may_refuse_standalone_launches(http, clock, server, tmp_path):
    launcher = make_launcher(http, clock, make_site(launch={"standalone": False}), tmp_path)
    with pytest.raises(LaunchError, match=r"launch\.standalone"):
        await begin(launcher, server, launch=None)


async def test_a_site_may_name_its_standalone_scopes_and_post(http, clock, server, tmp_path):
    client = {"standalone_scopes": "openid launch/patient", "authorize_post": True}
    launcher = make_launcher(http, clock, make_site(client=client), tmp_path)
    request = await launcher.start_launch(BASE, None, CALLBACK, "b")
    assert request.url == "https://ehr.example.org/auth/authorize"
    assert request.form is not None
    assert request.form["scope"] == "openid launch/patient"


@pytest.mark.parametrize("issuer", [BASE + "/", BASE.upper(), "https://evil.example.org/fhir", ""])
async def test_only_a_configured_issuer_is_talked_to(launcher, server, issuer):
    with pytest.raises(LaunchError, match=r"launch\.issuer"):
        await launcher.start_launch(issuer, "xyz", CALLBACK, "b")
    assert server.requests == []
    assert find_site(launcher.sites, BASE).id == "north"


@pytest.mark.parametrize("launch", ["", "x" * 5000])
async def test_a_launch_parameter_that_is_none_is_refused(launcher, launch):
    with pytest.raises(LaunchError, match=r"launch\.parameter"):
        await launcher.start_launch(BASE, launch, CALLBACK, "b")


async def test_a_state_is_good_once(launcher, server):
    query = await begin(launcher, server)
    params = {"code": "c1", "state": query["state"]}
    await launcher.complete_launch(params, "browser-1")
    with pytest.raises(LaunchError, match=r"launch\.state"):
        await launcher.complete_launch(params, "browser-1")


async def test_a_state_belongs_to_the_browser_that_began(launcher, server):
    query = await begin(launcher, server)
    params = {"code": "c1", "state": query["state"]}
    with pytest.raises(LaunchError, match=r"launch\.browser"):
        await launcher.complete_launch(params, "browser-2")
    with pytest.raises(LaunchError, match=r"launch\.state"):
        await launcher.complete_launch(params, "browser-1")


async def test_a_launch_expires(launcher, server, clock):
    query = await begin(launcher, server)
    clock.advance(600)
    with pytest.raises(LaunchError, match=r"launch\.state"):
        await launcher.complete_launch({"code": "c1", "state": query["state"]}, "browser-1")


@pytest.mark.parametrize("params", [{"code": "c1"}, {"code": "c1", "state": "guess"}])
async def test_an_unknown_state_asks_nobody(launcher, server, params):
    with pytest.raises(LaunchError, match=r"launch\.state"):
        await launcher.complete_launch(params, "browser-1")
    assert server.requests == []


async def test_a_callback_of_another_issuer_is_a_mix_up(launcher, server):
    with pytest.raises(LaunchError, match=r"launch\.state"):
        await launch(launcher, server, iss="https://evil.example.org")


async def test_a_callback_without_a_code_is_refused(launcher, server):
    with pytest.raises(LaunchError, match=r"launch\.code"):
        await launch(launcher, server, code="")


async def test_the_ehrs_own_error_becomes_a_sentence(launcher, server):
    with pytest.raises(LaunchError) as caught:
        await launch(launcher, server, error="access_denied", error_description="Not\x00 on shift\u202e")
    assert caught.value.code == "launch.access-denied"
    assert caught.value.public.endswith("North EHR says: “Not on shift”")
    assert caught.value.detail == "error access_denied"


async def test_an_error_that_no_standard_knows_is_a_sentence_too(launcher, server):
    with pytest.raises(LaunchError, match=r"launch\.unknown"):
        await launch(launcher, server, error="<script>")


async def test_scopes_that_were_not_granted_are_named(launcher, server):
    server.token = {"scope": "openid fhirUser patient/Patient.read patient/Encounter.read"}
    with pytest.raises(LaunchError) as caught:
        await launch(launcher, server)
    assert "patient/Consent.s, patient/DocumentReference.c" in caught.value.public


async def test_no_scopes_at_all_may_be_granted(launcher, server):
    server.token = {"scope": ""}
    with pytest.raises(LaunchError, match=r"launch\.scopes"):
        await launch(launcher, server)


async def test_version_1_grants_are_understood(launcher, server):
    server.token = {"scope": "openid fhirUser patient/*.read patient/DocumentReference.write"}
    assert (await launch(launcher, server)).context.patient_id == "1"


async def test_an_ehr_without_unsigned_notes_needs_no_right_to_write(http, clock, server, tmp_path):
    launcher = make_launcher(http, clock, make_site(note={"unsigned": "no"}), tmp_path)
    server.token = {"scope": "openid fhirUser patient/*.read"}
    assert (await launch(launcher, server)).context.patient_id == "1"


@pytest.mark.parametrize("patient", [None, "", "1\n", "../1", 7, "Patient/1"])
async def test_a_launch_without_a_patient_is_refused(launcher, server, patient):
    server.token = {"patient": patient}
    with pytest.raises(LaunchError, match=r"launch\.no-patient"):
        await launch(launcher, server)


async def test_a_launch_without_an_encounter_goes_on_where_the_site_allows_it(launcher, server):
    server.token = {"encounter": None}
    assert (await launch(launcher, server)).context.encounter_id is None


@pytest.mark.parametrize("encounter", [7, "a/b"])
async def test_an_encounter_that_is_none_is_refused(launcher, server, encounter):
    server.token = {"encounter": encounter}
    with pytest.raises(LaunchError, match=r"launch\.no-encounter"):
        await launch(launcher, server)


async def test_a_launch_without_an_encounter_is_refused_where_the_site_says_so(http, clock, server, tmp_path):
    launcher = make_launcher(http, clock, make_site(launch={"without_encounter": "refuse"}), tmp_path)
    server.token = {"encounter": None}
    with pytest.raises(LaunchError, match=r"launch\.no-encounter"):
        await launch(launcher, server)


@pytest.mark.parametrize(
    ("user", "code"),
    [
        ("Patient/1", "launch.not-a-clinician"),
        (f"{BASE}/RelatedPerson/4", "launch.not-a-clinician"),
        ("Person/1", "launch.no-clinician"),
        (None, "launch.no-user"),
        ("", "launch.no-user"),
        ("Practitioner/p1\n", "launch.no-user"),
        ("https://other.example.org/fhir/Practitioner/p1", "launch.no-user"),
        ("Practitioner/../Patient/1", "launch.no-user"),
    ],
)
async def test_a_user_who_is_no_clinician_here_is_refused(launcher, server, user, code):
    server.claims = {"fhirUser": user}
    with pytest.raises(LaunchError) as caught:
        await launch(launcher, server)
    assert caught.value.code == code


@pytest.mark.parametrize("user", ["PractitionerRole/r1", f"{BASE}/PractitionerRole/r1"])
async def test_a_user_may_be_named_absolutely_and_by_role(launcher, server, user):
    server.claims = {"fhirUser": user}
    assert (await launch(launcher, server)).context.practitioner == "PractitionerRole/r1"


async def test_a_launch_without_an_identity_is_refused(launcher, server):
    server.token = {"id_token": None}
    with pytest.raises(LaunchError, match=r"launch\.no-user"):
        await launch(launcher, server)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.org"},
        {"iss": None},
        {"aud": "someone-else"},
        {"aud": ["countersign", "someone-else"]},  # without azp
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "AAAA"},
        {"at_hash": 7},
        {"at_hash": ["x"]},
        {"aud": None},
        {"aud": 7},
        {"azp": "someone-else"},
        {"amr": "pwd"},
    ],
)
async def test_an_identity_whose_claims_do_not_hold_is_refused(launcher, server, claims):
    server.claims = claims
    with pytest.raises(LaunchError, match=r"launch\.identity"):
        await launch(launcher, server)


@pytest.mark.parametrize("token", ["", "a.b.c", "x", "e30.e30.", 7])
async def test_an_identity_that_is_no_token_is_refused(launcher, server, token):
    server.token = {"id_token": token}
    with pytest.raises(LaunchError, match=r"launch\.(identity|no-user)"):
        await launch(launcher, server)


async def test_an_identity_signed_by_another_key_is_refused(launcher, server, rsa_key):
    await begin(launcher, server)
    other = RSAKey.generate_key(2048)
    server.published, server.key = [rsa_key], other
    server.header = {"kid": rsa_key.kid}
    with pytest.raises(LaunchError, match=r"launch\.identity"):
        await launch(launcher, server)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_an_identity_signed_by_the_public_key_or_nothing_is_refused(launcher, server, rsa_key, algorithm):
    query = await begin(launcher, server)
    parts = [{"alg": algorithm, "kid": rsa_key.kid}, {"iss": BASE, "sub": "x"}]
    signed = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    mac = hmac.digest(rsa_key.as_pem(private=False), signed.encode(), "sha256") if algorithm == "HS256" else b""
    forged = f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
    server.token = {"id_token": forged}
    with pytest.raises(LaunchError, match=r"launch\.identity"):
        await launcher.complete_launch({"code": "c1", "state": query["state"]}, "browser-1")


async def test_a_new_key_of_the_issuer_is_asked_for_once(launcher, server, clock):
    await launch(launcher, server)
    server.key = ECKey.generate_key("P-256", auto_kid=True)
    server.algorithm = "ES256"
    before = len(server.requests)
    assert (await launch(launcher, server)).context.subject == "user-1"
    asked = [request.url.path for request in server.requests[before:]]
    assert asked == ["/token", "/fhir/jwks"]
    server.published, server.key = [server.key], ECKey.generate_key("P-256", auto_kid=True)
    with pytest.raises(LaunchError, match=r"launch\.identity"):
        await launch(launcher, server)


async def test_a_key_signs_only_by_its_own_algorithm(launcher, server, rsa_key):
    server.published = [RSAKey.import_key({**rsa_key.as_dict(private=False), "alg": "RS512"})]
    with pytest.raises(LaunchError, match=r"launch\.identity"):
        await launch(launcher, server)


async def test_a_token_without_a_key_id_is_tried_with_the_fitting_keys(launcher, server, rsa_key):
    server.published = [ECKey.generate_key("P-384"), RSAKey.generate_key(2048), rsa_key]
    server.header = {"kid": None}
    assert (await launch(launcher, server)).context.subject == "user-1"


async def test_a_callback_is_one_round_trip_with_discovery_and_keys_cached(launcher, server):
    query = await begin(launcher, server)
    before = len(server.requests)
    await launcher.complete_launch({"code": "c1", "state": query["state"]}, "browser-1")
    assert len(server.requests) == before + 1


async def test_a_confidential_client_sends_its_secret_encoded_and_no_client_id(http, clock, server, tmp_path):
    client = {"auth": "client_secret_basic", "secret_env": "NORTH_SECRET"}
    launcher = make_launcher(http, clock, make_site(client=client), tmp_path, NORTH_SECRET="a:b %ü")
    await launch(launcher, server)
    assert (
        httpx.BasicAuth("countersign", "a%3Ab+%25%C3%BC")._auth_header == server.requests[-1].headers["authorization"]
    )
    assert "client_id" not in server.form()


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
async def test_an_asymmetric_client_signs_a_fresh_short_assertion(http, clock, server, tmp_path, algorithm):
    client = {"auth": "private_key_jwt", "algorithm": algorithm}
    launcher = make_launcher(http, clock, make_site(client=client), tmp_path)
    seen = set()
    for _ in range(2):
        await launch(launcher, server)
        form = server.form()
        assert "client_id" not in form
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        public = launcher.credentials.public_jwks()["keys"][0]
        key = (ECKey if algorithm == "ES384" else RSAKey).import_key(public)
        token = jwt.decode(form["client_assertion"], key, algorithms=[algorithm])
        assert token.header == {"typ": "JWT", "alg": algorithm, "kid": public["kid"]}
        assert token.claims["iss"] == token.claims["sub"] == "countersign"
        assert token.claims["aud"] == "https://login.example.org/token"
        assert 0 < token.claims["exp"] - clock().timestamp() <= 300
        seen.add(token.claims["jti"])
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), LaunchError, "token.invalid_grant"),
        (httpx.Response(401, json={"error": "invalid_client"}), LaunchError, "token.invalid_client"),
        (httpx.Response(400, json={"error": ["x"]}), LaunchError, "token.invalid_request"),
        (httpx.Response(403, text="<html>"), LaunchError, "token.invalid_request"),
        (httpx.Response(500, text="oops"), EhrRefused, "token.fault"),
        (httpx.Response(504), EhrUnreachable, "ehr.no-answer"),
        (httpx.Response(302, headers={"location": "https://evil.example.org"}), EhrGarbled, "token.garbled"),
        (httpx.Response(200, text="<html>"), EhrGarbled, "ehr.garbled"),
        (httpx.Response(200, json={"token_type": "bearer"}), EhrGarbled, "token.garbled"),
        (httpx.Response(200, json={"access_token": "a b", "token_type": "bearer"}), EhrGarbled, "token.garbled"),
        (httpx.Response(200, json={"access_token": "a", "token_type": "mac"}), EhrGarbled, "token.garbled"),
        (
            httpx.Response(200, json={"access_token": "a", "token_type": "bearer", "scope": 1}),
            EhrGarbled,
            "token.garbled",
        ),
    ],
)
async def test_a_token_answer_that_is_none_is_one_clear_error(launcher, server, answer, error, code):
    server.answers = {"/token": answer}
    with pytest.raises(error) as caught:
        await launch(launcher, server)
    assert caught.value.code == code
    assert "evil" not in str(server.requests[-1].url)


async def test_an_expiry_may_be_sent_as_text(launcher, server, clock):
    server.token = {"expires_in": "60"}
    assert (await launch(launcher, server)).tokens.is_over(clock(), margin_seconds=60)


async def test_tokens_are_renewed_and_rotated(launcher, server, clock):
    launched = await launch(launcher, server)
    assert not launched.tokens.is_over(clock())
    clock.advance(280)
    assert launched.tokens.is_over(clock())
    server.token = {"access_token": "access-2", "refresh_token": "refresh-2", "scope": None}
    second = await launcher.refresh_tokens(launched.context, launched.tokens)
    assert server.form()["refresh_token"] == "refresh-1"
    assert (second.access, second.refresh, second.scopes) == ("access-2", "refresh-2", launched.tokens.scopes)
    server.token = {"refresh_token": None}
    assert (await launcher.refresh_tokens(launched.context, second)).refresh == "refresh-2"


async def test_a_renewal_only_narrows_the_scopes(launcher, server):
    launched = await launch(launcher, server)
    needed = "patient/Patient.r patient/Encounter.r patient/Consent.s patient/DocumentReference.c"
    server.token = {"scope": f"{needed} patient/*.cruds"}
    assert (await launcher.refresh_tokens(launched.context, launched.tokens)).scopes == tuple(needed.split())
    server.token = {"scope": "patient/Patient.r"}
    with pytest.raises(LaunchError, match=r"launch\.scopes"):
        await launcher.refresh_tokens(launched.context, launched.tokens)


async def test_a_renewal_for_another_patient_is_refused(launcher, server):
    launched = await launch(launcher, server)
    server.token = {"patient": "2"}
    with pytest.raises(LaunchError, match=r"launch\.other-patient"):
        await launcher.refresh_tokens(launched.context, launched.tokens)


async def test_without_a_refresh_token_the_session_is_over(launcher, server):
    server.token = {"refresh_token": None, "expires_in": None}
    launched = await launch(launcher, server)
    assert launched.tokens.expires_at is None
    with pytest.raises(LaunchError, match=r"token\.over"):
        await launcher.refresh_tokens(launched.context, launched.tokens)


async def test_the_launches_on_their_way_have_a_bound(launcher, server):
    for _ in range(2500):
        launcher.pending.open(launcher.sites["north"], CALLBACK, "b", standalone=False)
    assert len(launcher.pending._pending) <= 2000
