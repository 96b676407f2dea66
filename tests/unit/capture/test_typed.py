import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.material import Source, Speaker, gather_material
from gateway.capture.sentences import split_sentences
from gateway.capture.typed import LONGEST_CHARACTERS, read_typed
from gateway.errors import CaptureError


def texts(text: str) -> list[str]:
    return [segment.text for segment in read_typed(text)]


def test_makes_a_segment_of_each_line_or_sentence() -> None:
    assert texts("Slept well. Ate little.\n\n- mood brighter\r\nreturns Tuesday") == [
        "Slept well.",
        "Ate little.",
        "- mood brighter",
        "returns Tuesday",
    ]


def test_numbers_segments_from_one_notes_before_observations() -> None:
    segments = read_typed("One. Two.", "Tearful at the end.")
    assert [(segment.number, segment.source) for segment in segments] == [
        (1, Source.TYPED),
        (2, Source.TYPED),
        (3, Source.OBSERVATION),
    ]
    assert segments[2].speaker is Speaker.CLINICIAN


@pytest.mark.parametrize(
    ("line", "speaker", "text"),
    [
        ("C: How did you sleep?", Speaker.CLINICIAN, "How did you sleep?"),
        ("P: Badly.", Speaker.PATIENT, "Badly."),
        ("patient: badly", Speaker.PATIENT, "badly"),
        ("  Clinician :  go on", Speaker.CLINICIAN, "go on"),
        ("Plan: see again", Speaker.CLINICIAN, "Plan: see again"),
        ("PC: headache", Speaker.CLINICIAN, "PC: headache"),
        ("slept badly", Speaker.CLINICIAN, "slept badly"),
    ],
)
def test_takes_the_speaker_of_a_dialogue_from_the_prefix_and_never_guesses(
    line: str, speaker: Speaker, text: str
) -> None:
    _, segment, _ = read_typed(f"C: Hello.\n{line}\nP: Hello.")
    assert (segment.speaker, segment.text) == (speaker, text)
    assert segment.start_seconds is None
    assert not segment.unclear


def test_a_prefix_holds_for_every_sentence_of_its_line_only() -> None:
    segments = read_typed("P: I sleep. I eat.\nLooks rested.\nC: Good.")
    speakers = [Speaker.PATIENT, Speaker.PATIENT, Speaker.CLINICIAN, Speaker.CLINICIAN]
    assert [segment.speaker for segment in segments] == speakers


@pytest.mark.parametrize(
    "notes", ["S: Slept badly.\nP: Sleep diary.", "P: Sleep diary.", "C: Calm.\nO: Calm.\nP: Sleep diary."]
)
def test_the_plan_of_a_note_is_not_the_patient_speaking(notes: str) -> None:
    last = read_typed(notes)[-1]
    assert (last.speaker, last.text) == (Speaker.CLINICIAN, "P: Sleep diary.")


@pytest.mark.parametrize(
    "sentence",
    [
        "Takes 0.5 mg at night.",
        "Dr. Osei was called.",
        "Seen with J. Doe today.",
        "Sleeps approx. six hours.",
        "e.g. on trains",
    ],
)
def test_does_not_cut_inside_a_sentence(sentence: str) -> None:
    assert texts(sentence) == [sentence]


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n  \u00a0 "])
def test_gives_nothing_for_an_empty_note(text: str) -> None:
    assert read_typed(text) == ()
    assert gather_material(read_typed(text)).segments == ()


def test_keeps_html_and_script_as_the_text_they_are() -> None:
    text = "<script>alert('x')</script> <b>bold</b> &amp; {{ template }}"
    assert texts(text) == [text]


def test_keeps_right_to_left_text_and_emoji() -> None:
    assert texts("המטופל ישן היטב. אין כאב.\nنام جيدا. هل تأكل؟ نعم.\nFamily 👨‍👩‍👧 came 🙂") == [
        "המטופל ישן היטב.",
        "אין כאב.",
        "نام جيدا.",
        "هل تأكل؟",
        "نعم.",
        "Family 👨‍👩‍👧 came 🙂",
    ]


def test_shows_what_no_record_can_hold() -> None:
    assert texts("a\0b \x1b[31m c\ud800d \u202etxt") == ["a�b �[31m c�d �txt"]
    for text in texts("a\0b\ud800"):
        text.encode("utf-8")


def test_takes_200_000_characters_quickly_and_refuses_one_more() -> None:
    begun = time.monotonic()
    for filling in ("word. ", "x", "a\n", "Ω "):
        text = (filling * LONGEST_CHARACTERS)[:LONGEST_CHARACTERS]
        assert "".join("".join(texts(text)).split()) == "".join(text.split())
    assert time.monotonic() - begun < 5
    with pytest.raises(CaptureError) as caught:
        read_typed("x" * LONGEST_CHARACTERS, "y")
    assert "200,001" in caught.value.public


def test_cuts_a_text_without_an_end() -> None:
    assert all(len(text) <= 1300 for text in texts("word " * 5000 + "x" * 5000))


@given(st.text(max_size=400))
def test_loses_no_character_but_white_space(line: str) -> None:
    assert "".join("".join(split_sentences(line)).split()) == "".join(line.split())


@given(st.text(max_size=400), st.text(max_size=100))
def test_takes_any_text(text: str, observations: str) -> None:
    segments = read_typed(text, observations)
    assert [segment.number for segment in segments] == list(range(1, len(segments) + 1))
    assert all(segment.text.strip() for segment in segments)
