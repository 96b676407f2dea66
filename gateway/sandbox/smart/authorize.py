"""The authorization endpoint, GET and form POST, and the two pickers of a standalone launch.

In: an app's request. Out: a redirect to the app with a code, or with the reason why not; a page where it would not be
safe to redirect (unknown client, another redirect_uri). The clinician is signed in to the EHR already, so that nothing
asks for a password here (https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html).
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.sandbox.smart.clients import Client, Clients
from gateway.sandbox.smart.errors import OAuthRefusal
from gateway.sandbox.smart.grants import CodeBinding, Launch, make_grant
from gateway.sandbox.smart.scopes import ScopeError, Scopes, narrow_scopes, parse_scopes
from gateway.sandbox.smart.server import SmartServer

_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
_MAX_PENDING = 1000


class UnsafeToRedirect(Exception):
    """The request must be answered with a page, since its redirect_uri can't be trusted."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that passed; ``launch`` is the EHR's token, None for a standalone launch."""

    client: Client
    redirect_uri: str
    state: str
    scopes: Scopes
    code_challenge: str
    launch: str | None
    nonce: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A standalone launch while the clinician chooses."""

    request: AuthorizationRequest
    patient: str | None = None


def find_redirect(parameters: dict[str, str], clients: Clients) -> tuple[Client, str]:
    """Who asks, and where the answer may go: only to a redirect_uri that is registered, letter for letter.

    Raises:
        UnsafeToRedirect: there is no such place.
    """
    client = clients.find(parameters.get("client_id", ""))
    if client is None or client.backend:
        raise UnsafeToRedirect("This app is not registered with this EHR under the client_id that it sent.")
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise UnsafeToRedirect("The redirect_uri is not one that is registered for this app.")
    return client, redirect_uri


def read_authorization(
    parameters: dict[str, str], client: Client, redirect_uri: str, fhir_base: str
) -> AuthorizationRequest:
    """Checks the rest of the request.

    Raises:
        OAuthRefusal: something is missing or wrong; the words say what.
    """
    if parameters.get("response_type") != "code":
        raise OAuthRefusal("unsupported_response_type", "response_type must be code.")
    for name in ("state", "aud", "scope"):
        if not parameters.get(name):
            raise OAuthRefusal("invalid_request", f"The request has no {name}.")
    if parameters["aud"].rstrip("/") != fhir_base:
        raise OAuthRefusal("invalid_request", f"aud must be the FHIR base that was launched from, {fhir_base}.")
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthRefusal("invalid_request", "PKCE is required: code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
        raise OAuthRefusal("invalid_request", "code_challenge must be 43 characters of base64url (S256).")
    try:
        scopes = parse_scopes(parameters["scope"])
    except ScopeError as error:
        raise OAuthRefusal("invalid_scope", str(error)) from error
    launch = parameters.get("launch")
    if "launch" in scopes and not launch:
        raise OAuthRefusal("invalid_request", "The scope launch needs the launch parameter of the EHR.")
    if launch and "launch" not in scopes:
        raise OAuthRefusal("invalid_request", "A launch parameter needs the scope launch.")
    return AuthorizationRequest(
        client,
        redirect_uri,
        parameters["state"],
        scopes,
        parameters["code_challenge"],
        launch,
        parameters.get("nonce"),
    )


def build_redirect(redirect_uri: str, **values: str) -> str:
    """The redirect_uri with these added to whatever query it has."""
    address = urlsplit(redirect_uri)
    query = urlencode([*parse_qsl(address.query, keep_blank_values=True), *values.items()])
    return address._replace(query=query).geturl()


def create_authorize_routes(server: SmartServer) -> list[Route]:
    """``/auth/authorize`` and ``/auth/choose``."""
    pending: dict[str, Pending] = {}

    async def authorize(http: Request) -> Response:
        pairs = (await http.form()).multi_items() if http.method == "POST" else http.query_params.multi_items()
        parameters = {name: str(value) for name, value in pairs}
        try:
            client, redirect_uri = find_redirect(parameters, server.clients)
        except UnsafeToRedirect as error:
            return server.render("refused.html", {"words": error.words}, 400)
        try:
            if len(parameters) < len(pairs):
                raise OAuthRefusal("invalid_request", "A parameter was sent twice (RFC 6749, section 3.1).")
            request = read_authorization(parameters, client, redirect_uri, server.addresses.fhir)
            if request.launch:
                return _answer(server, request, server.grants.take_launch(request.launch))
        except OAuthRefusal as error:
            return _redirect_refusal(redirect_uri, parameters.get("state"), error)
        return await go_on(Pending(request))

    async def go_on(wait: Pending) -> Response:
        """The next thing to choose, or the code."""
        asked = wait.request.scopes
        if wait.patient is None and ("launch/patient" in asked or "launch/encounter" in asked):
            return ask(wait, "patient", await server.directory.list_patients())
        if "launch/encounter" in asked and wait.patient:
            encounters = await server.directory.list_encounters(wait.patient)
            if encounters:
                return ask(wait, "encounter", encounters)
        return _answer(server, wait.request, Launch(server.directory.user, wait.patient))

    def ask(wait: Pending, what: str, choices: Sequence[object]) -> Response:
        while len(pending) >= _MAX_PENDING:
            del pending[next(iter(pending))]
        handle = secrets.token_urlsafe(32)
        pending[handle] = wait
        values = {"app": wait.request.client.name, "handle": handle, "what": what, "choices": choices}
        return server.render("choose.html", values)

    async def choose(http: Request) -> Response:
        form = {name: str(value) for name, value in (await http.form()).items()}
        wait = pending.pop(form.get("request", ""), None)
        if wait is None:
            return server.render("refused.html", {"words": "This choice is over. Start the app again."}, 400)
        if "deny" in form:
            denial = OAuthRefusal("access_denied", "The clinician did not go on.")
            return _redirect_refusal(wait.request.redirect_uri, wait.request.state, denial)
        directory = server.directory
        if wait.patient is None:
            if form.get("patient") not in {choice.id for choice in await directory.list_patients()}:
                return server.render("refused.html", {"words": "There is no such patient here."}, 400)
            return await go_on(replace(wait, patient=form["patient"]))
        encounter = form.get("encounter") or None
        offered = {choice.id for choice in await directory.list_encounters(wait.patient)}
        if encounter is not None and encounter not in offered:
            return server.render("refused.html", {"words": "There is no such visit here."}, 400)
        return _answer(server, wait.request, Launch(directory.user, wait.patient, encounter))

    return [
        Route("/auth/authorize", authorize, methods=["GET", "POST"]),
        Route("/auth/choose", choose, methods=["POST"]),
    ]


def _answer(server: SmartServer, request: AuthorizationRequest, launch: Launch) -> Response:
    """Issues the code. What is granted is what was asked for, as far as the client is registered for it."""
    scopes = server.policy.grant(narrow_scopes(request.scopes, request.client.scopes))
    grant = make_grant(request.client.id, scopes, user=launch.user, launch=launch, nonce=request.nonce)
    code = server.grants.issue_code(CodeBinding(grant, request.redirect_uri, request.code_challenge))
    return _redirect(build_redirect(request.redirect_uri, code=code, state=request.state))


def _redirect_refusal(redirect_uri: str, state: str | None, error: OAuthRefusal) -> Response:
    values = {"error": error.error, "error_description": error.words, **({"state": state} if state else {})}
    return _redirect(build_redirect(redirect_uri, **values))


def _redirect(url: str) -> Response:
    """303, so that a form POST becomes a GET on its way to the app."""
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
