"""Two hundred drafts by models with random weights: all of the format's shape, ended in time, and nothing shown
without the lines that carry it. Models that were told what to write show that the check lets through what is carried.

The engine, the grammar, the recipe and the check are the real ones; only the weights are tiny.
"""

import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.note.asking import SENTENCE
from gateway.note.checking import DraftChecker
from gateway.note.draft import ModelDrafter
from gateway.note.evidence import CheckedDraft
from gateway.note.formats import NoteFormat, read_formats
from gateway.note.llama import LlamaTextModel, Weights, load_weights
from gateway.note.overlap import find_share
from gateway.note.prompt import read_prompts
from gateway.note.risk import read_risk_rules
from gateway.note.statement import Origin, Statement, finish_draft
from gateway.settings import ROOT
from tests.bench.session import make_session
from tests.models.make_text_model import make_random_model, make_scripted_model

FORMATS = read_formats(ROOT / "config" / "formats")
PROMPTS = read_prompts()
RULES = read_risk_rules(ROOT / "config" / "risk")
SEEDS = range(5)
LIMIT_SECONDS = 120.0  # a draft that takes longer fails with the drafter's own error
SPEAKERS = {"C": Speaker.CLINICIAN, "P": Speaker.PATIENT, "?": Speaker.UNKNOWN}
TALK = (
    "C: How have you been sleeping since we met?",
    "P: About five hours a night, and I wake at three.",
    "C: Any thoughts of ending your life?",
    "P: No, not since the spring.",
    "C: Your GAD-7 score is 11 today. I think the anxiety is improving.",
    "P: I walked around the block and counted my breaths, as we practised.",
    "C: Let's continue the sertraline at 50 mg, and I'll see you in two weeks.",
    "P: Good, that suits me.",
)
TRUE, FALSE = (
    "sleeps about five hours a night.",
    "sleeps about nine hours a night.",
)  # as the patient told it in ``TALK``, and not so
NOTES = (
    "She reports five hours of sleep a night.",
    "Calm, good eye contact.",
    "We reviewed the sleep diary together.",
    "Impression: generalized anxiety, improving.",
    "Plan: continue sertraline 50 mg each morning.",
)
Write = Callable[[ModelDrafter, NoteFormat, random.Random], tuple[Material, Sequence[Statement]]]


def say(lines: Sequence[str], source: Source = Source.SESSION) -> list[Segment]:
    return [Segment(1, source, SPEAKERS[line[0]], line[3:]) for line in lines]


def note(lines: Sequence[str], source: Source = Source.TYPED) -> list[Segment]:
    return [Segment(1, source, Speaker.CLINICIAN, line) for line in lines]


def write_at_once(segments: Sequence[Segment]) -> Write:
    def write(drafter: ModelDrafter, note_format: NoteFormat, _: random.Random) -> tuple[Material, list[Statement]]:
        material = gather_material(segments)
        return material, list(drafter.write(material, note_format, threading.Event()))

    return write


def follow(
    drafter: ModelDrafter, note_format: NoteFormat, chance: random.Random
) -> tuple[Material, Sequence[Statement]]:
    """A session of several windows, drafted in steps while lines come, are corrected and are struck."""
    live = drafter.follow(note_format, threading.Event())
    kept: list[Segment] = []
    for segment in make_session(330).segments:
        kept.append(segment)
        match chance.randrange(12):
            case 0:
                kept[chance.randrange(len(kept))] = chance.choice(kept)
            case 1:
                del kept[-1]
            case 2:
                live.close()
        live.take(gather_material(kept))
        for _ in range(chance.randrange(3)):
            if live.has_work:
                live.step()
    material = gather_material([*kept, *note(["Calm, good eye contact."], Source.OBSERVATION)])
    live.take(material)
    list(live.finish())
    return material, live.statements


WAYS: dict[str, Write] = {
    "talk": write_at_once(say(TALK)),
    "talk, one microphone": write_at_once(say([f"?{line[1:]}" for line in TALK])),
    "talk and what was observed": write_at_once([*say(TALK), *note(["Calm, tearful once."], Source.OBSERVATION)]),
    "typed notes": write_at_once(note(NOTES)),
    "dictation": write_at_once(note(NOTES, Source.DICTATION)),
    "odd signs": write_at_once(
        note(["שלום עולם " * 12, "🙂🙂 <script>alert('x')</script>", "a\x00b and the plan: rest"])
    ),
    "session, live": follow,
}


@pytest.fixture(scope="module", params=SEEDS)
def nonsense(request: pytest.FixtureRequest) -> Iterator[Weights]:
    weights = load_weights(make_random_model(seed=request.param))
    yield weights
    weights.close()


def make_drafter(weights: Weights) -> ModelDrafter:
    models = (LlamaTextModel(weights, threads=1), LlamaTextModel(weights, threads=1, room=2048))
    return ModelDrafter(models[0], PROMPTS, LIMIT_SECONDS, models[1])


def check(
    material: Material, note_format: NoteFormat, written: Sequence[Statement], drafter: ModelDrafter
) -> CheckedDraft:
    draft = finish_draft(note_format.id, tuple(written), drafter.describe(note_format))
    return DraftChecker(material, note_format, RULES).finish(draft)


def assert_shape(written: Sequence[Statement], material: Material, note_format: NoteFormat) -> None:
    numbers = [each.number for each in written]
    assert numbers == sorted(set(numbers))
    sections = {section.id for section in note_format.sections}
    segments = {segment.number for segment in material.segments}
    for each in written:
        assert each.section in sections
        assert each.hints
        assert set(each.hints) <= segments
        if each.origin is Origin.MODEL:
            assert re.fullmatch(rf"[A-Z0-9][A-Za-z' ]*?{SENTENCE}", each.text)


def assert_carried(draft: CheckedDraft, material: Material) -> None:
    """Each shown statement names lines of the material, and says nothing that is in none of them."""
    texts = {segment.number: segment.text for segment in material.segments}
    for item in draft.shown:
        cited = [texts[number] for number in item.segments]
        assert cited
        told = item.statement.text
        assert set(re.findall(r"\d+", told)) <= set(re.findall(r"\d+", " ".join(cited)))
        if item.risk:
            quoted = re.findall(r'"([^"]+)"', told)
            assert quoted
            assert all(any(words in line for line in cited) for words in quoted)
        else:
            assert find_share(told, cited) > 0.5


def test_there_are_two_hundred_drafts() -> None:
    assert len(SEEDS) * len(FORMATS) * len(WAYS) >= 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("format_id", sorted(FORMATS))
def test_a_draft_of_random_weights_has_the_formats_shape_and_shows_nothing_without_evidence(
    nonsense: Weights, format_id: str, way: str
) -> None:
    note_format, drafter = FORMATS[format_id], make_drafter(nonsense)
    material, written = WAYS[way](drafter, note_format, random.Random(f"{format_id} {way}"))
    draft = check(material, note_format, written, drafter)
    drafter.close()
    assert_shape(written, material, note_format)
    assert_carried(draft, material)


def test_random_weights_write_sentences_and_the_check_withholds_them_all() -> None:
    own = []
    for seed in SEEDS:
        weights = load_weights(make_random_model(seed))
        drafter = make_drafter(weights)
        material, written = WAYS["talk"](drafter, FORMATS["dap"], random.Random(0))
        draft = check(material, FORMATS["dap"], written, drafter)
        drafter.close()
        weights.close()
        own += [each for each in written if each.origin is Origin.MODEL]
        assert not any(item.statement in own for item in draft.shown)
    assert own


@pytest.mark.parametrize("way", ["at once", "live"])
@pytest.mark.parametrize("format_id", sorted(FORMATS))
@pytest.mark.parametrize(("ending", "shown"), [(TRUE, True), (FALSE, False)], ids=["true", "false"])
def test_a_model_that_was_told_what_to_write_shows_what_is_carried_alone(
    ending: str, shown: bool, format_id: str, way: str
) -> None:
    note_format = FORMATS[format_id]
    weights = load_weights(make_scripted_model({"The patient ": ending, "The clinician ": "is ill."}))
    drafter = make_drafter(weights)
    material = gather_material(say(TALK))
    if way == "live":
        live = drafter.follow(note_format, threading.Event())
        for count in range(1, len(TALK) + 1):
            live.take(gather_material(say(TALK[:count])))
            while live.has_work:
                live.step()
        list(live.finish())
        written: Sequence[Statement] = live.statements
    else:
        written = list(drafter.write(material, note_format, threading.Event()))
    draft = check(material, note_format, written, drafter)
    drafter.close()
    weights.close()
    assert_shape(written, material, note_format)
    assert_carried(draft, material)
    sentence = f"The patient {ending}"
    assert sentence in {each.text for each in written}
    own = [item for item in draft.shown if item.statement.origin is Origin.MODEL]
    assert [item.statement.text for item in own] == ([sentence] if shown else [])
    assert all(2 in item.segments for item in own)
