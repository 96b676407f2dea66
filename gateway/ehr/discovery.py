"""What an EHR says about itself: its SMART endpoints and its keys, read once and kept for a while.

``GET [issuer]/.well-known/smart-configuration`` (SMART App Launch 2.2, section 4). The only addresses that are ever
asked are a configured issuer's own and those that its discovery names: nothing of a URL parameter comes here. Every
address must be https; http passes on loopback only, and only where the issuer itself is there, so that no foreign
discovery can point the gateway at its own machine.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from gateway.ehr.exchange import read_object, require_success, send_request
from gateway.ehr.site import EhrSite
from gateway.errors import EhrError, EhrGarbled, EhrRefused, EhrUnreachable

MAX_BYTES = 512 * 1024
TTL_SECONDS = 3600.0
PUBLIC_PARTS = frozenset({"kty", "kid", "alg", "n", "e", "crv", "x", "y"})

PublicKey = RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """The part of smart-configuration that a launch needs. ``issuer`` is what an id_token must name."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    capabilities: frozenset[str]


@dataclass(slots=True)
class _Known:
    configuration: SmartConfiguration | None = None
    configuration_until: datetime | None = None
    keys: tuple[PublicKey, ...] = ()
    keys_until: datetime | None = None


class Discovery:
    """Reads and keeps the configuration and keys of the configured sites.

    Args:
        http: a client without credentials and cookies of its own.
        now: the clock.
        ttl_seconds: how long what was read is good.
    """

    def __init__(self, http: httpx.AsyncClient, now: Callable[[], datetime], ttl_seconds: float = TTL_SECONDS) -> None:
        self._http = http
        self._now = now
        self._ttl = timedelta(seconds=ttl_seconds)
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def read_configuration(self, site: EhrSite) -> SmartConfiguration:
        """The site's configuration; callers at the same time share one request.

        Raises:
            EhrError: it can't be had, or it offers less than a launch needs.
        """
        known, lock = self._of(site)
        async with lock:
            if known.configuration is None or self._is_over(known.configuration_until):
                url = urljoin(site.issuer.rstrip("/") + "/", ".well-known/smart-configuration")
                require_own_address(site.issuer, site, "issuer")
                read = read_configuration(await self._get(url, site, "configuration"), site)
                known.configuration, known.configuration_until = read, self._now() + self._ttl
            return known.configuration

    async def read_keys(self, site: EhrSite, *, again: bool = False) -> tuple[PublicKey, ...]:
        """The issuer's signing keys; ``again`` asks even where they are known, for a key that is not among them.

        Raises:
            EhrError: they can't be had.
        """
        configuration = await self.read_configuration(site)
        known, lock = self._of(site)
        async with lock:
            if again or not known.keys or self._is_over(known.keys_until):
                known.keys = read_key_set(await self._get(configuration.jwks_uri, site, "keys"))
                known.keys_until = self._now() + self._ttl
            return known.keys

    def _of(self, site: EhrSite) -> tuple[_Known, asyncio.Lock]:
        return self._known.setdefault(site.id, _Known()), self._locks.setdefault(site.id, asyncio.Lock())

    def _is_over(self, until: datetime | None) -> bool:
        return until is None or self._now() >= until

    async def _get(self, url: str, site: EhrSite, what: str) -> dict[str, Any]:
        """One JSON document, or one clear error about it."""
        request = self._http.build_request("GET", url, headers={"Accept": "application/json"})
        name = f"{site.name}'s SMART {what}"
        try:
            reply = await send_request(self._http, request, timeout_seconds=site.timeout_seconds, max_bytes=MAX_BYTES)
            return read_object(require_success(reply))
        except EhrRefused as error:
            public = f"{name} is refused (HTTP {error.http_status}). Check the issuer in config/ehrs/{site.id}.toml."
            raise EhrRefused(f"discovery.{what}", public, error.http_status, error.detail) from None
        except EhrUnreachable as error:
            public = f"{name} can't be reached. Check that the EHR is up, then open Countersign again."
            raise EhrUnreachable(f"discovery.{what}", public, error.detail) from None
        except EhrError as error:
            public = f"{name} can't be read. Tell whoever looks after the EHR."
            raise EhrGarbled(f"discovery.{what}", public, error.detail) from None


def read_configuration(document: Mapping[str, Any], site: EhrSite) -> SmartConfiguration:
    """Check a smart-configuration document for what a launch needs.

    Raises:
        EhrGarbled: an endpoint is missing or not allowed, or PKCE with S256 is not offered.
    """
    methods = document.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        public = f"{site.name} does not offer PKCE with S256, so no launch is safe. Tell whoever looks after the EHR."
        raise EhrGarbled("discovery.pkce", public, "no S256")
    endpoints = {
        name: _read_address(document, name, site) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    issuer, capabilities = document.get("issuer"), document.get("capabilities")
    return SmartConfiguration(
        issuer=issuer if isinstance(issuer, str) and issuer else site.issuer,
        capabilities=frozenset(str(one) for one in capabilities) if isinstance(capabilities, list) else frozenset(),
        **endpoints,
    )


def _read_address(document: Mapping[str, Any], name: str, site: EhrSite) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        public = f"{site.name}'s SMART configuration has no {name}. Tell whoever looks after the EHR."
        raise EhrGarbled("discovery.configuration", public, f"no {name}")
    url = urljoin(site.issuer.rstrip("/") + "/", value)
    require_own_address(url, site, name)
    return url


def require_own_address(url: str, site: EhrSite, name: str) -> None:
    """Raises:
    EhrGarbled: the address is neither https nor, with its issuer, on this machine; or it carries a user or fragment.
    """
    try:
        parts, issuer = urlsplit(url), urlsplit(site.issuer)
        plain = parts.hostname and not parts.username and not parts.password and not parts.fragment
        local, issuer_local = is_loopback(parts.hostname), is_loopback(issuer.hostname)
        allowed = plain and parts.port != 0 and (issuer_local if local else parts.scheme == "https")
        allowed = allowed and parts.scheme in ("https", "http")
    except ValueError:
        allowed = False
    if not allowed:
        public = (
            f"{site.name}'s {name} is no address that may be asked: it must be https. Tell whoever looks after the EHR."
        )
        raise EhrGarbled("discovery.address", public, name)


def is_loopback(host: str | None) -> bool:
    """``localhost`` or an address of this machine's loopback, as written; nothing is looked up."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_key_set(document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """The RSA and EC signing keys of a JWKS; keys of other kinds and broken ones are passed over.

    Raises:
        EhrGarbled: none is left.
    """
    keys: list[PublicKey] = []
    listed = document.get("keys")
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig" or item.get("kty") not in ("RSA", "EC"):
            continue
        public = {
            name: value for name, value in item.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "key_ops")
        }
        try:
            key = import_key(public)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey):
            keys.append(key)
    if not keys:
        raise EhrGarbled("discovery.keys", "The EHR's keys can't be read. Tell whoever looks after the EHR.", "no key")
    return tuple(keys)
