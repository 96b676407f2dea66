"""Formats: those that ship are read whole, and a wrong one names its file, its key and the reason."""

import hashlib
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.note.formats import SectionKind, read_format, read_formats
from gateway.settings import ROOT

SHIPPED = ROOT / "config" / "formats"

GOOD = """
title = "Short"
[[sections]]
id = "all"
title = "All"
kind = "told"
ask = "what was told"
takes_risk = true
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "short.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_the_formats_that_ship() -> None:
    formats = read_formats(SHIPPED)

    assert {key: [section.id for section in each.sections] for key, each in formats.items()} == {
        "soap": ["subjective", "objective", "assessment", "plan"],
        "dap": ["data", "assessment", "plan"],
        "birp": ["behavior", "intervention", "response", "plan"],
        "girp": ["goal", "intervention", "response", "plan"],
        "pie": ["problem", "intervention", "evaluation", "plan"],
        "intake": ["concern", "history", "life", "status", "assessment", "plan"],
    }
    for each in formats.values():
        assert each.find_section("plan").kind is SectionKind.PLANNED
        assert each.risk_section.kind is SectionKind.TOLD
        assert {section.empty_words for section in each.sections} == {"Not assessed."}


def test_knows_the_hash_of_its_file() -> None:
    path = SHIPPED / "soap.toml"

    assert read_format(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_site_adds_its_own_format(tmp_path: Path) -> None:
    note_format = read_formats(write(tmp_path, GOOD).parent)["short"]

    assert note_format.id == "short"
    assert note_format.sections[0].headings == ("All",)
    with pytest.raises(KeyError):
        note_format.find_section("plan")


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (GOOD + 'colour = "red"', "sections.0.colour", "there is no such key"),
        (GOOD.replace('"told"', '"felt"'), "sections.0.kind", "told"),
        (GOOD.replace('"all"', '"All of it"'), "sections.0.id", "pattern"),
        (GOOD + "most = 0", "sections.0.most", "greater"),
        (GOOD + 'cues = ["(open"]', "sections.0.cues.0", "regular expression"),
        (GOOD + 'opening = "no capital "', "sections.0.opening", "pattern"),
        (GOOD.replace("true", "false"), "", "takes_risk"),
        (GOOD + GOOD.partition("title")[2].partition("\n")[2], "", "same id"),
        ('title = "Empty"\nsections = []', "sections", "at least 1"),
        ("title = ", "", "TOML"),
    ],
)
def test_refuses_a_wrong_file_by_name_key_and_reason(tmp_path: Path, text: str, key: str, reason: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        read_format(path)

    assert (caught.value.file, caught.value.key) == (str(path), key)
    assert reason in caught.value.reason


def test_refuses_a_folder_without_a_format(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no note format"):
        read_formats(tmp_path)
