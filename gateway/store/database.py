"""The front's database: which visits have a process, and which filed notes await a signature.

In: rows about processes; references, which are sealed before they are stored. Out: the same, unsealed. SQLite (WAL)
by default, Postgres by URL. Calls are short and block: the front runs them in threads. A deleted row may stay
readable on the disk, so nothing here rests on deleting: references are sealed, the rest is no secret.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlmodel import Session, SQLModel, col, create_engine, select

from gateway.errors import ConfigurationError
from gateway.store.sealing import Unsealable, seal, unseal
from gateway.store.tables import AwaitingRow, VisitRow, VisitStatus


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A filed note that awaits its signature. ``document`` is relative: ``DocumentReference/7``.

    ``document`` and ``patient_id`` are sealed with the site's key wherever they are stored.
    """

    visit: str
    site: str
    document: str
    patient_id: str
    filed_at: datetime
    deadline: datetime


class Database:
    """Rows of visits and of notes that await a signature."""

    def __init__(self, engine: Engine, site_key: bytes, clock: Callable[[], datetime] | None = None) -> None:
        self._engine = engine
        self._site_key = site_key
        self._clock = clock or (lambda: datetime.now(UTC))

    def add_visit(self, visit: str, site: str, pid: int) -> None:
        with Session(self._engine) as session:
            session.add(VisitRow(id=visit, site=site, pid=pid, opened_at=self._clock()))
            session.commit()

    def close_visit(self, visit: str, outcome: str) -> None:
        """Mark a visit as ended; one that is ended already keeps its first outcome."""
        with Session(self._engine) as session:
            row = session.get(VisitRow, visit)
            if row is not None and row.status is VisitStatus.OPEN:
                row.status, row.outcome, row.ended_at = VisitStatus.ENDED, outcome, self._clock()
                session.commit()

    def delete_ended_visits(self, before: datetime) -> int:
        """Delete the rows of visits that ended before then; how many."""
        with Session(self._engine) as session:
            old = (col(VisitRow.status) == VisitStatus.ENDED) & (col(VisitRow.ended_at) < before)
            rows = session.exec(select(VisitRow).where(old)).all()
            for row in rows:
                session.delete(row)
            session.commit()
            return len(rows)

    def find_visit(self, visit: str) -> VisitRow | None:
        with Session(self._engine) as session:
            return session.get(VisitRow, visit)

    def list_open_visits(self) -> list[VisitRow]:
        with Session(self._engine) as session:
            open_rows = select(VisitRow).where(VisitRow.status == VisitStatus.OPEN)
            return list(session.exec(open_rows.order_by(col(VisitRow.opened_at))))

    def keep_awaiting(self, note: Awaiting) -> None:
        """Keep a filed note's reference, sealed, until it is signed or its deadline; a second time replaces it."""
        plain = json.dumps({"document": note.document, "patient": note.patient_id}).encode()
        sealed = seal(self._site_key, plain, _row_name(note.visit))
        with Session(self._engine) as session:
            session.merge(
                AwaitingRow(
                    visit=note.visit,
                    site=note.site,
                    sealed=sealed,
                    filed_at=note.filed_at,
                    deadline=note.deadline,
                )
            )
            session.commit()

    def list_awaiting(self) -> list[Awaiting]:
        """All that await a signature, oldest first; one whose seal does not open (a lost key) is left out."""
        with Session(self._engine) as session:
            rows = session.exec(select(AwaitingRow).order_by(col(AwaitingRow.filed_at))).all()
            return [note for row in rows if (note := self._unseal(row)) is not None]

    def forget_awaiting(self, visit: str) -> None:
        with Session(self._engine) as session:
            row = session.get(AwaitingRow, visit)
            if row is not None:
                session.delete(row)
                session.commit()

    def forget_overdue(self, now: datetime) -> list[str]:
        """Forget what is past its deadline; the visits' ids."""
        with Session(self._engine) as session:
            rows = session.exec(select(AwaitingRow).where(col(AwaitingRow.deadline) <= now)).all()
            visits = [row.visit for row in rows]
            for row in rows:
                session.delete(row)
            session.commit()
            return visits

    def close(self) -> None:
        self._engine.dispose()

    def _unseal(self, row: AwaitingRow) -> Awaiting | None:
        try:
            plain = json.loads(unseal(self._site_key, row.sealed, _row_name(row.visit)))
        except Unsealable:
            return None
        return Awaiting(row.visit, row.site, str(plain["document"]), str(plain["patient"]), row.filed_at, row.deadline)


def _row_name(visit: str) -> str:
    return f"awaiting_signature/{visit}"


def open_database(url: str, state_dir: Path, site_key: bytes) -> Database:
    """Open the database and make the tables that are missing.

    Args:
        url: empty for SQLite in ``state_dir``; else ``postgresql+psycopg://…`` or another SQLAlchemy URL.

    Raises:
        ConfigurationError: the database can't be reached, or its driver is not installed.
    """
    try:
        engine = _make_engine(url, state_dir)
        SQLModel.metadata.create_all(engine, tables=[_table(VisitRow), _table(AwaitingRow)])
    except (SQLAlchemyError, OSError) as error:
        place = state_dir / "countersign.db" if not url else "database_url"
        raise ConfigurationError(
            place, "", "the database can't be opened: check that it is there and writable"
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "database_url", "", f"its driver is not installed: pip install {error.name}"
        ) from error
    return Database(engine, site_key)


def _make_engine(url: str, state_dir: Path) -> Engine:
    if url:
        try:
            return create_engine(url, pool_pre_ping=True, pool_size=2, hide_parameters=True)
        except ArgumentError as error:
            raise ConfigurationError("database_url", "", "is not a SQLAlchemy URL") from error
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = state_dir / "countersign.db"
    file.touch(mode=0o600, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "secure_delete=ON",
        "temp_store=MEMORY",
        "busy_timeout=5000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _table(model: type[SQLModel]) -> Any:
    return model.__table__  # type: ignore[attr-defined]  # SQLModel sets it on table models
