"""A session's sound is gone from its visit's memory while the visit goes on: the real thing, and its memory read."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser import demo_servers
from tests.browser.demo_servers import Product, run_product
from tests.faults.memory import count_each
from tests.faults.test_session_in_memory import HEARD, MARKS, SCRIPT, Session, draft, open_session, record
from tests.unit.front.conftest import make_folder

pytestmark = pytest.mark.processes
SOUND = {name: mark for name, mark in MARKS.items() if name.startswith("sound")}


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """A site that keeps no sound once the draft is ready."""
    make_config = demo_servers._make_config

    def make(folder: Path, ehr: str) -> Path:
        config = make_config(folder, ehr)
        retention = config / "retention.toml"
        text = retention.read_text(encoding="utf-8")
        assert "sound_minutes = 10\n" in text
        retention.write_text(text.replace("sound_minutes = 10\n", "sound_minutes = 0\n"), encoding="utf-8")
        return config

    monkeypatch.setattr(demo_servers, "_make_config", make)
    with make_folder() as folder, run_product(folder, heard=HEARD, drafted=SCRIPT) as running:
        yield running


@pytest.fixture
def session(product: Product) -> Iterator[Session]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield from open_session(product, http)


def count_sound(session: Session) -> dict[str, int]:
    return {name: count for name, count in count_each(session.visit, SOUND).items() if count}


async def test_no_sound_is_in_the_visit_once_its_draft_is_ready_and_its_marked_lines_are_decided(
    session: Session,
) -> None:
    await record(session)
    assert count_sound(session)
    view = draft(session)
    played = [
        session.browser.get(f"{session.address}api/segments/{line['number']}/sound").status_code
        for line in view["segments"]
    ]
    assert played == [200 if line["look"] else 404 for line in view["segments"]]
    for line in view["segments"]:
        if line["look"]:
            session.post("segment", number=line["number"], heard=line["text"], text=line["text"])
    by = time.monotonic() + 5  # what was played is freed, and wiped, when its answer is out
    while count_sound(session) and time.monotonic() < by:
        time.sleep(0.2)
    assert count_sound(session) == {}
    assert session.browser.view(session.address)["phase"] == "reviewing"
