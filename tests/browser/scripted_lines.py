"""The lines of the scripted visits: what was said, what each still needs from a person, and what it sounds like."""

import io
import math
import struct
import wave

from tests.browser.page_scenes import View

SPOKEN = (
    "Follow-up visit for low mood and poor sleep.",
    "She reports sleeping about five hours a night, waking at four most mornings.",
    "Mood is a little better than two weeks ago, still low in the mornings.",
    "I asked about thoughts of suicide.",
    "She said: I have thought I'd be better off not here, but I would not do anything, because of my daughter.",
    "She has gone for a walk on four days of the last seven, as we agreed.",
    "Sertraline 50 milligrams once daily, taken every day, no side effects.",
    "Her manager has agreed to a later start until the end of January.",
    "Plan: keep sertraline at 50 milligrams, sleep diary, walk daily, safety plan reviewed.",
    "Next visit in two weeks.",
)
UNCLEAR = (8,)
SPEECH = ("session", "dictation")


def segment(number: int, source: str, text: str, start: float | None = None, unclear: bool = False) -> View:
    return {
        "number": number,
        "source": source,
        "speaker": "clinician",
        "text": text,
        "start_seconds": start,
        "end_seconds": None if start is None else start + 4,
        "unclear": unclear,
    }


def complete_line(line: View) -> View:
    """With what it still needs from a person, and whether it can be played."""
    settled = line.get("settled", False)
    if settled:
        look = None
    elif line.get("heard_also"):
        look = "two-ways"
    elif line["source"] == "session" and not line["text"]:
        look = "missed"
    else:
        look = "unclear" if line["unclear"] else None
    return line | {
        "settled": settled,
        "look": look,
        "sound": line["source"] in SPEECH and not settled and line.get("sound", True),
    }


def list_to_listen() -> list[View]:
    """A session in which some lines want a person's ear: 4 and 7 heard two ways, 8 and 9 unclear, 10 not understood."""
    texts: tuple[tuple[str, View], ...] = (
        ("How have you slept since we last met?", {"speaker": "clinician"}),
        ("About five hours a night, I wake at four most mornings.", {}),
        ("My mood is a little better than two weeks ago, still low in the mornings.", {}),
        ("Have you had any thoughts of sue aside?", {"heard_also": "Have you had any thoughts of suicide?"}),
        (SPOKEN[4].removeprefix("She said: "), {}),
        ("I went for a walk on four days of the last seven, as we said.", {}),
        ("I take the sertraline, fifteen milligrams.", {"heard_also": "I take the sertraline, fifty milligrams."}),
        ("My manager has agreed to a later start until the end of January.", {"unclear": True}),
        ("So we keep the sertraline, the sleep diary and the daily walk.", {"speaker": "clinician", "unclear": True}),
        ("", {"speaker": "unknown", "unclear": True}),
        ("", {"source": "silence", "speaker": "unknown", "channel": None}),
        ("See you in two weeks.", {"speaker": "clinician"}),
    )
    plain = {"speaker": "patient", "channel": "room", "heard_also": "", "confidence": 0.9}
    return [segment(0, "session", text, place * 6.5) | plain | fields for place, (text, fields) in enumerate(texts)]


def make_sound(line: int) -> bytes:
    """What a line sounds like here: a tone of its own, six tenths of a second, as a WAV file."""
    rate, seconds = 16_000, 0.6
    tone = (round(6000 * math.sin(2 * math.pi * (300 + 20 * line) * n / rate)) for n in range(int(rate * seconds)))
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return made.getvalue()
