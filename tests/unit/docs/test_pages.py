"""What the pages for clinicians and privacy officers quote and list is in the code; and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.source import HOLE, ROOT, find_events, find_sentences

DOCS = ROOT / "docs"
QUOTE = re.compile(r"“([^”]+)”")
EVENT_ROW = re.compile(r"^\| `((?:front|visit|ledger|operator):[^`]+)` \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def _read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["clinicians.md", "privacy.md"])
def test_every_quoted_sentence_is_the_pages_or_the_gateways_own(page: str) -> None:
    held = "\n".join([*find_sentences(), *_read_formats()])
    text = _read(page).replace("“…”", "")
    missing = [quote for quote in QUOTE.findall(text) if any(piece not in held for piece in quote.split(HOLE))]
    assert not missing


def _read_formats() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in (ROOT / "config" / "formats").glob("*.toml")]


def test_every_event_of_the_ledger_is_explained_and_no_other() -> None:
    listed = EVENT_ROW.findall(_read("privacy.md"))
    assert len(listed) == len(set(listed))
    assert set(listed) == find_events()


@pytest.mark.parametrize("page", sorted([*DOCS.rglob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_page() -> None:
    named = set(LINK.findall(_read("README.md")))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= named
