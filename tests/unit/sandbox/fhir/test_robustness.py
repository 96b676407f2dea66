"""Whatever is asked, the server answers; what it refuses leaves nothing behind."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirRequest, write_json
from gateway.sandbox.fhir.client import FhirClient
from gateway.sandbox.fhir.memory import MemoryBackend
from gateway.sandbox.fhir.parameters import COMMON, PARAMETERS

JSON = {"Content-Type": FHIR_JSON}
_NAMES = sorted({*COMMON, *(name for names in PARAMETERS.values() for name in names), "_sort", "_count", "_offset",
                 "_snapshot", "_include", "_revinclude", "_summary", "bogus"})  # fmt: skip
_WORDS = st.sampled_from(
    ["Patient", "Provenance", "Binary", "Nonsense", "_history", "_search", "1", "anna", "$x", ".."]
)
_VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["1990", "ge1990-01", "Patient/1", "|", "a|b", "\\", ",", "true", "-birthdate", "9" * 400]),
)
_MODIFIERS = st.sampled_from(["", ":exact", ":missing", ":not", ":Patient", ":bogus", ":"])
_PAIRS = st.lists(st.tuples(st.builds(str.__add__, st.sampled_from(_NAMES), _MODIFIERS), _VALUES), max_size=3)
_JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["resourceType", "id", "meta", "name", "gender", "reference", "contained", "extension",
                             "target", "agent", "url", "valueString", "identifier", "period", "start", "tag", "_id"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=10,
)  # fmt: skip


_ELEMENTS = st.sampled_from(
    ["name", "gender", "identifier", "contact", "extension", "contained", "meta", "link", "birthDate", "text", "photo"]
)


def build_filled() -> MemoryBackend:
    backend = MemoryBackend("http://127.0.0.1/fhir")
    patient = {"resourceType": "Patient", "id": "anna", "birthDate": "1990", "name": [{"family": "Invented"}]}
    asyncio.run(FhirClient(backend).update(patient))
    return backend


def check_reply(reply):
    assert reply.status < 500
    if reply.status >= 400:
        assert reply.resource()["resourceType"] == "OperationOutcome"


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "get"]),
    path=st.lists(_WORDS, max_size=4).map("/".join),
    query=_PAIRS,
    headers=st.dictionaries(
        st.sampled_from(["If-Match", "If-None-Exist", "If-None-Match", "If-Modified-Since", "Prefer", "Accept"]),
        _VALUES,
        max_size=2,
    ),
    body=st.one_of(st.binary(max_size=20), _JSON_VALUES.map(lambda value: json.dumps(value).encode())),
)
def test_any_request_is_answered(method, path, query, headers, body):
    request = FhirRequest(method, path, tuple(query), headers | JSON, body)
    check_reply(asyncio.run(build_filled().handle(request)))


@settings(max_examples=150, deadline=None)
@given(elements=st.dictionaries(_ELEMENTS, _JSON_VALUES))
def test_any_body_is_stored_whole_or_refused(elements):
    backend = MemoryBackend("http://127.0.0.1/fhir")
    body = json.dumps({"resourceType": "Patient"} | elements).encode()
    reply = asyncio.run(backend.handle(FhirRequest("POST", "Patient", headers=JSON, body=body)))
    check_reply(reply)
    found = asyncio.run(FhirClient(backend).search("Patient"))
    assert len(found) == (1 if reply.status == 201 else 0)


async def test_of_many_creates_on_one_condition_one_stores(backend):
    body = write_json({"resourceType": "Patient", "identifier": [{"system": "https://example.org", "value": "1"}]})
    headers = JSON | {"If-None-Exist": "identifier=https://example.org|1"}
    request = FhirRequest("POST", "Patient", headers=headers, body=body)
    replies = await asyncio.gather(*(backend.handle(request) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
    assert len({reply.header("location") for reply in replies}) == 1


async def test_what_was_given_out_can_not_change_the_record(backend):
    client = FhirClient(backend)
    stored = await client.update({"resourceType": "Patient", "id": "anna", "name": [{"family": "Invented"}]})
    stored["name"][0]["family"] = "Changed"
    assert (await client.read("Patient", "anna"))["name"] == [{"family": "Invented"}]
