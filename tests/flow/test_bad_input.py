"""What a page, a person or a file may send by mistake: one clear sentence, nothing changed, nothing lost."""

import io
import wave

import numpy as np
import pytest
import soundfile

from gateway.capture.scripted import ScriptedTranscriber

HOSTILE = "<script>alert(1)</script> \u0000 שלום 🙂 ' OR 1=1 -- \u202e abc"


def make_wav(seconds: float = 1.0, level: float = 0.1) -> bytes:
    samples = level * np.sin(np.linspace(0, 440 * 6.28 * seconds, int(16_000 * seconds)))
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


async def send_audio(visit, data: bytes, kind: str = "audio/wav"):
    return await visit.http.post("/api/dictation", content=data, headers={"Content-Type": kind})


@pytest.fixture
async def dictating(practice):
    script = ["Patient reports sleeping five hours a night.", "Plan is to keep the sleep diary."]
    visit = await practice.open(transcriber=ScriptedTranscriber(tuple(script)))
    assert (await visit.post("way", {"way": "dictate", "format": "soap"})).status_code == 200
    return visit


async def test_a_dictation_becomes_numbered_segments(dictating) -> None:
    assert (await send_audio(dictating, make_wav(4.0))).status_code == 200
    view = await dictating.settle("gathering")
    assert [segment["number"] for segment in view["segments"]] == [1, 2]
    assert view["segments"][0]["source"] == "dictation"


async def test_dictation_and_typed_notes_can_be_mixed(dictating) -> None:
    await send_audio(dictating, make_wav(4.0))
    await dictating.settle("gathering")
    view = (await dictating.post("typed", {"text": "See again Monday.", "observations": "Tearful."})).json()
    assert [segment["source"] for segment in view["segments"]] == ["dictation", "dictation", "typed", "observation"]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def many_channels() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(8)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\0\1" * 16_000)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"not a wav", b"RIFF\0\0\0\0WAVEfmt ", cut(make_wav(3.0)), make_wav(5.0, level=0.0), many_channels()],
    ids=["empty", "text", "header", "truncated", "silence", "eight-channels"],
)
async def test_a_recording_that_is_none_is_refused_and_nothing_is_lost(dictating, data: bytes) -> None:
    await dictating.post("typed", {"text": "Kept line.", "observations": ""})
    await send_audio(dictating, data)
    view = await dictating.settle("gathering")
    assert view["problem"]["message"].endswith((".", "?"))
    assert [segment["text"] for segment in view["segments"]] == ["Kept line."]


async def test_another_kind_of_file_is_refused_by_its_type(dictating) -> None:
    reply = await send_audio(dictating, make_wav(), "audio/webm")
    assert reply.status_code == 422
    assert "WAV and FLAC" in reply.json()["error"]["message"]


async def test_hostile_text_travels_as_text(practice) -> None:
    visit = await practice.open()
    await visit.type_note(f"Pt said {HOSTILE} and slept five hours a night this week.", observations=HOSTILE)
    await visit.accept_all()
    view = await visit.file()
    assert view["outcome"] == "filed"


@pytest.mark.parametrize("text", ["", "   \n\t  ", "\u200b \u00a0"])
async def test_an_empty_note_gives_no_draft_and_says_so(practice, text: str) -> None:
    visit = await practice.open()
    await visit.post("way", {"way": "type", "format": "soap"})
    await visit.post("typed", {"text": text, "observations": ""})
    reply = await visit.post("draft", {"format": "soap"})
    view = await visit.settle()
    assert view["phase"] == "gathering"
    assert reply.status_code == 409 or view["problem"]["message"]


async def test_200_000_characters_are_taken_and_one_more_is_refused(practice) -> None:
    visit = await practice.open()
    await visit.post("way", {"way": "type", "format": "soap"})
    assert (await visit.post("typed", {"text": "a b c d e. " * 18_181, "observations": ""})).status_code == 200
    kept = (await visit.view())["typed"]["text"]
    reply = await visit.post("typed", {"text": "x" * 200_001, "observations": ""})
    assert reply.status_code == 422
    assert (await visit.view())["typed"]["text"] == kept


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("way", {"way": "record", "format": "soap"}),
        ("way", {"way": "type", "format": "nothing"}),
        ("way", {"way": "type"}),
        ("section", {"id": "plan", "decision": "accepted"}),
        ("risk", {"number": 1001, "decision": "kept"}),
        ("take", {"number": 1, "text": "x"}),
        ("file", {"attested": True, "version": 0}),
        ("handed-over", {}),
        ("material", {}),
        ("draft", {"format": "soap"}),
        ("nowhere", {}),
    ],
)
async def test_a_call_that_makes_no_sense_now_is_one_sentence(practice, path: str, body: dict) -> None:
    visit = await practice.open()
    before = await visit.view()
    reply = await visit.post(path, body)
    assert 400 <= reply.status_code < 500
    assert reply.json()["error"]["message"].endswith(".")
    assert await visit.view() == before


async def test_an_error_never_repeats_what_was_sent(practice) -> None:
    visit = await practice.open()
    reply = await visit.http.post("/api/typed", content=b'{"text": 5, "secret": "Marlowe"}')
    assert reply.status_code == 409
    assert "Marlowe" not in reply.text
