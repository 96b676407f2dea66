"""Switching a rule of drafting off changes what it names, and only while it is off."""

import threading
from dataclasses import dataclass

import pytest

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.note.draft import ModelDrafter
from gateway.note.formats import read_formats
from gateway.note.prompt import read_prompts
from gateway.note.scripted import ScriptedTextModel
from gateway.note.textmodel import Bound
from gateway.settings import ROOT
from tests.evals.drafts.rules import RULES, draft_without

SOAP = read_formats(ROOT / "config" / "formats")["soap"]
SCRIPT = {
    "Subjective": ["The patient sleeps badly.", "The patient sleeps badly.", "The patient walks daily."],
    "Plan": ["Continue sertraline."],
}
REPORT = [(Speaker.CLINICIAN, "What you have is common, and it passes. " * 20)] * 3
OUTSIDE = {"may end"}  # lies in the engine, which a scripted model does without


class WatchedModel(ScriptedTextModel):
    """Keeps the patterns that it was given."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.patterns: set[str] = set()

    def write_sentence(self, pattern: str, may_end: bool, bound: Bound) -> str | None:
        self.patterns.add(pattern)
        return super().write_sentence(pattern, may_end, bound)


@dataclass(frozen=True, slots=True)
class Asked:
    texts: list[str]
    questions: list[str]
    patterns: set[str]
    statements: list[str]


def ask(rule: str) -> Asked:
    model = WatchedModel()
    lines = [(Speaker.CLINICIAN, f"Tell me more about day {day}, please.") for day in range(30)]
    talk = [
        each for line in lines for each in (line, (Speaker.PATIENT, "I slept for five hours and woke up at three."))
    ]
    material = gather_material(
        Segment(1, Source.SESSION, speaker, text)
        for speaker, text in [*talk, *REPORT, (Speaker.CLINICIAN, "I'll see you in two weeks.")]
    )
    drafter = ModelDrafter(model, read_prompts())
    with draft_without(rule, SOAP) as note_format:
        statements = [each.text for each in drafter.write(material, note_format, threading.Event())]
    return Asked(model.texts, model.questions, model.patterns, statements)


@pytest.mark.parametrize("rule", sorted({*RULES} - OUTSIDE))
def test_a_rule_that_is_off_changes_what_the_model_is_asked_and_is_on_again_afterwards(rule: str) -> None:
    with_all = ask("")

    assert ask(rule) != with_all
    assert ask("") == with_all


def test_without_overlap_no_line_is_read_in_two_windows() -> None:
    windows = ask("overlap").texts[:2]

    assert not {each for each in windows[0].splitlines() if "day" in each} & set(windows[1].splitlines())


def test_without_cues_every_section_is_asked_of_every_window() -> None:
    questions = ask("cues").questions

    assert sum("Objective" in each for each in questions) == sum("Subjective" in each for each in questions) > 1


def test_without_the_plan_of_the_whole_each_window_is_asked_for_it() -> None:
    assert len(ask("plan of the whole").texts) < len(ask("").texts), "the whole is not read once more"
