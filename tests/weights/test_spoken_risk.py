"""With the published weights: spoken risk statements are heard, in the first hearing or in the second.

Statements and near-homophones of ``tests/truth/spoken_risk.json`` are spoken by espeak-ng in several voices, sent as
frames of one session a voice, and heard by the way that a visit hears: pieces cut at pauses, two hearings. What
surfaces is what the risk patterns find. Statements whose patterns find nothing even in writing are counted apart:
they are the patterns' to find, not the hearing's. At least 0.9 of the others must surface with the base model in
three of the voices, and 0.85 in all four: every fifth word of the synthetic Scots accent is misheard. The table is
printed, by voice too, so that a bias shows.
"""

import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.differences import compare_hearings
from gateway.capture.frames import Frame, FrameLog
from gateway.capture.hearer import PieceHearer
from gateway.capture.hotwords import fit_hotwords, group_medications
from gateway.capture.material import Channel, Segment, Source
from gateway.capture.session import LiveTranscript
from gateway.capture.whisper import WhisperTranscriber
from gateway.models.catalogue import read_catalogue
from gateway.models.installed import is_present, open_installed
from gateway.note.risk import find_risk_words, read_risk_rules
from gateway.settings import read_settings
from tests.weights.spoken import FRAME, speak

pytestmark = pytest.mark.weights

ROOT = Path(__file__).resolve().parents[2]
RULES = read_risk_rules(ROOT / "config" / "risk")
TRUTH = json.loads((ROOT / "tests" / "truth" / "spoken_risk.json").read_text(encoding="utf-8"))
VOICES = ("en-us+f3", "en-gb+m3", "en-gb-scotland+f2", "en-us+m7")
MEDICATIONS = (
    "sertraline 50 MG Oral Tablet",
    "lamotrigine 100 MG Oral Tablet",
    "quetiapine 25 MG",
    "hydroxyzine 25 MG",
)
PAUSE_SECONDS = 0.8
HARD_VOICE = "en-gb-scotland+f2"


@dataclass
class Heard:
    """What became of one statement."""

    statement: dict[str, str]
    voice: str
    first: str
    also: str
    unclear: bool

    @property
    def is_risk(self) -> bool:
        return self.statement["kind"] == "risk"

    @property
    def written(self) -> bool:
        return finds(self.statement["text"])

    @property
    def surfaced_first(self) -> bool:
        return finds(self.first)

    @property
    def surfaced(self) -> bool:
        return finds(self.first) or finds(self.also)

    @property
    def verbatim(self) -> bool:
        return bool(phrase := plain(self.statement["risk_phrase"])) and f" {phrase} " in f" {plain(self.first)} "

    @property
    def verbatim_either(self) -> bool:
        return self.verbatim or f" {plain(self.statement['risk_phrase'])} " in f" {plain(self.also)} "


@dataclass
class Session:
    """One voice's statements as one recording."""

    voice: str
    sound: list[Samples] = field(default_factory=list)
    places: list[tuple[float, float, dict[str, str]]] = field(default_factory=list)
    length: int = 0

    def add(self, statement: dict[str, str]) -> None:
        spoken = speak(statement["text"], self.voice)
        start = self.length / SAMPLE_RATE
        self.places.append((start, start + len(spoken) / SAMPLE_RATE, statement))
        self.sound += [spoken, np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), np.float32)]
        self.length += sum(len(part) for part in self.sound[-2:])


def finds(text: str) -> bool:
    return bool(find_risk_words(text, RULES))


def plain(text: str) -> str:
    spelt = text.lower().replace("’", "'").replace("-", " ")
    for short, long in (("won't", "will not"), ("can't", "can not"), ("cannot", "can not"), ("n't", " not")):
        spelt = spelt.replace(short, long)
    return " ".join(re.findall(r"[a-z0-9']+", re.sub(r"'(?:s|m|re|ve|d|ll)\b", "", spelt)))


def make_sessions() -> list[Session]:
    """Every statement once, in an order without a pattern, each voice's share of both kinds."""
    sessions = [Session(voice) for voice in VOICES]
    statements = list(TRUTH)
    random.Random(6).shuffle(statements)
    for index, statement in enumerate(statements):
        sessions[index % len(sessions)].add(statement)
    return sessions


def hear_session(session: Session, hearer: PieceHearer) -> Iterator[Segment]:
    log = FrameLog([Channel.ROOM])
    transcript = LiveTranscript(log)
    pcm = (np.concatenate(session.sound) * 32767).astype("<i2")
    for number, at in enumerate(range(0, len(pcm), FRAME)):
        log.take(Frame(Channel.ROOM, number, at, pcm[at : at + FRAME].tobytes()))
    while transcript.listen(finished=True):
        pass
    while (work := transcript.next_piece()) is not None:
        transcript.put(work, hearer.hear(work).segments)
    yield from transcript.collect()


def match(session: Session, segments: list[Segment]) -> Iterator[Heard]:
    """Segments belong to the statements during which they were said; one may cover two."""
    for start, end, statement in session.places:
        during = [
            segment
            for segment in segments
            if segment.source is Source.SESSION
            and min(end, segment.end_seconds) - max(start, segment.start_seconds) > 0.25
        ]
        yield Heard(
            statement,
            session.voice,
            " ".join(segment.text for segment in during),
            " ".join(segment.heard_also or segment.text for segment in during),
            any(segment.unclear or segment.heard_two_ways for segment in during),
        )


def count_word_errors(said: list[str], heard: list[str]) -> int:
    """Levenshtein distance in words."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, start=1):
        before, row[0] = row[0], index
        for place, other in enumerate(heard, start=1):
            before, row[place] = row[place], min(before + (word != other), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def measure_word_errors(session: Session, segments: list[Segment]) -> float:
    """The first hearing's word error rate over all that was said."""
    said = plain(" ".join(statement["text"] for _, _, statement in session.places)).split()
    return count_word_errors(said, plain(" ".join(segment.text for segment in segments)).split()) / len(said)


def share(part: Sequence[bool]) -> str:
    return f"{sum(part):3}/{len(part):<3} {sum(part) / max(1, len(part)):.2f}"


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return make_sessions()


@pytest.mark.parametrize(
    ("model", "floor", "floor_of_all"), [("whisper-tiny-en", 0.0, 0.0), ("whisper-base", 0.9, 0.85)]
)
def test_spoken_risk_surfaces_in_one_of_two_hearings(
    model: str, floor: float, floor_of_all: float, sessions: list[Session], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings()
    entry = read_catalogue(settings.config_dir).models[model]
    if not is_present(entry, settings.models):
        pytest.skip(f"{model} is not installed: countersign models pull {model}")
    transcriber = WhisperTranscriber(open_installed(entry, settings.models), threads=2)
    hotwords = fit_hotwords((*RULES.hotwords, group_medications(MEDICATIONS)), transcriber.count_tokens)
    assert hotwords.cut_short == frozenset()
    assert hotwords.uncovered(rule.category for rule in RULES.rules) == frozenset()

    def differ(first: str, second: str) -> bool:
        return bool(compare_hearings(first, second, lambda text: [words for _, words in find_risk_words(text, RULES)]))

    hearer = PieceHearer(transcriber, hotwords, differ)
    started, worked = time.perf_counter(), time.process_time()
    heard: list[Heard] = []
    errors: dict[str, float] = {}
    two_ways = lines = 0
    for session in sessions:
        segments = list(hear_session(session, hearer))
        heard += match(session, segments)
        errors[session.voice] = measure_word_errors(session, segments)
        two_ways += sum(segment.heard_two_ways for segment in segments)
        lines += len(segments)
    took, worked = time.perf_counter() - started, time.process_time() - worked
    length = sum(session.length for session in sessions) / SAMPLE_RATE

    risk = [one for one in heard if one.is_risk]
    known = [one for one in risk if one.written]
    alike = [one for one in heard if not one.is_risk and not one.written]
    by_ear = [one for one in alike if one.statement["sounds_like"]]
    assert len(known) >= 36
    assert len(by_ear) >= 36
    rows = [
        ("risk statements, phrase verbatim", [one.verbatim for one in risk], [one.verbatim_either for one in risk]),
        ("risk statements, surfaced", [one.surfaced_first for one in risk], [one.surfaced for one in risk]),
        ("  of those found in writing", [one.surfaced_first for one in known], [one.surfaced for one in known]),
        ("false alarms, made by ear", [one.surfaced_first for one in by_ear], [one.surfaced for one in by_ear]),
        ("false alarms, all", [one.surfaced_first for one in alike], [one.surfaced for one in alike]),
    ]
    understood = [one for one in known if one.voice != HARD_VOICE]
    with capsys.disabled():
        print(
            f"\n{model}: {length:.0f} s of speech, two hearings, in {took:.0f} s ({worked:.0f} s of processor time); "
            f"{two_ways} of {lines} lines heard two ways"
        )
        print(f"{'':36}{'first hearing':>16}{'either':>16}")
        for name, first, either in rows:
            print(f"{name:36}{share(first):>16}{share(either):>16}")
        for voice in VOICES:
            first, either = zip(
                *((one.surfaced_first, one.surfaced) for one in known if one.voice == voice), strict=True
            )
            print(f"  {voice + f', word errors {errors[voice]:.2f}':34}{share(first):>16}{share(either):>16}")
        for one in known:
            if not one.surfaced:
                print(f"  missed [{one.voice}] {one.statement['text']!r}: {one.first!r}")
    assert sum(one.surfaced for one in known) >= floor_of_all * len(known)
    assert len(understood) >= 36
    assert sum(one.surfaced for one in understood) >= floor * len(understood)
