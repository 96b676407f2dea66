"""A session that is recorded as frames: heard while it goes on, struck, dropped with its consent, drafted and filed."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.spans import Span
from gateway.errors import CaptureError, VisitError
from tests.flow.conftest import OpenVisit, Practice
from tests.flow.test_consent_visit import QUICK, capture, revoke, until

SAMPLE = Path(__file__).parents[2] / "gateway" / "sandbox" / "samples" / "dictation.flac"
HEARD = ("She slept well this week.", "The zanzibar review went better than she feared.")
FRAME = SAMPLE_RATE // 2


def read_speech(seconds: float = 30.0) -> np.ndarray:
    """int16 (samples,), 16 kHz: a spoken dictation."""
    samples, rate = soundfile.read(SAMPLE, dtype="int16")
    assert rate == SAMPLE_RATE
    return np.resize(samples, int(seconds * SAMPLE_RATE))


def make_frames(samples: np.ndarray, channel: int = 0) -> list[bytes]:
    return [
        struct.pack("<BBxxIQ", 1, channel, number, start) + samples[start : start + FRAME].tobytes()
        for number, start in enumerate(range(0, len(samples), FRAME))
    ]


async def record(practice: Practice, patient: str = "ada-marlowe", **more: Any) -> OpenVisit:
    visit = await practice.open(patient, transcriber=ScriptedTranscriber(HEARD), **{"rules": QUICK, **more})
    await visit.post("way", {"way": "record", "format": "soap"})
    assert (await capture(visit))["capture"]["state"] == "on"
    return visit


async def send(visit: OpenVisit, samples: np.ndarray, channels: tuple[str, ...] = ("room",)) -> None:
    """Frames as they come from the page, each channel with its own sound."""
    desk = visit.visit.session
    await desk.begin(channels)
    quiet = np.zeros_like(samples)
    streams = [make_frames(samples if number == 0 else quiet, number) for number in range(len(channels))]
    for frames in zip(*streams, strict=True):
        for frame in frames:
            await desk.take(frame)
        await asyncio.sleep(0)


def said(view: dict[str, Any]) -> list[str]:
    return [one["text"] for one in view["segments"] if one["source"] == "session"]


async def heard(visit: OpenVisit, least: int = 1) -> dict[str, Any]:
    return await until(visit, lambda view: len(said(view)) >= least)


async def test_a_session_is_heard_while_it_goes_on_and_filed(practice):
    visit = await record(practice)
    quiet = np.zeros(8 * SAMPLE_RATE, np.int16)
    await send(visit, np.concatenate([read_speech(40), quiet, read_speech(20)]))
    view = await heard(visit)
    assert view["capture"]["state"] == "on"
    await visit.visit.session.finish({"room": 136})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    assert set(said(view)) == set(HEARD)
    assert any(one["source"] == "silence" for one in view["segments"])
    assert {one["speaker"] for one in view["segments"]} == {"unknown"}
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200
    await visit.settle("reviewing")
    await visit.accept_all()
    assert (await visit.file())["outcome"] == "filed"
    assert visit.visit.session._stretches == []


async def test_two_channels_are_two_speakers(practice):
    visit = await record(practice)
    await send(visit, read_speech(30), ("room", "call"))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    speakers = {one["speaker"] for one in view["segments"] if one["source"] == "session" and one["text"]}
    assert speakers == {"clinician"}  # all of it was said in the room


async def test_the_clinician_may_stop_before_all_is_heard_and_draft_after(practice):
    visit = await record(practice)
    await send(visit, read_speech(40))
    await capture(visit, "stop")  # the page was reloaded: it says nothing of the end
    assert said(await visit.settle("gathering"))


async def test_a_revocation_leaves_no_sound_and_no_word(practice):
    visit = await record(practice)
    await send(visit, read_speech(60))
    await heard(visit)
    await revoke(practice, "ada-marlowe-recording")
    view = await until(visit, lambda view: view["phase"] == "choosing")
    assert view["segments"] == []
    assert visit.visit.session._stretches == []
    with pytest.raises(VisitError):
        await visit.visit.session.take(make_frames(read_speech(1))[0])
    await asyncio.wait_for(visit.visit.session.closed(), 1)
    await asyncio.sleep(0.2)
    assert (await visit.view())["segments"] == []


async def test_a_connection_that_comes_back_goes_on_where_it_broke_off(practice):
    visit = await record(practice)
    desk = visit.visit.session
    [ack] = await desk.begin(("room",))
    assert (ack.number, ack.start) == (0, 0)
    for frame in make_frames(read_speech(5)):
        await desk.take(frame)
    [ack] = await desk.begin(("room",))
    assert (ack.number, ack.start) == (10, 5 * SAMPLE_RATE)


async def test_what_is_struck_is_gone(practice):
    visit = await record(practice)
    speech = read_speech(60)
    await send(visit, speech)
    view = await heard(visit, 2)
    desk = visit.visit.session
    cut = await desk.strike(50.0, len(speech))
    assert cut == 10 * SAMPLE_RATE
    view = await visit.view()
    assert all(one["end_seconds"] <= 10 for one in view["segments"])
    assert ("visit:capture:strike", "clinician") in await owed(visit, "visit:capture:strike")
    await desk.finish({})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    assert all(one["end_seconds"] <= 10.5 for one in view["segments"])


async def owed(visit: OpenVisit, event: str) -> list[tuple[str, str]]:
    async with asyncio.timeout(2):
        while not (found := [one for one in visit.door.owed if one[0] == event]):
            await asyncio.sleep(0.01)
    return found


async def test_a_discarded_session_leaves_nothing_and_another_may_begin(practice):
    visit = await record(practice)
    await send(visit, read_speech(60))
    await heard(visit)
    assert (await visit.post("capture", {"do": "discard"})).status_code == 200
    view = await visit.settle("gathering")
    assert (view["segments"], view["capture"]["state"]) == ([], "off")
    assert (await capture(visit))["capture"]["state"] == "on"
    await send(visit, read_speech(30))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    assert said(await visit.settle("gathering"))


async def test_what_was_heard_already_is_discarded_too(practice):
    visit = await record(practice)
    await send(visit, read_speech(30))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    assert said(await visit.settle("gathering"))
    view = (await visit.post("capture", {"do": "discard"})).json()
    assert (view["segments"], visit.visit.session._stretches) == ([], [])
    reply = await visit.post("draft", {"format": "soap"})
    assert "nothing to draft from" in reply.json()["error"]["message"]
    assert (await visit.post("capture", {"do": "discard"})).status_code == 200  # there is nothing left: it is off


async def test_a_second_stretch_goes_on_where_the_first_ended(practice):
    visit = await record(practice)
    await send(visit, read_speech(30))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    first = await visit.settle("gathering")
    await capture(visit)
    await send(visit, read_speech(30))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    later = [one for one in view["segments"] if one["start_seconds"] >= 30]
    assert len(said(view)) == 2 * len(said(first))
    assert len(later) >= len(said(first))


async def test_a_pause_from_the_visits_side_keeps_nothing_of_what_comes_after(practice):
    visit = await record(practice)
    speech = read_speech(60)
    frames = make_frames(speech)
    desk = visit.visit.session
    await desk.begin(("room",))
    for frame in frames[:40]:
        await desk.take(frame)
    await capture(visit, "pause")
    for frame in frames[40:80]:  # on their way when it was paused
        await desk.take(frame)
    await desk.finish({})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    assert all(one["end_seconds"] <= 20.5 for one in view["segments"])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda desk: desk.begin(("loft",)), CaptureError),
        (lambda desk: desk.take(b"short"), CaptureError),
        (lambda desk: desk.mark("nobody", 0, 10), CaptureError),
        (lambda desk: desk.mark("patient", 10, 0), CaptureError),
    ],
)
async def test_what_is_no_session_is_refused(practice, act: Callable[..., Any], error):
    visit = await record(practice)
    await visit.visit.session.begin(("room",))
    with pytest.raises(error):
        await act(visit.visit.session)


async def test_nothing_is_taken_before_the_microphone_is_permitted(practice):
    visit = await practice.open(transcriber=ScriptedTranscriber(HEARD))
    await visit.post("way", {"way": "record", "format": "soap"})
    with pytest.raises(VisitError):
        await visit.visit.session.begin(("room",))
    await visit.post("way", {"way": "dictate", "format": "soap"})
    await capture(visit)
    with pytest.raises(VisitError):
        await visit.visit.session.begin(("room",))


async def test_sound_in_which_nobody_speaks_is_let_go_at_once(practice):
    visit = await record(practice)
    quiet = np.full(20 * SAMPLE_RATE, 3, np.int16)  # a room's own noise
    await send(visit, np.concatenate([quiet, read_speech(20), quiet]), ("room", "call"))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    view = await visit.settle("gathering")
    lines = [one for one in view["segments"] if one["source"] == "session"]
    assert lines
    assert all(one["sound"] for one in lines)
    [stretch] = visit.visit.session._stretches
    room, _ = stretch.log.channels
    spoken = [stretch.span_of(one) for one in visit.visit.contents.heard if one.channel is room]
    held = stretch.log.read(room, Span(0, stretch.end - SAMPLE_RATE))
    for span in spoken:
        held[span.start : span.end] = 0
    assert not held.any()


async def test_a_session_in_which_nobody_spoke_leaves_no_sound(practice):
    visit = await record(practice)
    await send(visit, np.full(10 * SAMPLE_RATE, 3, np.int16))
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    assert said(await visit.settle("gathering")) == []
    await visit.post("way", {"way": "type", "format": "soap"})
    assert visit.visit.session.holds_sound()  # its last second
    await revoke(practice, "ada-marlowe-recording")
    await visit.visit.consent.notice()
    await until(visit, lambda view: view["taken_back"] is not None)
    assert visit.visit.session._stretches == []
