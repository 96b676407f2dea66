"""What was granted, in memory: launches, codes, access and refresh tokens, each with its end.

All are opaque random texts of 256 bits. A code is good once: if it comes again, all that it led to is revoked
(RFC 6749, section 4.1.2). A refresh token is replaced at each use; a replaced one that comes again revokes the
whole grant (RFC 9700, section 4.14).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from gateway.sandbox.smart.errors import OAuthRefusal
from gateway.sandbox.smart.policy import Policy
from gateway.sandbox.smart.scopes import Scopes


@dataclass(frozen=True, slots=True)
class Launch:
    """The EHR's context behind an opaque launch token. ``user`` is a relative reference (``Practitioner/1``)."""

    user: str
    patient: str | None
    encounter: str | None = None
    intent: str = ""
    fhir_context: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """What an app was given, whichever tokens carry it. ``user`` is None for Backend Services."""

    id: str
    client_id: str
    scopes: Scopes
    user: str | None = None
    launch: Launch | None = None
    nonce: str | None = None

    @property
    def patient(self) -> str | None:
        return self.launch.patient if self.launch else None

    @property
    def encounter(self) -> str | None:
        return self.launch.encounter if self.launch else None


@dataclass(frozen=True, slots=True)
class CodeBinding:
    """What a code was issued for; the token request must match it."""

    grant: Grant
    redirect_uri: str
    code_challenge: str


Thing = TypeVar("Thing")


@dataclass(slots=True)
class _Held(Generic[Thing]):
    thing: Thing
    ends_at: float
    used: bool = False


class Grants:
    """The authorization server's memory. Nothing of it is written anywhere; a restart forgets it."""

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        self._policy, self._now = policy, now
        self._launches: dict[str, _Held[Launch]] = {}
        self._codes: dict[str, _Held[CodeBinding]] = {}
        self._access: dict[str, _Held[Grant]] = {}
        self._refresh: dict[str, _Held[Grant]] = {}

    def open_launch(self, launch: Launch) -> str:
        """A launch token to hand to an app: good once and for a few minutes."""
        return self._keep(self._launches, launch, self._policy.launch_seconds)

    def take_launch(self, token: str) -> Launch:
        """
        Raises:
            OAuthRefusal: it is unknown, used or expired.
        """
        held = self._launches.get(token)
        if held is None or held.used or held.ends_at <= self._now():
            raise OAuthRefusal(
                "invalid_request", "This launch is unknown, used or expired. Launch the app from the chart again."
            )
        held.used = True
        return held.thing

    def issue_code(self, binding: CodeBinding) -> str:
        return self._keep(self._codes, binding, self._policy.code_seconds)

    def take_code(self, code: str, client_id: str) -> CodeBinding:
        """
        Raises:
            OAuthRefusal: ``invalid_grant``; for a code that was used before, its tokens are revoked as well.
        """
        held = self._codes.get(code)
        if held is None or held.thing.grant.client_id != client_id:
            raise OAuthRefusal("invalid_grant", "This code was not issued to this client.")
        if held.used:
            self.revoke(held.thing.grant.id)
            raise OAuthRefusal("invalid_grant", "This code was used before; its tokens are revoked.")
        held.used = True
        if held.ends_at <= self._now():
            raise OAuthRefusal("invalid_grant", "This code has expired.")
        return held.thing

    def issue_access(self, grant: Grant, seconds: int) -> str:
        return self._keep(self._access, grant, seconds)

    def find_access(self, token: str) -> tuple[Grant, float] | None:
        """The grant behind a living access token and when it ends (seconds since 1970)."""
        return self._find(self._access, token)

    def issue_refresh(self, grant: Grant) -> str:
        return self._keep(self._refresh, grant, self._policy.refresh_seconds)

    def find_refresh(self, token: str) -> tuple[Grant, float] | None:
        return self._find(self._refresh, token)

    def find_refresh_client(self, token: str) -> str | None:
        """Which client a refresh token was issued to, also of one that was replaced."""
        held = self._refresh.get(token)
        return held.thing.client_id if held else None

    def take_refresh(self, token: str, client_id: str) -> Grant:
        """
        Raises:
            OAuthRefusal: ``invalid_grant``; for a token that was replaced, the whole grant is revoked as well.
        """
        held = self._refresh.get(token)
        if held is None or held.thing.client_id != client_id:
            raise OAuthRefusal("invalid_grant", "This refresh token is not one of this client's.")
        if held.used:
            self.revoke(held.thing.id)
            raise OAuthRefusal("invalid_grant", "This refresh token was replaced; the grant is revoked.")
        if held.ends_at <= self._now():
            raise OAuthRefusal("invalid_grant", "This refresh token has expired.")
        held.used = True
        return held.thing

    def revoke(self, grant_id: str) -> None:
        """Ends every token of a grant."""
        self._access = {key: held for key, held in self._access.items() if held.thing.id != grant_id}
        self._refresh = {key: held for key, held in self._refresh.items() if held.thing.id != grant_id}

    def revoke_token(self, token: str, client_id: str) -> None:
        """Ends what a token stands for, if it is this client's; an unknown one is no error (RFC 7009)."""
        access = self._access.get(token)
        if access and access.thing.client_id == client_id:
            del self._access[token]
        refresh = self._refresh.get(token)
        if refresh and refresh.thing.client_id == client_id:
            self.revoke(refresh.thing.id)

    def end_session(self, user: str) -> None:
        """The user leaves the EHR: what was granted for the time she is online ends."""
        ended = {
            held.thing.id
            for held in self._refresh.values()
            if held.thing.user == user and "offline_access" not in held.thing.scopes
        }
        for grant_id in ended:
            self.revoke(grant_id)

    def expire_access(self) -> None:
        """Lets every access token expire now (a test hook: an app must refresh)."""
        for held in self._access.values():
            held.ends_at = self._now()

    def _keep(self, store: dict[str, _Held[Thing]], thing: Thing, seconds: int) -> str:
        now = self._now()
        for key in [key for key, held in store.items() if held.ends_at < now - 3600]:
            del store[key]  # an hour after its end nobody needs to be told "used" rather than "unknown"
        token = secrets.token_urlsafe(32)
        store[token] = _Held(thing, now + seconds)
        return token

    def _find(self, store: dict[str, _Held[Grant]], token: str) -> tuple[Grant, float] | None:
        held = store.get(token)
        if held is None or held.used or held.ends_at <= self._now():
            return None
        return held.thing, held.ends_at


def make_grant(client_id: str, scopes: Scopes, **more: Any) -> Grant:
    """A grant with a new id."""
    return Grant(secrets.token_hex(8), client_id, scopes, **more)


def narrow_grant(grant: Grant, scopes: Scopes) -> Grant:
    """The same grant for an access token of fewer scopes."""
    return replace(grant, scopes=scopes)
