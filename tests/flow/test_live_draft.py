"""A session drafted while it goes on, and the draft moved to another format: through the visit's own API."""

import asyncio
import threading
from typing import Any

import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.heard import HeardPiece
from gateway.capture.scripted import ScriptedTranscriber
from gateway.errors import DraftError
from gateway.note.draft import ModelDrafter
from gateway.note.prompt import read_prompts
from gateway.note.scripted import ScriptedTextModel
from gateway.note.textmodel import Bound
from tests.flow.conftest import FORMATS, OpenVisit, Practice
from tests.flow.test_consent_visit import QUICK, capture, revoke, until
from tests.flow.test_session_visit import read_speech, send

TALK = (
    "I slept about four hours a night since we met, and I woke up early on most mornings.",
    "The meetings on Tuesday were long and my heart was racing, so I left before they were over.",
    "I walked around the block and counted my breaths until it was better, and then I went back inside.",
    "My sister calls me in the evening and we talk about the garden, the children and the dog.",
    "Let's continue the sertraline at fifty milligrams and I want you to keep the sleep diary.",
)
SCRIPT = {
    "Subjective": ["The patient slept about four hours a night.", "The patient was promoted to captain of a ship."],
    "Plan": ["Continue the sertraline at fifty milligrams.", "Keep the sleep diary."],
    "Data": ["The patient slept about four hours a night."],
    "Intervention": ["The clinician played the trombone."],
}
SHOWN = "The patient slept about four hours a night."


class PlainTranscriber(ScriptedTranscriber):
    """Hears the same in both hearings."""

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        return super().hear(samples)


class FailingModel(ScriptedTextModel):
    """Fails at its first question."""

    def ask(self, question: str, heading: str, bound: Bound) -> None:
        if not self.questions:
            self.questions.append(question)
            raise DraftError("draft.engine", "The text model failed; try again, or write the note yourself.")
        super().ask(question, heading, bound)


def make_drafter(model: ScriptedTextModel | None = None) -> ModelDrafter:
    return ModelDrafter(model or ScriptedTextModel(SCRIPT), read_prompts())


async def record(practice: Practice, drafter: ModelDrafter, format_id: str = "soap") -> OpenVisit:
    visit = await practice.open(transcriber=PlainTranscriber(TALK), rules=QUICK, drafter=drafter)
    await visit.post("way", {"way": "record", "format": format_id})
    assert (await capture(visit))["capture"]["state"] == "on"
    await send(visit, read_speech(150))
    return visit


async def end(visit: OpenVisit) -> dict[str, Any]:
    await visit.visit.session.finish({})
    await capture(visit, "stop")
    return await visit.settle("gathering")


def texts(view: dict[str, Any]) -> list[str]:
    return [one["text"] for section in view["sections"] for one in section["statements"]]


async def shown(visit: OpenVisit) -> dict[str, Any]:
    return await until(visit, lambda view: SHOWN in texts(view))


async def draft(visit: OpenVisit, format_id: str = "soap") -> dict[str, Any]:
    assert (await visit.post("draft", {"format": format_id})).status_code == 200
    return await visit.settle("reviewing")


async def test_what_is_checked_stands_there_before_the_session_ends(practice):
    visit = await record(practice, make_drafter())
    view = await until(visit, lambda view: SHOWN in texts(view) and view["withheld"])
    assert (view["phase"], view["capture"]["state"]) == ("gathering", "on")
    assert all(one["segments"] for section in view["sections"] for one in section["statements"])
    assert [one["text"] for one in view["withheld"]] == ["The patient was promoted to captain of a ship."]
    assert ("visit:draft:follow", "") in visit.door.entries


async def test_the_draft_is_the_one_that_is_written_of_the_whole(practice):
    visit = await record(practice, make_drafter())
    await shown(visit)
    await end(visit)
    view = await draft(visit)
    written = make_drafter().write(visit.visit.contents.gather(), FORMATS["soap"], threading.Event())
    withheld = [one["text"] for one in view["withheld"]]
    assert {*texts(view), *withheld} == {statement.text for statement in written}


async def test_what_rested_on_a_struck_stretch_is_gone_at_once_and_from_the_model(practice):
    model = ScriptedTextModel(SCRIPT)
    visit = await record(practice, make_drafter(model))
    await shown(visit)
    await visit.visit.session.strike(1000, 150 * SAMPLE_RATE)
    view = await visit.view()
    assert texts(view) == []
    await until(visit, lambda _: model.texts == [])


@pytest.mark.parametrize("how", ["revoked", "discarded", "cancelled"])
async def test_no_word_of_a_draft_stays_where_its_session_may_not(practice, how):
    model = ScriptedTextModel(SCRIPT)
    visit = await record(practice, make_drafter(model))
    await shown(visit)
    if how == "revoked":
        await revoke(practice, "ada-marlowe-recording")
        await until(visit, lambda view: view["phase"] == "choosing")
    else:
        await visit.post(*{"discarded": ("capture", {"do": "discard"}), "cancelled": ("cancel", {})}[how])
    view = await visit.view()
    assert (texts(view), view["withheld"], view["segments"]) == ([], [], [])
    async with asyncio.timeout(5):
        while model.texts:
            await asyncio.sleep(0.01)
    assert visit.visit.contents.progress == []


async def test_a_model_that_fails_while_people_talk_drafts_at_the_end(practice):
    visit = await record(practice, make_drafter(model := FailingModel(SCRIPT)))
    await until(visit, lambda _: model.questions)
    view = await end(visit)
    assert view["problem"] is None
    assert SHOWN in texts(await draft(visit))


async def test_another_format_at_the_end_moves_what_was_drafted(practice):
    model = ScriptedTextModel(SCRIPT)
    visit = await record(practice, make_drafter(model))
    await shown(visit)
    await end(visit)
    view = await draft(visit, "birp")
    assert [section["id"] for section in view["sections"]] == ["behavior", "intervention", "response", "plan"]
    assert SHOWN in texts(view)
    assert view["format"] == "birp"


async def test_an_observation_that_is_added_later_asks_the_model_for_little(practice):
    model = ScriptedTextModel(SCRIPT)
    visit = await record(practice, make_drafter(model))
    await end(visit)
    before = texts(await draft(visit))
    asked = len(model.questions)
    await visit.post("material")
    await visit.post("typed", {"text": "", "observations": "Her affect was flat and she wept twice."})
    view = await draft(visit)
    assert set(before) <= set(texts(view))
    assert any("affect" in text for text in texts(view))
    assert len(model.questions) - asked <= 2


class TestAnotherFormat:
    """While reviewing."""

    async def test_moves_at_once_and_asks_the_model_for_what_is_new_alone(self, practice):
        model = ScriptedTextModel(SCRIPT)
        visit = await record(practice, make_drafter(model))
        await end(visit)
        await draft(visit)
        model.questions.clear()
        view = (await visit.post("format", {"format": "birp"})).json()
        assert SHOWN in texts(view)
        assert view["open_decisions"] >= 4
        view = await visit.settle("reviewing")
        assert view["format"] == "birp"
        assert SHOWN in texts(view)
        assert all("Intervention" in one or "Response" in one for one in model.questions)
        assert ("visit:draft:start", "") in visit.door.entries

    async def test_to_one_of_the_same_kinds_asks_for_nothing(self, practice):
        model = ScriptedTextModel(SCRIPT)
        visit = await record(practice, make_drafter(model), "birp")
        await end(visit)
        await draft(visit, "birp")
        model.questions.clear()
        view = (await visit.post("format", {"format": "girp"})).json()
        assert (view["phase"], view["working"], model.questions) == ("reviewing", None, [])

    async def test_keeps_her_own_words_and_what_was_withheld(self, practice):
        visit = await record(practice, make_drafter())
        await end(visit)
        view = await draft(visit)
        [withheld] = [one for one in view["withheld"] if "captain" in one["text"]]
        await visit.post("take", {"number": withheld["number"], "text": "She told of a voyage."})
        await visit.post("section", {"id": "plan", "decision": "edited", "text": "We meet again on Monday."})
        await visit.post("section", {"id": "assessment", "decision": "struck"})
        await visit.post("format", {"format": "birp"})
        view = await visit.settle("reviewing")
        by_section = {section["id"]: [one["text"] for one in section["statements"]] for section in view["sections"]}
        assert "She told of a voyage." in by_section["behavior"]
        assert by_section["plan"] == ["We meet again on Monday."]
        assert not any("captain" in one["text"] for one in view["withheld"])
        assert {section["decision"] for section in view["sections"]} == {"open"}

    async def test_that_the_model_fails_at_leaves_what_was_moved(self, practice):
        model = ScriptedTextModel(SCRIPT)
        visit = await record(practice, make_drafter(model))
        await end(visit)
        await draft(visit)

        def fail(*_: object) -> None:
            raise DraftError("draft.engine", "The text model failed; try again, or write the note yourself.")

        model.ask = fail  # type: ignore[method-assign]
        await visit.post("format", {"format": "birp"})
        view = await visit.settle("reviewing")
        assert view["problem"]["code"] == "draft.engine"
        assert SHOWN in texts(view)
        assert view["format"] == "birp"

    @pytest.mark.parametrize("way", ["type", "tidy", "write"])
    async def test_without_a_model_takes_no_asking(self, practice, way):
        visit = await practice.open()
        await visit.post("way", {"way": way, "format": "soap"})
        if way != "write":
            await visit.post("typed", {"text": "She slept well.\nPlan: meet on Monday."})
            await visit.post("draft", {"format": "soap"})
        await visit.settle("reviewing")
        await visit.post("section", {"id": "plan", "decision": "edited", "text": "We meet again on Monday."})
        view = (await visit.post("format", {"format": "birp"})).json()
        assert (view["phase"], view["working"], view["format"]) == ("reviewing", None, "birp")
        assert "We meet again on Monday." in texts(view)
        assert await visit.accept_all()
        assert (await visit.file())["outcome"] == "filed"

    async def test_is_refused_where_there_is_no_review_or_no_such_format(self, practice):
        visit = await practice.open()
        assert (await visit.post("format", {"format": "birp"})).status_code == 409
        await visit.type_note("She slept well.")
        assert (await visit.post("format", {"format": "haiku"})).status_code == 409
        before = (await visit.view())["version"]
        assert (await visit.post("format", {"format": "soap"})).json()["version"] == before


class TestAnotherLanguage:
    """Without reviewed data for it there is no AI draft, and the page says why."""

    async def test_that_is_heard_ends_the_live_draft_and_refuses_another(self, practice):
        drafter = make_drafter(model := ScriptedTextModel(SCRIPT))
        transcriber = PlainTranscriber(TALK, language="es")
        visit = await practice.open(transcriber=transcriber, rules=QUICK, drafter=drafter)
        await visit.post("way", {"way": "record", "format": "soap"})
        await capture(visit)
        await send(visit, read_speech(150))
        view = await until(visit, lambda view: not view["language"]["drafting"])
        assert view["language"]["heard"] == "es"
        assert "Spanish" in view["language"]["words"]
        await end(visit)
        reply = await visit.post("draft", {"format": "soap"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "draft.language")
        view = await visit.view()
        assert (texts(view), view["phase"], model.texts) == ([], "gathering", [])

    async def test_that_was_typed_is_refused_for_a_model_and_not_for_an_outline(self, practice):
        spanish = (
            "La paciente dice que no ha dormido bien en las últimas dos semanas y que se despierta muy temprano. "
            "No tiene ganas de salir de casa, pero habla con su hermana todos los días por la tarde."
        )
        for drafter in (make_drafter(), None):
            visit = await practice.open(drafter=drafter)
            await visit.post("way", {"way": "type", "format": "soap"})
            view = (await visit.post("typed", {"text": spanish})).json()
            assert (view["language"]["code"], view["language"]["drafting"]) == ("es", False)
            reply = await visit.post("draft", {"format": "soap"})
            assert reply.status_code == (200 if drafter is None else 422)
            await visit.post("typed", {"text": "She slept well."})
            assert (await visit.view())["language"]["drafting"] or drafter is None
