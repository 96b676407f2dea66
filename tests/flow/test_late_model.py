"""A text model that is loaded with the first draft, in the visit: while people talk, once, in the models' thread."""

import asyncio
import threading

from gateway.errors import ModelError
from gateway.note.draft import ModelDrafter
from gateway.note.late import LateDrafter
from gateway.note.prompt import read_prompts
from tests.flow.test_live_draft import SHOWN, draft, end, make_drafter, record, shown, texts


class Loading:
    """Makes the drafter; keeps where, and fails so often first."""

    def __init__(self, failures: int = 0) -> None:
        self.threads: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self._failures = failures

    def __call__(self) -> ModelDrafter:
        self.threads.append(threading.current_thread().name)
        assert self.go_on.wait(30)
        if len(self.threads) <= self._failures:
            raise ModelError("model.gpu", "The text model could not be loaded onto the GPU.")
        return make_drafter()


def make_late(loading: Loading) -> LateDrafter:
    return LateDrafter("Late", "ab" * 32, read_prompts().sha256, loading)


async def test_it_is_loaded_once_in_the_models_thread_and_not_while_the_visit_opens(practice):
    loading = Loading()
    visit = await practice.open(drafter=make_late(loading))
    assert (await visit.view())["drafter"] == {"kind": "model", "label": "Late"}
    assert loading.threads == []
    visit = await record(practice, make_late(loading))
    await shown(visit)
    await end(visit)
    assert SHOWN in texts(await draft(visit))
    assert len(loading.threads) == 1
    assert loading.threads[0].startswith("models")


async def test_where_it_can_not_be_loaded_while_people_talk_the_draft_tries_again(practice):
    loading = Loading(failures=1)
    visit = await record(practice, make_late(loading))
    await end(visit)
    assert SHOWN in texts(await draft(visit))
    assert len(loading.threads) == 2


async def test_where_it_can_not_be_loaded_the_clinician_is_told_and_what_was_said_stands(practice):
    visit = await record(practice, make_late(Loading(failures=2)))
    view = await end(visit)
    assert (await visit.post("draft", {"format": "soap"})).status_code == 200
    told = await visit.settle("gathering")
    assert told["problem"]["code"] == "model.gpu"
    assert told["segments"] == view["segments"]


async def test_a_session_that_was_discarded_while_it_loaded_is_not_followed(practice):
    loading = Loading()
    loading.go_on.clear()
    visit = await record(practice, make_late(loading))
    while not loading.threads:
        await asyncio.sleep(0.01)
    await visit.visit.discard_capture()
    loading.go_on.set()
    await visit.settle("gathering")
    await visit.visit._models.run(lambda: None)  # the thread has come to the end of what waited
    await asyncio.sleep(0.1)
    assert not visit.visit.drafting._follows
    assert ("visit:draft:follow", "") not in visit.door.entries
