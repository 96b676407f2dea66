"""What the scripted visits begin with and what they draft: one plain view, and the scenes that differ from it.

Everything in it is invented. Nothing here changes while a visit runs; that is ``page_server.py``.
"""

import io
import math
import struct
import wave
from collections.abc import Callable
from typing import Any

View = dict[str, Any]
HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\x00"\'&amp;{{7*7}}'
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


def plain_view() -> View:
    """The view at the start of an ordinary visit."""
    return {
        "version": 1,
        "phase": "choosing",
        "ehr": {"name": "Birchwood Clinic EHR", "unsigned_notes": True},
        "show_banner": True,
        "clinician": {"name": "Dr. Mara Lindqvist"},
        "patient": {
            "name": "Rosalind Achterberg",
            "birth_date": "1987-03-09",
            "gender": "female",
            "identifiers": [{"label": "MRN", "value": "BW-004417"}],
        },
        "encounter": {
            "id": "e1",
            "period": "23 Nov 2026, 09:00–09:50",
            "kind": "Psychotherapy follow-up",
            "location": "Room 4",
            "participants": ["Dr. Mara Lindqvist"],
        },
        "encounter_choices": [],
        "may_have_no_encounter": False,
        "encounter_settled": True,
        "telehealth": "no",
        "read": [
            {"reference": "Patient/p1", "what": "Patient"},
            {"reference": "Encounter/e1", "what": "Encounter"},
            {"reference": "Practitioner/d1", "what": "Clinician"},
            {"reference": "Consent/c7", "what": "Consent"},
            {"reference": "Consent/c8", "what": "Consent"},
        ],
        "consents": [
            consent("telehealth", "Telehealth", True, "Given on 2 Nov 2026, in force.", "Consent/c8/_history/1"),
            consent(
                "recording", "Recording", False, "Refused on 2 Nov 2026.", "Consent/c7/_history/2", "deny", "refused"
            ),
            consent("ai-drafting", "AI drafting", True, "Given on 2 Nov 2026, in force.", "Consent/c7/_history/2"),
        ],
        "asking": {
            "how": "write",
            "words": "",
            "languages": [{"id": "en", "label": "English"}, {"id": "es", "label": "Español"}],
            "performers": [{"id": "Patient/p1", "label": "The patient"}],
        },
        "people": {
            "list": [],
            "roles": [
                {"id": "partner", "label": "Partner"},
                {"id": "parent", "label": "Parent"},
                {"id": "interpreter", "label": "Interpreter"},
            ],
            "needed": ["recording"],
        },
        "ways": ways(dictate=True, type=True),
        "capture": {"state": "off", "words": "", "checked_at": None},
        "taken_back": None,
        "way": None,
        "format": "soap",
        "formats": [
            {"id": "soap", "title": "SOAP"},
            {"id": "dap", "title": "DAP"},
            {"id": "birp", "title": "BIRP"},
        ],
        "drafter": {"kind": "model", "label": "Qwen2.5 1.5B, on this machine"},
        "speech": {"ready": True, "label": "Whisper base.en, on this machine"},
        "working": None,
        "segments": [],
        "marks": [],
        "sound_until": None,
        "language": {"code": "en", "heard": None, "drafting": True, "words": ""},
        "typed": {"text": "", "observations": ""},
        "sections": [],
        "withheld": [],
        "open_decisions": 0,
        "head": [],
        "made": "",
        "attestation": "",
        "problem": None,
        "handover_text": None,
        "outcome": None,
        "receipt": None,
        "signature": None,
    }


def consent(
    activity: str, label: str, permitted: bool, words: str, reference: str, effect: str = "permit", code: str = ""
) -> View:
    grounds = [{"reference": reference, "effect": effect, "words": words}] if reference else []
    return {
        "activity": activity,
        "label": label,
        "permitted": permitted,
        "code": code,
        "words": words,
        "grounds": grounds,
        "until": "2027-11-02T23:59:59Z" if permitted else None,
    }


LABELS = {
    "record": "Record the session",
    "dictate": "Dictate",
    "type": "Type notes",
    "tidy": "Tidy my note",
    "write": "Write it yourself",
}
NEEDS = {"record": ["ai-drafting", "recording"], "write": []}


def ways(dictate: bool, type: bool, why: str = "", write: bool = True, record: bool = False) -> list[View]:
    """All five; a note is tidied where one may be typed."""
    offered = {"record": record, "dictate": dictate, "type": type, "tidy": type, "write": write}
    otherwise = {"record": why or "Not permitted: there is no consent in force for Recording."}
    return [
        {
            "id": way,
            "label": label,
            "offered": offered[way],
            "why": "" if offered[way] else otherwise.get(way, why),
            "needs": NEEDS.get(way, ["ai-drafting"]),
        }
        for way, label in LABELS.items()
    ]


# Scenes: what differs from the plain view --------------------------------------------------------------------------


def _refuse_all(view: View) -> None:
    nothing = "No Consent in the record answers this. Ask the patient, and put the answer into the record."
    view["consents"] = [consent(item["activity"], item["label"], False, nothing, "") for item in view["consents"]]
    view["ways"] = ways(False, False, "AI drafting is not permitted for this patient.")


def _miss_answers(view: View) -> None:
    """Nobody was asked about recording, the yes to drafting is over, and a parent may answer too."""
    missing, over = "No consent to recording is on file.", "Consent/c7 permitted AI drafting and is over."
    telehealth, *_ = view["consents"]
    view["consents"] = [
        telehealth,
        consent("recording", "Recording", False, missing, "", code="missing"),
        consent("ai-drafting", "AI drafting", False, over, "Consent/c7/_history/2", "ignored", "expired"),
    ]
    view["asking"]["performers"].append({"id": "RelatedPerson/r1", "label": "Parent: Ilse Achterberg"})
    view["ways"] = ways(False, False, "Not permitted: there is no consent in force for AI drafting.")


def _attest_answers(view: View) -> None:
    _miss_answers(view)
    view["asking"]["how"] = "attest"
    view["asking"]["performers"].pop()


def _ask_nobody(view: View) -> None:
    _miss_answers(view)
    words = "This EHR takes no Consent, so the patient is asked in the EHR itself. Open Countersign again after that."
    view["asking"] |= {"how": "refuse", "words": words}


def _permit_recording(view: View) -> None:
    view["consents"][1] = consent(
        "recording", "Recording", True, "Given on 2 Nov 2026, in force.", "Consent/c7/_history/2"
    )
    view["ways"] = ways(True, True, record=True)


def _know_no_language(view: View) -> None:
    _permit_recording(view)
    words = (
        "What was said or typed seems to be in Spanish. There is no reviewed risk and evidence data for it here, so "
        "there is no AI draft: choose “Write without AI”."
    )
    view["language"] = {"code": "es", "heard": "es", "drafting": False, "words": words}


def _fill_room(view: View) -> None:
    _permit_recording(view)
    view["people"] |= {
        "list": [
            {"id": "p1", "role": "Partner", "name": "Tobias Achterberg", "added": False, "answers": {}},
            {"id": "p2", "role": "Interpreter", "name": "", "added": True, "answers": {"recording": "yes"}},
        ],
        "needed": ["recording", "ai-drafting"],
    }


def _ask_telehealth(view: View) -> None:
    view["telehealth"] = "unknown"
    view["ways"] = ways(False, False, "Say first whether this is a telehealth visit.")


def _ask_encounter(view: View) -> None:
    view["encounter"] = None
    view["encounter_choices"] = [
        {"id": "e1", "label": "Psychotherapy follow-up, 23 Nov 2026, 09:00–09:50, Room 4"},
        {"id": "e2", "label": "Medication check, 23 Nov 2026, 14:00–14:20, Room 2"},
    ]
    view["may_have_no_encounter"] = True
    view["encounter_settled"] = False
    view["ways"] = ways(False, False, "Choose the visit first.", write=False)


def _hide_banner(view: View) -> None:
    view["show_banner"] = False


def _hold_no_unsigned(view: View) -> None:
    view["ehr"]["unsigned_notes"] = False


def _outline(view: View) -> None:
    view["drafter"] = {
        "kind": "outline",
        "label": "No text model is installed: your own lines are arranged",
    }
    view["speech"] = {"ready": False, "label": "No speech model is installed"}


def _turn_right_to_left(view: View) -> None:
    view["patient"]["name"] = "רות אבן־צור 🌿"
    view["encounter"]["participants"] = ["ד״ר מאיה לין", "أحمد الخطيب"]


def _be_hostile(view: View) -> None:
    view["patient"] = {
        "name": HOSTILE,
        "birth_date": HOSTILE,
        "gender": HOSTILE,
        "identifiers": [{"label": HOSTILE, "value": HOSTILE}],
    }
    view["encounter"] = {
        "id": "e1",
        "period": HOSTILE,
        "kind": HOSTILE,
        "location": HOSTILE,
        "participants": [HOSTILE],
    }
    view["ehr"]["name"] = view["clinician"]["name"] = HOSTILE
    view["read"] = [{"reference": HOSTILE, "what": HOSTILE}]
    for item in view["consents"]:
        item["label"] = item["words"] = HOSTILE
        item["grounds"] = [{"reference": HOSTILE, "effect": HOSTILE, "words": HOSTILE}]
    for way in view["ways"]:
        way["label"] = way["why"] = HOSTILE
    view["asking"]["languages"][1]["label"] = view["asking"]["performers"][0]["label"] = HOSTILE
    view["people"]["roles"][0]["label"] = HOSTILE
    view["people"]["list"] = [{"id": "p1", "role": HOSTILE, "name": HOSTILE, "added": True, "answers": {}}]
    view["taken_back"] = {"labels": [HOSTILE], "words": HOSTILE}
    view["formats"][0]["title"] = HOSTILE
    view["language"] = {"code": HOSTILE, "heard": "es", "drafting": True, "words": HOSTILE}
    view["drafter"]["label"] = view["speech"]["label"] = HOSTILE
    view["problem"] = {"code": "scripted", "message": HOSTILE}


SCENES: dict[str, Callable[[View], None]] = {
    "plain": lambda view: None,
    "long": lambda view: None,
    "refused": _refuse_all,
    "asking": _miss_answers,
    "attest": _attest_answers,
    "noasking": _ask_nobody,
    "recording": _permit_recording,
    "listening": _permit_recording,
    "language": _know_no_language,
    "room": _fill_room,
    "telehealth": _ask_telehealth,
    "encounters": _ask_encounter,
    "nobanner": _hide_banner,
    "handover": _hold_no_unsigned,
    "outline": _outline,
    "righttoleft": _turn_right_to_left,
    "hostile": _be_hostile,
}


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


def statement(number: int, text: str, lines: list[int], origin: str = "model", risk: bool = False) -> View:
    return {
        "number": number,
        "text": text,
        "segments": lines,
        "origin": origin,
        "risk": risk,
        "risk_decision": None,
    }


def script_draft(scene: str, segments: list[View]) -> tuple[list[View], list[View]]:
    """The draft of a scene: its sections and what was withheld. Line numbers stay within the segments."""
    last = max(1, len(segments))
    texts: dict[str, list[View]] = {
        "Subjective": [
            statement(1, "Sleeps about five hours a night and wakes at four most mornings.", [min(2, last)]),
            statement(2, "Mood a little better than two weeks ago, still low in the mornings.", [min(3, last)]),
            statement(
                3,
                "I have thought I'd be better off not here, but I would not do anything, because of my daughter.",
                sorted({min(4, last), min(5, last)}),
                "material",
                True,
            ),
        ],
        "Objective": [],
        "Assessment": [
            statement(4, "Taking sertraline 50 mg daily without side effects.", [min(7, last)]),
            statement(5, "Walked on four of the last seven days as agreed.", [min(6, last)]),
        ],
        "Plan": [
            statement(6, "Keep sertraline 50 mg once daily.", [min(9, last)]),
            statement(7, "Sleep diary, daily walk, safety plan reviewed.", [min(9, last)]),
            statement(8, "Next visit in two weeks.", [last]),
        ],
    }
    withheld = [
        {
            "number": 90,
            "section": "plan",
            "text": "Refer to a sleep clinic for further assessment.",
            "reason": "no line speaks of a referral or a sleep clinic",
            "segments": [min(2, last)],
        },
        {
            "number": 91,
            "section": "objective",
            "text": "Alert and oriented, good eye contact.",
            "reason": "nobody said or typed this",
            "segments": [],
        },
    ]
    if scene == "long":
        for place in range(52):
            part = list(texts.values())[place % 4]
            part.append(
                statement(
                    10 + place, f"{SPOKEN[place % 10]} (once more, {place})", [place % last + 1, (place * 7) % last + 1]
                )
            )
    if scene == "righttoleft":
        texts["Subjective"].insert(0, statement(70, "ישנה כחמש שעות בלילה 😴", [1]))
        texts["Subjective"].insert(1, statement(71, "المزاج أفضل قليلا", [min(2, last)]))
    if scene == "hostile":
        texts["Subjective"].insert(0, statement(70, HOSTILE, [1], HOSTILE))
        withheld[0] |= {"text": HOSTILE, "reason": HOSTILE}
    if scene == "empty":
        texts = {title: [] for title in texts}
    return [make_section(title, items) for title, items in texts.items()], withheld


def make_section(title: str, statements: list[View]) -> View:
    return {
        "id": title.lower(),
        "title": title,
        "decision": "open",
        "text": "",
        "empty_words": "Not assessed.",
        "statements": statements,
    }


FORMATS = {
    "soap": ("Subjective", "Objective", "Assessment", "Plan"),
    "dap": ("Data", "Assessment", "Plan"),
    "birp": ("Behavior", "Intervention", "Response", "Plan"),
}
KEEP_PLACE = {"Plan": "Plan", "Assessment": "Assessment"}  # the rest begins the note


def script_format(note_format: str, sections: list[View]) -> list[View]:
    """The same statements under other headings, every section open; what she wrote herself stays her own."""
    arranged = {title: make_section(title, []) for title in FORMATS[note_format]}
    first = next(iter(arranged.values()))
    for old in sections:
        new = arranged.get(KEEP_PLACE.get(old["title"], ""), first)
        if old["decision"] == "edited":
            new["statements"].append(statement(200 + len(new["statements"]), old["text"], [], "clinician"))
        else:
            new["statements"] += old["statements"]
    return list(arranged.values())
