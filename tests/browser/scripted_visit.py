"""A visit by the book, for the page's own tests: what each call of the page does to its view, and what takes time."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.browser.page_scenes import HOSTILE, NEEDS, SCENES, View, consent, plain_view, ways
from tests.browser.scripted_draft import script_draft, script_format, statement
from tests.browser.scripted_lines import SPOKEN, UNCLEAR, complete_line, list_to_listen, make_sound, segment
from tests.browser.scripted_sound import ScriptedSound

LINE_SECONDS = 1.0  # of a session's sound, until it is transcribed


class Refused(Exception):
    """The visit says no, with a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


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
        self.sound = ScriptedSound(self._hear, self._may_hear)
        self.heard: list[View] = list_to_listen() if self.scene == "listening" else []  # lines of the session so far
        self.dictated: list[View] = []
        self.played: list[int] = []  # lines whose sound was asked for
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
        elif body["do"] == "discard":
            self.heard = []
            self.set_capture("off")
            self._number()
        else:
            self.set_capture("paused" if body["do"] == "pause" else "off")

    def _segment(self, body: View) -> None:
        line, shown = self._find_line(body["number"]), self.view["segments"][body["number"] - 1]
        if self.view["phase"] not in ("gathering", "reviewing"):
            raise Refused(409, "not-now", "No line can be decided right now.")
        if shown["text"] != body["heard"]:
            raise Refused(409, "line.changed", "This line has changed since the page showed it. Look at it again.")
        if not body["text"].strip() and shown["look"] != "missed" and shown["text"]:
            raise Refused(422, "line.empty", "A line that was understood can't be emptied.")
        text = body["text"].strip().removeprefix("…")  # what stands for a hearing without words
        line |= {"text": text, "settled": True, "unclear": False, "heard_also": ""}
        for section in self.view["sections"]:
            if any(body["number"] in item["segments"] for item in section["statements"]):
                section["decision"] = "open"  # what rests on it is read again
        self._number()
        self._count()

    def _format(self, body: View) -> None:
        if self.view["phase"] != "reviewing":
            raise Refused(409, "not-now", "There is no draft to review right now.")
        before = self.view["sections"]
        self.change(format=body["format"], sections=script_format(body["format"], before))
        self._count()
        if body["format"] == "birp":
            self._later(self._write_rest())

    def _way(self, body: View) -> None:
        way = next(item for item in self.view["ways"] if item["id"] == body["way"])
        if not way["offered"]:
            raise Refused(409, "not-offered", "This way of working is not permitted for this patient.")
        self.change(way=body["way"], format=body["format"], phase="gathering", taken_back=None)
        if body["way"] == "write":
            self._finish_draft([], [])
        elif self.heard:
            self._number()

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
        if self.view["drafter"]["kind"] == "model" and not self.view["language"]["drafting"]:
            raise Refused(409, "draft.language", self.view["language"]["words"])
        self.change(phase="drafting", format=body["format"])
        self._later(self._write_draft())

    def _material(self, body: View) -> None:
        self.change(
            phase="gathering", sections=[], withheld=[], open_decisions=0, working=None, marks=[], sound_until=None
        )

    def _section(self, body: View) -> None:
        for section in self.view["sections"]:
            if section["id"] == body["id"]:
                section["decision"] = body["decision"]
                section["text"] = body.get("text", section["text"])
        self._count()

    def _risk(self, body: View) -> None:
        for section in self.view["sections"]:
            for item in section["statements"]:
                if item["number"] == body["number"]:
                    item["risk_decision"] = body["decision"]
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

    def _may_hear(self) -> bool:
        return self.view["capture"]["state"] != "off"  # a line may come back while consent is read again

    def _hear(self) -> None:
        """A frame of the session came: what was said is transcribed while it goes on."""
        if self.sound.seconds < LINE_SECONDS * (len(self.heard) + 1):
            return
        place = len(self.heard)
        line = segment(0, "session", SPOKEN[place % len(SPOKEN)], place * LINE_SECONDS, place + 1 in UNCLEAR)
        self.hear(speaker="unknown", channel="room", **{key: line[key] for key in ("text", "start_seconds", "unclear")})

    def hear(self, **fields: Any) -> None:
        """One more line of the session, in these fields otherwise than a plain one."""
        plain = segment(0, "session", "", 0.0) | {"channel": "room", "heard_also": "", "confidence": 0.9}
        self.heard.append(plain | fields)
        self._number()

    def play(self, number: int) -> bytes:
        """The sound of a line, as a WAV file."""
        self.refuse_if_told("sound")
        self.played.append(number)
        if not 0 < number <= len(self.view["segments"]) or not self.view["segments"][number - 1]["sound"]:
            raise Refused(404, "sound.gone", "The sound of this line is gone.")
        return make_sound(number)

    def let_sound_go(self) -> None:
        """The time is over for all lines that need not be decided."""
        for number, line in enumerate([*self.heard, *self.dictated], start=1):
            line["sound"] = number in self.view["marks"]
        self.view["sound_until"] = None
        self._number()

    def draft_so_far(self, *texts: str) -> None:
        """What is drafted and checked while people talk."""
        sections, withheld = script_draft("empty", [])[0], script_draft("", [])[1][:1]
        for number, text in enumerate(texts, start=1):
            sections[number % 4]["statements"].append(statement(number, text, [number]))
        self.change(sections=sections, withheld=withheld)

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
        self.heard = []
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
        spoken: tuple[str, ...] = SPOKEN * 6 if self.scene == "long" else SPOKEN
        if self.scene == "righttoleft":
            spoken = ("המטופלת מדווחת על שינה של חמש שעות בלילה 😴", "المزاج أفضل قليلا من قبل أسبوعين", *SPOKEN)
        if self.scene == "hostile":
            spoken = (HOSTILE, *SPOKEN)
        self.dictated = [
            segment(0, "dictation", text, place * 4.2, place + 1 in UNCLEAR) for place, text in enumerate(spoken)
        ]
        self.change(working=None)
        self._number()

    async def _write_rest(self) -> None:
        """What only the new format asks for."""
        working = {"what": "drafting", "done": 0.0, "words": "Drafting what only BIRP asks for"}
        self.change(phase="drafting", working=working)
        await asyncio.sleep(self.pace_seconds * 10)
        if self.view["phase"] == "drafting":
            self.view["sections"][1]["statements"].append(statement(80, "Asked about thoughts of suicide.", [4]))
            self.change(phase="reviewing", working=None)
            self._count()

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
        spoken = [*self.heard, *self.dictated]
        self.change(phase="reviewing", working=None, sound_until="2026-11-23T10:12:00Z" if spoken else None)
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
        """Number the lines again: what was recorded, dictated and typed."""
        spoken = [*self.heard, *self.dictated]
        lines: list[View] = [line | {"number": place} for place, line in enumerate(spoken, start=1)]
        for source, words in (
            ("typed", self.view["typed"]["text"]),
            ("observation", self.view["typed"]["observations"]),
        ):
            for text in filter(str.strip, words.splitlines()):
                lines.append(segment(len(lines) + 1, source, text.strip()))
        self.change(segments=[complete_line(line) for line in lines])

    def _find_line(self, number: int) -> View:
        spoken = [*self.heard, *self.dictated]
        if not 0 < number <= len(spoken):
            raise Refused(409, "line.typed", "That line was typed. Change it in the notes that it was typed in.")
        return spoken[number - 1]

    def _count(self) -> None:
        sections = self.view["sections"]
        rests = {line for section in sections for item in section["statements"] for line in item["segments"]}
        marks = [
            line["number"]
            for line in self.view["segments"]
            if line["look"] in ("two-ways", "missed") or (line["look"] == "unclear" and line["number"] in rests)
        ]
        undecided = sum(section["decision"] == "open" for section in sections)
        risk = sum(
            item["risk"] and item["risk_decision"] is None for section in sections for item in section["statements"]
        )
        self.change(open_decisions=undecided + risk + len(marks), marks=marks)

    def note_text(self) -> str:
        parts = [f"{item['label']}: {item['value']}" for item in self.view["head"]]
        for section in self.view["sections"]:
            words = section["text"] or "\n".join(item["text"] for item in section["statements"])
            parts.append(f"\n{section['title'].upper()}\n{words or section['empty_words']}")
        return "\n".join([*parts, "", self.view["made"]])
