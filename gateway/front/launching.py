"""A launch's way to the EHR and back, as the front's routes see it; the protocol itself is ``ehr/smart``'s.

In: a configured EHR and the browser's parameters. Out: where to send the browser, then the launch with its access.
Each launch has a secret of its own in a cookie of its own, so that two tabs may sign in at once.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.ehr.context import LaunchContext
from gateway.ehr.scopes import missing
from gateway.ehr.site import EhrSite
from gateway.ehr.smart import Launcher
from gateway.front.access import SessionAccess

log = logging.getLogger("countersign.launch")

MOST_EXPECTED = 2000


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes next. ``fields`` are those of a form POST, None for a redirect.

    ``secret`` goes into the launch's cookie: only the browser that left may come back.
    """

    state: str
    secret: str
    url: str
    fields: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Expected:
    """A launch that is at the EHR's sign-in."""

    site: EhrSite
    secret: str
    until: datetime


class LaunchDesk:
    """Begins launches and completes them; each state is good once.

    Args:
        redirect_uri: the gateway's own callback, as it is registered at the EHRs.
    """

    def __init__(
        self, launcher: Launcher, redirect_uri: str, launch_minutes: float, clock: Callable[[], datetime]
    ) -> None:
        self._launcher = launcher
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._expected: dict[str, Expected] = {}
        self._warned: set[tuple[str, tuple[str, ...]]] = set()
        self.launch_seconds = launch_minutes * 60

    async def begin(self, site: EhrSite, launch: str | None) -> Departure:
        """Begin an EHR launch, or a standalone one where ``launch`` is None.

        Raises:
            LaunchError: this EHR does not take it.
            EhrError: the EHR's discovery can't be had.
        """
        now, secret = self._clock(), secrets.token_urlsafe(32)
        asked = await self._launcher.start_launch(site.issuer, launch, self._redirect_uri, secret)
        state = asked.form["state"] if asked.form else parse_qs(urlsplit(asked.url).query)["state"][0]
        self._expected = {known: one for known, one in self._expected.items() if now < one.until}
        while len(self._expected) >= MOST_EXPECTED:  # nobody fills the memory by beginning launches
            del self._expected[next(iter(self._expected))]
        self._expected[state] = Expected(site, secret, now + timedelta(seconds=self.launch_seconds))
        return Departure(state, secret, asked.url, asked.form)

    def find(self, state: str) -> Expected | None:
        """The launch that left with this state, while it is still awaited."""
        expected = self._expected.get(state)
        return expected if expected is not None and self._clock() < expected.until else None

    async def complete(self, state: str, parameters: Mapping[str, str]) -> tuple[LaunchContext, SessionAccess]:
        """Exchange the code; everything that SMART asks for is checked.

        Raises:
            LaunchError: it does not hold.
            EhrError: the EHR did not answer.
        """
        expected = self._expected.pop(state, None)
        launched = await self._launcher.complete_launch(parameters, expected.secret if expected else "")
        if expected is not None:
            self._warn(expected.site, launched.context.scopes)
        return launched.context, SessionAccess(launched, self._launcher, self._clock)

    def _warn(self, site: EhrSite, granted: tuple[str, ...]) -> None:
        """Say once what this EHR's file wants done and its grant does not allow; the visit does without it."""
        lacking = missing(granted, wanted_scopes(site))
        if lacking and (site.id, lacking) not in self._warned:
            self._warned.add((site.id, lacking))
            log.warning("launch.scopes.lacking site=%s scopes=%s", site.id, ",".join(lacking))

    def published_keys(self) -> dict[str, Any]:
        """The JWK Set of the gateway's own clients; public parts only."""
        return self._launcher.credentials.public_jwks()


def wanted_scopes(site: EhrSite) -> tuple[str, ...]:
    """What the tables ``consent`` and ``chart`` of a site's file take beyond what every visit needs."""
    consent, wanted = site.consent, []
    if consent.answers == "write":
        wanted += ["patient/Consent.c", *(["patient/Consent.u"] if consent.change else [])]
    if consent.audit_events:
        wanted.append("patient/AuditEvent.c")  # a user's grant reaches the patient's too
    if site.chart.medications != "none":
        wanted.append(f"patient/{site.chart.medications}.s")
    return tuple(wanted)
