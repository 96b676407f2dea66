"""The published text model on an invented dictation and an invented conversation: nothing lost, nothing odd."""

import threading
import time
from collections.abc import Iterator

import pytest

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.models.catalogue import Kind
from gateway.models.installed import find_installed
from gateway.note.draft import ModelDrafter
from gateway.note.formats import read_formats
from gateway.note.llama import LlamaTextModel, load_weights
from gateway.note.overlap import find_share
from gateway.note.prompt import read_prompts
from gateway.note.statement import Statement
from gateway.settings import ROOT, read_settings

pytestmark = pytest.mark.weights

FORMATS = read_formats(ROOT / "config" / "formats")
DICTATION = (
    "She reports that her sleep has improved, about six hours a night, up from four.",
    "She had one panic attack on Thursday in the supermarket, which lasted ten minutes.",
    "She has been taking sertraline 50 milligrams every morning and has missed two doses.",
    "She was well groomed, her speech was normal, and her mood was anxious.",
    "Her GAD-7 score was 11, down from 15.",
    "We practised cognitive restructuring.",
    "My impression is generalized anxiety disorder, improving.",
    "The plan is to continue weekly sessions, keep the sleep diary, and begin graded exposure next week.",
)
FACTS = {  # each a fact that the draft must hold, by the sections where it may stand
    "six": {"subjective"},
    "supermarket": {"subjective"},
    "sertraline 50": {"subjective"},
    "anxious": {"objective"},
    "11": {"objective"},
    "cognitive restructuring": {"objective"},
    "generalized anxiety": {"assessment"},
    "weekly sessions": {"plan"},
    "sleep diary": {"plan"},
    "graded exposure": {"plan"},
}
TALK = (
    "C: How have things been since we last met?",
    "P: A bit better. I'm sleeping about six hours now instead of four.",
    "C: Are you still taking the sertraline, fifty milligrams?",
    "P: Yes, in the morning. I missed two days when I was at my sister's.",
    "C: I'd like you to keep the sleep diary, and I'll see you next Monday at ten.",
    "P: I can do that.",
)


@pytest.fixture(scope="module")
def drafter() -> Iterator[ModelDrafter]:
    installed = find_installed(read_settings(), Kind.TEXT)
    assert installed
    weights = load_weights(installed.path, installed.sha256)
    made = ModelDrafter(LlamaTextModel(weights), read_prompts())
    yield made
    made.close()
    weights.close()


def draft(drafter: ModelDrafter, material: Material) -> list[Statement]:
    return list(drafter.write(material, FORMATS["soap"], threading.Event()))


def test_a_dictation_loses_no_fact_and_gains_next_to_nothing(drafter: ModelDrafter) -> None:
    material = gather_material(Segment(1, Source.DICTATION, Speaker.CLINICIAN, text) for text in DICTATION)

    statements = draft(drafter, material)

    for fact, sections in FACTS.items():
        held = {each.section for each in statements if fact in each.text.lower()}
        assert held & sections, f"{fact} is not where it belongs"
    strays = [each.text for each in statements if find_share(each.text, DICTATION) < 0.5]
    assert strays == []
    assert len(statements) <= 2 * len(DICTATION)


def test_a_conversation_becomes_statements_about_the_patient_and_a_plan(drafter: ModelDrafter) -> None:
    speakers = {"C": Speaker.CLINICIAN, "P": Speaker.PATIENT}
    material = gather_material(Segment(1, Source.TYPED, speakers[line[0]], line[3:]) for line in TALK)

    statements = draft(drafter, material)
    told = " ".join(each.text for each in statements if each.section == "subjective")
    planned = " ".join(each.text for each in statements if each.section == "plan").lower()

    assert "six hours" in told
    assert all(each.text.startswith("The patient ") for each in statements if each.section == "subjective")
    assert "sleep diary" in planned


def test_cancelling_the_real_model_ends_soon(drafter: ModelDrafter) -> None:
    cancel = threading.Event()
    material = gather_material(Segment(1, Source.DICTATION, Speaker.CLINICIAN, text) for text in DICTATION)
    statements = drafter.write(material, FORMATS["soap"], cancel)
    next(statements)
    started = time.monotonic()
    threading.Timer(0.2, cancel.set).start()

    rest = list(statements)

    assert cancel.is_set(), "the draft was not over before"
    assert len(rest) <= 1
    assert time.monotonic() - started < 5, "one chunk of reading at most, on a busy machine"
