"""Segments of a session stand beside typed and dictated ones; marks are kept, empty lines are not."""

from dataclasses import replace

import pytest

from gateway.capture.material import Channel, Look, Segment, Source, Speaker, gather_material


def test_keeps_the_marks_of_a_session_and_drops_lines_without_a_word() -> None:
    spoken = Segment(
        7, Source.SESSION, Speaker.PATIENT, " Yes. ", 1.0, 1.5, False, "Yes, dead.", 0.8, channel=Channel.CALL
    )
    silence = Segment(8, Source.SILENCE, Speaker.UNKNOWN, "", 1.5, 6.0)
    missed = Segment(9, Source.SESSION, Speaker.CLINICIAN, "", 6.0, 8.0, unclear=True)
    wordless = Segment(10, Source.SESSION, Speaker.CLINICIAN, "...", 8.0, 8.5)
    blank = Segment(11, Source.TYPED, Speaker.CLINICIAN, "")
    kept = gather_material([spoken, silence, missed, wordless, blank]).segments
    assert [(segment.number, segment.source, segment.text) for segment in kept] == [
        (1, Source.SESSION, "Yes."),
        (2, Source.SILENCE, ""),
        (3, Source.SESSION, ""),
    ]
    assert [segment.is_mark for segment in kept] == [False, True, True]
    assert [segment.heard_two_ways for segment in kept] == [True, False, False]
    assert (kept[0].heard_also, kept[0].confidence, kept[0].channel) == ("Yes, dead.", 0.8, Channel.CALL)


SAID = Segment(1, Source.SESSION, Speaker.UNKNOWN, "I slept badly.")


@pytest.mark.parametrize(
    ("line", "look"),
    [
        (SAID, None),
        (replace(SAID, unclear=True), Look.UNCLEAR),
        (replace(SAID, heard_also="I slept sadly."), Look.TWO_WAYS),
        (replace(SAID, unclear=True, heard_also="I slept sadly."), Look.TWO_WAYS),
        (replace(SAID, text="", unclear=True), Look.MISSED),
        (replace(SAID, source=Source.DICTATION, unclear=True), Look.UNCLEAR),
        (Segment(1, Source.SILENCE, Speaker.UNKNOWN, ""), None),
    ],
)
def test_says_what_a_line_still_needs_from_a_person(line: Segment, look: Look | None) -> None:
    assert line.look is look
    assert replace(line, settled=True).look is None


def test_lists_the_lines_that_need_a_person_by_their_numbers() -> None:
    blank = replace(SAID, text="...", unclear=True)  # is no line
    lines = [blank, SAID, replace(SAID, unclear=True), replace(SAID, text=""), replace(SAID, text="", settled=True)]
    assert dict(gather_material(lines).looks) == {2: Look.UNCLEAR, 3: Look.MISSED}
