"""What the evaluation of drafts counts, on texts whose counts are known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.capture.material import Speaker
from gateway.note.formats import read_format
from gateway.settings import ROOT
from tests.evals.drafts.__main__ import split_note
from tests.evals.drafts.encounters import read_encounters
from tests.evals.drafts.measures import count_repeats, find_medications, find_numbers, score_rouge
from tests.evals.plain import PlainNote


def test_finds_numbers_with_units_however_they_are_written() -> None:
    assert find_numbers("Sertraline fifty milligrams for 2 weeks, room 7.") == {"50 mg", "2 week"}


def test_finds_medications() -> None:
    assert find_medications("She takes lisinopril and Metformin with milk.") == {"lisinopril", "metformin"}


def test_counts_what_says_nothing_new() -> None:
    assert count_repeats(["She sleeps five hours.", "She sleeps five hours.", "He works at night."]) == 1


@pytest.mark.parametrize(
    ("text", "reference", "one", "longest"),
    [
        ("the cat sat", "the cat sat", 100, 100),
        ("the cat sat", "sat cat the", 100, 100 / 3),
        ("a b c d", "a c x", 200 * 2 / 7, 200 * 2 / 7),
        ("", "", 0, 0),
        ("a", "", 0, 0),
    ],
)
def test_scores_shared_words(text: str, reference: str, one: float, longest: float) -> None:
    assert score_rouge(text, reference) == pytest.approx((one, longest))


def test_a_note_in_one_piece_is_cut_by_its_headings() -> None:
    text = "**Subjective:**\n- She sleeps badly. She is tired.\n### Plan\n1. Plan: Rest more."
    note = PlainNote(text, 0, 0, 0.0, 0.0)

    statements = split_note(note, read_format(ROOT / "config" / "formats" / "soap.toml"))

    assert [(each.section, each.text) for each in statements] == [
        ("subjective", "She sleeps badly."),
        ("subjective", "She is tired."),
        ("plan", "Rest more."),
    ]


def test_reads_an_encounter_with_its_speakers(tmp_path: Path) -> None:
    item = {"src": "[doctor] how are you ?\n[patient] tired .", "tgt": "Tired.", "file": "one"}
    (tmp_path / "train.json").write_text(json.dumps({"data": [item]}), encoding="utf-8")

    [encounter] = read_encounters(tmp_path, "train")

    assert [segment.speaker for segment in encounter.material.segments] == [Speaker.CLINICIAN, Speaker.PATIENT]
    assert encounter.transcript == "C: how are you ?\nP: tired .\n"


def test_says_in_a_sentence_that_the_data_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.evals.drafts", "--data", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert done.stdout.startswith("There is no ACI-BENCH in ")
