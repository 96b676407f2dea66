"""The visit's way to the front, over its EHR-side socket: ledger entries and the report of its end.

The same socket carries the FHIR requests (``gateway/ehr/client``). Nothing here carries patient data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import httpx

from gateway.errors import LedgerError
from gateway.ledger.entry import MOST_RESOURCES
from gateway.visit.events import Outcome


@dataclass(frozen=True, slots=True)
class EndReport:
    """What the front is told when a visit ends: codes, counts and the filed note's reference, nothing else.

    ``document`` is a relative reference (``DocumentReference/7``) or None; ``problem`` is a code and a public sentence.
    """

    outcome: Outcome
    document: str | None
    destroyed: tuple[str, ...]
    problem: tuple[str, str] | None = None


class Door(Protocol):
    """What a visit may ask of the front besides FHIR."""

    async def log(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        """Append a ledger entry and wait until it is on the disk.

        Args:
            resources: relative references of what it rests on; the ledger holds a keyed hash of each.

        Raises:
            LedgerError: it could not be written: what it announces must not start.
        """
        ...

    async def owe(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        """Have an entry written as soon as it can be; never fails."""
        ...

    async def report_end(self, report: EndReport) -> None:
        """Tell the front that the visit is over; never fails."""
        ...


class SocketDoor:
    """The real door: HTTP over the Unix socket that the front's broker holds."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def log(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        try:
            reply = await self._http.post("/ledger", json=_entry(event, outcome, counts, resources, owed=False))
        except httpx.HTTPError as error:
            raise _unwritten(type(error).__name__) from error
        if reply.status_code >= 300:
            raise _unwritten(str(reply.status_code))

    async def owe(
        self,
        event: str,
        outcome: str = "",
        counts: Mapping[str, int | str] | None = None,
        resources: Sequence[str] = (),
    ) -> None:
        await self._try_post("/ledger", _entry(event, outcome, counts, resources, owed=True))

    async def report_end(self, report: EndReport) -> None:
        await self._try_post("/ended", asdict(report))

    async def _try_post(self, path: str, body: Mapping[str, object]) -> None:
        try:
            await self._http.post(path, json=body)
        except httpx.HTTPError:
            return  # the front is gone: the lifeline ends this process, and the front's start-up closes the row


def _entry(
    event: str, outcome: str, counts: Mapping[str, int | str] | None, resources: Sequence[str], *, owed: bool
) -> dict[str, object]:
    named = list(resources[:MOST_RESOURCES])
    return {"event": event, "outcome": outcome, "counts": dict(counts or {}), "resources": named, "owe": owed}


def _unwritten(detail: str) -> LedgerError:
    return LedgerError(
        "ledger.unwritten", "The log can't be written, so nothing was started. Tell your administrator.", detail
    )
