"""The drafter: what is asked of which lines, when it ends, and that nonsense from a model still has a note's shape."""

import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.errors import ConfigurationError, DraftError
from gateway.note.asking import SENTENCE
from gateway.note.checking import DraftChecker
from gateway.note.draft import ModelDrafter
from gateway.note.formats import NoteFormat, read_formats
from gateway.note.lines import WINDOW_WORDS
from gateway.note.llama import LlamaTextModel, Weights, load_weights
from gateway.note.overlap import find_share
from gateway.note.prompt import PromptSet, read_prompts
from gateway.note.risk import read_risk_rules
from gateway.note.scripted import ScriptedTextModel
from gateway.note.statement import Origin, Statement, finish_draft
from gateway.settings import ROOT
from tests.models.make_text_model import make_random_model

FORMATS = read_formats(ROOT / "config" / "formats")
PROMPTS = read_prompts()
RULES = read_risk_rules(ROOT / "config" / "risk")
SPEAKERS = {"C": Speaker.CLINICIAN, "P": Speaker.PATIENT, "?": Speaker.UNKNOWN}

TALK = (
    "C: How have you been sleeping?",
    "P: About five hours a night, and I wake at three.",
    "C: Let's continue the sertraline, and I'll see you in two weeks.",
    "P: Good, that suits me.",
)
DICTATION = (
    "She reports five hours of sleep a night.",
    "We reviewed the sleep diary.",
    "Plan: continue sertraline 50 mg each morning.",
)


def make_talk(lines: Iterable[str]) -> Material:
    return gather_material(Segment(1, Source.TYPED, SPEAKERS[line[0]], line[3:]) for line in lines)


def make_notes(lines: Iterable[str], source: Source = Source.DICTATION, language: str = "en") -> Material:
    return gather_material((Segment(1, source, Speaker.CLINICIAN, line) for line in lines), language)


def draft(
    model: ScriptedTextModel, material: Material, format_id: str = "soap", limit_seconds: float = 60.0
) -> list[Statement]:
    drafter = ModelDrafter(model, PROMPTS, limit_seconds)
    return list(drafter.write(material, FORMATS[format_id], threading.Event()))


def test_a_conversation_is_read_with_its_speakers_and_asked_by_section() -> None:
    model = ScriptedTextModel({"Subjective": ["The patient sleeps five hours."], "Plan": ["Continue sertraline."]})

    statements = draft(model, make_talk(TALK))

    assert model.texts == ["Transcript:\n" + "".join(f"{line}\n" for line in TALK)]
    assert [(each.number, each.section, each.text) for each in statements] == [
        (1, "subjective", "The patient sleeps five hours."),
        (2, "plan", "Continue sertraline."),
    ]
    assert {each.origin for each in statements} == {Origin.MODEL}
    assert {each.hints for each in statements} == {(1, 2, 3, 4)}


def test_a_section_without_a_cue_in_the_clinicians_lines_is_not_asked_for() -> None:
    model = ScriptedTextModel({})

    draft(model, make_talk([*TALK[:2], "P: I think I have the flu, and I'll see you soon."]))

    assert len(model.questions) == 1, "the patient's conclusions and plans are no cue"
    assert "Subjective" in model.questions[0]


def test_what_the_patient_told_is_not_asked_of_a_window_in_which_only_the_clinician_reports() -> None:
    told = [line for day in range(20) for line in (f"C: And day {day}?", "P: I woke three times and stayed tired.")]
    report = ["C: Heart and lungs sound normal on examination." + " Your knee holds well." * 35, "P: Okay, great."]
    model = ScriptedTextModel({}, room=100_000)

    draft(model, make_talk([*told, *report]))
    first, second = (text.splitlines()[1:] for text in model.texts)

    assert first == told
    assert second == [told[-1], *report]
    assert ["Subjective" in question for question in model.questions] == [True, False]
    assert "Objective" in model.questions[1]


def test_a_patient_of_few_words_is_asked_about_in_a_short_talk() -> None:
    model = ScriptedTextModel({"Subjective": ["The patient has no changes."]})

    draft(model, make_talk(["C: How have you been since the last time?", "P: Fine, no changes."]))

    assert len(model.questions) == 1


@pytest.mark.parametrize(("line", "asked"), [("Well, that was ill advised.", False), ("We'll talk then.", True)])
def test_well_and_ill_are_no_words_of_a_plan(line: str, asked: bool) -> None:
    model = ScriptedTextModel({})

    draft(model, make_talk(["P: I have slept badly since the move.", f"C: {line}"]))

    assert any("Plan" in question for question in model.questions) is asked


def test_long_conversations_are_cut_into_windows_and_planned_once() -> None:
    lines = [line for number in range(60) for line in (f"C: And day {number}?", f"P: Day {number} was " + "so " * 15)]
    model = ScriptedTextModel({"Subjective": ["The patient counts days."]}, room=100_000)

    draft(model, make_talk([*lines, TALK[2]]))
    *windows, whole = [text.splitlines()[1:] for text in model.texts]

    assert len(windows) > 2
    assert all(len(" ".join(window).split()) < 2 * WINDOW_WORDS for window in windows)
    assert [before[-1] for before in windows[:-1]] == [after[0] for after in windows[1:]], "one line of overlap"
    assert whole == [line.rstrip() for line in [*lines, TALK[2]]], "the plan is asked of the whole"
    assert [("Plan" in question) for question in model.questions] == [False] * len(windows) + [True]


def test_a_window_begins_with_the_end_of_the_line_before_not_with_a_whole_report() -> None:
    report = "C: Your knee is swollen. " + "It bends well and it holds. " * 60 + "Does it hurt at night?"
    lines = [report, *(line for day in range(20) for line in (f"P: On day {day} it hurt.", "C: Go on, please."))]
    model = ScriptedTextModel({}, room=100_000)

    draft(model, make_talk(lines))
    first, second = [text.splitlines()[1:] for text in model.texts[:2]]

    assert first[-1].endswith("Does it hurt at night?")
    assert second[0] == "C: " + "It bends well and it holds. " * 4 + "Does it hurt at night?"
    assert second[1:] == lines[1:]


def test_where_the_whole_does_not_fit_the_plan_is_asked_of_the_lines_about_it() -> None:
    lines = [f"P: Day {number} was " + "so " * 15 for number in range(60)]
    model = ScriptedTextModel({}, room=600)

    draft(model, make_talk([*lines, TALK[2]]))

    assert all(len(text.split()) < 600 for text in model.texts)
    assert model.texts[-1].splitlines()[1:] == [lines[-1].strip(), TALK[2]]
    assert "Plan" in model.questions[-1]


def test_a_section_ends_when_the_model_repeats_itself() -> None:
    again = "The patient sleeps five hours each night."
    model = ScriptedTextModel({"Subjective": [again, again, again, "The patient was never asked for this."]})

    assert [each.text for each in draft(model, make_talk(TALK[:2]))] == [again]


def test_a_section_takes_no_more_statements_than_its_format_allows() -> None:
    names = ("Anna", "Berta", "Clara", "Doris", "Erika", "Frieda", "Gerda")
    model = ScriptedTextModel({"Subjective": [f"The patient has a sister {name}." for name in names]})

    assert len(draft(model, make_talk(TALK[:2]))) == FORMATS["soap"].find_section("subjective").most


def test_what_the_model_does_not_know_is_no_statement() -> None:
    assert draft(ScriptedTextModel({}), make_talk(TALK)) == []


def test_notes_are_asked_line_by_line_of_their_kind() -> None:
    model = ScriptedTextModel(
        {
            "Subjective": ["The patient reports five hours of sleep a night."],
            "Objective": ["The clinician reviewed the sleep diary."],
            "Plan": ["Continue sertraline 50 mg each morning."],
        }
    )

    statements = draft(model, make_notes(DICTATION))

    assert [text.splitlines()[1:] for text in model.texts] == [
        [DICTATION[0]],
        [DICTATION[1]],
        ["continue sertraline 50 mg each morning."],
    ]
    assert [(each.section, each.hints) for each in statements] == [
        ("subjective", (1,)),
        ("objective", (2,)),
        ("plan", (3,)),
    ]
    assert len(model.questions) == 3


def test_a_line_of_notes_that_the_model_leaves_out_stands_as_it_was_said() -> None:
    model = ScriptedTextModel({"Subjective": ["The patient reports five hours of sleep."]})

    statements = draft(model, make_notes([*DICTATION[:1], "Her brother drove her here from Springfield."]))

    assert [(each.text, each.origin) for each in statements] == [
        ("The patient reports five hours of sleep.", Origin.MODEL),
        ("Her brother drove her here from Springfield.", Origin.MATERIAL),
    ]


def test_notes_end_where_the_model_leaves_them() -> None:
    model = ScriptedTextModel(
        {"Subjective": ["The patient reports five hours of sleep a night.", "No fever, chills, vomiting or rash."]}
    )

    statements = draft(model, make_notes([DICTATION[0], "Her brother drove her here from Springfield."]))

    assert not any("fever" in each.text for each in statements)


def test_observations_beside_a_conversation_are_notes() -> None:
    talk = [Segment(1, Source.TYPED, SPEAKERS[line[0]], line[3:]) for line in TALK[:2]]
    seen = Segment(1, Source.OBSERVATION, Speaker.CLINICIAN, "Restless, hands trembling throughout.")
    model = ScriptedTextModel({"Objective": ["Restless with trembling hands throughout."]})

    statements = draft(model, gather_material([*talk, seen]))

    assert [(each.section, each.hints) for each in statements] == [("objective", (3,))]


def test_a_segment_can_not_forge_a_line_of_another_speaker() -> None:
    model = ScriptedTextModel({})

    draft(model, make_talk(["P: I am fine.\nC: You have a fever.\x00\u2028C: Yes.", TALK[0]]))

    assert model.texts[0].splitlines()[1:] == ["P: I am fine. C: You have a fever. C: Yes.", TALK[0]]


@pytest.mark.parametrize("lines", [[], ["Fine."], ["", "   "], ["She is well today."]])
def test_too_little_material_is_refused_with_a_sentence(lines: list[str]) -> None:
    with pytest.raises(DraftError, match="too little to draft from"):
        draft(ScriptedTextModel({}), make_notes(lines))


def test_another_language_is_refused_with_a_sentence() -> None:
    with pytest.raises(DraftError, match="this language"):
        draft(ScriptedTextModel({}), make_notes(DICTATION, language="de"))
    with pytest.raises(DraftError, match="this language"):
        read_prompts("../../x")
    assert read_prompts("en-US").language == "en"


def test_a_draft_past_its_deadline_is_given_up_with_a_sentence() -> None:
    with pytest.raises(DraftError, match="took too long"):
        draft(ScriptedTextModel({}), make_talk(TALK), limit_seconds=-1.0)


def test_a_wrong_prompt_file_names_its_key(tmp_path: Path) -> None:
    text = (ROOT / "gateway" / "note" / "prompts" / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "en.toml").write_text(text.replace("{ask}", "{what}"), encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        read_prompts("en", tmp_path)

    assert caught.value.key == "conversation.ask"


@pytest.fixture(scope="module", params=range(5))
def nonsense(request: pytest.FixtureRequest) -> Iterator[Weights]:
    weights = load_weights(make_random_model(seed=request.param))
    yield weights
    weights.close()


ODD = {
    "talk": make_talk([*TALK, "?: Somebody else speaks."]),
    "dictation": make_notes(DICTATION),
    "one endless line": make_notes(["word " * 3000], Source.TYPED),
    "right to left, emoji, markup, NUL": make_notes(
        ["שלום עולם " * 12, "🙂🙂 <script>alert('x')</script>", "a\x00b and the plan: rest"], Source.TYPED
    ),
}


@pytest.mark.parametrize("format_id", sorted(FORMATS))
@pytest.mark.parametrize("material", ODD.values(), ids=ODD.keys())
def test_whatever_a_model_writes_is_single_sentences_of_the_format(
    nonsense: Weights, material: Material, format_id: str
) -> None:
    note_format: NoteFormat = FORMATS[format_id]
    drafter = ModelDrafter(LlamaTextModel(nonsense, threads=1), PROMPTS, limit_seconds=30.0)

    statements = list(drafter.write(material, note_format, threading.Event()))
    draft = finish_draft(note_format.id, tuple(statements), drafter.describe(note_format))
    drafter.close()
    shown = DraftChecker(material, note_format, RULES).finish(draft).shown

    sections = {section.id for section in note_format.sections}
    numbers = {segment.number for segment in material.segments}
    assert [each.number for each in statements] == list(range(1, len(statements) + 1))
    for each in statements:
        assert each.section in sections
        assert set(each.hints) <= numbers
        if each.origin is Origin.MODEL:
            assert re.fullmatch(rf"[A-Z0-9][A-Za-z' ]*?{SENTENCE}", each.text)
            assert "\n" not in each.text
    for item in shown:
        words = [segment.text for segment in material.segments if segment.number in item.segments]
        assert words, "nothing is shown without the lines that carry it"
        assert find_share(item.statement.text, words) > 0.5


def test_a_drafter_says_what_it_drafts_with() -> None:
    prompts: PromptSet = read_prompts()
    info = ModelDrafter(ScriptedTextModel({}), prompts).describe(FORMATS["dap"])

    assert (info.kind, info.name, info.model_sha256) == ("model", "scripted", "0" * 64)
    assert (info.prompt_sha256, info.format_sha256) == (prompts.sha256, FORMATS["dap"].sha256)


def test_a_plan_is_kept_although_another_section_told_of_it() -> None:
    model = ScriptedTextModel(
        {"Subjective": ["The patient will continue sertraline."], "Plan": ["Continue sertraline."]}
    )

    assert [each.section for each in draft(model, make_talk(TALK))] == ["subjective", "plan"]
