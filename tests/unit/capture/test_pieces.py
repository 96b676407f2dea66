import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.pieces import KEPT_PAUSE, LONGEST, SHORTEST, Piece, Span, gather_pieces


def spans(*seconds: tuple[float, float]) -> list[Span]:
    return [Span(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)) for start, end in seconds]


def test_gathers_short_stretches_into_one_piece() -> None:
    (piece,) = gather_pieces(spans((0, 4), (4.3, 9), (9.2, 20)))
    assert piece.spans == tuple(spans((0, 20)))


def test_cuts_at_the_longest_pause_after_ten_seconds() -> None:
    pieces = gather_pieces(spans((0, 6), (6.2, 11), (12.0, 18), (18.3, 24), (24.2, 30)))
    assert [piece.end for piece in pieces] == [11 * SAMPLE_RATE, 30 * SAMPLE_RATE]


def test_shortens_a_long_pause() -> None:
    (piece,) = gather_pieces(spans((1, 5), (65, 70)))
    assert piece.length == 9 * SAMPLE_RATE + KEPT_PAUSE


def test_places_a_moment_in_the_recording() -> None:
    (piece,) = gather_pieces(spans((1, 5), (65, 70)))
    assert piece.place(0) == 1
    assert piece.place(2) == 3
    assert piece.place(4.5) == 5.5
    assert piece.place(5.5) == 66
    assert piece.place(99) == 70


def test_cuts_the_spans_out_of_the_samples() -> None:
    samples = np.arange(10, dtype=np.float32)
    assert Piece((Span(1, 3), Span(6, 8))).cut_from(samples).tolist() == [1, 2, 6, 7]


def test_gathers_nothing_from_nothing() -> None:
    assert gather_pieces([]) == []


@given(st.lists(st.tuples(st.integers(0, 12 * SAMPLE_RATE), st.integers(1, 40 * SAMPLE_RATE)), max_size=20))
def test_loses_no_speech_and_keeps_its_order(given: list[tuple[int, int]]) -> None:
    speech, position = [], 0
    for pause, length in given:
        speech.append(Span(position + pause, position + pause + length))
        position += pause + length
    pieces = gather_pieces(speech)
    kept = [span for piece in pieces for span in piece.spans]
    assert all(piece.length <= LONGEST for piece in pieces)
    assert all(first.end <= second.start for first, second in itertools.pairwise(kept))
    for span in speech:
        inside = sum(max(0, min(span.end, part.end) - max(span.start, part.start)) for part in kept)
        assert inside == span.length


def test_a_piece_is_no_shorter_than_it_must_be() -> None:
    pieces = gather_pieces(spans(*((start, start + 2.5) for start in range(0, 300, 3))))
    assert all(piece.length >= SHORTEST for piece in pieces[:-1])
