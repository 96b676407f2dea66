"""Two hearings of a piece side by side: each sentence beside the other hearing's words at the same place."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.heard import NOTHING_HEARD, HeardPiece, HeardWord, join_words
from gateway.capture.hearings import NOT_HEARD, HeardSentence, _align, merge_hearings


def heard(text: str, probability: float = 0.95, **judged: float) -> HeardPiece:
    words = tuple(
        HeardWord(f" {word}", index * 0.5, index * 0.5 + 0.4, probability) for index, word in enumerate(text.split())
    )
    figures = {"average_logprob": -0.2, "no_speech_probability": 0.1, "compression_ratio": 1.4}
    return HeardPiece(words, **(figures | judged))


def merge(first: HeardPiece, second: HeardPiece | None) -> list[HeardSentence]:
    return list(merge_hearings(first, second, lambda one, other: ("dead" in one) != ("dead" in other)))


def test_hearings_that_agree_give_the_plain_one_alone() -> None:
    first, second = merge(heard("She slept well. No pain."), heard("She slept, well, no pain."))
    assert (first.text, first.also, first.unclear, first.confidence) == ("She slept well.", "", False, 0.95)
    assert (second.text, second.start_seconds, second.end_seconds) == ("No pain.", 1.5, 2.4)


def test_gives_both_texts_where_they_differ_in_what_matters() -> None:
    plain = heard("Any thoughts? Better off fed. Who fed the dog today?")
    hinted = heard("Any thought that you would be better off dead. Who fed a dog today?")
    sentences = merge(plain, hinted)
    assert [sentence.also for sentence in sentences] == ["", "better off dead.", ""]
    assert sentences[1].text == "Better off fed."


def test_a_phrase_that_falls_across_two_sentences_is_not_lost() -> None:
    phrase = "better off dead"
    found = merge_hearings(
        heard("I am better off. Fed up with it."),
        heard("I am better off dead up with it."),
        lambda one, other: (phrase in one) != (phrase in other),
    )
    assert [(one.text, one.also) for one in found] == [
        ("I am better off. Fed up with it.", "I am better off dead up with it.")
    ]


def test_a_second_hearing_without_words_at_a_place_is_said() -> None:
    sentences = merge(heard("Good morning. I want to be dead. Well."), heard("Good morning. Well."))
    assert [sentence.also for sentence in sentences] == ["", NOT_HEARD, ""]


def test_a_piece_without_a_second_hearing_is_unclear() -> None:
    assert [(one.text, one.unclear, one.also) for one in merge(heard("Yes, dead."), None)] == [("Yes, dead.", True, "")]


def test_a_second_hearing_that_went_round_in_circles_is_none() -> None:
    circles = heard("dead dead dead dead", compression_ratio=9.0)
    assert merge(heard("Yes."), circles) == merge(heard("Yes."), None)
    assert merge(NOTHING_HEARD, circles) == []


def test_what_only_the_second_hearing_has_is_kept_as_unclear() -> None:
    made_up = heard("Thank you.", average_logprob=-1.2, no_speech_probability=0.9)
    for first in (NOTHING_HEARD, made_up):
        assert [(one.text, one.unclear) for one in merge(first, heard("Help me."))] == [("Help me.", True)]


def test_text_made_up_in_silence_is_dropped_from_both() -> None:
    made_up = heard("Thank you.", average_logprob=-1.2, no_speech_probability=0.9)
    assert merge(made_up, made_up) == merge(made_up, None) == merge(NOTHING_HEARD, NOTHING_HEARD) == []


def test_a_doubtful_plain_hearing_is_unclear() -> None:
    (sentence,) = merge(heard("Well well.", compression_ratio=3.0), heard("Well well."))
    assert sentence.unclear


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), min_size=1, max_size=6),
    st.integers(0, 2**32),
)
def test_no_word_of_the_second_hearing_is_lost_or_doubled(sentences: list[list[str]], seed: int) -> None:
    rng = random.Random(seed)
    plain = [[HeardWord(f" {word}", 0, 0, 1) for word in sentence] for sentence in sentences]
    other = [
        HeardWord(f" {rng.choice('abcxyz') if rng.random() < 0.4 else word}", 0, 0, 1)
        for word in itertools.chain(*sentences)
        for _ in range(rng.choice((0, 1, 1, 1, 2)))
    ]
    parts = _align(plain, other)
    assert len(parts) == len(plain)
    assert [word for part in parts for word in part] == other


def test_the_same_words_fall_to_the_same_sentences() -> None:
    plain = [[HeardWord(" a", 0, 0, 1)] * 3, [HeardWord(" b", 0, 0, 1)] * 2, [HeardWord(" a", 0, 0, 1)] * 4]
    assert [join_words(part) for part in _align(plain, [word for part in plain for word in part])] == [
        "a a a",
        "b b",
        "a a a a",
    ]
