"""The page that is read with the patient: complete in each language, and plain enough for a twelve-year-old."""

import hashlib
import shutil
from pathlib import Path

import pytest
import textstat

from gateway.consent.activity import Activity
from gateway.consent.wording import PARTS, Part, Wording, read_wording, read_wordings
from gateway.errors import ConfigurationError

FOLDER = Path(__file__).parents[3] / "config/consent"
WORDINGS = read_wordings(FOLDER)


def list_texts(wording: Wording) -> list[str]:
    return [wording.lead, *(part.text for parts in wording.questions.values() for part in parts)]


def test_english_and_spanish_are_there() -> None:
    assert {"en", "es"} <= set(WORDINGS)


@pytest.mark.parametrize("language", WORDINGS)
def test_every_question_has_all_its_parts(language: str) -> None:
    wording = WORDINGS[language]
    assert set(wording.questions) == set(Activity)
    assert {len(parts) for parts in wording.questions.values()} == {len(PARTS)}
    assert all(parts[0].text.endswith("?") for parts in wording.questions.values())
    assert len(wording.sha256) == 64


def test_a_page_is_read_without_its_marks_and_line_ends(tmp_path: Path) -> None:
    parts = [f"### Heading {number} \nFirst line\nof part {number}.\n" for number in range(len(PARTS))]
    questions = "".join(f"## {activity}\n{''.join(parts)}\n" for activity in Activity)
    file = tmp_path / "wording.en.md"
    file.write_text(f"# The title\n\nA lead\nof two\nlines.\n\n{questions}", encoding="utf-8")
    wording = read_wordings(tmp_path)["en"]
    assert (wording.language, wording.title, wording.lead) == ("en", "The title", "A lead of two lines.")
    assert wording.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    expected = tuple(Part(f"Heading {number}", f"First line of part {number}.") for number in range(len(PARTS)))
    assert wording.questions == dict.fromkeys(Activity, expected)


def test_english_reads_at_the_level_of_a_sixth_grade_or_below() -> None:
    textstat.set_lang("en")
    text = " ".join(list_texts(WORDINGS["en"]))
    assert textstat.automated_readability_index(text) <= 6
    assert textstat.coleman_liau_index(text) <= 6
    assert max(textstat.coleman_liau_index(one) for one in list_texts(WORDINGS["en"]) if len(one) > 200) <= 8


def test_spanish_reads_as_easy() -> None:
    """Fernández Huerta: 80 to 90 is easy (sixth grade), above is very easy."""
    textstat.set_lang("es")
    text = " ".join(list_texts(WORDINGS["es"]))
    assert textstat.fernandez_huerta(text) >= 80
    assert textstat.szigriszt_pazos(text) >= 80


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("# Your choices about this visit", "Your choices", "does not begin with a # title"),
        ("## recording", "## filming", "filming: is none of telehealth, recording, ai-drafting"),
        ("## recording", "## telehealth", "telehealth: stands twice"),
        ("### Who sees it\n", "", "needs 7 parts"),
        ("Nothing of the call is kept. The note about the visit stays in your record.\n", "", "how long it stays: is"),
        ("## recording", "## ai-drafting", "ai-drafting: stands twice"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = (FOLDER / "wording.en.md").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "wording.en.md"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=reason):
        read_wording(file)


def test_a_question_that_is_left_out_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "wording.en.md").read_text(encoding="utf-8")
    file = tmp_path / "wording.en.md"
    file.write_text(text[: text.index("## ai-drafting")], encoding="utf-8")
    with pytest.raises(ConfigurationError, match="ai-drafting: this question is missing"):
        read_wording(file)


def test_what_is_no_text_no_file_or_misnamed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wording.fr.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_wording(tmp_path / "wording.fr.md")
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_wording(tmp_path / "wording.de.md")
    shutil.copy(FOLDER / "wording.en.md", tmp_path / "wording.English.md")
    with pytest.raises(ConfigurationError, match="is not named"):
        read_wordings(tmp_path)


def test_english_must_be_there(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "wording.es.md", tmp_path)
    with pytest.raises(ConfigurationError, match=r"wording\.en\.md: is missing"):
        read_wordings(tmp_path)
