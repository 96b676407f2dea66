"""A visit's access to its EHR, as the broker sees it: a bearer token that is fresh, and what to do after a 401."""

from typing import Protocol


class Access(Protocol):
    """One session's tokens. They stay in the front: neither the browser nor the visit ever sees one."""

    async def take_token(self) -> str:
        """The access token, renewed first where it has run out.

        Raises:
            EhrError: it has run out and can't be renewed.
        """
        ...

    async def renew_token(self, refused: str) -> str:
        """Another token than the one that the EHR refused.

        Raises:
            EhrError: there is none.
        """
        ...

    def forget(self) -> None:
        """Drop every token."""
        ...
