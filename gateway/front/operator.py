"""The operator's own way in: a Unix socket on which whoever runs the gateway asks it to read a patient's Consents.

In: a site and a patient's id, from a process of the same user or of root on this machine; never from a visit's
process, and never over the network. Out: her Consents, after the entry in the ledger, which has one writer: so the
front that runs does the read, and only where none runs does the command line do it itself, by the same function.
"""

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.consent.record import ConsentRecord, read_consent_record, read_message
from gateway.ehr.client import FhirClient
from gateway.ehr.reference import is_id
from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError
from gateway.front.access import Access, BearerAuth
from gateway.ledger.entry import Entry
from gateway.ledger.log import Ledger
from gateway.visit.peer import read_peer

log = logging.getLogger("countersign.operator")

SOCKET = "operator.sock"  # in the run folder; in the state folder a link to it, so that it is found
MAX_BODY_BYTES = 4096
EXCHANGES = 5  # at most, one after another, for one question: configuration, token, a read, once again after a 401


class OperatorError(CountersignError):
    """An operator's question that is not answered."""

    status = 400


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    site: str
    patient: str


async def read_for_operator(
    site: EhrSite, patient_id: str, access: Access, *, uid: int, verify: ssl.SSLContext, ledger: Ledger
) -> ConsentRecord:
    """Read one patient's Consents with the site's backend client, once the ledger says so.

    Args:
        access: of that client, with ``READ_SCOPES``; its token is forgotten afterwards.
        uid: who asks, as the kernel names her.

    Raises:
        LedgerError: the ledger can't be written: nothing is read.
        LaunchError: the EHR does not know the client, or grants it too little.
        EhrError: it does not answer, or knows no such patient.
    """

    def entry(outcome: str = "", **counts: int) -> Entry:
        codes = {"uid": uid, **counts}
        return Entry("operator:consents:read", outcome, site=site.id, patient=patient_id, codes=codes)

    await ledger.append(entry())
    try:
        async with httpx.AsyncClient(auth=BearerAuth(access), verify=verify, trust_env=False) as http:
            client = FhirClient(http, site.issuer, timeout_seconds=site.timeout_seconds)
            record = await read_consent_record(client, patient_id)
    except CountersignError as error:
        ledger.owe(entry(error.code))
        raise
    finally:
        access.forget()
    ledger.owe(entry("done", consents=len(record.consents), related=len(record.related)))
    return record


class OperatorDesk:
    """Answers on the socket, for the front that runs.

    Args:
        accesses: by site, its backend client with ``READ_SCOPES``.
        is_visit: whether a process is a visit's: those are of the same user, and are not heard here.
    """

    def __init__(
        self,
        sites: Mapping[str, EhrSite],
        accesses: Mapping[str, Access],
        verify: ssl.SSLContext,
        ledger: Ledger,
        is_visit: Callable[[int], bool],
    ) -> None:
        self._sites = sites
        self._accesses = accesses
        self._verify = verify
        self._ledger = ledger
        self._is_visit = is_visit
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self._paths: tuple[Path, ...] = ()
        self._app = Starlette(
            routes=[Route("/consents", self._answer, methods=["POST"])],
            exception_handlers={CountersignError: _refuse},
        )

    async def listen(self, run_dir: Path, state_dir: Path) -> None:
        """Serve in this loop, and let the command line find the way by a link in the state folder.

        Where that can't be, operators are not heard; visits don't need them.
        """
        config = uvicorn.Config(self._app, log_config=None, access_log=False, lifespan="off", ws="none")
        config.load()
        protocol = _hear_operators(self._is_visit)
        path, link = run_dir / SOCKET, state_dir / SOCKET
        self._paths = (link, path)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: protocol(config=config, server_state=self._state, app_state={}), path=str(path)
            )
            path.chmod(0o600)
            link.unlink(missing_ok=True)
            link.symlink_to(path.absolute())
        except OSError as error:
            log.error("operator.unheard errno=%s", error.errno)

    def close(self) -> None:
        """Stop serving; the socket and the link to it are gone."""
        if self._server is not None:
            self._server.close()
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        for path in self._paths:
            path.unlink(missing_ok=True)

    async def _answer(self, request: Request) -> Response:
        question = await _read_question(request)
        site, access = self._sites.get(question.site), self._accesses.get(question.site)
        if site is None or access is None or not is_id(question.patient):
            raise OperatorError(
                "operator.site", "The gateway that runs here has another file for this EHR: restart it."
            )
        assert request.client is not None
        record = await read_for_operator(
            site,
            question.patient,
            access,
            uid=request.client.port,
            verify=self._verify,
            ledger=self._ledger,
        )
        log.info("operator.read site=%s consents=%d", site.id, len(record.consents))
        return JSONResponse(record.to_message())


async def ask_gateway(state_dir: Path, site: EhrSite, patient_id: str) -> ConsentRecord:
    """Have the gateway that runs on this state folder read a patient's Consents.

    Raises:
        OperatorError: it can't be reached, or its own reason why there is no answer.
    """
    try:
        transport = httpx.AsyncHTTPTransport(uds=os.readlink(state_dir / SOCKET), verify=False)
        timeout_seconds = EXCHANGES * site.timeout_seconds + 5
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=timeout_seconds) as http:
            reply = await http.post("/consents", json={"site": site.id, "patient": patient_id})
            told = reply.json()
            if reply.status_code == 200:
                return read_message(told)
            code, words = str(told["error"]["code"]), str(told["error"]["message"])
    except (OSError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            "operator.unanswered",
            f"Another process writes the ledger in {state_dir} and does not answer there: wait until the gateway is "
            "ready, and run this as its own user.",
            type(error).__name__,
        ) from None
    raise OperatorError(code, words)


def _hear_operators(is_visit: Callable[[int], bool]) -> type[H11Protocol]:
    """A protocol for uvicorn that hangs up on everybody but this user and root; ``client`` is who it is."""

    class OperatorsVoice(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            pid, uid = read_peer(transport.get_extra_info("socket"))
            self.client = ("uid", uid)
            if uid not in (os.geteuid(), 0) or is_visit(pid):
                log.error("operator.stranger pid=%d uid=%d", pid, uid)
                transport.abort()

    return OperatorsVoice


async def _read_question(request: Request) -> _Question:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            body.clear()
            break
    try:
        return _Question.model_validate(json.loads(body))
    except (ValueError, RecursionError):
        raise OperatorError(
            "operator.question", "The gateway that runs here is of another version: restart it."
        ) from None


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, CountersignError)
    log.warning("operator.refused code=%s", error.code)
    return JSONResponse({"error": {"code": error.code, "message": error.public}}, status_code=error.status)
