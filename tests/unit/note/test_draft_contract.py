"""What every drafter promises: scripted, outline, and the model's on the real engine."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.note.draft import ModelDrafter
from gateway.note.drafter import Drafter
from gateway.note.formats import read_formats
from gateway.note.late import LateDrafter
from gateway.note.llama import LlamaTextModel, load_weights
from gateway.note.outline import OutlineDrafter
from gateway.note.prompt import read_prompts
from gateway.note.scripted import ScriptedDrafter, ScriptedTextModel
from gateway.settings import ROOT
from tests.models.make_text_model import make_random_model

FORMATS = read_formats(ROOT / "config" / "formats")
MATERIAL = gather_material(
    Segment(1, Source.DICTATION, Speaker.CLINICIAN, text)
    for text in (
        "She reports five hours of sleep a night.",
        "We reviewed the sleep diary together.",
        "Continue sertraline 50 mg each morning.",
    )
)


def make_scripted() -> Drafter:
    told = {section.id: ["One."] for each in FORMATS.values() for section in each.sections if section.takes_risk}
    return ScriptedDrafter({**told, "plan": ["Two."]})


def make_outline() -> Drafter:
    return OutlineDrafter(read_prompts())


def make_scripted_model() -> ModelDrafter:
    return ModelDrafter(ScriptedTextModel({"Plan": ["Continue sertraline 50 mg."]}), read_prompts())


def make_engine() -> Drafter:
    return ModelDrafter(LlamaTextModel(load_weights(make_random_model()), threads=1), read_prompts())


def make_late() -> Drafter:
    return LateDrafter("Late", "ab" * 32, read_prompts().sha256, make_scripted_model)


@pytest.fixture(params=[make_scripted, make_outline, make_scripted_model, make_engine, make_late])
def drafter(request: pytest.FixtureRequest) -> Iterator[Drafter]:
    make: Callable[[], Drafter] = request.param
    made = make()
    yield made
    made.close()


@pytest.mark.parametrize("format_id", sorted(FORMATS))
def test_statements_are_numbered_sentences_for_sections_of_the_format(drafter: Drafter, format_id: str) -> None:
    note_format = FORMATS[format_id]

    statements = list(drafter.write(MATERIAL, note_format, threading.Event()))

    assert statements
    assert [each.number for each in statements] == list(range(1, len(statements) + 1))
    assert {each.section for each in statements} <= {section.id for section in note_format.sections}
    assert all(each.text.strip() == each.text != "" for each in statements)
    assert all(set(each.hints) <= {1, 2, 3} for each in statements)


@pytest.mark.parametrize("format_id", sorted(FORMATS))
def test_asked_for_one_section_it_writes_no_other(drafter: Drafter, format_id: str) -> None:
    note_format = FORMATS[format_id]
    whole = list(drafter.write(MATERIAL, note_format, threading.Event()))

    part = list(drafter.write(MATERIAL, note_format, threading.Event(), ["plan"]))

    assert [each.text for each in part] == [each.text for each in whole if each.section == "plan"]


def test_the_same_material_gives_the_same_draft_in_one_format_after_another(drafter: Drafter) -> None:
    first = list(drafter.write(MATERIAL, FORMATS["soap"], threading.Event()))
    list(drafter.write(MATERIAL, FORMATS["birp"], threading.Event()))

    assert list(drafter.write(MATERIAL, FORMATS["soap"], threading.Event())) == first


def test_cancelled_before_it_began_it_writes_nothing(drafter: Drafter) -> None:
    cancel = threading.Event()
    cancel.set()

    assert list(drafter.write(MATERIAL, FORMATS["soap"], cancel)) == []


def test_cancelled_in_the_middle_it_ends_without_another_statement(drafter: Drafter) -> None:
    cancel = threading.Event()
    statements = drafter.write(MATERIAL, FORMATS["soap"], cancel)
    next(statements)
    cancel.set()

    assert list(statements) == []


def test_it_says_what_it_is_and_names_the_format_by_its_hash(drafter: Drafter) -> None:
    info = drafter.describe(FORMATS["soap"])

    assert info.kind in {"model", "outline"}
    assert info.name
    assert info.format_sha256 == FORMATS["soap"].sha256


def test_what_it_follows_is_drafted_as_what_it_writes_at_once(drafter: Drafter) -> None:
    talk = gather_material(
        [replace(each, source=Source.SESSION, speaker=Speaker.UNKNOWN) for each in MATERIAL.segments]
    )
    live = drafter.follow(FORMATS["soap"], threading.Event())
    if live is None:
        return  # it writes what is there, and nothing before
    for count in range(1, len(talk.segments) + 1):
        live.take(gather_material(talk.segments[:count]))
        live.step()
    followed = list(live.finish())

    assert followed == list(live.statements)
    assert {each.section for each in followed} <= {section.id for section in FORMATS["soap"].sections}
    if drafter.describe(FORMATS["soap"]).name == "scripted":  # the engine's sums depend on where a text was cut
        assert followed == list(drafter.write(talk, FORMATS["soap"], threading.Event())) != []


def test_it_writes_the_same_again_after_it_forgot(drafter: Drafter) -> None:
    first = list(drafter.write(MATERIAL, FORMATS["soap"], threading.Event()))
    drafter.forget()
    drafter.forget()

    assert list(drafter.write(MATERIAL, FORMATS["soap"], threading.Event())) == first


def test_it_can_be_closed_twice(drafter: Drafter) -> None:
    list(drafter.write(MATERIAL, FORMATS["soap"], threading.Event()))
    drafter.close()
    drafter.close()
