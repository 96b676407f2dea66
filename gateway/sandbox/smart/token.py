"""The token endpoint: authorization_code with PKCE, refresh_token, client_credentials.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html (step 5 and later) and backend-services.html.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.sandbox.smart.clients import Client, read_credentials
from gateway.sandbox.smart.errors import OAuthRefusal
from gateway.sandbox.smart.grants import Grant, make_grant, narrow_grant
from gateway.sandbox.smart.scopes import ScopeError, narrow_scopes, parse_scopes
from gateway.sandbox.smart.server import SmartServer

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_ID_TOKEN_SECONDS = 600


def create_token_route(server: SmartServer) -> Route:
    async def token(http: Request) -> Response:
        authorization = http.headers.get("authorization")
        try:
            form = await read_form(http)
            _name_refreshing_client(server, form, authorization)
            client = await server.clients.authenticate(read_credentials(authorization, form))
            match form.get("grant_type"):
                case "authorization_code":
                    answer = _redeem_code(server, client, form)
                case "refresh_token":
                    answer = _refresh(server, client, form)
                case "client_credentials":
                    answer = _grant_backend(server, client, form)
                case _:
                    raise OAuthRefusal(
                        "unsupported_grant_type",
                        "grant_type must be authorization_code, refresh_token or client_credentials.",
                    )
        except OAuthRefusal as error:
            return write_refusal(error, basic=authorization is not None)
        return JSONResponse(answer, headers=NO_STORE)

    return Route("/auth/token", token, methods=["POST"])


async def read_form(http: Request) -> dict[str, str]:
    """The form of a request, each name once.

    Raises:
        OAuthRefusal: it is no form, or a name comes twice.
    """
    if http.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise OAuthRefusal("invalid_request", "Send the request as application/x-www-form-urlencoded.")
    pairs = (await http.form()).multi_items()
    form = {name: str(value) for name, value in pairs}
    if len(form) < len(pairs):
        raise OAuthRefusal("invalid_request", "A parameter was sent twice (RFC 6749, section 3.2).")
    return form


def write_refusal(error: OAuthRefusal, *, basic: bool) -> Response:
    """The refusal as JSON; a failed HTTP Basic is challenged again (RFC 6749, section 5.2)."""
    challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'} if error.status == 401 and basic else {}
    return JSONResponse(error.to_json(), error.status, headers=NO_STORE | challenge)


def compute_challenge(verifier: str) -> str:
    """S256 (RFC 7636, section 4.6)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def describe_context(server: SmartServer, grant: Grant) -> dict[str, Any]:
    """The launch context that goes with a token."""
    launch, policy = grant.launch, server.policy
    if launch is None:
        return {}
    context: dict[str, Any] = {"patient": launch.patient, "encounter": launch.encounter}
    if launch.patient:
        context["need_patient_banner"] = policy.need_patient_banner
    context["intent"] = launch.intent or policy.intent
    context["tenant"] = policy.tenant
    context["fhirContext"] = list(launch.fhir_context)
    return {name: value for name, value in context.items() if value not in (None, "", [])}


def _redeem_code(server: SmartServer, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    binding = server.grants.take_code(_need(form, "code"), client.id)
    if form.get("redirect_uri") != binding.redirect_uri:
        raise OAuthRefusal("invalid_grant", "redirect_uri is not the one that the code was asked for with.")
    verifier = _need(form, "code_verifier")
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
        compute_challenge(verifier), binding.code_challenge
    ):
        raise OAuthRefusal("invalid_grant", "code_verifier does not match the code_challenge.")
    answer = _write_tokens(server, binding.grant, binding.grant)
    if "openid" in binding.grant.scopes:
        answer["id_token"] = _write_id_token(server, binding.grant)
    return answer


def _refresh(server: SmartServer, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    """A refresh may narrow the scopes of the access token; the new refresh token keeps those of the grant."""
    token = _need(form, "refresh_token")
    found = server.grants.find_refresh(token)
    narrowed = found[0] if found else None
    if narrowed and form.get("scope"):
        try:
            asked = parse_scopes(form["scope"])
        except ScopeError as error:
            raise OAuthRefusal("invalid_scope", str(error)) from error
        if not asked.is_within(narrowed.scopes):
            raise OAuthRefusal("invalid_scope", "A refresh can only narrow what was granted.")
        narrowed = narrow_grant(narrowed, asked)
    grant = server.grants.take_refresh(token, client.id)
    return _write_tokens(server, narrowed or grant, grant)


def _name_refreshing_client(server: SmartServer, form: dict[str, str], authorization: str | None) -> None:
    """A public client need not name itself in a refresh (RFC 6749, section 6): the token says whose it is.

    A client with credentials gains nothing by that: it is asked for them as ever.
    """
    if form.get("grant_type") == "refresh_token" and not authorization and "client_assertion" not in form:
        owner = server.grants.find_refresh_client(form.get("refresh_token", ""))
        if owner:
            form.setdefault("client_id", owner)


def _grant_backend(server: SmartServer, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    if not client.backend:
        raise OAuthRefusal("unauthorized_client", "This client is not registered for client_credentials.")
    try:
        asked = parse_scopes(_need(form, "scope"))
    except ScopeError as error:
        raise OAuthRefusal("invalid_scope", str(error)) from error
    scopes = server.policy.grant(narrow_scopes(asked, client.scopes))
    if not scopes:
        raise OAuthRefusal("invalid_scope", "None of these scopes is registered for this client.")
    seconds = server.policy.backend_seconds
    return {
        "access_token": server.grants.issue_access(make_grant(client.id, scopes), seconds),
        "token_type": "Bearer",
        "expires_in": seconds,
        "scope": str(scopes),
    }


def _write_tokens(server: SmartServer, grant: Grant, whole: Grant) -> dict[str, Any]:
    """The reply with an access token for ``grant``; a refresh token is for the ``whole`` of what was granted."""
    seconds = server.policy.access_seconds
    answer: dict[str, Any] = {
        "access_token": server.grants.issue_access(grant, seconds),
        "token_type": "Bearer",
        "expires_in": seconds,
        **describe_context(server, grant),
    }
    if server.policy.scope_in_reply:
        answer["scope"] = str(grant.scopes)
    if "offline_access" in whole.scopes or "online_access" in whole.scopes:
        answer["refresh_token"] = server.grants.issue_refresh(whole)
    return answer


def _write_id_token(server: SmartServer, grant: Grant) -> str:
    now = int(server.now())
    claims: dict[str, Any] = {
        "iss": server.addresses.issuer,
        "sub": describe_subject(grant),
        "aud": grant.client_id,
        "iat": now,
        "auth_time": now,
        "exp": now + _ID_TOKEN_SECONDS,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    fhir_user = describe_fhir_user(server, grant)
    if fhir_user:
        claims["fhirUser"] = fhir_user
    return server.key.sign(claims)


def describe_subject(grant: Grant) -> str:
    """A name of the user that stays the same and says nothing of her."""
    return hashlib.sha256(f"sandbox user {grant.user}".encode()).hexdigest()[:32]


def describe_fhir_user(server: SmartServer, grant: Grant) -> str | None:
    if not ({"fhirUser", "profile"} & set(grant.scopes.texts)) or server.policy.fhir_user == "absent":
        return None
    return grant.user if server.policy.fhir_user == "relative" else f"{server.addresses.fhir}/{grant.user}"


def _need(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise OAuthRefusal("invalid_request", f"The request has no {name}.")
    return form[name]
