"""A scripted visit server: the page alone, without a gateway, an EHR or a model.

It serves ``smart_app`` with the gateway's headers and answers the visit's API of ``docs/architecture.md`` from a
``ScriptedVisit`` for each visit id. The id's first word names the scene (``plain``, ``long``, ``hostile`` …, see
``SCENES``), so a person can open any of them: ``python -m tests.browser.page_server`` prints the addresses.
Everything in it is invented.
"""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.consent.wording import Wording, read_wordings

PAGE = Path(__file__).resolve().parents[2] / "smart_app"
WORDINGS = read_wordings(PAGE.parent / "config" / "consent")
View = dict[str, Any]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; media-src 'self' blob:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self' http://127.0.0.1:*"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
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


class Refused(Exception):
    """The visit says no, with a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


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
    "room": _fill_room,
    "telehealth": _ask_telehealth,
    "encounters": _ask_encounter,
    "nobanner": _hide_banner,
    "handover": _hold_no_unsigned,
    "outline": _outline,
    "righttoleft": _turn_right_to_left,
    "hostile": _be_hostile,
}


class ScriptedVisit:
    """One visit by the book: it refuses what the real one refuses, and knows nothing of notes or models."""

    def __init__(self, visit_id: str, pace_seconds: float) -> None:
        self.id = visit_id
        self.scene = visit_id.split("-")[0]
        self.pace_seconds = pace_seconds
        self.view = plain_view()
        SCENES[self.scene](self.view)
        self.posts: list[tuple[str, Any]] = []
        self.sounds: list[tuple[str, bytes]] = []
        self.fail_next: dict[str, tuple[int, View]] = {}
        self.gone: int | None = None
        self.view_after_seconds = 0.0  # how long an answer to a read takes
        self.wordings_asked: list[str] = []
        self.wording_fails = False
        self.answers_problem: View | None = None  # what becomes of the next answers that are taken
        self.capture_becomes: View = {"state": "on", "words": ""}  # what the next start comes to
        self._changed: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def change(self, **fields: Any) -> None:
        self.view |= fields
        self.view["version"] += 1
        for loop, event in list(self._changed):
            loop.call_soon_threadsafe(event.set)  # a test changes it from its own thread

    async def follow(self) -> AsyncIterator[bytes]:
        """Server-sent events, one a change."""
        event = asyncio.Event()
        follower = (asyncio.get_running_loop(), event)
        self._changed.add(follower)
        try:
            yield b": open\n\n"
            while self.view["phase"] != "ended":
                await event.wait()
                event.clear()
                yield f"event: changed\ndata: {json.dumps({'version': self.view['version']})}\n\n".encode()
        finally:
            self._changed.discard(follower)

    def set_capture(self, state: str, words: str = "", **fields: Any) -> None:
        """What the visit says of the microphone, and whatever else becomes so with it."""
        self.change(capture={"state": state, "words": words, "checked_at": "2026-11-23T09:10:00Z"}, **fields)

    def refuse_if_told(self, path: str) -> None:
        if path in self.fail_next:
            status, error = self.fail_next.pop(path)
            raise Refused(status, error["code"], error["message"])

    def take(self, path: str, body: Any) -> None:
        """One POST of the page."""
        self.refuse_if_told(path)
        self.posts.append((path, body))
        if self.view["phase"] == "ended":
            raise Refused(409, "over", "This visit is over.")
        getattr(self, "_" + path.replace("-", "_"))(body)

    # What each call does -------------------------------------------------------------------------------------------

    def _encounter(self, body: View) -> None:
        plain = plain_view()
        chosen = plain["encounter"] | {"id": body["id"]} if body["id"] else None
        self.change(encounter=chosen, encounter_settled=True, ways=ways(True, True))

    def _telehealth(self, body: View) -> None:
        self.change(telehealth="yes" if body["remote"] else "no", ways=ways(True, True))

    def _answers(self, body: View) -> None:
        self.change(problem=None, working={"what": "answers", "done": 0.0, "words": "Reading the answers back"})
        self._later(self._read_back(body["answers"]))

    def _person(self, body: View) -> None:
        people = self.view["people"]
        person = next((one for one in people["list"] if one["id"] == body["id"]), None)
        if person is None:
            role = next(role["label"] for role in people["roles"] if role["id"] == body["role"])
            person = {"id": f"a{len(self.posts)}", "role": role, "name": "", "added": True}
            people["list"].append(person)
        person["answers"] = body["answers"]
        self.change()

    def _person_left(self, body: View) -> None:
        people = self.view["people"]
        people["list"] = [one for one in people["list"] if one["id"] != body["id"]]
        self.change()

    def _capture(self, body: View) -> None:
        if body["do"] == "start":
            self.set_capture("asking")
            self._later(self._permit_capture())
        else:
            self.set_capture("paused" if body["do"] == "pause" else "off")

    def _way(self, body: View) -> None:
        way = next(item for item in self.view["ways"] if item["id"] == body["way"])
        if not way["offered"]:
            raise Refused(409, "not-offered", "This way of working is not permitted for this patient.")
        self.change(way=body["way"], format=body["format"], phase="gathering", taken_back=None)
        if body["way"] == "write":
            self._finish_draft([], [])

    def _dictation(self, body: tuple[str, bytes]) -> None:
        self.sounds.append(body)
        self.change(working={"what": "transcribing", "done": 0.0, "words": "Transcribing the dictation"})
        self._later(self._transcribe())

    def _typed(self, body: View) -> None:
        self.change(typed=body)
        self._number()

    def _draft(self, body: View) -> None:
        if not self.view["segments"]:
            raise Refused(422, "no-material", "There is nothing to draft from yet: dictate or type first.")
        self.change(phase="drafting", format=body["format"])
        self._later(self._write_draft())

    def _material(self, body: View) -> None:
        self.change(phase="gathering", sections=[], withheld=[], open_decisions=0, working=None)

    def _section(self, body: View) -> None:
        for section in self.view["sections"]:
            if section["id"] == body["id"]:
                section["decision"] = body["decision"]
                section["text"] = body.get("text", section["text"])
        self._count()

    def _risk(self, body: View) -> None:
        for section in self.view["sections"]:
            for statement in section["statements"]:
                if statement["number"] == body["number"]:
                    statement["risk_decision"] = body["decision"]
        self._count()

    def _take(self, body: View) -> None:
        item = next(item for item in self.view["withheld"] if item["number"] == body["number"])
        for section in self.view["sections"]:
            if section["id"] == item["section"]:
                section["statements"].append(statement(item["number"], body["text"], [], "clinician"))
                section["decision"] = "open"
        self.view["withheld"] = [other for other in self.view["withheld"] if other is not item]
        self._count()

    def _file(self, body: View) -> None:
        if body["version"] != self.view["version"]:
            raise Refused(409, "stale", "The note changed since you saw it. Read it again, then file it.")
        if self.view["open_decisions"] or not body["attested"]:
            raise Refused(409, "undecided", "Decide every section and every risk line first.")
        if self.view["ehr"]["unsigned_notes"]:
            self.change(phase="filing", working={"what": "filing", "done": 0.5, "words": "Reading it back"})
            self._later(self._store())
        else:
            self.change(phase="handing-over", handover_text=self.note_text())

    def _handed_over(self, body: View) -> None:
        self.end("handed-over", None)

    def _cancel(self, body: View) -> None:
        self.end("cancelled", None)

    # What takes time -----------------------------------------------------------------------------------------------

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _permit_capture(self) -> None:
        await asyncio.sleep(self.pace_seconds * 5)
        if self.view["capture"]["state"] == "asking":
            self.set_capture(**self.capture_becomes)

    async def _read_back(self, answers: dict[str, str]) -> None:
        await asyncio.sleep(self.pace_seconds * 5)
        if self.answers_problem is not None:
            problem, self.answers_problem = self.answers_problem, None
            self.change(working=None, problem=problem)
            return
        for item in self.view["consents"]:
            if item["activity"] in answers:
                yes = answers[item["activity"]] == "yes"
                reference, words = f"Consent/new-{item['activity']}", "Answered in this visit."
                effect, code = ("permit", "") if yes else ("deny", "refused")
                item |= consent(item["activity"], item["label"], yes, words, reference, effect, code)
        permitted = {item["activity"] for item in self.view["consents"] if item["permitted"]}
        drafting = "ai-drafting" in permitted
        self.view["ways"] = ways(drafting, drafting, record=drafting and "recording" in permitted)
        self.change(working=None)
        gone = [
            item for item in self.view["consents"] if item["activity"] in NEEDS.get(self.view["way"], ["ai-drafting"])
        ]
        if self.view["way"] and not all(item["permitted"] for item in gone):
            self.take_back([item["label"] for item in gone if not item["permitted"]])

    def take_back(self, labels: list[str]) -> None:
        """A permission ends while the visit runs: capture stops, what rested on it goes, and the choice is back."""
        words = (
            f"{' and '.join(labels)} is no longer permitted. What was recorded, typed and drafted is destroyed. "
            "You can write the note yourself."
        )
        self.set_capture(
            "off",
            phase="choosing",
            way=None,
            segments=[],
            sections=[],
            withheld=[],
            typed={"text": "", "observations": ""},
            taken_back={"labels": labels, "words": words},
        )

    async def _transcribe(self) -> None:
        for done in (0.3, 0.7):
            await asyncio.sleep(self.pace_seconds)
            self.change(working={"what": "transcribing", "done": done, "words": "Transcribing the dictation"})
        await asyncio.sleep(self.pace_seconds)
        self.change(working=None)
        self._number()

    async def _write_draft(self) -> None:
        sections, withheld = script_draft(self.scene, self.view["segments"])
        self.view["sections"] = [section | {"statements": []} for section in sections]
        written = [(place, item) for place, section in enumerate(sections) for item in section["statements"]]
        for count, (place, item) in enumerate(written):
            await asyncio.sleep(self.pace_seconds if len(written) < 20 else self.pace_seconds / 10)
            if self.view["phase"] != "drafting":
                return
            self.view["sections"][place]["statements"].append(item)
            title = self.view["sections"][place]["title"]
            self.change(working={"what": "drafting", "done": count / len(written), "words": f"Writing {title}"})
        self._finish_draft(self.view["sections"], withheld)

    def _finish_draft(self, sections: list[View], withheld: list[View]) -> None:
        sections = sections or script_draft("empty", [])[0]
        place = HOSTILE if self.scene == "hostile" else "Room 4"
        name = self.view["clinician"]["name"]
        self.view |= {
            "sections": sections,
            "withheld": withheld,
            "head": [
                {"label": "Date", "value": "23 Nov 2026"},
                {"label": "Start and stop", "value": "09:00–09:50"},
                {"label": "Modality", "value": "In person"},
                {"label": "Place", "value": place},
                {"label": "Participants", "value": f"Rosalind Achterberg, {name}"},
            ],
            "made": (
                "Drafted by a model on the practice's own machine (Qwen2.5 1.5B) from the clinician's dictation and "
                "typed lines, each statement checked against them; reviewed section by section and attested by "
                f"{name}."
            ),
            "attestation": f"I, {name}, have reviewed this note and it says what happened in this visit.",
        }
        self.change(phase="reviewing", working=None)
        self._count()

    async def _store(self) -> None:
        await asyncio.sleep(self.pace_seconds * 2)
        self.end("filed", "DocumentReference/n1")

    def end(self, outcome: str, document: str | None, **fields: Any) -> None:
        """At once, with these fields of the view otherwise than they would be."""
        ended = plain_view() | {"version": self.view["version"], "phase": "ended", "outcome": outcome}
        ended["receipt"] = {
            "visit": self.id,
            "outcome": outcome,
            "ended_at": "2026-11-23T10:04:00Z",
            "destroyed": ["Dictation (1)", "Lines (10)", "Draft and decisions", "Chart", "Model caches", "Tokens"],
            "kept": ["Reference of the filed note: sealed in the database, until it is signed"],
            "proof": ["The visit's process has ended: pid 4711, exit status 0", "Its sockets are gone"],
            "document": document,
        }
        if outcome == "filed":
            ended["signature"] = {
                "status": "awaiting",
                "words": "The note is in the chart as an unsigned draft. Open it in the EHR and sign it there.",
                "seen_at": "2026-11-23T10:04:02Z",
            }
        self.view = ended | fields
        self.change()

    def sign(self) -> None:
        words = "Signed in the EHR by Dr. Mara Lindqvist on 23 Nov 2026, 10:06. Nothing of it is held here."
        self.change(signature={"status": "signed", "words": words, "seen_at": "2026-11-23T10:06:30Z"})

    # What follows from it ------------------------------------------------------------------------------------------

    def _number(self) -> None:
        """Number the lines again from what was dictated and typed."""
        spoken: tuple[str, ...] = SPOKEN * 6 if self.scene == "long" else SPOKEN
        if self.scene == "righttoleft":
            spoken = ("המטופלת מדווחת על שינה של חמש שעות בלילה 😴", "المزاج أفضل قليلا من قبل أسبوعين", *SPOKEN)
        if self.scene == "hostile":
            spoken = (HOSTILE, *SPOKEN)
        lines: list[View] = []
        source, speaker = ("session", "unknown") if self.view["way"] == "record" else ("dictation", "clinician")
        for place, text in enumerate(spoken * (1 if self.sounds else 0)):
            unclear = place + 1 in UNCLEAR
            lines.append(segment(len(lines) + 1, source, text, place * 4.2, unclear) | {"speaker": speaker})
        for source, words in (
            ("typed", self.view["typed"]["text"]),
            ("observation", self.view["typed"]["observations"]),
        ):
            for text in filter(str.strip, words.splitlines()):
                lines.append(segment(len(lines) + 1, source, text.strip()))
        self.change(segments=lines)

    def _count(self) -> None:
        sections = self.view["sections"]
        undecided = sum(section["decision"] == "open" for section in sections)
        risk = sum(
            item["risk"] and item["risk_decision"] is None for section in sections for item in section["statements"]
        )
        self.change(open_decisions=undecided + risk)

    def note_text(self) -> str:
        parts = [f"{item['label']}: {item['value']}" for item in self.view["head"]]
        for section in self.view["sections"]:
            words = section["text"] or "\n".join(item["text"] for item in section["statements"])
            parts.append(f"\n{section['title'].upper()}\n{words or section['empty_words']}")
        return "\n".join([*parts, "", self.view["made"]])


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
    sections = [
        {
            "id": title.lower(),
            "title": title,
            "decision": "open",
            "text": "",
            "empty_words": "Not assessed.",
            "statements": items,
        }
        for title, items in texts.items()
    ]
    return sections, withheld


def show_wording(wording: Wording) -> View:
    questions = [
        {"activity": activity.value, "parts": [{"heading": part.heading, "text": part.text} for part in parts]}
        for activity, parts in wording.questions.items()
    ]
    return {"language": wording.language, "title": wording.title, "lead": wording.lead, "questions": questions}


# The server --------------------------------------------------------------------------------------------------------


class PageServer:
    """The page and its scripted visits on a free port of localhost."""

    def __init__(self, pace_seconds: float = 0.05) -> None:
        self.pace_seconds = pace_seconds
        self.visits: dict[str, ScriptedVisit] = {}
        self.strays: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/visit/{visit}/", self._page),
                Route("/visit/{visit}/api/view", self._view),
                Route("/visit/{visit}/api/events", self._events),
                Route("/visit/{visit}/api/wording", self._wording),
                Route("/visit/{visit}/api/{path:path}", self._post, methods=["POST"]),
                Route("/frame", self._frame),
                Mount("/page", StaticFiles(directory=PAGE)),
            ]
        )
        self.port = 0

    def visit(self, visit_id: str) -> ScriptedVisit:
        if visit_id not in self.visits:
            self.visits[visit_id] = ScriptedVisit(visit_id, self.pace_seconds)
        return self.visits[visit_id]

    def url(self, visit_id: str) -> str:
        return f"http://localhost:{self.port}/visit/{visit_id}/"

    def frame_url(self, visit_id: str, allow: str = "") -> str:
        """A page on another origin that frames the visit, as an EHR does."""
        return f"http://127.0.0.1:{self.port}/frame?visit={visit_id}&allow={allow}"

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=HEADERS)

    async def _frame(self, request: Request) -> Response:
        allow, visit = request.query_params["allow"], request.query_params["visit"]
        return HTMLResponse(
            f'<!doctype html><html lang="en"><title>EHR</title><h1>Chart</h1>'
            f'<iframe title="Countersign" width="400" height="700" allow="{allow}" src="{self.url(visit)}"></iframe>'
        )

    def _find(self, request: Request) -> ScriptedVisit:
        visit = self.visit(request.path_params["visit"])
        if visit.gone is not None:
            raise Refused(visit.gone, "", "")
        return visit

    async def _view(self, request: Request) -> Response:
        try:
            visit = self._find(request)
            visit.refuse_if_told("view")
            answer = JSONResponse(visit.view, headers=HEADERS)
        except Refused as refused:
            answer = JSONResponse({}, refused.status)
        await asyncio.sleep(self.visit(request.path_params["visit"]).view_after_seconds)
        return answer

    async def _events(self, request: Request) -> Response:
        try:
            return StreamingResponse(self._find(request).follow(), media_type="text/event-stream", headers=HEADERS)
        except Refused as refused:
            return JSONResponse({}, refused.status)

    async def _wording(self, request: Request) -> Response:
        visit, language = self._find(request), request.query_params["language"]
        visit.wordings_asked.append(language)
        if visit.wording_fails:
            error = {"error": {"code": "wording", "message": "The page can't be read now. Try again in a moment."}}
            return JSONResponse(error, 503, headers=HEADERS)
        return JSONResponse(show_wording(WORDINGS[language]), headers=HEADERS)

    async def _post(self, request: Request) -> Response:
        path = request.path_params["path"]
        body: Any
        if path == "dictation":
            body = (request.headers["content-type"], await request.body())
        else:
            body = await request.json()
        try:
            visit = self._find(request)
            visit.take(path, body)
        except Refused as refused:
            error = {"error": {"code": refused.code, "message": refused.message}} if refused.message else {}
            return JSONResponse(error, refused.status, headers=HEADERS)
        return JSONResponse(visit.view, headers=HEADERS)


@contextmanager
def run_server(port: int = 0, pace_seconds: float = 0.05) -> Iterator[PageServer]:
    """Serve in a thread until the block ends."""
    listener = socket.create_server(("127.0.0.1", port))
    page_server = PageServer(pace_seconds)
    page_server.port = listener.getsockname()[1]
    config = uvicorn.Config(page_server.app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield page_server
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def main() -> None:
    """Serve until Ctrl-C and print where."""
    with run_server(port=8123, pace_seconds=0.4) as server:
        for scene in SCENES:
            print(server.url(f"{scene}-1"))
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
