"""A draft that is written while the session goes on: what is left for its end, what a correction undoes, its bounds."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import llama_cpp
import pytest

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.errors import DraftError
from gateway.note.asking import SENTENCE
from gateway.note.draft import ModelDrafter
from gateway.note.formats import read_formats
from gateway.note.lines import WINDOW_WORDS, choose_planned
from gateway.note.live import LiveDraft
from gateway.note.llama import LlamaTextModel, Weights, load_weights
from gateway.note.prompt import read_prompts
from gateway.note.scripted import ScriptedTextModel
from gateway.note.statement import Origin, Statement
from gateway.settings import ROOT
from tests.models.make_text_model import make_random_model, make_scripted_model

FORMATS = read_formats(ROOT / "config" / "formats")
PROMPTS = read_prompts()
SCRIPT = {
    "Subjective": ["The patient counts days.", "The patient sleeps five hours."],
    "Objective": ["Blood pressure is 120 over 80."],
    "Plan": ["Continue sertraline."],
}


def say(number: int, text: str, speaker: Speaker = Speaker.PATIENT, source: Source = Source.SESSION) -> Segment:
    return Segment(number, source, speaker, text)


def make_session(count: int) -> list[Segment]:
    """A conversation of ``count`` pairs of lines, about 16 words a pair; a plan at its very end."""
    lines = []
    for number in range(count):
        lines.append(say(2 * number + 1, f"And how was day {number}?", Speaker.CLINICIAN))
        lines.append(say(2 * number + 2, f"Day {number} was long and I slept about {number % 7} hours."))
    return [*lines, say(2 * count + 1, "Let's continue the sertraline and see you next week.", Speaker.CLINICIAN)]


def drain(live: LiveDraft) -> list[Statement]:
    found = []
    while live.has_work:
        statement = live.step()
        if statement is not None:
            found.append(statement)
    return found


def follow(
    model: ScriptedTextModel, plan_model: ScriptedTextModel | None = None, cancel: threading.Event | None = None
) -> LiveDraft:
    drafter = ModelDrafter(model, PROMPTS, plan_model=plan_model)
    return drafter.follow(FORMATS["soap"], cancel or threading.Event())


def run(live: LiveDraft, segments: list[Segment]) -> tuple[list[Statement], list[Statement]]:
    """Statements that came while the session went on, and those that came after its end."""
    during = []
    for segment in segments:
        live.add([segment])
        during += drain(live)
    return during, list(live.finish())


def test_live_and_finished_drafting_write_the_same() -> None:
    session = make_session(60)
    during, after = run(follow(ScriptedTextModel(SCRIPT), ScriptedTextModel(SCRIPT)), session)
    drafter = ModelDrafter(ScriptedTextModel(SCRIPT), PROMPTS)

    finished = list(drafter.write(gather_material(session), FORMATS["soap"], threading.Event()))

    assert during + after == finished
    assert during, "statements come before the session ends"


@pytest.mark.parametrize("pairs", [60, 600])
def test_what_is_left_for_the_end_is_one_window_and_the_plan(pairs: int) -> None:
    model, plan_model = ScriptedTextModel(SCRIPT), ScriptedTextModel(SCRIPT, room=100_000)
    live = follow(model, plan_model)
    session = make_session(pairs)
    for segment in session:
        live.add([segment])
        drain(live)
    windows, asked, planned = len(model.texts), len(model.questions), plan_model.texts[-1]

    list(live.finish())

    assert len(model.texts) <= windows + 1
    assert len(model.questions) - asked == 1, "the last window's one section with a cue"
    assert len(plan_model.texts) == 1, "read once, as it grew"
    assert plan_model.texts[0].startswith(planned)
    assert len(plan_model.texts[0].split()) - len(planned.split()) < 40
    assert plan_model.questions == [plan_model.questions[0]]
    assert "Plan" in plan_model.questions[0]


def test_a_step_reads_no_more_than_a_few_lines() -> None:
    sizes: list[int] = []

    class CountingModel(ScriptedTextModel):
        words = 0

        def read(self, instruction: str, text: str, bound: object) -> None:
            words = len(text.split())
            sizes.append(words - self.words if words > self.words else words)
            self.words = words
            super().read(instruction, text, bound)  # type: ignore[arg-type]

    live = follow(CountingModel(SCRIPT), CountingModel(SCRIPT))
    live.add(make_session(100))
    list(live.finish())

    assert max(sizes) < WINDOW_WORDS / 2


def test_a_corrected_segment_takes_its_windows_statements_and_the_plan_back() -> None:
    model = ScriptedTextModel(SCRIPT)
    live = follow(model)
    first = [*run(live, make_session(60))[1], *live.statements]
    model.texts.clear()

    dropped = live.correct(say(2, "Day 0 was short, and I slept nine hours."))
    again = drain(live)

    assert {each.section for each in first if each.number in dropped} == {"subjective", "plan"}
    assert all(2 in each.hints for each in first if each.number in dropped and each.section != "plan")
    assert not any(each.number in dropped for each in live.statements)
    assert min(each.number for each in again) > max(each.number for each in first), "numbers are not used twice"
    assert {each.section for each in again} == {"subjective", "plan"}
    assert all("slept nine hours" in text for text in model.texts)
    assert len(model.texts) == 2, "its window and the whole"


def test_a_struck_segment_is_nowhere_afterwards() -> None:
    model = ScriptedTextModel(SCRIPT)
    live = follow(model)
    for segment in make_session(60):
        live.add([segment])
        drain(live)
    model.texts.clear()

    live.strike(range(1, 60))
    live.strike([10_000])
    list(live.finish())

    assert model.texts
    assert not any("day 7?" in text for text in model.texts)
    assert all(set(each.hints).isdisjoint(range(1, 60)) for each in live.statements)


def test_a_segment_corrected_while_its_window_is_drafted_counts_as_corrected() -> None:
    model = ScriptedTextModel(SCRIPT)
    live = follow(model)
    live.add(make_session(60))
    while not live.statements:
        live.step()

    [number] = live.correct(say(2, "Day 0 was short."))
    list(live.finish())

    assert number == 1
    assert "Day 0 was short." in model.texts[-1]
    assert [each.text for each in live.statements].count("The patient counts days.") == 1


def test_observations_are_worded_at_the_end() -> None:
    live = follow(ScriptedTextModel({"Objective": ["Restless with trembling hands throughout."]}))

    live.add([say(1, "I slept badly, and the day was long for me."), say(2, "Restless, hands trembling throughout.")])
    live.add([say(3, "Restless, hands trembling throughout.", Speaker.CLINICIAN, Source.OBSERVATION)])
    statements = list(live.finish())

    assert [(each.section, each.hints) for each in statements] == [("objective", (3,))]


def test_a_session_of_any_length_stays_in_the_models_room() -> None:
    plan_model = ScriptedTextModel(SCRIPT, room=900)
    live = follow(ScriptedTextModel(SCRIPT), plan_model)
    lines = make_session(1500)
    for number in range(0, 3000, 20):
        lines[number] = say(number + 1, f"I'd like you to start step {number} of the plan.", Speaker.CLINICIAN)

    run(live, lines)

    assert all(len(text.split()) < 900 for text in plan_model.texts)
    assert lines[-1].text in plan_model.texts[-1]
    assert len(plan_model.texts) < 30, "it is seldom read again from the start"


def test_the_plan_is_asked_of_the_lines_that_speak_of_it_where_the_whole_does_not_fit() -> None:
    cued = [False, False, True, False, False, False, True]

    assert choose_planned(cued, [10] * 7, 70) == [0, 1, 2, 3, 4, 5, 6]
    assert choose_planned(cued, [10] * 7, 60) == [1, 2, 3, 5, 6]
    assert choose_planned(cued, [10] * 7, 30) == [5, 6], "the oldest give way"
    assert choose_planned([False], [10], 5) == []
    assert choose_planned([True], [10], 5) == []


def test_too_little_is_refused_at_the_end() -> None:
    live = follow(ScriptedTextModel(SCRIPT))
    live.add([say(1, "Fine.")])

    with pytest.raises(DraftError, match="too little to draft from"):
        list(live.finish())


def test_another_language_is_refused_at_the_beginning() -> None:
    drafter = ModelDrafter(ScriptedTextModel(SCRIPT), PROMPTS)

    with pytest.raises(DraftError, match="this language"):
        drafter.follow(FORMATS["soap"], threading.Event(), "de")


def test_only_the_sections_that_are_wanted_are_asked_for() -> None:
    model = ScriptedTextModel(SCRIPT)
    live = ModelDrafter(model, PROMPTS).follow(FORMATS["soap"], threading.Event(), only=["plan"])

    during, after = run(live, make_session(60))

    assert [each.section for each in (*during, *after)] == ["plan"]
    assert len(model.questions) == 1


class TestTakingTheMaterial:
    """What the visit gives is always the whole material so far; what is new in it is found here."""

    @staticmethod
    def take(live: LiveDraft, segments: list[Segment]) -> tuple[int, ...]:
        return live.take(gather_material(segments))

    def test_material_that_grows_is_drafted_as_if_it_came_in_pieces(self) -> None:
        session = make_session(60)
        model = ScriptedTextModel(SCRIPT)
        live = follow(model, ScriptedTextModel(SCRIPT))
        during = []
        for count in range(1, len(session) + 1):
            assert self.take(live, session[:count]) == ()
            during += drain(live)
        pieces = run(follow(ScriptedTextModel(SCRIPT), ScriptedTextModel(SCRIPT)), session)
        assert (during, list(live.finish())) == pieces

    def test_a_correction_is_one_and_a_decision_without_new_words_is_none(self) -> None:
        session = make_session(60)
        live = follow(model := ScriptedTextModel(SCRIPT))
        self.take(live, session)
        first = drain(live)
        assert self.take(live, [replace(session[0], unclear=True), *session[1:]]) == ()
        model.texts.clear()
        dropped = self.take(live, [session[0], say(2, "I slept nine hours."), *session[2:]])
        assert set(dropped) <= {each.number for each in first}
        drain(live)
        assert any("slept nine hours" in text for text in model.texts)
        assert not any("Day 0 was long" in text for text in model.texts)

    @pytest.mark.parametrize("at", [0, 40])
    def test_what_had_no_words_is_heard_after_all_in_its_place(self, at: int) -> None:
        session = make_session(60)
        missed = [*session[:at], say(at + 1, ""), *session[at + 1 :]]
        live = follow(model := ScriptedTextModel(SCRIPT))
        self.take(live, missed)
        drain(live)
        model.texts.clear()
        words = "I walked the whole way."
        self.take(live, [*session[:at], say(at + 1, words), *session[at + 1 :]])
        list(live.finish())
        [text, *_] = [text for text in model.texts if words in text]
        before, after = text.split(words)
        assert session[at - 1].text in before if at else session[0].text not in before
        assert session[at + 1].text in after

    def test_a_strike_takes_the_end_and_other_words_may_follow(self) -> None:
        session = make_session(60)
        live = follow(model := ScriptedTextModel(SCRIPT))
        self.take(live, session)
        drain(live)
        model.texts.clear()
        new = replace(say(21, "Something else was said."), start_seconds=4.0)
        dropped = self.take(live, [*session[:20], new])
        assert dropped
        list(live.finish())
        assert any("Something else" in text for text in model.texts)
        assert not any("day 12" in text for text in model.texts)

    def test_a_session_that_goes_on_after_its_end_begins_another_window(self) -> None:
        session = make_session(60)
        live = follow(model := ScriptedTextModel(SCRIPT), plan_model := ScriptedTextModel(SCRIPT))
        self.take(live, session[:60])
        live.close()
        first = drain(live)
        assert {each.section for each in first} >= {"subjective"}
        assert plan_model.questions == []  # nobody spoke of a plan so far
        self.take(live, session)
        live.close()
        drain(live)
        assert len(plan_model.questions) == 1
        asked = len(model.questions)
        assert list(live.finish()) == []
        assert len(model.questions) == asked, "nothing was left for the end"

    def test_a_plan_that_was_asked_too_early_is_asked_again(self) -> None:
        session = make_session(60)
        live = follow(ScriptedTextModel(SCRIPT), plan_model := ScriptedTextModel(SCRIPT))
        self.take(live, session)
        live.close()
        plans = [each.number for each in drain(live) if each.section == "plan"]
        dropped = self.take(live, [*session, say(122, "And let's order the blood test too.", Speaker.CLINICIAN)])
        assert set(plans) <= set(dropped)
        list(live.finish())
        assert "blood test" in plan_model.texts[-1]

    def test_notes_that_change_are_worded_again_and_nothing_else_is(self) -> None:
        session = make_session(60)
        live = follow(model := ScriptedTextModel({**SCRIPT, "Objective": ["Restless with trembling hands."]}))
        noted = Segment(122, Source.OBSERVATION, Speaker.CLINICIAN, "Restless, hands trembling throughout.")
        self.take(live, [*session, noted])
        before = list(live.finish())
        model.questions.clear()
        dropped = self.take(live, [*session, replace(noted, text="Calm, hands still.")])
        again = list(live.finish())
        assert {each.section for each in before if each.number in dropped} == {"objective"}
        assert {each.section for each in again} == {"objective"}

    def test_a_typed_line_beside_a_session_is_the_clinicians_note(self) -> None:
        live = follow(model := ScriptedTextModel(SCRIPT))
        typed = Segment(122, Source.TYPED, Speaker.CLINICIAN, "Plan: meet again on Monday at ten.")
        self.take(live, [*make_session(60), typed])
        list(live.finish())
        assert [text for text in model.texts if "Monday" in text] == [model.texts[-1]]
        assert "day 7" not in model.texts[-1]

    def test_a_wiped_draft_reads_again_and_goes_on(self) -> None:
        session = make_session(60)
        live = follow(model := ScriptedTextModel(SCRIPT))
        self.take(live, session)
        while not live.statements:
            live.step()
        wiped = live.wipe()
        assert model.texts == []
        assert not any(each.number in wiped for each in live.statements)
        whole = follow(ScriptedTextModel(SCRIPT))
        self.take(whole, session)
        rest = [each.text for each in (*live.statements, *live.finish())]
        assert rest == [each.text for each in whole.finish()]
        assert live.wipe() == ()


@pytest.fixture(scope="module", params=range(3))
def nonsense(request: pytest.FixtureRequest) -> Iterator[Weights]:
    weights = load_weights(make_random_model(seed=request.param))
    yield weights
    weights.close()


def make_engine(weights: Weights) -> ModelDrafter:
    models = (LlamaTextModel(weights, threads=1), LlamaTextModel(weights, threads=1, room=2048))
    return ModelDrafter(models[0], PROMPTS, 120.0, models[1])


@pytest.fixture(scope="module")
def sense() -> Iterator[Weights]:
    weights = load_weights(make_scripted_model({"The patient ": "sleeps badly.", "The clinician ": "listened well."}))
    yield weights
    weights.close()


@pytest.mark.parametrize("format_id", sorted(FORMATS))
def test_on_the_real_engine_live_statements_have_the_shape_of_finished_ones(sense: Weights, format_id: str) -> None:
    session, note_format = make_session(40), FORMATS[format_id]
    drafter = make_engine(sense)
    during, after = run(drafter.follow(note_format, threading.Event()), session)
    finished = list(drafter.write(gather_material(session), note_format, threading.Event()))
    drafter.close()

    assert during
    for statements in ([*during, *after], finished):
        assert [each.number for each in statements] == list(range(1, len(statements) + 1))
        for each in statements:
            assert each.origin is Origin.MODEL
            assert re.fullmatch(rf"[A-Z0-9][A-Za-z' ]*?{SENTENCE}", each.text)
            assert note_format.find_section(each.section)
            assert each.hints
            assert set(each.hints) <= {segment.number for segment in session}


@pytest.mark.parametrize("calls", [1, 2, 5, 17, 60, 150])
def test_it_can_be_cancelled_at_any_token(nonsense: Weights, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    cancel, count = threading.Event(), 0
    decode: Callable[..., int] = llama_cpp.llama_decode

    def count_decode(*arguments: object) -> int:
        nonlocal count
        count += 1
        if count == calls:
            cancel.set()
        return decode(*arguments)

    monkeypatch.setattr(llama_cpp, "llama_decode", count_decode)
    drafter = make_engine(nonsense)
    live = drafter.follow(FORMATS["soap"], cancel)
    live.add(make_session(40))
    list(live.finish())
    drafter.close()

    assert count == calls, "the very next token is not computed"
    assert not live.has_work
    assert live.step() is None


def test_closing_the_models_ends_a_live_draft() -> None:
    drafter = ModelDrafter(ScriptedTextModel(SCRIPT), PROMPTS)
    live = drafter.follow(FORMATS["soap"], threading.Event())
    live.add(make_session(40))
    live.step()
    drafter.close()

    assert list(live.finish()) == []
    assert not live.has_work
