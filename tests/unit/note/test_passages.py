"""The passages of a material that grows, shrinks and changes are those of reading it at once."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.note.passages import Passages
from gateway.note.polarity import Answer, Status

ROOT = Path(__file__).parents[3]
SPEAKERS = {"clinician": Speaker.CLINICIAN, "patient": Speaker.PATIENT}  # the others are not told apart
SESSIONS = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests" / "truth" / "therapy").glob("*.json"))
]
TEXTS = (
    "How is the sleep?", "Any nightmares?", "No, not lately.", "Yes.", "Every night.", "Do you drink", "She denied it.",
    "I asked about sleep.", "Plan:", "Assessment: worse since 9/14.", "Taper lorazepam to 1 mg.", "She hears voices.",
    "Sertraline fifty milligrams.", "You never called, right?", "My mother drinks.", "", "Five, um, or six hours.",
)  # fmt: skip


def read_session(session: dict[str, list[dict[str, str]]]) -> list[Segment]:
    said = [
        Segment(0, Source.SESSION, SPEAKERS.get(each["speaker"], Speaker.UNKNOWN), each["text"])
        for each in session["segments"]
    ]
    noted = [Segment(0, Source.OBSERVATION, Speaker.CLINICIAN, str(text)) for text in session["observations"]]
    return list(gather_material([*said, *noted]).segments)


def number(segments: list[Segment]) -> list[Segment]:
    return list(gather_material(segments).segments)


made = st.lists(
    st.builds(
        Segment,
        st.just(0),
        st.sampled_from((Source.SESSION, Source.SESSION, Source.TYPED, Source.DICTATION, Source.OBSERVATION)),
        st.sampled_from((Speaker.CLINICIAN, Speaker.CLINICIAN, Speaker.PATIENT, Speaker.UNKNOWN)),
        st.sampled_from(TEXTS),
    ),
    max_size=14,
).map(number)
truth = st.sampled_from(SESSIONS).map(read_session)
changes = st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=12)


def assert_same(one: Passages, other: Passages) -> None:
    assert one.items == other.items
    assert (one.places, one.values) == (other.places, other.values)


@given(st.one_of(made, truth), changes)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_growing_and_cutting_in_pieces_gives_what_reading_at_once_gives(
    segments: list[Segment], steps: list[tuple[bool, int]]
) -> None:
    passages = Passages()
    for grows, share in steps:
        count = len(passages)
        if grows:
            passages.extend(segments[count : count + 1 + (len(segments) - count) * share // 99])
        else:
            passages.cut(count * share // 99)
        assert_same(passages, Passages(segments[: len(passages)]))
    passages.extend(segments[len(passages) :])
    assert_same(passages, Passages(segments))


@pytest.mark.parametrize("session", SESSIONS[::4], ids=lambda session: session["id"])
def test_a_session_read_segment_by_segment_and_taken_back_is_the_one_read_at_once(
    session: dict[str, list[dict[str, str]]],
) -> None:
    segments = read_session(session)
    passages = Passages()
    for segment in segments:
        passages.extend([segment])
    assert_same(passages, Passages(segments))
    for count in (len(segments) - 1, len(segments) // 2, 1, 0):
        passages.cut(count)
        assert_same(passages, Passages(segments[:count]))


def make_talk(*lines: str) -> list[Segment]:
    speakers = {"C": Speaker.CLINICIAN, "P": Speaker.PATIENT}
    return [Segment(0, Source.SESSION, speakers[line[0]], line[3:]) for line in lines]


def test_a_question_waits_for_its_answer_and_loses_it_again() -> None:
    passages = Passages(make_talk("P: Hello.", "C: Any nightmares?"))
    assert passages.items[1].statuses["nightmar"] == {Status.ASKED}
    passages.extend(make_talk("P: No, not lately."))
    assert passages.items[1].statuses["nightmar"] == {Status.DENIED}
    assert (passages.items[1].answered_by, passages.items[1].answer, passages.items[2].asked_at) == (2, Answer.NO, 1)
    passages.cut(2)
    assert passages.items[1].statuses["nightmar"] == {Status.ASKED}
    assert passages.items[1].answered_by is None


def test_the_clinician_s_words_are_notes_only_until_somebody_else_speaks() -> None:
    passages = Passages(make_talk("C: Plan:", "C: Any nightmares?", "C: She denied them."))
    assert [item.notes for item in passages.items] == [True, True, True]
    assert passages.items[1].under_plan
    passages.extend(make_talk("P: I sleep well."))
    assert [item.notes for item in passages.items] == [False, False, False, False]
    assert not passages.items[1].under_plan
    passages.cut(3)
    assert [item.notes for item in passages.items] == [True, True, True]


def test_what_nothing_has_changed_for_is_not_settled_again() -> None:
    segments = read_session(SESSIONS[0])
    passages = Passages(segments[:40])
    before = [(item.wording, item.statuses) for item in passages.items]
    passages.extend(segments[40:])
    after = [(item.wording, item.statuses) for item in passages.items[:40]]
    assert all(one is other for (one, _), (other, _) in zip(before, after, strict=True))
    assert all(one is other for (_, one), (_, other) in zip(before[:38], after[:38], strict=True))


def test_a_concept_that_was_cut_away_is_in_no_place() -> None:
    passages = Passages(make_talk("C: Sertraline?", "P: Fifty milligrams of lorazepam."))
    assert passages.places["lorazepam"] == [1]
    passages.cut(1)
    assert "lorazepam" not in passages.places
    assert passages.values == {}
