"""A visit's access to its EHR, as the broker sees it: a bearer token that is fresh, and what to do after a 401.

The tokens stay here, in the front's memory: neither the browser nor the visit ever sees one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Protocol

import httpx

from gateway.ehr.context import LaunchContext
from gateway.ehr.scopes import covers
from gateway.ehr.smart import Launched, Launcher
from gateway.ehr.tokens import Tokens
from gateway.errors import EhrRefused

USER_LEVEL = "user/DocumentReference.r"


class Access(Protocol):
    """Somebody's tokens for one EHR."""

    async def take_token(self) -> str:
        """The access token, renewed first where it has run out.

        Raises:
            EhrError, LaunchError: it has run out and can't be renewed.
        """
        ...

    async def renew_token(self, refused: str) -> str:
        """Another token than the one that the EHR refused.

        Raises:
            EhrError, LaunchError: there is none.
        """
        ...

    def forget(self) -> None:
        """Drop every token."""
        ...


class SessionAccess:
    """The tokens of one launch."""

    def __init__(self, launched: Launched, launcher: Launcher, clock: Callable[[], datetime]) -> None:
        self._context: LaunchContext = launched.context
        self._tokens: Tokens | None = launched.tokens
        self._launcher = launcher
        self._clock = clock
        self._lock = asyncio.Lock()

    async def take_token(self) -> str:
        tokens = self._require()
        if tokens.refresh is not None and tokens.is_over(self._clock()):
            return await self.renew_token(tokens.access)
        return tokens.access

    async def renew_token(self, refused: str) -> str:
        """Callers at the same time share one renewal."""
        async with self._lock:
            tokens = self._require()
            if tokens.access == refused:
                renewed = await self._launcher.refresh_tokens(self._context, tokens)
                self._require()  # the visit may have ended meanwhile
                self._tokens = tokens = renewed
            return tokens.access

    def forget(self) -> None:
        self._tokens = None

    def is_user_level(self) -> bool:
        """Whether it may look at notes as the user does, beyond this launch's patient context."""
        return self._tokens is not None and covers(self._tokens.scopes, USER_LEVEL)

    def _require(self) -> Tokens:
        if self._tokens is None:
            raise EhrRefused("ehr.session", "The session at the EHR is over. Open Countersign again from the EHR.", 401)
        return self._tokens


class BearerAuth(httpx.Auth):
    """Puts an access's token on requests of the front's own, and renews it once after a 401."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._access.take_token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self._access.renew_token(token)}"
            yield request
