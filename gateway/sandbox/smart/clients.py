"""The registered clients, and how one proves at the token endpoint that it is itself.

Public, ``client_secret_basic`` and ``private_key_jwt`` (RFC 7523 with SMART 2.2's rules:
https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html).
"""

import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote_plus

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.sandbox.smart.errors import OAuthRefusal
from gateway.sandbox.smart.scopes import Scopes, parse_scopes

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")
ASSERTION_MAX_SECONDS = 300
LEEWAY_SECONDS = 5

#: Reads the JSON of a client's JWKS URL; raises ``OSError`` where it can't be had.
FetchJson = Callable[[str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Client:
    """A registration. ``scopes`` bound what it may ever be granted; of ``jwks`` and ``jwks_url`` one is given."""

    id: str
    name: str
    auth: Literal["public", "client_secret_basic", "private_key_jwt"]
    scopes: Scopes
    redirect_uris: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    jwks: Mapping[str, Any] | None = None
    jwks_url: str = ""
    backend: bool = False


@dataclass(frozen=True, slots=True)
class PresentedCredentials:
    """What came with a request at the token endpoint, exactly one way of authentication."""

    client_id: str
    secret: str | None = None
    assertion: str | None = None


def read_credentials(authorization: str | None, form: Mapping[str, str]) -> PresentedCredentials:
    """Finds out who says to be calling (RFC 6749, section 2.3: one method at a time).

    Raises:
        OAuthRefusal: none or more than one way was used, or it can't be read.
    """
    assertion = form.get("client_assertion")
    if authorization and assertion:
        raise OAuthRefusal("invalid_request", "Authenticate in one way, not with a secret and an assertion.")
    if "client_secret" in form:
        raise OAuthRefusal("invalid_request", "Send the secret in the Authorization header, not in the form.")
    if authorization:
        client_id, secret = _read_basic(authorization)
        if form.get("client_id", client_id) != client_id:
            raise OAuthRefusal("invalid_request", "client_id differs from the one in the Authorization header.")
        return PresentedCredentials(client_id, secret=secret)
    if assertion is not None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthRefusal("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}.")
        return PresentedCredentials(_read_subject(assertion), assertion=assertion)
    if not form.get("client_id"):
        raise OAuthRefusal("invalid_client", "The request does not say which client it is from.", 401)
    return PresentedCredentials(form["client_id"])


class Clients:
    """The registrations, by id, with what has to be remembered: assertions seen and key sets fetched."""

    def __init__(
        self, clients: tuple[Client, ...], token_url: str, fetch_json: FetchJson, now: Callable[[], float]
    ) -> None:
        self._clients = {client.id: client for client in clients}
        self._token_url, self._fetch_json, self._now = token_url, fetch_json, now
        self._seen_assertions: dict[tuple[str, str], float] = {}
        self._key_sets: dict[str, KeySet] = {}

    def find(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def add(self, client: Client) -> None:
        """Registers one more, or replaces the registration of the same id."""
        self._clients[client.id] = client

    async def authenticate(self, presented: PresentedCredentials) -> Client:
        """The client that these credentials are the registered ones of.

        Raises:
            OAuthRefusal: ``invalid_client``, with the reason.
        """
        client = self.find(presented.client_id)
        if client is None:
            raise _refuse("This client is not registered here.")
        match client.auth:
            case "public":
                if presented.secret is not None or presented.assertion is not None:
                    raise _refuse("This client is registered as public and has no credentials.")
            case "client_secret_basic":
                if presented.secret is None:
                    raise _refuse("This client must send its secret with HTTP Basic authentication.")
                if not hmac.compare_digest(presented.secret.encode(), client.secret.encode()):
                    raise _refuse("The client secret is wrong.")
            case "private_key_jwt":
                if presented.assertion is None:
                    raise _refuse("This client must authenticate with a signed assertion (private_key_jwt).")
                await self._check_assertion(client, presented.assertion)
        return client

    async def _check_assertion(self, client: Client, assertion: str) -> None:
        header = _read_header(assertion)
        if header.get("alg") not in ALGORITHMS:
            raise _refuse("The assertion must be signed with RS384 or ES384.")
        if header.get("typ") != "JWT" or not isinstance(header.get("kid"), str):
            raise _refuse("The assertion's header must have typ JWT and a kid.")
        if "jku" in header and header["jku"] != client.jwks_url:
            raise _refuse("The assertion's jku is not the JWKS URL that is registered for this client.")
        claims = await self._verify(client, assertion, header["kid"])
        now = self._now()
        self._check_claims(client, claims, now)
        self._seen_assertions = {key: until for key, until in self._seen_assertions.items() if until >= now}
        key = (client.id, claims["jti"])
        if key in self._seen_assertions:
            raise _refuse("This assertion's jti was used before; make a new one for each request.")
        self._seen_assertions[key] = claims["exp"] + LEEWAY_SECONDS

    def _check_claims(self, client: Client, claims: Mapping[str, Any], now: float) -> None:
        if claims.get("iss") != client.id or claims.get("sub") != client.id:
            raise _refuse("The assertion's iss and sub must both be the client_id.")
        audience = claims.get("aud")
        if self._token_url not in (audience if isinstance(audience, list) else [audience]):
            raise _refuse(f"The assertion's aud must be the token URL, {self._token_url}.")
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or isinstance(expires, bool):
            raise _refuse("The assertion must have exp, in seconds since 1970.")
        if expires < now - LEEWAY_SECONDS:
            raise _refuse("The assertion has expired.")
        if expires > now + ASSERTION_MAX_SECONDS + LEEWAY_SECONDS:
            raise _refuse("The assertion's exp must be at most five minutes ahead.")
        for name in ("nbf", "iat"):
            if isinstance(value := claims.get(name), int | float) and value > now + LEEWAY_SECONDS:
                raise _refuse(f"The assertion's {name} is in the future.")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise _refuse("The assertion must have a jti.")

    async def _verify(self, client: Client, assertion: str, kid: str) -> Mapping[str, Any]:
        for again in (False, True):
            keys = await self._read_keys(client, again=again)
            if any(key.kid == kid for key in keys):
                try:
                    return jwt.decode(assertion, keys, algorithms=list(ALGORITHMS)).claims
                except (JoseError, ValueError) as error:
                    raise _refuse("The assertion's signature does not hold.") from error
        raise _refuse("The assertion's kid is not among the client's keys.")

    async def _read_keys(self, client: Client, *, again: bool) -> KeySet:
        """The client's key set; one by URL is kept until a kid is asked for that it lacks."""
        if client.jwks is None and (again or client.id not in self._key_sets):
            try:
                self._key_sets[client.id] = _import_keys(await self._fetch_json(client.jwks_url))
            except (OSError, JoseError, ValueError, KeyError, TypeError) as error:
                raise _refuse("The client's JWKS can't be read at its registered URL.") from error
        return self._key_sets[client.id] if client.jwks is None else _import_keys(client.jwks)


def _import_keys(jwks: Mapping[str, Any]) -> KeySet:
    return KeySet.import_key_set({"keys": list(jwks["keys"])})


def _refuse(words: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_client", words, 401)


def _read_basic(authorization: str) -> tuple[str, str]:
    """RFC 6749, section 2.3.1: id and secret are form-encoded before they are joined."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise _refuse("The Authorization header is not HTTP Basic.") from error
    if not colon:
        raise _refuse("The Authorization header has no client_id:secret.")
    return unquote_plus(client_id), unquote_plus(secret)


def _read_header(assertion: str) -> Mapping[str, Any]:
    try:
        return jws.extract_compact(assertion.encode()).headers()
    except (JoseError, ValueError) as error:
        raise _refuse("The client assertion is not a signed JWT.") from error


def _read_subject(assertion: str) -> str:
    """Who the assertion says to be from, before anything is verified."""
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
        return str(claims["sub"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _refuse("The client assertion is not a signed JWT with a sub.") from error


#: What Countersign asks for by itself: the signature watch, notifications, and an operator who tries her rules.
BACKEND_SCOPES = (
    "system/DocumentReference.rs system/Subscription.crud system/Patient.r system/Consent.rs system/RelatedPerson.rs"
)


def register_clients(gateway_url: str, extra: tuple[Client, ...] = ()) -> tuple[Client, ...]:
    """The clients that the sandbox knows from the start; ``gateway_url`` is Countersign's own address."""
    redirects, jwks_url = (f"{gateway_url}/callback",), f"{gateway_url}/.well-known/jwks.json"
    everything = parse_scopes(
        "launch launch/patient launch/encounter openid fhirUser profile online_access offline_access "
        "patient/*.cruds user/*.cruds"
    )
    return (
        Client("countersign", "Countersign", "private_key_jwt", everything, redirects, jwks_url=jwks_url),
        Client(
            "countersign-backend",
            "Countersign, without a clinician",
            "private_key_jwt",
            parse_scopes(BACKEND_SCOPES),
            jwks_url=jwks_url,
            backend=True,
        ),
        Client("countersign-public", "Countersign (public client)", "public", everything, redirects),
        Client(
            "countersign-secret",
            "Countersign (symmetric client)",
            "client_secret_basic",
            everything,
            redirects,
            secret=TEST_SECRET,
        ),
        *extra,
    )


#: The secret of ``countersign-secret``. It guards invented patients on this machine and nothing else.
TEST_SECRET = "sandbox-test-secret-not-for-real-use"  # noqa: S105  # a test value, plainly marked
