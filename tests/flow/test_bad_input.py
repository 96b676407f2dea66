"""What a page, a person or a file may send by mistake: one clear sentence, nothing changed, nothing lost."""

import base64
import io
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.whisper import WhisperTranscriber
from gateway.errors import DraftError, ModelError
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel
from gateway.note.draft import ModelDrafter
from gateway.note.prompt import read_prompts
from gateway.note.scripted import ScriptedTextModel
from gateway.sandbox.faults import ArmedFault, Fault
from gateway.sandbox.fhir.interaction import Kind as Interaction
from gateway.settings import ROOT
from tests.models.make_speech_model import make_speech_model

PROMPTS = read_prompts()
NOTE = "Pt slept five hours a night.\nPlan: sleep diary until next Tuesday."
# What a field may hold, and what the record then holds of it.
FIELDS = {
    "html": ("<b onmouseover=alert(1)>bold</b> &amp; <script>alert(1)</script>", None),
    "right-to-left": ("שלום, המטופלת ישנה היטב", None),
    "emoji": ("Slept well 🙂👩🏽‍⚕️", None),
    "nul": ("before\u0000after", "before\ufffdafter"),
    "override": ("abc\u202edef", "abc\ufffddef"),
    "quotes": ("' OR 1=1; -- \"; {{7*7}} ${7*7} %s %n \\", None),
    "lines": ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
}
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


def an_hour_of_silence() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(3600 * 16_000, np.int16), 16_000, format="FLAC")
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a wav", id="text"),
        pytest.param(b"RIFF\0\0\0\0WAVEfmt ", id="header"),
        pytest.param(cut(make_wav(3.0)), id="truncated"),
        pytest.param(make_wav(5.0, level=0.0), id="silence"),
        pytest.param(an_hour_of_silence(), id="an-hour-of-silence"),
        pytest.param(many_channels(), id="eight-channels"),
    ],
)
async def test_a_recording_that_is_none_is_refused_and_nothing_is_lost(dictating, data: bytes) -> None:
    await dictating.post("typed", {"text": "Kept line.", "observations": ""})
    await send_audio(dictating, data)
    view = await dictating.settle("gathering")
    assert view["problem"]["message"].endswith((".", "?"))
    assert [segment["text"] for segment in view["segments"]] == ["Kept line."]
    assert await dictating.notes("ada-marlowe") == []


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


@pytest.mark.parametrize(("text", "kept"), FIELDS.values(), ids=FIELDS)
async def test_whatever_stands_in_a_field_reaches_the_record_as_plain_text(
    practice, text: str, kept: str | None
) -> None:
    kept = kept or text
    visit = await practice.open()
    view = await visit.type_note(f"{NOTE}\n{text}", observations=text)
    first, *others = view["sections"]
    for section in others:
        await visit.post("section", {"id": section["id"], "decision": "accepted"})
    reply = await visit.post("section", {"id": first["id"], "decision": "edited", "text": text})
    assert reply.json()["sections"][0]["text"] == kept
    assert (await visit.file())["outcome"] == "filed"
    [document] = await visit.notes("ada-marlowe")
    assert kept in base64.b64decode(document["content"][0]["attachment"]["data"]).decode()


SILENT = [Fault.DROP_REQUEST, Fault.DROP_REPLY, Fault.RESET_BODY, Fault.STALL]
REFUSING = [Fault.STATUS_401, Fault.STATUS_429, Fault.STATUS_500, Fault.STATUS_503, Fault.HTML, Fault.WRONG_OK]


@pytest.mark.parametrize("fault", [*SILENT, *REFUSING])
@pytest.mark.parametrize("type_", ["Patient", "Encounter"])
async def test_an_ehr_that_fails_at_the_launch_ends_in_one_sentence(practice, fault: Fault, type_: str) -> None:
    practice.arm(ArmedFault(fault, kind=Interaction.READ, type=type_, seconds=4.0))
    visit = await practice.open()
    view = await visit.view()
    assert (view["phase"], view["outcome"]) == ("ended", "failed")
    assert view["problem"]["message"].endswith(".")
    assert "<" not in view["problem"]["message"]
    assert view["patient"] is None
    assert visit.left == [True]
    assert await visit.notes("ada-marlowe") == []


@pytest.mark.parametrize("fault", [*SILENT, *REFUSING])
async def test_consents_that_an_ehr_does_not_give_are_no_consents(practice, fault: Fault) -> None:
    practice.arm(ArmedFault(fault, kind=Interaction.SEARCH, type="Consent", seconds=4.0))
    view = await (await practice.open()).view()
    assert view["phase"] == "choosing"
    assert [item["permitted"] for item in view["consents"]] == [False] * 3
    assert all(item["words"].endswith(".") for item in view["consents"])


async def test_html_in_the_ehr_s_own_fields_stays_text(practice) -> None:
    name = "<img src=x onerror=alert(1)>"
    patient = dict(await practice.record.read("Patient", "ada-marlowe"))
    patient["name"] = [{"text": name}]
    await practice.record.update(patient)
    view = await (await practice.open()).view()
    assert view["patient"]["name"] == name


async def test_a_withheld_sentence_is_taken_over_as_plain_text(practice) -> None:
    script = {"Subjective": ["The patient slept nine hours a night."]}
    visit = await practice.open(drafter=ModelDrafter(ScriptedTextModel(script), PROMPTS))
    view = await visit.type_note(NOTE)
    [withheld, *_] = view["withheld"]
    for blank in ("", " \u200b\n"):
        reply = await visit.post("take", {"number": withheld["number"], "text": blank})
        assert reply.status_code == 409
        assert (await visit.view())["withheld"] == view["withheld"]
    text = "<script>alert(1)</script>"
    view = (await visit.post("take", {"number": withheld["number"], "text": text})).json()
    [section] = [section for section in view["sections"] if section["id"] == withheld["section"]]
    assert text in section["text"]


@pytest.mark.parametrize(
    "edit", ["", " \n\t ", "\u200b\u00a0", "x" * 200_001], ids=["empty", "blank", "invisible", "long"]
)
async def test_an_edit_that_can_not_be_taken_leaves_the_section_as_it_was(practice, edit: str) -> None:
    visit = await practice.open()
    before = await visit.type_note(NOTE)
    section = before["sections"][0]["id"]
    reply = await visit.post("section", {"id": section, "decision": "edited", "text": edit})
    assert reply.status_code == 409
    assert reply.json()["error"]["message"].endswith(".")
    assert await visit.view() == before


async def test_a_section_of_200_000_characters_is_filed_whole(practice) -> None:
    visit = await practice.open()
    text = "a b c d e. " * 18_181
    view = await visit.type_note(NOTE)
    for section in view["sections"][1:]:
        await visit.post("section", {"id": section["id"], "decision": "struck"})
    await visit.post("section", {"id": view["sections"][0]["id"], "decision": "edited", "text": text})
    assert (await visit.file())["outcome"] == "filed"
    [document] = await visit.notes("ada-marlowe")
    assert text.strip() in base64.b64decode(document["content"][0]["attachment"]["data"]).decode()


@pytest.fixture
def speech(tmp_path: Path) -> InstalledModel:
    """A speech model that was whole when the gateway started."""
    whole = make_speech_model(ROOT / "build" / "models" / "whisper-scripted")
    folder = Path(shutil.copytree(whole, tmp_path / "speech"))
    return InstalledModel("scripted", "scripted Whisper", Kind.SPEECH, folder, "0" * 64)


def cut_short(folder: Path) -> None:
    file = folder / "model.bin"
    file.write_bytes(file.read_bytes()[:1000])


def damage(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"\x00" * 4096)


@pytest.mark.parametrize("harm", [cut_short, damage, shutil.rmtree], ids=["cut-short", "damaged", "gone"])
async def test_a_speech_model_that_was_harmed_is_a_sentence_and_nothing_is_lost(practice, speech, harm) -> None:
    visit = await practice.open(transcriber=WhisperTranscriber(speech, threads=1))
    await visit.post("way", {"way": "dictate", "format": "soap"})
    await visit.post("typed", {"text": "Kept line.", "observations": ""})
    harm(speech.path)
    await send_audio(visit, make_wav(2.0))
    view = await visit.settle("gathering")
    assert view["problem"]["code"].startswith("model.")
    assert view["problem"]["message"].endswith(".")
    assert [segment["text"] for segment in view["segments"]] == ["Kept line."]
    assert await visit.notes("ada-marlowe") == []


class FailingModel(ScriptedTextModel):
    """Writes one sentence, then fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__({"Subjective": ["The patient slept five hours a night."]})
        self.error = error
        self.written = 0

    def write_sentence(self, pattern, may_end, bound):
        self.written += 1
        if self.written > 1:
            raise self.error
        return super().write_sentence(pattern, may_end, bound)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DraftError("draft.engine", "The text model failed; try again, or write the note yourself."), "draft.engine"),
        (ModelError("model.tokens", "The text model can't read this text."), "model.tokens"),
        (RuntimeError("slept five hours"), "visit.fault"),
        (MemoryError(), "visit.fault"),
    ],
    ids=["engine", "tokens", "unforeseen", "memory"],
)
async def test_a_text_model_that_fails_is_a_sentence_and_the_material_stays(practice, error, code: str) -> None:
    visit = await practice.open(drafter=ModelDrafter(FailingModel(error), PROMPTS))
    view = await visit.type_note(f"C: How did you sleep?\nP: I slept five hours a night. I worry about work.\n{NOTE}")
    assert view["phase"] == "gathering"
    assert view["problem"]["code"] == code
    assert "slept five hours" not in view["problem"]["message"]
    assert view["typed"]["text"].endswith(NOTE)
    assert await visit.notes("ada-marlowe") == []


@pytest.mark.parametrize("text", ["", "   \n\t  ", "\u200b \u00a0"])
async def test_an_empty_note_gives_no_draft_and_says_so(practice, text: str) -> None:
    visit = await practice.open()
    await visit.post("way", {"way": "type", "format": "soap"})
    await visit.post("typed", {"text": text, "observations": ""})
    reply = await visit.post("draft", {"format": "soap"})
    view = await visit.settle()
    assert view["phase"] == "gathering"
    problem = view["problem"] or reply.json()["error"]
    assert problem["message"].endswith(".")
    assert await visit.notes("ada-marlowe") == []


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


BODIES = {
    "no-json": b"slept badly",
    "no-utf-8": b'{"text": "\xff\xfe"}',
    "half-a-pair": b'{"text": "\\ud800"}',
    "deep": b"[" * 100_000,
    "list": b"[]",
    "other-kind": b'{"text": 5}',
    "unknown-field": b'{"text": "x", "note": "slept badly"}',
    "nothing": b"",
    "huge": b'{"text": "' + b"x" * 5_000_000 + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_none_is_one_sentence_and_changes_nothing(practice, body: bytes) -> None:
    visit = await practice.open()
    await visit.post("way", {"way": "type", "format": "soap"})
    await visit.post("typed", {"text": "Kept line.", "observations": ""})
    before = await visit.view()
    reply = await visit.http.post("/api/typed", content=body)
    assert 400 <= reply.status_code < 500
    assert reply.json()["error"]["message"].endswith(".")
    assert "slept" not in reply.text
    assert await visit.view() == before


async def test_an_error_never_repeats_what_was_sent(practice) -> None:
    visit = await practice.open()
    reply = await visit.http.post("/api/typed", content=b'{"text": 5, "secret": "Marlowe"}')
    assert reply.status_code == 409
    assert "Marlowe" not in reply.text
