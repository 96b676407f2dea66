"""What a session's pieces are heard with: risk phrases first, then the chart's medications, as far as there is room."""

import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.heard import HeardPiece
from gateway.capture.hotwords import HOTWORD_TOKENS, PhraseGroup
from gateway.capture.material import Channel, Segment
from gateway.capture.pieces import Piece
from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.session import PieceWork
from gateway.capture.spans import Span
from gateway.note.risk import RiskRules, read_risk_rules
from gateway.settings import ROOT
from gateway.visit.hearing import make_hearer

RULES = read_risk_rules(ROOT / "config" / "risk")
SERTRALINE = ("Sertraline 50 mg tablet",)


@dataclass(frozen=True)
class TwoHearings(ScriptedTranscriber):
    """Hears ``sentences``, and ``again`` where it is given hotwords; keeps what it was given."""

    again: str = ""
    given: list[str] = field(default_factory=list)

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        self.given.append(hotwords)
        return ScriptedTranscriber((self.again,) if hotwords else self.sentences).hear(samples)


def hear(transcriber: ScriptedTranscriber, medications: tuple[str, ...], rules: RiskRules = RULES) -> Segment:
    samples = np.full(2 * SAMPLE_RATE, 0.1, np.float32)
    span = Span(0, len(samples))
    work = PieceWork(Channel.ROOM, (Channel.ROOM,), Piece((span,)), span, samples, None)
    hearer = make_hearer(transcriber, rules, medications, None, threading.Event())
    (segment,) = hearer.hear(work).segments
    return segment


def test_medications_are_listened_for_by_name_after_the_risk_phrases() -> None:
    transcriber = TwoHearings(("She sleeps.",), again="She sleeps.")
    hear(transcriber, (*SERTRALINE, "Lithium carbonate ER 450 mg tablet", "Sertraline 100 mg tablet"))
    first, second = transcriber.given
    assert first == ""
    assert second.endswith(", sertraline, lithium")
    assert second.startswith(RULES.hotwords[0].phrases[0])


def test_risk_phrases_come_before_medications_where_there_is_no_room_for_both() -> None:
    filling = PhraseGroup("suicide", tuple(f"phrase-{number}" for number in range(HOTWORD_TOKENS)))
    transcriber = TwoHearings(("She sleeps.",), again="She sleeps.")
    hear(transcriber, SERTRALINE, replace(RULES, hotwords=(filling,)))
    assert transcriber.given[1].split(", ") == list(filling.phrases)


@pytest.mark.parametrize("medications", [(), ("36437",)])
def test_without_medications_the_risk_phrases_are_all(medications: tuple[str, ...]) -> None:
    transcriber = TwoHearings(("She sleeps.",), again="She sleeps.")
    hear(transcriber, medications)
    assert "sertraline" not in transcriber.given[1]


def test_a_medication_that_only_one_hearing_has_is_a_difference_where_the_chart_names_it() -> None:
    def listen(medications: tuple[str, ...]) -> Segment:
        return hear(TwoHearings(("I take sir Trilene daily.",), again="I take sertraline daily."), medications)

    named = listen(SERTRALINE)
    assert (named.text, named.heard_also) == ("I take sir Trilene daily.", "I take sertraline daily.")
    assert named.heard_two_ways
    assert not listen(()).heard_two_ways
    assert not listen(("Lithium",)).heard_two_ways
