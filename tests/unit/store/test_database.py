"""One contract for both engines: SQLite always, Postgres where COUNTERSIGN_POSTGRES names one."""

import os
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import ConfigurationError
from gateway.store.database import Awaiting, open_database
from gateway.store.sealing import Unsealable, read_key, seal, unseal
from gateway.store.tables import VisitStatus

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = b"s" * 32


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    if request.param == "sqlite":
        return ""
    address = os.environ.get("COUNTERSIGN_POSTGRES", "")
    if not address:
        pytest.skip("no PostgreSQL server: name one in COUNTERSIGN_POSTGRES (postgresql+psycopg://…)")
    return address


@pytest.fixture
def database(url, tmp_path):
    database = open_database(url, tmp_path / "state", KEY)
    yield database
    database.close()


@pytest.fixture
def visit():
    return secrets.token_urlsafe(16)


def note(visit, **given):
    return Awaiting(
        **{
            "visit": visit,
            "site": "sandbox",
            "document": "DocumentReference/7",
            "patient_id": "patient-4711",
            "filed_at": NOW,
            "deadline": NOW + timedelta(days=14),
            **given,
        }
    )


def test_a_visit_is_open_until_it_is_closed_and_keeps_its_first_outcome(database, visit):
    database.add_visit(visit, "sandbox", 4242)
    assert visit in [row.id for row in database.list_open_visits()]
    database.close_visit(visit, "filed")
    database.close_visit(visit, "lost")
    row = database.find_visit(visit)
    assert (row.status, row.outcome, row.pid) == (VisitStatus.ENDED, "filed", 4242)
    assert row.opened_at.tzinfo is not None
    assert row.ended_at >= row.opened_at
    assert visit not in [row.id for row in database.list_open_visits()]


def test_closing_an_unknown_visit_changes_nothing(database):
    database.close_visit("nobody", "lost")
    assert database.find_visit("nobody") is None


def test_a_filed_note_is_kept_sealed_until_it_is_forgotten(database, visit):
    database.keep_awaiting(note(visit))
    database.keep_awaiting(note(visit, document="DocumentReference/8"))
    kept = [one for one in database.list_awaiting() if one.visit == visit]
    assert kept == [note(visit, document="DocumentReference/8")]
    database.forget_awaiting(visit)
    database.forget_awaiting(visit)
    assert visit not in [one.visit for one in database.list_awaiting()]


def test_what_is_past_its_deadline_is_forgotten(database, visit):
    database.keep_awaiting(note(visit, deadline=NOW - timedelta(seconds=1)))
    other = secrets.token_urlsafe(16)
    database.keep_awaiting(note(other))
    assert visit in database.forget_overdue(NOW)
    assert [one.visit for one in database.list_awaiting() if one.visit in (visit, other)] == [other]
    database.forget_awaiting(other)


def test_another_sites_key_opens_nothing_and_breaks_nothing(url, tmp_path, database, visit):
    database.keep_awaiting(note(visit))
    stranger = open_database(url, tmp_path / "state", b"x" * 32)
    assert visit not in [one.visit for one in stranger.list_awaiting()]
    stranger.close()
    database.forget_awaiting(visit)


def test_nothing_of_a_patient_is_in_the_database_file(tmp_path, visit):
    database = open_database("", tmp_path, KEY)
    database.keep_awaiting(note(visit))
    database.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"DocumentReference" not in content
    assert b"4711" not in content


@pytest.mark.parametrize("wrong", ["nonsense", "postgresql+psycopg://nobody@127.0.0.1:1/none", "mysql+nodriver://x/y"])
def test_a_database_that_can_not_be_reached_is_one_sentence(tmp_path, wrong):
    with pytest.raises(ConfigurationError) as caught:
        open_database(wrong, tmp_path, KEY)
    assert "\n" not in caught.value.public


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "state" / "site.key"
    key = read_key(path)
    assert (len(key), read_key(path)) == (32, key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["site.key"]
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="not a key"):
        read_key(path)


def test_a_sealed_value_is_good_in_its_own_row_only():
    sealed = seal(KEY, b"reference", "row/1")
    assert unseal(KEY, sealed, "row/1") == b"reference"
    for key, value, row in (
        (KEY, sealed, "row/2"),
        (b"x" * 32, sealed, "row/1"),
        (KEY, sealed[:-1], "row/1"),
        (KEY, b"", ""),
    ):
        with pytest.raises(Unsealable):
            unseal(key, value, row)
