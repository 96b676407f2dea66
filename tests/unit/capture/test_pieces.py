import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.pieces import KEPT_PAUSE, LONGEST, PATIENCE, SHORTEST, Gatherer, Piece, gather_pieces
from gateway.capture.spans import Span


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


def test_closes_a_growing_piece_at_a_pause_once_it_is_long_enough() -> None:
    gatherer = Gatherer()
    assert gatherer.push(Span(0, SHORTEST - 1)) == []
    assert gatherer.settle(SHORTEST + SAMPLE_RATE) == []
    following = Span(SHORTEST + SAMPLE_RATE, SHORTEST + 2 * SAMPLE_RATE)
    assert gatherer.push(following) == []
    assert gatherer.settle(following.end + SAMPLE_RATE // 4) == []
    assert gatherer.start == 0
    (piece,) = gatherer.settle(following.end + SAMPLE_RATE)
    assert (piece.spans[0].start, piece.end) == (0, following.end)
    assert gatherer.start is None


def test_closes_a_short_piece_when_nobody_has_spoken_for_a_while() -> None:
    gatherer = Gatherer()
    gatherer.push(Span(0, SAMPLE_RATE))
    assert gatherer.settle(SAMPLE_RATE + PATIENCE - 1) == []
    assert [piece.length for piece in gatherer.settle(SAMPLE_RATE + PATIENCE)] == [SAMPLE_RATE]
    assert gatherer.settle(99 * SAMPLE_RATE) == gatherer.flush() == []
