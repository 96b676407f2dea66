"""An error that nobody expected: its text may be a patient's, so nothing of it gets anywhere."""

import logging
import subprocess
import sys

import httpx
import pytest
from fhir.resources.R4B.patient import Patient
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from gateway.settings import ROOT
from gateway.visit.faults import FaultGuard, locate_fault

SAID = "Ada Marlowe wants to end her life"
log = logging.getLogger("countersign.test")


class Typed(BaseModel):
    age: int


async def in_a_url(_):
    await httpx.AsyncClient(trust_env=False).get(f"http://127.0.0.1:1/Patient?name={SAID}")


async def in_a_model(_):
    Typed.model_validate({"age": SAID})


async def in_a_resource(_):
    Patient.model_validate({"resourceType": "Patient", "birthDate": SAID})


async def in_a_key(_):
    {}[SAID]


async def in_the_middle(_):
    async def say():
        yield b"so far"
        raise ValueError(SAID)

    return StreamingResponse(say())


KINDS = {function.__name__: function for function in (in_a_url, in_a_model, in_a_resource, in_a_key, in_the_middle)}


@pytest.fixture
def http():
    guarded = Starlette(routes=[Route(f"/{name}", function) for name, function in KINDS.items()])
    sentence = JSONResponse({"said": "one sentence"}, 500)
    guarded.add_middleware(FaultGuard, answer=lambda _: sentence, log=log, event="test.fault")
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://test")


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "in_the_middle"])
async def test_its_kind_and_place_are_logged_and_a_sentence_is_answered(http, caplog, kind):
    reply = await http.get(f"/{kind}")
    assert (reply.status_code, reply.json()) == (500, {"said": "one sentence"})
    own = [record.getMessage() for record in caplog.records if record.name == "countersign.test"]
    assert len(own) == 1
    assert own[0].startswith("test.fault error=")
    assert SAID not in own[0]
    assert "Marlowe" not in own[0]


async def test_an_answer_that_breaks_off_is_no_whole_one(http, caplog):
    with pytest.raises(ConnectionAbortedError) as caught:
        await http.get("/in_the_middle")
    assert caught.value.__cause__ is None
    assert SAID not in str(caught.value)
    assert SAID not in caplog.text


def test_the_place_is_in_the_gateways_own_code_where_that_was_on_the_way():
    from gateway.configuration import read_table

    with pytest.raises(AttributeError) as caught:
        read_table(None)
    assert locate_fault(caught.value.__traceback__).startswith("configuration.py:")
    assert locate_fault(None) == "unknown"


PROCESS = """
import asyncio, logging, sys, threading, warnings
from gateway.front.environment import set_up_logging
said = sys.argv[1]
set_up_logging()
warnings.simplefilter("always")
warnings.warn(said)

class Unraisable:
    def __del__(self):
        raise ValueError(said)

def fail():
    raise ValueError(said)

async def fail_later():
    asyncio.create_task(asyncio.to_thread(fail))
    await asyncio.sleep(0.1)

failing = threading.Thread(target=fail)
failing.start()
failing.join()
Unraisable()
asyncio.run(fail_later())
for name in ("httpx", "uvicorn.error", "asyncio", "sqlalchemy"):
    logging.getLogger(name).error("%s", said)
logging.getLogger("countersign").error("a line with too few %s %s", said)
fail()
"""


def test_a_process_says_nothing_of_what_its_errors_and_warnings_were_given():
    process = subprocess.run(
        [sys.executable, "-c", PROCESS, SAID], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    said = process.stdout + process.stderr
    assert process.returncode == 1
    assert said.count("process.fault error=ValueError at=") == 3
    assert "Marlowe" not in said
    assert "Traceback" not in said
