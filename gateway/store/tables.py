"""The front's tables: rows about processes and sealed references. No patient data in the clear, ever."""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes on both engines: SQLite keeps no zone, so what comes back is said to be UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class VisitStatus(StrEnum):
    OPEN = "open"
    ENDED = "ended"


class VisitRow(SQLModel, table=True):
    """One visit's process. ``outcome`` is the visit's own, or ``lost`` where nobody was there to say."""

    __tablename__ = "visit"

    id: str = Field(primary_key=True, max_length=40)
    site: str = Field(max_length=100)
    pid: int
    status: VisitStatus = Field(default=VisitStatus.OPEN, max_length=10, index=True)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = Field(default=None, max_length=40)


class AwaitingRow(SQLModel, table=True):
    """One filed note that awaits its signature: the reference sealed with the site's key, until its deadline."""

    __tablename__ = "awaiting_signature"

    visit: str = Field(primary_key=True, max_length=40)
    site: str = Field(max_length=100)
    sealed: bytes
    filed_at: datetime = Field(sa_type=UtcDateTime)
    deadline: datetime = Field(sa_type=UtcDateTime, index=True)
