"""One contract for every text model: scripted, the real engine with tiny models, and with the published weights."""

import functools
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import DraftError
from gateway.models.catalogue import Kind
from gateway.models.installed import find_installed
from gateway.note.llama import LlamaTextModel, Weights, load_weights
from gateway.note.scripted import ScriptedTextModel
from gateway.note.textmodel import Bound, Cancelled, TextModel
from gateway.settings import read_settings
from tests.models.make_text_model import make_random_model, make_scripted_model

ROOM = 1024
INSTRUCTION = "You are a scribe."
TALK = "C: How have you been sleeping?\nP: Badly, about five hours a night.\n"
MORE = "C: We keep the sleep diary.\n"
QUESTION, HEADING = "\nWrite the plan.", "Plan:\n"
PATTERN = r"The patient [a-z ]{3,60}\."
SENTENCE = "The patient sleeps badly."


@functools.cache
def open_tiny(make: Callable[[], Path]) -> Weights:
    return load_weights(make(), "ab" * 32)


@functools.cache
def open_published() -> Weights:
    installed = find_installed(read_settings(), Kind.TEXT)
    assert installed
    return load_weights(installed.path, installed.sha256)


def make_sense() -> Path:
    return make_scripted_model({"The patient ": "sleeps badly."})


def make_scripted() -> TextModel:
    return ScriptedTextModel({"Plan": [SENTENCE]}, room=ROOM)


def make_scripted_engine() -> TextModel:
    return LlamaTextModel(open_tiny(make_sense), 1, ROOM)


def make_random_engine() -> TextModel:
    return LlamaTextModel(open_tiny(make_random_model), 1, ROOM)


def make_published() -> TextModel:
    return LlamaTextModel(open_published(), room=ROOM)


SCRIPTED = [make_scripted, make_scripted_engine]
ALL = [*SCRIPTED, make_random_engine, pytest.param(make_published, marks=pytest.mark.weights)]


@pytest.fixture(params=ALL)
def model(request: pytest.FixtureRequest) -> Iterator[TextModel]:
    made: TextModel = request.param()
    yield made
    made.close()


@pytest.fixture(params=SCRIPTED)
def told(request: pytest.FixtureRequest) -> Iterator[TextModel]:
    """A model that was told what to write."""
    made: TextModel = request.param()
    yield made
    made.close()


def bound(seconds: float = 120.0, cancelled: bool = False) -> Bound:
    cancel = threading.Event()
    if cancelled:
        cancel.set()
    return Bound(cancel, time.monotonic() + seconds)


def answer(model: TextModel, pattern: str = PATTERN) -> list[str | None]:
    """The first sentence of a new answer, and what comes of asking for another."""
    model.ask(QUESTION, HEADING, bound())
    return [model.write_sentence(pattern, False, bound()), model.write_sentence(pattern, True, bound())]


def test_says_what_it_is(model: TextModel) -> None:
    assert model.name
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert model.room == ROOM


def test_counts_the_tokens_of_a_text(model: TextModel) -> None:
    assert model.count_tokens("") == 0
    assert 0 < model.count_tokens("Badly.") < model.count_tokens(TALK) < model.count_tokens(TALK + MORE)


def test_writes_its_sentence_and_has_no_more_to_say(told: TextModel) -> None:
    told.read(INSTRUCTION, TALK, bound())
    assert answer(told) == [SENTENCE, None]


def test_each_question_is_asked_of_what_was_read_and_of_nothing_since(model: TextModel) -> None:
    model.read(INSTRUCTION, TALK, bound())
    first = answer(model)
    assert answer(model) == first


@pytest.mark.parametrize("may_end", [False, True])
def test_a_sentence_matches_its_pattern_as_a_whole_or_came_to_no_end(model: TextModel, may_end: bool) -> None:
    model.read(INSTRUCTION, TALK, bound())
    model.ask(QUESTION, HEADING, bound())
    written = model.write_sentence(PATTERN, may_end, bound())
    assert written is not None or may_end
    assert not written or re.fullmatch(PATTERN, written)


def test_a_text_that_grew_is_held_with_its_beginning_and_another_text_replaces_it(told: TextModel) -> None:
    told.read(INSTRUCTION, TALK, bound())
    told.read(INSTRUCTION, TALK + MORE, bound())
    assert answer(told) == [SENTENCE, None]
    told.read(INSTRUCTION, MORE, bound())
    assert answer(told) == [SENTENCE, None]


def test_the_same_text_gives_the_same_answer_after_it_was_forgotten(model: TextModel) -> None:
    model.read(INSTRUCTION, TALK, bound())
    first = answer(model)
    model.forget()
    model.forget()
    model.read(INSTRUCTION, TALK, bound())
    assert answer(model) == first


def test_more_text_than_there_is_room_for_is_refused_with_a_sentence_and_the_next_one_is_read(model: TextModel) -> None:
    with pytest.raises(DraftError, match="more text than") as caught:
        model.read(INSTRUCTION, TALK * 200, bound())
    assert caught.value.code == "draft.room"
    model.read(INSTRUCTION, TALK, bound())
    assert answer(model)[0] is not None


CALLS: dict[str, Callable[[TextModel, Bound], object]] = {
    "read": lambda model, until: model.read(INSTRUCTION, TALK + MORE, until),
    "ask": lambda model, until: model.ask(QUESTION, HEADING, until),
    "write": lambda model, until: model.write_sentence(PATTERN, False, until),
    "write or end": lambda model, until: model.write_sentence(PATTERN, True, until),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_is_cancelled_or_late_ends_and_the_model_can_be_used_again(model: TextModel, call: str) -> None:
    model.read(INSTRUCTION, TALK, bound())
    model.ask(QUESTION, HEADING, bound())
    with pytest.raises(Cancelled):
        CALLS[call](model, bound(cancelled=True))
    with pytest.raises(DraftError, match="took too long") as caught:
        CALLS[call](model, bound(seconds=-1.0))
    assert caught.value.code == "draft.late"
    model.read(INSTRUCTION, TALK, bound())
    assert answer(model)[0] is not None


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_model_is_of_no_use(model: TextModel, call: str) -> None:
    model.read(INSTRUCTION, TALK, bound())
    model.ask(QUESTION, HEADING, bound())
    model.close()
    model.close()
    with pytest.raises(Cancelled):
        CALLS[call](model, bound())


def test_a_model_that_read_nothing_can_be_closed(model: TextModel) -> None:
    model.close()
