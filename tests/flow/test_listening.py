"""Lines are played, corrected and decided through the visit's own API, and their sound goes in time."""

import asyncio
import io
import threading
from collections.abc import Collection, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.material import Channel, Material
from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.spans import Span
from gateway.ehr.site import Note
from gateway.note.formats import NoteFormat
from gateway.note.scripted import ScriptedDrafter
from gateway.note.statement import Statement
from tests.flow.conftest import OpenVisit, Practice
from tests.flow.steered import MISSED, Said, SteeredTranscriber
from tests.flow.test_consent_visit import QUICK, capture, until
from tests.flow.test_consent_visit import send as send_dictation
from tests.flow.test_session_visit import make_frames, owed, read_speech, send

SLEPT, PILLS, DIARY = "I slept badly all week.", "I took fifteen pills on Monday.", "We will keep a sleep diary."
PIECES = (
    (Said(SLEPT), Said(PILLS, "I took fifty pills on Monday.")),
    MISSED,
    (Said(DIARY, sure=False), Said("I have a good appetite.")),
)
TWO_WAYS, NOT_UNDERSTOOD, UNCLEAR = 2, 3, 4
SECONDS = 45.0  # of the sample: heard in these three pieces
SCRIPT = {
    "subjective": ["The patient slept badly all week.", "The patient took fifteen pills on Monday."],
    "plan": ["Keep a sleep diary."],
}


async def talk(
    practice: Practice, pieces: tuple[tuple[Said, ...], ...] = PIECES, seconds: float = SECONDS, **more: Any
) -> OpenVisit:
    """A session that was recorded and heard."""
    transcriber = SteeredTranscriber((), pieces=pieces)
    visit = await practice.open(transcriber=transcriber, **{"rules": QUICK, **more})
    await visit.post("way", {"way": "record", "format": "soap"})
    await capture(visit)
    await send(visit, read_speech(seconds))
    await end(visit)
    return visit


async def end(visit: OpenVisit) -> dict[str, Any]:
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    return await visit.settle("gathering")


async def draft(visit: OpenVisit) -> dict[str, Any]:
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200
    return await visit.settle("reviewing")


async def line(visit: OpenVisit, number: int) -> dict[str, Any]:
    return (await visit.view())["segments"][number - 1]


async def correct(visit: OpenVisit, number: int, text: str) -> httpx.Response:
    heard = (await line(visit, number))["text"]
    return await visit.post("segment", {"number": number, "heard": heard, "text": text})


async def play(visit: OpenVisit, number: int) -> httpx.Response:
    return await visit.http.get(f"/api/segments/{number}/sound")


def samples_of(one: dict[str, Any], around: float = 0.3) -> Span:
    first = max(0, round((one["start_seconds"] - around) * SAMPLE_RATE))
    return Span(first, round((one["end_seconds"] + around) * SAMPLE_RATE))


def sent(one: dict[str, Any], around: float = 0.3, seconds: float = SECONDS) -> np.ndarray:
    span = samples_of(one, around)
    return read_speech(seconds)[span.start : span.end]


def decode(reply: httpx.Response) -> np.ndarray:
    assert (reply.status_code, reply.headers["content-type"]) == (200, "audio/wav"), reply.text
    samples, rate = soundfile.read(io.BytesIO(reply.content), dtype="int16")
    assert rate == SAMPLE_RATE
    return samples


def held(visit: OpenVisit, one: dict[str, Any], around: float = 0.0) -> bool:
    """Whether any sample of a line is in the visit's memory."""
    log = visit.visit.session._stretches[0].log
    return log.holds(Channel.ROOM, samples_of(one, around))


def error(reply: httpx.Response) -> str:
    return reply.json()["error"]["code"]


def decisions(view: dict[str, Any]) -> dict[str, str]:
    return {section["id"]: section["decision"] for section in view["sections"]}


def texts(view: dict[str, Any], section: str) -> list[str]:
    return [one["text"] for part in view["sections"] if part["id"] == section for one in part["statements"]]


class TestALine:
    async def test_shows_what_it_needs_from_a_person(self, practice):
        view = await (await talk(practice)).view()
        assert [(one["text"], one["look"]) for one in view["segments"]] == [
            (SLEPT, None),
            (PILLS, "two-ways"),
            ("", "missed"),
            (DIARY, "unclear"),
            ("I have a good appetite.", None),
        ]
        assert view["marks"] == [TWO_WAYS, NOT_UNDERSTOOD]  # nothing rests on the unclear one yet
        assert all(one["sound"] and not one["settled"] for one in view["segments"])

    @pytest.mark.parametrize(
        ("said", "outcome"),
        [
            (PILLS, "confirmed"),
            ("I took fifty pills on Monday.", "second"),
            ("I took  fifteen\npills on Sunday.", "own"),
        ],
    )
    @pytest.mark.parametrize("phase", ["gathering", "reviewing"])
    async def test_heard_two_ways_is_decided_each_way(self, practice, said, outcome, phase):
        visit = await talk(practice, PIECES[:1], 10)
        view = await draft(visit) if phase == "reviewing" else await visit.view()
        assert TWO_WAYS in view["marks"]
        view = (await correct(visit, TWO_WAYS, said)).json()
        decided = view["segments"][TWO_WAYS - 1]
        assert decided["text"] == " ".join(said.split())
        assert [decided[key] for key in ("unclear", "heard_also", "settled", "look")] == [False, "", True, None]
        assert (view["phase"], TWO_WAYS in view["marks"]) == (phase, False)
        assert ("visit:segment:correct", outcome) in visit.door.owed

    @pytest.mark.parametrize(("said", "text"), [("", ""), ("She asked about the pills.", "She asked about the pills.")])
    async def test_that_was_not_understood_is_let_be_or_filled_in(self, practice, said, text):
        visit = await talk(practice)
        await draft(visit)
        view = (await correct(visit, NOT_UNDERSTOOD, said)).json()
        assert view["segments"][NOT_UNDERSTOOD - 1]["text"] == text
        assert len(view["segments"]) == 5
        assert NOT_UNDERSTOOD not in view["marks"]

    async def test_in_which_the_second_hearing_heard_nothing_may_hold_nothing(self, practice):
        visit = await talk(practice, ((Said(SLEPT), Said("I took fifteen pills.", "…")),), 10)
        assert (await line(visit, 2))["heard_also"] == "…"
        view = (await correct(visit, 2, "…")).json()
        assert [(one["text"], one["look"], one["settled"]) for one in view["segments"]][1] == ("", None, True)
        assert ("visit:segment:correct", "second") in visit.door.owed

    async def test_may_be_corrected_again(self, practice):
        visit = await talk(practice)
        await correct(visit, 1, "I slept sadly all week.")
        assert (await correct(visit, 1, "I slept madly all week.")).status_code == 200
        assert (await line(visit, 1))["text"] == "I slept madly all week."

    async def test_that_says_something_else_by_now_is_left_as_it_is(self, practice):
        visit = await talk(practice)
        await correct(visit, TWO_WAYS, "I took fourteen pills on Monday.")
        stale = await visit.post("segment", {"number": TWO_WAYS, "heard": PILLS, "text": PILLS})
        assert (stale.status_code, error(stale)) == (409, "line.changed")
        assert (await line(visit, TWO_WAYS))["text"] == "I took fourteen pills on Monday."

    async def test_is_not_made_of_nothing_nor_where_nobody_spoke(self, practice):
        visit = await talk(practice)
        await visit.post("typed", {"text": "She typed this."})
        before = (await visit.view())["segments"]
        for number, text, code in (
            (0, "words", "line.unknown"),
            (99, "words", "line.unknown"),
            (6, "words", "line.typed"),
            (1, "", "line.blank"),
            (1, " … ", "line.blank"),
            (NOT_UNDERSTOOD, "?!", "line.blank"),
            (1, "x" * 2_001, "line.long"),
        ):
            heard = before[number - 1]["text"] if 0 < number <= len(before) else "words"
            refused = await visit.post("segment", {"number": number, "heard": heard, "text": text})
            assert error(refused) == code
        assert (await visit.view())["segments"] == before

    async def test_of_a_dictation_is_corrected_without_sound(self, practice):
        transcriber = ScriptedTranscriber((SLEPT, DIARY), unclear=frozenset({1}))
        visit = await practice.open(transcriber=transcriber)
        await visit.post("way", {"way": "dictate", "format": "soap"})
        await send_dictation(visit)
        assert [one["sound"] for one in (await visit.view())["segments"]] == [False, False]
        assert (await play(visit, 1)).status_code == 404
        view = await draft(visit)
        assert view["marks"] == [2]
        view = (await correct(visit, 2, "She had a sleep diary.")).json()
        assert (view["marks"], view["segments"][1]["text"]) == ([], "She had a sleep diary.")
        assert [*texts(view, "subjective"), *texts(view, "plan")] == [SLEPT, "She had a sleep diary."]  # its own words

    async def test_is_corrected_while_people_talk_and_the_rest_is_heard(self, practice):
        visit = await practice.open(transcriber=SteeredTranscriber((), pieces=PIECES), rules=QUICK)
        await visit.post("way", {"way": "record", "format": "soap"})
        await capture(visit)
        speech, desk = read_speech(SECONDS), visit.visit.session
        await desk.begin(("room",))
        frames = make_frames(speech)
        for frame in frames[:70]:
            await desk.take(frame)
        await until(visit, lambda view: len(view["segments"]) >= 2)
        assert (await correct(visit, 1, "I slept well all week.")).json()["capture"]["state"] == "on"
        for frame in frames[70:]:
            await desk.take(frame)
        view = await end(visit)
        assert [one["text"] for one in view["segments"]] == [
            "I slept well all week.",
            PILLS,
            "",
            DIARY,
            "I have a good appetite.",
        ]
        assert [one["sound"] for one in view["segments"]] == [False, True, True, True, True]

    async def test_fills_a_session_of_which_nothing_was_understood(self, practice):
        visit = await talk(practice, (MISSED,), 10)
        await correct(visit, 1, "My sister came to see me, and we talked about the house.")
        assert texts(await draft(visit), "subjective") == ["My sister came to see me, and we talked about the house."]


class TestTheReview:
    async def test_is_not_filed_with_an_open_mark(self, practice):
        visit = await talk(practice, drafter=ScriptedDrafter(SCRIPT))
        await draft(visit)
        for section in ("subjective", "objective", "assessment", "plan"):
            await visit.post("section", {"id": section, "decision": "accepted"})
        view = await visit.view()
        assert (view["marks"], view["open_decisions"]) == ([TWO_WAYS, NOT_UNDERSTOOD, UNCLEAR], 3)
        refused = await visit.post("file", {"attested": True, "version": view["version"]})
        assert (refused.status_code, error(refused)) == (409, "visit.not-now")
        assert "marked line" in refused.json()["error"]["message"]
        view = (await visit.post("section", {"id": "plan", "decision": "struck"})).json()
        assert view["marks"] == [TWO_WAYS, NOT_UNDERSTOOD]  # nothing rests on the unclear line any more
        for number in view["marks"]:
            await visit.confirm_line(view["segments"][number - 1])
        assert (await visit.view())["open_decisions"] == 0
        assert (await visit.file())["outcome"] == "filed"

    async def test_withholds_what_lost_its_words_and_opens_its_section_alone(self, practice):
        visit = await talk(practice, drafter=ScriptedDrafter(SCRIPT))
        await draft(visit)
        view = await visit.accept_all()
        assert set(decisions(view).values()) == {"accepted"}
        view = (await correct(visit, 1, "I argued with my brother.")).json()
        assert texts(view, "subjective") == ["The patient took fifteen pills on Monday."]
        assert [one["text"] for one in view["withheld"]] == ["The patient slept badly all week."]
        assert {part for part, decision in decisions(view).items() if decision == "open"} == {"subjective"}
        assert view["open_decisions"] == 1

    async def test_quotes_risk_by_what_was_decided(self, practice):
        pieces = ((Said("The kitchen is fed up.", "I would be better off dead."), Said(SLEPT)),)
        visit = await talk(practice, pieces, 10, drafter=ScriptedDrafter(SCRIPT))
        view = await draft(visit)
        quoted = [one for part in view["sections"] for one in part["statements"] if one["risk"]]
        assert [one["text"] for one in quoted] == ['Said: "The kitchen is fed up."']
        view = (await correct(visit, 1, "I would be better off dead.")).json()
        quoted = [one for part in view["sections"] for one in part["statements"] if one["risk"]]
        assert [(one["text"], one["risk_decision"]) for one in quoted] == [
            ('Said: "I would be better off dead."', None)
        ]

    async def test_of_a_note_without_ai_does_not_take_lines(self, practice):
        visit = await talk(practice)
        await visit.post("way", {"way": "write", "format": "soap"})
        view = await visit.settle("reviewing")
        assert (view["marks"], view["open_decisions"]) == ([], 4)
        assert error(await correct(visit, TWO_WAYS, PILLS)) == "visit.not-now"

    async def test_takes_no_line_while_it_is_drafted(self, practice):
        drafter = HeldDrafter()
        visit = await talk(practice, drafter=drafter)
        await visit.post("draft", {"format": "soap"})
        await until(visit, lambda view: view["phase"] == "drafting")
        assert error(await correct(visit, TWO_WAYS, PILLS)) == "visit.not-now"
        drafter.go_on.set()
        view = await visit.settle("reviewing")
        assert TWO_WAYS in view["marks"]

    async def test_takes_one_line_after_another_where_two_come_at_once(self, practice):
        visit = await talk(practice)
        view = await draft(visit)
        lines = [view["segments"][number - 1] for number in (TWO_WAYS, UNCLEAR)]
        replies = await asyncio.gather(*(visit.confirm_line(one) for one in lines))
        view = await visit.view()
        assert {reply.status_code for reply in replies} <= {200, 409}
        settled = [one for one in view["segments"] if one["settled"]]
        assert len(settled) == sum(reply.status_code == 200 for reply in replies) > 0
        assert view["open_decisions"] == 4 + len(view["marks"])


class TestTheSound:
    async def test_of_a_line_is_what_was_sent_byte_for_byte(self, practice):
        visit = await talk(practice)
        for one in (await visit.view())["segments"]:
            reply = await play(visit, one["number"])
            assert reply.headers["cache-control"] == "no-store"
            assert np.array_equal(decode(reply), sent(one))

    async def test_of_a_decided_line_is_gone_and_overwritten_and_that_of_its_neighbours_is_there(self, practice):
        visit = await talk(practice)
        view = await visit.view()
        blocks = list(visit.visit.session._stretches[0].log._tracks[Channel.ROOM].blocks)
        first = samples_of(view["segments"][0], around=-0.4)
        view = (await correct(visit, 1, SLEPT)).json()
        assert [one["sound"] for one in view["segments"]] == [False, True, True, True, True]
        assert (await play(visit, 1)).status_code == 404
        inside = [block for at, block in enumerate(blocks) if first.start <= at * 8_000 <= first.end - 8_000]
        assert inside
        assert not any(block.any() for block in inside)
        assert np.array_equal(decode(await play(visit, TWO_WAYS)), sent(view["segments"][TWO_WAYS - 1]))
        (await correct(visit, TWO_WAYS, PILLS)).json()
        assert not held(visit, view["segments"][0])
        assert not held(visit, view["segments"][TWO_WAYS - 1])

    async def test_of_a_marked_line_is_whole_with_the_little_around_it_until_it_is_decided(self, practice):
        said = ((Said(SLEPT, sure=False), Said(PILLS, "I took fifty pills on Monday.")),)
        visit = await talk(practice, said, 10)
        first, second = (await visit.view())["segments"]
        await visit.confirm_line(second)
        assert np.array_equal(decode(await play(visit, 1)), sent(first, seconds=10))  # 0.3 s of it were the second's
        await visit.confirm_line(first)
        assert not held(visit, first, around=0.3)
        assert not held(visit, second)

    @pytest.mark.parametrize("seconds", [0.0, 0.05])
    async def test_of_unmarked_lines_goes_with_the_draft_and_that_of_marked_ones_when_they_are_decided(
        self, practice, seconds
    ):
        visit = await talk(practice, sound_seconds=seconds)
        assert visit.visit.session.holds_sound()
        await draft(visit)
        view = await until(visit, lambda view: not view["segments"][0]["sound"])
        assert [one["sound"] for one in view["segments"]] == [False, True, True, True, False]
        assert view["sound_until"] is None
        assert await owed(visit, "visit:audio:forget") == [("visit:audio:forget", "retention")]
        for number in (TWO_WAYS, NOT_UNDERSTOOD, UNCLEAR):
            one = await line(visit, number)
            assert np.array_equal(decode(await play(visit, number)), sent(one))
            await visit.confirm_line(one)
            assert not held(visit, one)
        assert not visit.visit.session.holds_sound()

    async def test_is_kept_for_its_time_and_says_until_when(self, practice):
        visit = await talk(practice)
        assert (await visit.view())["sound_until"] is None
        view = await draft(visit)
        until_then = view["sound_until"]
        assert until_then > visit.visit.started_at.isoformat()
        assert all(one["sound"] for one in view["segments"])
        view = await visit.accept_all()
        assert view["sound_until"] == until_then
        view = (await visit.post("material")).json()  # there is no draft any more
        assert view["sound_until"] is None
        assert visit.visit.listening._timer is None
        await draft(visit)
        timer = visit.visit.listening._timer
        await visit.post("cancel")
        assert timer is not None
        assert timer.cancelled()

    async def test_of_an_unclear_line_outlives_the_striking_of_its_section(self, practice):
        visit = await talk(practice, drafter=ScriptedDrafter(SCRIPT), sound_seconds=0.0)
        await draft(visit)
        await visit.post("section", {"id": "plan", "decision": "struck"})
        view = (await visit.post("section", {"id": "plan", "decision": "open"})).json()
        assert UNCLEAR in view["marks"]
        assert np.array_equal(decode(await play(visit, UNCLEAR)), sent(view["segments"][UNCLEAR - 1]))

    async def test_of_each_stretch_is_its_own(self, practice):
        visit = await talk(practice, (PIECES[0],), 10)
        await capture(visit)
        speech = np.roll(read_speech(10), 1_000)
        await send(visit, speech)
        view = await end(visit)
        later = next(one for one in view["segments"] if one["start_seconds"] >= 10)
        span = samples_of(later)
        expected = speech[max(0, span.start - 10 * SAMPLE_RATE) : span.end - 10 * SAMPLE_RATE]
        assert np.array_equal(decode(await play(visit, later["number"])), expected)
        await visit.confirm_line(later)
        assert (await line(visit, 1))["sound"]

    async def test_of_the_other_channel_is_left_where_a_line_is_decided(self, practice):
        visit = await practice.open(transcriber=SteeredTranscriber((), pieces=PIECES[:1]), rules=QUICK)
        await visit.post("way", {"way": "record", "format": "soap"})
        await capture(visit)
        desk, speech = visit.visit.session, read_speech(10)
        await desk.begin(("room", "call"))
        for frames in zip(make_frames(speech, 0), make_frames(speech, 1), strict=True):
            for frame in frames:
                await desk.take(frame)
        view = await end(visit)
        assert view["bled"]  # the same sound in both
        twins = [one for one in view["segments"] if one["text"] == SLEPT]
        assert {one["channel"] for one in twins} == {"room", "call"}
        view = (await visit.confirm_line(twins[0])).json()
        assert [view["segments"][one["number"] - 1]["sound"] for one in twins] == [False, True]

    async def test_is_gone_when_the_text_is_handed_over(self, practice):
        visit = await talk(practice, (PIECES[0],), 10, note=Note(unsigned="no"))
        await draft(visit)
        await visit.accept_all()
        view = await visit.file()
        assert view["phase"] == "handing-over"
        assert not visit.visit.session.holds_sound()
        assert not any(one["sound"] for one in view["segments"])
        assert await owed(visit, "visit:audio:forget") == [("visit:audio:forget", "hand-over")]
        assert error(await correct(visit, 1, "anything")) == "visit.not-now"

    async def test_is_gone_with_everything_else_once_the_note_is_filed(self, practice):
        visit = await talk(practice)
        await draft(visit)
        await visit.accept_all()
        assert (await visit.file())["outcome"] == "filed"
        view = await visit.view()
        assert (view["segments"], view["marks"], view["sound_until"]) == ([], [], None)
        assert visit.visit.session._stretches == []
        assert (await play(visit, 1)).status_code == 404
        assert (await visit.post("segment", {"number": 1, "heard": SLEPT, "text": SLEPT})).status_code == 409

    @pytest.mark.parametrize("path", ["0", "99", "-1", "one", "1/"])
    async def test_of_no_line_is_not_found(self, practice, path):
        visit = await talk(practice, (PIECES[0],), 10)
        reply = await visit.http.get(f"/api/segments/{path}/sound")
        assert reply.status_code == 404
        assert reply.json()["error"]["message"]


class HeldDrafter(ScriptedDrafter):
    """Waits to be told before it writes."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.go_on = threading.Event()

    def write(
        self, material: Material, note_format: NoteFormat, cancel: threading.Event, only: Collection[str] = ()
    ) -> Iterator[Statement]:
        self.go_on.wait(5)
        yield from super().write(material, note_format, cancel, only)
