"""The gateway's own access to an EHR, where no clinician is behind it (SMART App Launch 2.2, section 5).

A ``client_credentials`` token, kept until shortly before it ends. It is for the front alone; no visit ever has it.
Each use asks for its own scopes in a token of its own: what looks for a signature can't read a Consent.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx

from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import Credential
from gateway.ehr.scopes import missing, split_scopes
from gateway.ehr.site import EhrSite
from gateway.ehr.tokens import Tokens, build_token_request, read_token_reply, send_token_request
from gateway.errors import LaunchError

UNSTATED_SECONDS = 300.0  # what SMART recommends, where a reply does not say


class BackendAccess:
    """One site's backend client, for one use.

    Args:
        scopes: what this use needs, all of which must be granted; empty: ``backend.scopes`` of the site's file.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        discovery: Discovery,
        site: EhrSite,
        credential: Credential,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        scopes: str = "",
    ) -> None:
        self._http = http
        self._discovery = discovery
        self._site = site
        self._credential = credential
        self._now = now
        self._new_id = new_id
        assert site.backend is not None
        self._scopes = scopes or site.backend.scopes
        self._tokens: Tokens | None = None
        self._until: float = 0.0
        self._lock = asyncio.Lock()

    async def take_token(self) -> str:
        """The access token; callers at the same time share one request.

        Raises:
            LaunchError: the EHR refuses the client, or grants too little.
            EhrError: it does not answer, or not as it should.
        """
        async with self._lock:
            if self._tokens is None or self._now().timestamp() >= self._until:
                self._tokens = await self._ask_token()
                ends = self._tokens.expires_at
                lasts = (ends - self._now()).total_seconds() if ends else UNSTATED_SECONDS
                self._until = self._now().timestamp() + max(lasts - 30.0, lasts / 2)
            return self._tokens.access

    async def renew_token(self, refused: str) -> str:
        """Another token than the one that the EHR refused."""
        if self._tokens is not None and self._tokens.access == refused:
            self.forget()
        return await self.take_token()

    def forget(self) -> None:
        """Drop the token."""
        self._tokens = None

    async def _ask_token(self) -> Tokens:
        site = self._site
        configuration = await self._discovery.read_configuration(site)
        grant = {"grant_type": "client_credentials", "scope": self._scopes}
        request = build_token_request(configuration.token_endpoint, grant, self._credential, self._now(), self._new_id)
        answer = await send_token_request(self._http, request, timeout_seconds=site.timeout_seconds)
        wanted = split_scopes(self._scopes)
        tokens = read_token_reply(answer, wanted, self._now()).tokens
        lacking = missing(tokens.scopes, wanted)
        if lacking:
            public = f"The EHR did not grant {', '.join(lacking)} to Countersign's backend client. Ask its operators."
            raise LaunchError("token.scopes", public, ",".join(lacking))
        return tokens
