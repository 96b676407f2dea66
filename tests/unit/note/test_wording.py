"""Spoken numbers, as digits."""

import pytest

from gateway.note.wording import settle_words, split_tokens


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("a stone measuring point five centimeters", ["0.5"]),
        ("point two five of a milligram", ["0.25"]),
        ("two point five milligrams", ["2.5"]),
        ("one point two five", ["1.25"]),
        ("one point twenty five", ["1.25"]),
        ("zero point five", ["0.5"]),
        ("one hundred and fifty", ["150"]),
        ("at that point five of them left", ["5"]),
        ("at one point two came back", ["1.2"]),  # written the same as the number
        ("the point is that three stayed", ["3"]),
    ],
)
def test_a_number_is_read_as_it_is_said(said: str, read: list[str]) -> None:
    assert [token for token in split_tokens(settle_words(said)) if token[0].isdigit()] == read
