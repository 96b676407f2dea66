"""Token requests: built by one function, sent by another, their reply read by a third.

SMART App Launch 2.2, sections 3.1.6 (code), 3.1.8 (refresh), 4 and 5 (asymmetric and symmetric clients), RFC 6749.
Authlib's ``PrivateKeyJWT`` does not meet section 4 (RS256, an hour, no ``kid``), so the assertion is signed here.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt

from gateway.ehr.exchange import read_object, send_request
from gateway.ehr.keys import Credential, key_id
from gateway.ehr.naming import clean_text
from gateway.ehr.scopes import split_scopes
from gateway.errors import EhrGarbled, EhrRefused, LaunchError

ASSERTION_SECONDS = 240  # SMART allows five minutes; a minute is left for clocks that differ
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_BYTES = 256 * 1024
_SECRETS = frozenset({"access_token", "refresh_token"})

# RFC 6749, 5.2, in words that say what to do.
TOKEN_ERRORS = {
    "invalid_client": "The EHR does not accept Countersign's client or key. Check its client id and JWKS URL there.",
    "invalid_grant": "The EHR says that this launch or session is over. Open Countersign again from the EHR.",
    "unauthorized_client": "The EHR does not let Countersign's client do this. Ask whoever looks after the EHR.",
    "invalid_scope": "The EHR does not know a scope that Countersign asks for. Check the scopes in the EHR's file.",
    "unsupported_grant_type": "The EHR does not offer this kind of token. Ask whoever looks after the EHR.",
    "invalid_request": "The EHR refused the token request as wrong. Check the client in the EHR's file.",
}


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What opens the EHR. It has no ``repr`` that shows anything. ``expires_at`` is UTC; None: not stated."""

    access: str
    refresh: str | None
    expires_at: datetime | None
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return "Tokens(…)"

    def is_over(self, now: datetime, margin_seconds: float = 30.0) -> bool:
        """Whether the access token is over, or will be within the margin."""
        return self.expires_at is not None and now + timedelta(seconds=margin_seconds) >= self.expires_at


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form POST to the token endpoint."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenReply:
    """The tokens, and everything else that came with them (context and id_token)."""

    tokens: Tokens
    context: Mapping[str, Any] = field(repr=False)


def build_token_request(
    url: str,
    grant: Mapping[str, str],
    credential: Credential,
    now: datetime,
    new_id: Callable[[], str],
) -> TokenRequest:
    """Build a token request with the client's authentication.

    Args:
        grant: ``grant_type`` and what belongs to it.
        new_id: an id that is never used twice, for ``jti``.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    match credential.method:
        case "public":
            return TokenRequest(url, {**grant, "client_id": credential.client_id}, headers)
        case "client_secret_basic":
            # RFC 6749, 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(credential.client_id)}:{quote_plus(credential.secret)}"
            basic = b64encode(pair.encode()).decode()
            return TokenRequest(url, grant, {**headers, "Authorization": f"Basic {basic}"})
        case "private_key_jwt":
            assertion = sign_assertion(credential, url, now, new_id())
            form = {**grant, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
            return TokenRequest(url, form, headers)


def sign_assertion(credential: Credential, audience: str, now: datetime, jti: str) -> str:
    """The client's signed assertion for one request (SMART 2.2, 4.1.2)."""
    key = credential.key
    if key is None:
        raise ValueError("private_key_jwt without a key")
    issued = int(now.timestamp())
    header = {"alg": credential.algorithm, "kid": key_id(key), "typ": "JWT"}
    claims = {
        "iss": credential.client_id,
        "sub": credential.client_id,
        "aud": audience,
        "iat": issued,
        "exp": issued + ASSERTION_SECONDS,
        "jti": jti,
    }
    return jwt.encode(header, claims, key, algorithms=[credential.algorithm])


async def send_token_request(
    http: httpx.AsyncClient, request: TokenRequest, *, timeout_seconds: float
) -> dict[str, Any]:
    """Send it, and give back the reply's JSON.

    Raises:
        LaunchError: the EHR said no, with its reason (``detail``: its error code).
        EhrError: no answer, or one that is none.
    """
    content = urlencode(request.form).encode()
    prepared = http.build_request("POST", request.url, content=content, headers=dict(request.headers))
    reply = await send_request(http, prepared, timeout_seconds=timeout_seconds, max_bytes=MAX_BYTES)
    if reply.status == 200:
        return read_object(reply)
    try:
        code = read_object(reply).get("error")
    except EhrGarbled:
        code = None
    if 400 <= reply.status < 500:
        known = code if isinstance(code, str) and code in TOKEN_ERRORS else "invalid_request"
        shown = clean_text(code, 60) if isinstance(code, str) and code.isascii() else "no reason"
        raise LaunchError(f"token.{known}", TOKEN_ERRORS[known], f"HTTP {reply.status} {shown}")
    if reply.status >= 500:
        public = "The EHR could not give out a token at the moment. Wait a few minutes, then open Countersign again."
        raise EhrRefused("token.fault", public, reply.status, f"HTTP {reply.status}")
    raise EhrGarbled("token.garbled", "The EHR's token answer could not be read. Try again.", f"HTTP {reply.status}")


def read_token_reply(reply: Mapping[str, Any], requested: tuple[str, ...], now: datetime) -> TokenReply:
    """Check a token reply for its shape.

    Args:
        requested: what holds where the reply names no scope (RFC 6749, 5.1).

    Raises:
        EhrGarbled: no bearer token in it.
    """
    access, kind, scope = reply.get("access_token"), reply.get("token_type"), reply.get("scope")
    readable = isinstance(access, str) and access and access.isascii() and access.isprintable() and " " not in access
    if not readable or not isinstance(kind, str) or kind.lower() != "bearer":
        public = "The EHR's token answer has no bearer token. Tell whoever looks after the EHR."
        raise EhrGarbled("token.garbled", public, "no bearer token")
    if scope is not None and not isinstance(scope, str):
        raise EhrGarbled("token.garbled", "The EHR's token answer could not be read. Try again.", "scope is no text")
    refresh = reply.get("refresh_token")
    tokens = Tokens(
        access=str(access),
        refresh=refresh if isinstance(refresh, str) and refresh else None,
        expires_at=_read_expiry(reply.get("expires_in"), now),
        scopes=split_scopes(scope) if scope is not None else requested,
    )
    return TokenReply(tokens, {name: value for name, value in reply.items() if name not in _SECRETS})


def _read_expiry(value: object, now: datetime) -> datetime | None:
    """``expires_in`` as a number or, as some servers send it, as its digits."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        return None
    return now + timedelta(seconds=value)
