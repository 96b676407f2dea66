"""The composition of the front, and of what reads for an operator where no front runs: adapters are built here alone.

``python -m gateway.app DESCRIPTOR`` serves on the listening socket that the supervisor opened and passed on.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from gateway.consent.record import READ_SCOPES, ConsentRecord
from gateway.ehr.authorization import PendingLaunches
from gateway.ehr.backend_services import BackendAccess
from gateway.ehr.discovery import Discovery
from gateway.ehr.keys import read_credentials
from gateway.ehr.site import EhrSite, read_sites
from gateway.ehr.smart import Launcher
from gateway.errors import CountersignError, LaunchError, LedgerError
from gateway.front.app import create_front
from gateway.front.environment import (
    EXIT_WRONG,
    RUN_DIR,
    end_with_parent,
    forks_socket,
    guard_memory,
    set_up_logging,
)
from gateway.front.launching import LaunchDesk
from gateway.front.notifying import SUBSCRIPTION_SCOPES, ConsentNotices
from gateway.front.operator import OperatorDesk, OperatorError, ask_gateway, read_for_operator
from gateway.front.visits import Rooms, Visits
from gateway.front.watching import EhrWatch, SignatureDesk
from gateway.ledger.log import Ledger
from gateway.retention import read_retention
from gateway.settings import Settings, read_settings
from gateway.store.database import open_database
from gateway.store.sealing import read_key
from gateway.visit.web_socket import MAX_MESSAGE_BYTES, ForgetfulSocket

log = logging.getLogger("countersign.front")

LEDGER_FILE = "ledger.jsonl"
STOP_SECONDS = 2
UNKNOWN_KEYS = (
    "The EHR does not accept Countersign's backend client. It may fetch the client's keys from public_url, where no "
    "gateway runs now: start one and run this again, or check the client id and JWKS URL there."
)


def main(arguments: list[str]) -> int:
    """Run the front until SIGTERM."""
    set_up_logging()
    end_with_parent(signal.SIGTERM)
    guard_memory()
    try:
        settings = read_settings()
        app = compose_front(settings, Path(os.environ[RUN_DIR]))
    except CountersignError as error:
        print(f"countersign: {error.public}", file=sys.stderr)
        return EXIT_WRONG
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws=ForgetfulSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    with socket.socket(fileno=int(arguments[0])) as listener:
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    return 0


def compose_front(settings: Settings, run_dir: Path) -> FastAPI:
    """Build the front with everything it needs.

    Raises:
        ConfigurationError: a file of the site is wrong, or the database can't be opened.
        LedgerError: the ledger can't be opened, or another process writes it.
    """
    state, sites = settings.state, read_sites(settings.config_dir / "ehrs")
    retention = read_retention(settings.config_dir)
    credentials = read_credentials(sites.values(), state, os.environ, settings.config_dir)
    ledger = Ledger(state / LEDGER_FILE, read_key(state / "audit.key"))
    database = open_database(settings.database_url, state, read_key(state / "site.key"))
    verify = ssl.create_default_context()
    http = httpx.AsyncClient(
        verify=verify, trust_env=False, follow_redirects=False, headers={"user-agent": "Countersign"}
    )
    discovery = Discovery(http, _now)
    pending = PendingLaunches(_now, secrets.token_urlsafe, retention.launch_minutes * 60)
    launcher = Launcher(http, sites, discovery, credentials, pending, _now, _new_id)

    def name_scopes(scopes: str) -> dict[str, BackendAccess]:
        return {
            site_id: BackendAccess(http, discovery, sites[site_id], credential, _now, _new_id, scopes)
            for site_id, credential in credentials.backends.items()
        }

    watch = EhrWatch(sites, name_scopes(""), verify, _now)
    signatures = SignatureDesk(database, ledger, watch, watch_seconds=retention.watch_seconds, clock=_now)
    rooms = Rooms(
        run_dir=run_dir,
        http=http,
        ledger=ledger,
        database=database,
        clock=_now,
        visit_hours=settings.visit_hours,
        ended_minutes=retention.ended_minutes,
        watch_days=retention.watch_days,
        row_days=retention.row_days,
    )
    subscribers, readers = name_scopes(SUBSCRIPTION_SCOPES), name_scopes(READ_SCOPES)
    notices = ConsentNotices(subscribers, verify, ledger, settings.public_url, secrets.token_urlsafe)
    visits = Visits(rooms, signatures, notices)
    operators = OperatorDesk(sites, readers, verify, ledger, visits.is_visit)

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        await visits.clean_up()
        resumed = await signatures.resume()
        await operators.listen(run_dir, state)
        log.info("front.ready ehrs=%d awaiting=%d", len(sites), resumed)
        try:
            yield
        finally:
            operators.close()
            await visits.stop()
            await signatures.stop()
            await notices.stop()
            await http.aclose()
            unwritten = await asyncio.to_thread(ledger.close)
            database.close()
            log.info("front.stopped unwritten=%d", unwritten)

    redirect_uri = f"{settings.public_url.rstrip('/')}/callback"
    return create_front(
        sites,
        LaunchDesk(launcher, redirect_uri, retention.launch_minutes, _now),
        visits,
        notices,
        public_url=settings.public_url,
        page_dir=settings.page_dir,
        is_ready=lambda: forks_socket(run_dir).exists(),
        lifespan=live,
    )


def read_record(settings: Settings, site: EhrSite, patient_id: str) -> ConsentRecord:
    """A patient's Consents for an operator: read by the gateway that writes this ledger, else by this process.

    Raises:
        ConfigurationError: a key of the site's clients is missing or wrong.
        CountersignError: the ledger can't be written, or the EHR does not give them.
    """
    state = settings.state
    if state.exists() and state.stat().st_uid != os.geteuid() != 0:
        raise OperatorError("operator.user", f"{state} belongs to another user: run this as the gateway's own user.")
    try:
        ledger = Ledger(state / LEDGER_FILE, read_key(state / "audit.key"))
    except LedgerError as error:
        if error.code != "ledger.busy":
            raise
        return asyncio.run(ask_gateway(state, site, patient_id))
    try:
        return asyncio.run(_read_alone(settings, site, patient_id, ledger))
    finally:
        ledger.close()


async def _read_alone(settings: Settings, site: EhrSite, patient_id: str, ledger: Ledger) -> ConsentRecord:
    credential = read_credentials([site], settings.state, os.environ, settings.config_dir).backends[site.id]
    verify = ssl.create_default_context()
    async with httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False) as http:
        access = BackendAccess(http, Discovery(http, _now), site, credential, _now, _new_id, READ_SCOPES)
        try:
            return await read_for_operator(site, patient_id, access, uid=os.geteuid(), verify=verify, ledger=ledger)
        except LaunchError as error:
            if error.code == "token.invalid_client":
                raise OperatorError("operator.keys", UNKNOWN_KEYS) from None
            raise


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
