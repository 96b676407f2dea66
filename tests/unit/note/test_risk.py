"""Risk lines: found in the words people use, idioms left alone, a wrong file stopped."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.material import Segment, Source, Speaker
from gateway.errors import ConfigurationError
from gateway.note.risk import find_risk, find_risk_words, flatten_speech, read_risk_rules

ROOT = Path(__file__).parents[3]
RULES = read_risk_rules(ROOT / "config" / "risk")
TRUTH = json.loads((ROOT / "tests" / "truth" / "risk.json").read_text(encoding="utf-8"))["cases"]


def has_risk(text: str) -> bool:
    return bool(find_risk_words(text, RULES))


@pytest.mark.parametrize(
    "text",
    [
        "Have you had any thoughts of hurting yourself?",
        "No thoughts of suicide, no plan, no intent.",
        "Pt denies SI/HI.",
        "no AVH",
        "I , um , I don’t want to be here anymore",
        "i feel like i want to kill , uh , kill myself",
        "She took a whole bottle of pills last year.",
        "He grabbed me by the throat, he choked me.",
        "I hear voices that tell me to do it.",
        "I started drinking again.",
        "I make myself throw up after dinner.",
        "We wrote a safety plan together.",
    ],
)
def test_finds_disclosure_question_denial_and_shorthand(text: str) -> None:
    assert has_risk(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm dying to see the new film.",
        "My back is killing me.",
        "We hang out on weekends.",
        "I cut back on sugar.",
        "She got her flu shot.",
        "He is followed by cardiology.",
        "The deadline nearly killed the mood.",
        "Hi, how are you?",
    ],
)
def test_leaves_idioms_alone(text: str) -> None:
    assert not has_risk(text)


def test_a_mention_names_segment_category_and_words() -> None:
    segments = [
        Segment(1, Source.TYPED, Speaker.CLINICIAN, "Sleeps well."),
        Segment(2, Source.TYPED, Speaker.CLINICIAN, "Denies suicidal ideation."),
    ]
    mention = find_risk(segments, RULES)[0]
    assert (mention.segment, mention.category, mention.words) == (2, "suicide-ideation", "suicidal")


def test_an_idiom_hides_only_itself() -> None:
    assert has_risk("I'm dying to see him, and some days I want to die.")


def test_recall_and_false_alarms_on_the_frozen_truth() -> None:
    missed = [case["id"] for case in TRUTH if case["risk"] and not has_risk(case["text"])]
    raised = [case["id"] for case in TRUTH if not case["risk"] and has_risk(case["text"])]
    assert missed == []
    assert raised == []


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_text_makes_it_raise(text: str) -> None:
    find_risk_words(text, RULES)
    flatten_speech(text)


@pytest.mark.parametrize("piece", ["I ", "a", "the kids think she can see people ", "\x00", "n't want to "])
def test_200_000_characters_take_seconds_not_minutes(piece: str) -> None:
    text = (piece * 200_000)[:200_000]
    started = time.perf_counter()
    find_risk_words(text, RULES)
    assert time.perf_counter() - started < 30


GOOD = 'language = "en"\n[sources]\nhouse = "Common speech of the house"\n'
RULE = '[[rules]]\ncategory = "x"\nsource = "house"\npatterns = [\'\\\\bdie\\\\b\']\n'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD, "rules"),
        (GOOD + RULE.replace("house", "nobody"), ""),
        (GOOD + RULE.replace("patterns", "pattern"), "rules.0"),
        (GOOD + RULE.replace("'\\\\bdie\\\\b'", "'(die'"), "rules.0.patterns"),
        (GOOD + RULE.replace("'\\\\bdie\\\\b'", "'d*'"), "rules.0.patterns"),
        (GOOD.replace('"en"', '"de"') + RULE, "language"),
        ("language = ", ""),
    ],
)
def test_a_wrong_file_is_stopped_with_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "en.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_risk_rules(tmp_path)
    assert caught.value.file.endswith("en.toml")
    assert caught.value.key.startswith(key)
    assert caught.value.reason


def test_an_empty_folder_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_risk_rules(tmp_path)


def test_covers_the_languages_that_have_data() -> None:
    assert RULES.covers("en-US")
    assert not RULES.covers("de")


def test_a_phrase_that_only_the_second_hearing_has_is_heard() -> None:
    said = Segment(
        4, Source.SESSION, Speaker.PATIENT, "I would be better off fed.", heard_also="I would be better off dead."
    )
    (mention,) = find_risk([said], RULES)
    assert (mention.segment, mention.category) == (4, "suicide-ideation")


def test_every_hotword_is_found_by_the_patterns_and_every_category_has_some() -> None:
    unknown = [
        (group.category, phrase)
        for group in RULES.hotwords
        for phrase in group.phrases
        if group.category not in dict(find_risk_words(phrase, RULES))
    ]
    assert unknown == []
    assert {group.category for group in RULES.hotwords} == {rule.category for rule in RULES.rules}
