"""A line as a person decides it, and the place of a line among those that were heard."""

from dataclasses import replace

import pytest

from gateway.capture.material import Channel, Segment, Source, Speaker
from gateway.errors import CaptureError, VisitError
from gateway.visit.contents import Contents
from gateway.visit.listening import settle_line

HEARD = Segment(
    4,
    Source.SESSION,
    Speaker.PATIENT,
    "I took fifteen pills.",
    start_seconds=1.0,
    end_seconds=2.0,
    unclear=True,
    heard_also="I took fifty pills.",
    confidence=0.6,
    channel=Channel.CALL,
)
ONE_HEARD_NOTHING = replace(HEARD, heard_also="…")
MISSED = replace(HEARD, text="", heard_also="", confidence=None)


@pytest.mark.parametrize(
    ("line", "said", "text", "outcome"),
    [
        (HEARD, "I took fifteen pills.", "I took fifteen pills.", "confirmed"),
        (HEARD, " I took fifteen pills.\n", "I took fifteen pills.", "confirmed"),
        (HEARD, "I took fifty pills.", "I took fifty pills.", "second"),
        (HEARD, "I took  no\tpills.", "I took no pills.", "own"),
        (HEARD, "Pills\x00 \u202eno.", "Pills\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}no.", "own"),
        (ONE_HEARD_NOTHING, "…", "", "second"),
        (ONE_HEARD_NOTHING, "", "", "second"),
        (MISSED, "", "", "confirmed"),
        (MISSED, "  ", "", "confirmed"),
        (MISSED, "Fifteen.", "Fifteen.", "own"),
    ],
)
def test_a_decided_line_is_settled_and_keeps_its_time_and_speaker(line: Segment, said: str, text: str, outcome) -> None:
    settled, found = settle_line(line, said)
    assert (settled.text, found) == (text, outcome)
    assert (settled.settled, settled.unclear, settled.heard_also, settled.look) == (True, False, "", None)
    assert settled.confidence == (line.confidence if text == line.text else None)
    kept = ("number", "source", "speaker", "start_seconds", "end_seconds", "channel")
    assert [getattr(settled, name) for name in kept] == [getattr(line, name) for name in kept]


@pytest.mark.parametrize(
    ("line", "said", "code"),
    [
        (HEARD, "", "line.blank"),
        (HEARD, "…", "line.blank"),  # the second hearing is another one
        (MISSED, "?!", "line.blank"),
        (HEARD, "\u200b", "line.blank"),
        (HEARD, "pills " * 400, "line.long"),
    ],
)
def test_what_has_no_words_or_too_many_is_no_line(line: Segment, said: str, code: str) -> None:
    with pytest.raises(CaptureError) as caught:
        settle_line(line, said)
    assert caught.value.code == code


def test_a_long_line_that_was_heard_is_confirmed_all_the_same() -> None:
    long = replace(HEARD, text="pills " * 399 + "pills")
    assert settle_line(long, long.text)[1] == "confirmed"


def test_a_number_counts_the_lines_that_are_gathered_not_those_that_were_heard() -> None:
    blank = replace(HEARD, text="...", heard_also="")
    silence = Segment(0, Source.SILENCE, Speaker.UNKNOWN, "")
    contents = Contents(heard=[blank, HEARD, blank, silence, MISSED], typed="She typed this.")
    assert [one.text for one in contents.gather().segments] == [HEARD.text, "", "", "She typed this."]
    assert contents.find_heard(1).text == HEARD.text
    assert contents.find_heard(3).look == MISSED.look
    for number, code in ((0, "line.unknown"), (2, "line.unknown"), (4, "line.typed"), (5, "line.unknown")):
        with pytest.raises(VisitError) as caught:
            contents.find_heard(number)
        assert caught.value.code == code
    contents.replace_heard(3, replace(MISSED, text="Fifteen.", settled=True))
    assert [one.text for one in contents.heard] == ["...", HEARD.text, "...", "", "Fifteen."]
    assert [one.number for one in contents.gather().segments] == [1, 2, 3, 4]
