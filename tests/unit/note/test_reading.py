"""A reading that is kept: whatever came to it and went, a checker judges by it as by the material read anew."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.material import Material, Segment, Source, Speaker, gather_material
from gateway.note.checking import DraftChecker
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import NoteFormat, read_formats
from gateway.note.reading import MaterialReading, read_material
from gateway.note.risk import find_risk, read_risk_rules
from gateway.note.statement import Origin, Statement

ROOT = Path(__file__).parents[3]
RULES = read_risk_rules(ROOT / "config" / "risk")
FORMATS = read_formats(ROOT / "config" / "formats")
SPEAKERS = {"clinician": Speaker.CLINICIAN, "patient": Speaker.PATIENT}  # the others are not told apart
SESSIONS = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests" / "truth" / "therapy").glob("*.json"))
]
Session = dict[str, list[dict[str, str]]]


def list_said(session: Session) -> list[Segment]:
    return [
        Segment(0, Source.SESSION, SPEAKERS.get(each["speaker"], Speaker.UNKNOWN), each["text"])
        for each in session["segments"]
    ]


def list_noted(session: Session) -> list[Segment]:
    return [Segment(0, Source.OBSERVATION, Speaker.CLINICIAN, str(text)) for text in session["observations"]]


def read_session(session: Session) -> Material:
    return gather_material([*list_said(session), *list_noted(session)])


def check_all(
    material: Material, session: Session, note_format: NoteFormat, reading: MaterialReading | None
) -> tuple[list[CheckedStatement | None], tuple[CheckedStatement, ...]]:
    checker = DraftChecker(material, note_format, RULES, reading)
    statements = [
        Statement(number, each["section"], each["text"], Origin.MODEL)
        for number, each in enumerate(session["statements"], 1)
    ]
    return [checker.check(statement) for statement in statements], checker.quotes()


def assert_same(one: MaterialReading, other: MaterialReading) -> None:
    assert one.passages.items == other.passages.items
    assert (one.passages.places, one.passages.values) == (other.passages.places, other.passages.values)
    assert one.mentions == other.mentions


@given(
    st.sampled_from(SESSIONS), st.lists(st.integers(0, 99), min_size=1, max_size=5), st.sampled_from(("soap", "birp"))
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_reading_made_in_pieces_gives_the_verdicts_of_one_made_at_once(
    session: Session, cuts: list[int], format_id: str
) -> None:
    material, note_format = read_session(session), FORMATS[format_id]
    reading = read_material((), RULES)
    for share in cuts:
        reading.extend(material.segments[len(reading.passages) :][: 1 + len(material.segments) * share // 99])
        reading.cut(len(reading.passages) - len(reading.passages) * share // 200)
    reading.extend(material.segments[len(reading.passages) :])
    assert_same(reading, read_material(material.segments, RULES))
    assert check_all(material, session, note_format, reading) == check_all(material, session, note_format, None)


@given(st.sampled_from(SESSIONS), st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_after_corrections_and_strikes_it_is_the_reading_of_what_stands(session: Session, data: st.DataObject) -> None:
    segments = [*list_said(session)[:40], *list_noted(session)]
    reading = read_material(gather_material(segments).segments, RULES)
    for _ in range(3):
        place = data.draw(st.integers(0, len(segments) - 1))
        change = data.draw(
            st.sampled_from(
                (
                    [replace(segments[place], text="No, I never wanted to die.", unclear=True)],
                    [replace(segments[place], speaker=Speaker.PATIENT)],
                    [replace(segments[place], heard_also="I want to die.")],
                    [replace(segments[place], unclear=True, confidence=0.2)],
                    [segments[place], segments[place]],
                    [],
                )
            )
        )
        segments[place : place + 1] = change
        given_segments = gather_material(segments).segments
        reading.replace(given_segments)
        assert_same(reading, read_material(given_segments, RULES))
        assert reading.holds(given_segments)


def test_what_is_said_before_typed_notes_does_not_have_the_notes_read_again() -> None:
    said, noted = list_said(SESSIONS[0]), list_noted(SESSIONS[0])
    reading = read_material(gather_material([*said[:30], *noted]).segments, RULES)
    before = {item.segment.text: item.wording for item in reading.passages.items}
    material = gather_material([*said[:32], *noted])
    reading.replace(material.segments)
    after = {item.segment.text: item.wording for item in reading.passages.items}
    assert len(after) == len(before) + 2
    assert all(after[text] is wording for text, wording in before.items())
    assert_same(reading, read_material(material.segments, RULES))


def test_the_mentions_are_those_of_the_whole_material() -> None:
    for session in SESSIONS[::6]:
        material = read_session(session)
        reading = read_material(material.segments, RULES)
        assert tuple(each for found in reading.mentions for each in found) == find_risk(material.segments, RULES)


def test_checkers_of_two_formats_share_one_reading() -> None:
    session = SESSIONS[0]
    material = read_session(session)
    reading = read_material(material.segments, RULES)
    for note_format in FORMATS.values():
        shared = check_all(material, session, note_format, reading)
        assert shared == check_all(material, session, note_format, None)


def test_a_checker_refuses_the_reading_of_another_material_or_by_other_rules() -> None:
    material = read_session(SESSIONS[0])
    reading = read_material(material.segments, RULES)
    for other in (read_session(SESSIONS[1]), gather_material(material.segments[:-1])):
        with pytest.raises(ValueError, match="another material"):
            DraftChecker(other, FORMATS["soap"], RULES, reading)
    with pytest.raises(ValueError, match="another material"):
        DraftChecker(material, FORMATS["soap"], replace(RULES, languages=frozenset({"de"})), reading)


def test_a_checker_refuses_to_go_on_when_the_material_has_changed() -> None:
    material = read_session(SESSIONS[0])
    reading = read_material(material.segments[:-1], RULES)
    checker = DraftChecker(gather_material(material.segments[:-1]), FORMATS["soap"], RULES, reading)
    reading.extend(material.segments[-1:])
    with pytest.raises(ValueError, match="has changed"):
        checker.check(Statement(1, "plan", "Walk daily.", Origin.MODEL))
