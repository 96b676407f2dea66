"""The first half of a launch: the authorization request, and what must be remembered until the browser is back.

SMART App Launch 2.2, section 3.1: state (256 bits), nonce and PKCE S256 for every launch; ``aud`` is the issuer;
``launch`` is echoed on an EHR launch and absent on a standalone one. A pending launch is good once, for minutes, and
only in the browser that holds its secret (the front's cookie). Building is pure; nothing here talks to anyone.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from gateway.ehr.discovery import SmartConfiguration
from gateway.ehr.scopes import split_scopes
from gateway.ehr.site import EhrSite
from gateway.errors import LaunchError

SECRET_BYTES = 32
LIFETIME_SECONDS = 600.0
MOST_PENDING = 2000
MOST_LAUNCH_CHARACTERS = 4000

EXPIRED = "This launch is over or was already used. Open Countersign again from the EHR."
OTHER_BROWSER = "This launch was begun in another browser or window. Open Countersign again from the EHR."


@dataclass(frozen=True, slots=True)
class PendingLaunch:
    """A launch between the request and the callback."""

    site_id: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    browser_hash: bytes = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...]
    standalone: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where to send the browser: by a redirect to ``url``, or, where ``form`` is there, by a form POST to it."""

    url: str = field(repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


class PendingLaunches:
    """The launches on their way, in memory.

    Args:
        now: the clock.
        new_secret: makes an unguessable URL-safe text of that many random bytes (``secrets.token_urlsafe``).
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        new_secret: Callable[[int], str],
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> None:
        self._now = now
        self._new_secret = new_secret
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._pending: dict[str, PendingLaunch] = {}

    def open(self, site: EhrSite, redirect_uri: str, browser_secret: str, *, standalone: bool) -> PendingLaunch:
        """Remember a new launch, bound to the browser that holds ``browser_secret``."""
        self._forget_old()
        pending = PendingLaunch(
            site_id=site.id,
            state=self._new_secret(SECRET_BYTES),
            nonce=self._new_secret(SECRET_BYTES),
            code_verifier=self._new_secret(SECRET_BYTES),
            browser_hash=_hash(browser_secret),
            redirect_uri=redirect_uri,
            scopes=choose_scopes(site, standalone=standalone),
            standalone=standalone,
            expires_at=self._now() + self._lifetime,
        )
        self._pending[pending.state] = pending
        return pending

    def take(self, state: str, browser_secret: str) -> PendingLaunch:
        """The launch of this state; it can't be taken again, whatever comes of it.

        Raises:
            LaunchError: unknown, used, expired, or begun in another browser.
        """
        self._forget_old()
        pending = self._pending.pop(state, None)
        if pending is None:
            raise LaunchError("launch.state", EXPIRED, "state not pending")
        if not hmac.compare_digest(pending.browser_hash, _hash(browser_secret)):
            raise LaunchError("launch.browser", OTHER_BROWSER, "browser secret differs")
        return pending

    def _forget_old(self) -> None:
        now = self._now()
        self._pending = {state: one for state, one in self._pending.items() if now < one.expires_at}
        while len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]


def choose_scopes(site: EhrSite, *, standalone: bool) -> tuple[str, ...]:
    """The scopes to ask for; a standalone launch asks the EHR to let the clinician choose the patient."""
    if not standalone:
        return split_scopes(site.client.scopes)
    if site.client.standalone_scopes:
        return split_scopes(site.client.standalone_scopes)
    chosen = [scope for scope in split_scopes(site.client.scopes) if scope != "launch"]
    return ("launch/patient", "launch/encounter", *chosen)


def build_authorization(
    site: EhrSite, configuration: SmartConfiguration, pending: PendingLaunch, launch: str | None
) -> AuthorizationRequest:
    """The authorization request of a pending launch.

    Args:
        launch: the EHR's ``launch`` parameter; None on a standalone launch.

    Raises:
        LaunchError: ``launch`` is empty or longer than any EHR's.
    """
    if launch is not None and not 0 < len(launch) <= MOST_LAUNCH_CHARACTERS:
        raise LaunchError("launch.parameter", "The EHR's launch is incomplete. Open Countersign again from the EHR.")
    params = {
        "response_type": "code",
        "client_id": site.client.id,
        "redirect_uri": pending.redirect_uri,
        "scope": " ".join(pending.scopes),
        "state": pending.state,
        "aud": site.issuer,
        "nonce": pending.nonce,
        "code_challenge": create_s256_code_challenge(pending.code_verifier),
        "code_challenge_method": "S256",
        **({"launch": launch} if launch is not None else {}),
    }
    if site.client.authorize_post and "authorize-post" in configuration.capabilities:
        return AuthorizationRequest(configuration.authorization_endpoint, params)
    return AuthorizationRequest(add_params_to_uri(configuration.authorization_endpoint, list(params.items())))


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
