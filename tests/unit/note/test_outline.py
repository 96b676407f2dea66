"""The outline: every line once, word for word, under the heading where it belongs."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.note.formats import read_formats
from gateway.note.outline import OutlineDrafter
from gateway.note.prompt import read_prompts
from gateway.note.statement import Origin
from gateway.settings import ROOT

FORMATS = read_formats(ROOT / "config" / "formats")
OUTLINE = OutlineDrafter(read_prompts())
TYPED = (
    "S: nightmares 3x/week, down from 5",
    "wife supportive",
    "O: alert, oriented",
    "grounding reviewed",
    "Assessment",
    "chronic PTSD",
    "Plan - listen to the recording daily",
    "next appt 12/3",
)


def arrange(material: Material, format_id: str) -> dict[str, list[str]]:
    arranged: dict[str, list[str]] = {section.id: [] for section in FORMATS[format_id].sections}
    for statement in OUTLINE.write(material, FORMATS[format_id], threading.Event()):
        arranged[statement.section].append(statement.text)
    return arranged


def make_notes(*lines: str, source: Source = Source.TYPED) -> Material:
    return gather_material(Segment(1, source, Speaker.CLINICIAN, line) for line in lines)


def test_the_headings_of_typed_notes_are_honoured() -> None:
    assert arrange(make_notes(*TYPED), "soap") == {
        "subjective": ["nightmares 3x/week, down from 5", "wife supportive"],
        "objective": ["alert, oriented", "grounding reviewed"],
        "assessment": ["chronic PTSD"],
        "plan": ["listen to the recording daily", "next appt 12/3"],
    }


def test_headings_of_another_format_lead_to_the_next_best_section() -> None:
    arranged = arrange(make_notes(*TYPED), "birp")

    assert arranged["intervention"] == ["grounding reviewed"]
    assert arranged["response"] == ["chronic PTSD"]
    assert arranged["plan"] == ["listen to the recording daily", "next appt 12/3"]
    assert "alert, oriented" in arranged["behavior"]


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("She reports that her sleep has improved.", "subjective"),
        ("He worries that he will lose his job.", "subjective"),
        ("A friend called him on Sunday.", "subjective"),
        ("Affect was flat and eye contact poor.", "objective"),
        ("PHQ-9 was 17.", "objective"),
        ("We reviewed the thought record.", "objective"),
        ("My impression is panic disorder.", "assessment"),
        ("We will meet again in one week.", "plan"),
        ("Follow up with Dr. Lee about the dose.", "plan"),
    ],
)
def test_without_headings_the_words_decide(line: str, section: str) -> None:
    arranged = arrange(make_notes(line, source=Source.DICTATION), "soap")

    assert [key for key, texts in arranged.items() if texts] == [section]


def test_in_a_conversation_the_patients_words_and_questions_are_told() -> None:
    talk = (
        ("Do you think you'll continue with it?", Speaker.CLINICIAN),
        ("I think I'm going to stop.", Speaker.PATIENT),
        ("Let's increase it to 75, and see you in two weeks.", Speaker.CLINICIAN),
    )
    material = gather_material(Segment(1, Source.TYPED, speaker, text) for text, speaker in talk)

    arranged = arrange(material, "soap")

    assert arranged["subjective"] == [talk[0][0], talk[1][0]]
    assert arranged["plan"] == [talk[2][0]]


def test_observations_are_objective_unless_they_say_otherwise() -> None:
    arranged = arrange(make_notes("hands trembling", source=Source.OBSERVATION), "soap")

    assert arranged["objective"] == ["hands trembling"]


@pytest.mark.parametrize("format_id", sorted(FORMATS))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["S:", "Plan.", "O: seen", "She will come", "x?", "A", "–", "\x00", "🙂", "Homework"])
            | st.text(max_size=40),
            st.sampled_from(Source),
            st.sampled_from(Speaker),
        ),
        max_size=12,
    )
)
def test_every_segment_is_placed_once_in_its_own_words(format_id: str, said: list[tuple[str, Source, Speaker]]) -> None:
    material = gather_material(Segment(1, source, speaker, text) for text, source, speaker in said)

    statements = list(OUTLINE.write(material, FORMATS[format_id], threading.Event()))

    numbers = [number for each in statements for number in each.hints]
    assert len(numbers) == len(set(numbers))
    assert [each.number for each in statements] == list(range(1, len(statements) + 1))
    for each in statements:
        text = material.segments[each.hints[0] - 1].text
        assert each.origin is Origin.MATERIAL
        assert text.endswith(each.text)
    for segment in material.segments:
        assert segment.number in numbers or len(segment.text) < 60, "only a bare heading has no place"


def test_a_heading_in_the_notes_does_not_reach_into_the_observations() -> None:
    seen = Segment(1, Source.OBSERVATION, Speaker.CLINICIAN, "Calm, tearful once.")
    typed = make_notes("Slept six hours.", "Plan: keep the sleep diary").segments

    arranged = arrange(gather_material([*typed, seen]), "soap")

    assert arranged["objective"] == ["Calm, tearful once."]
    assert arranged["plan"] == ["keep the sleep diary"]
