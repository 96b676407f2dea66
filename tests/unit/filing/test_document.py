"""The DocumentReference: preliminary whatever comes in, in US Core's shape, and its text survives the way."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.typed import clean_text
from gateway.ehr.chart import CLINICIAN_UNKNOWN
from gateway.filing.document import AI_LABEL, build_document
from tests.unit.filing.invented import (
    IDENTIFIER,
    VARIETIES,
    make_chart,
    make_encounter,
    make_facts,
    make_note,
    make_site,
)


def build(note=None, chart=None, facts=None, **site):
    return build_document(
        note or make_note(), chart or make_chart(), facts or make_facts(), make_site(**site), IDENTIFIER
    )


def read_text(document) -> str:
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode()


def test_it_has_every_element_of_us_core_and_the_retry_s_identifier() -> None:
    document = build()
    assert document["identifier"] == [{"system": "https://countersign.dev/fhir/note", "value": IDENTIFIER}]
    assert (document["status"], document["docStatus"]) == ("current", "preliminary")
    assert document["type"]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "11506-3",
        "display": "Progress note",
    }
    assert document["category"][0]["coding"][0]["code"] == "clinical-note"
    assert document["subject"] == {"reference": "Patient/invented-patient"}
    assert document["author"] == [{"reference": "Practitioner/invented-clinician", "display": "Dr. Mara Ellison PsyD"}]
    assert document["date"] == "2026-11-23T17:05:00+00:00"
    assert document["context"] == {
        "period": {"start": "2026-11-23T09:00:00-07:00", "end": "2026-11-23T09:50:00-07:00"},
        "encounter": [{"reference": "Encounter/invented-encounter"}],
    }


def test_the_attachment_says_its_size_and_hash() -> None:
    attachment = build()["content"][0]["attachment"]
    data = base64.b64decode(attachment["data"])
    assert attachment["size"] == len(data)
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(data, usedforsecurity=False).digest()
    assert attachment["contentType"] == "text/plain;charset=utf-8"


@pytest.mark.parametrize("variety", ["dictated", "dictated-outline", "typed", "telehealth"])
def test_the_ai_label_is_there_unless_the_site_turns_it_off(variety) -> None:
    kind, facts = VARIETIES[variety]
    assert build(make_note(kind), facts=facts)["meta"]["security"] == [AI_LABEL]
    assert "meta" not in build(make_note(kind), facts=facts, labels=False)


@pytest.mark.parametrize("variety", ["typed-outline", "without-ai"])
def test_a_note_in_the_clinician_s_own_words_has_no_label(variety) -> None:
    kind, facts = VARIETIES[variety]
    assert "meta" not in build(make_note(kind), facts=facts)


def test_an_outline_of_observations_alone_has_no_label() -> None:
    assert "meta" not in build(make_note("outline"), facts=make_facts())


def test_an_outline_of_material_that_nobody_typed_alone_has_one() -> None:
    facts = make_facts("typed notes", "a source of a later version")
    assert build(make_note("outline"), facts=facts)["meta"]["security"] == [AI_LABEL]


@pytest.mark.parametrize(
    ("variety", "description"),
    [
        ("dictated", "Progress note (SOAP), drafted with AI"),
        ("dictated-outline", "Progress note (SOAP), transcribed with AI, arranged by software"),
        ("typed-outline", "Progress note (SOAP), arranged by software"),
        ("without-ai", "Progress note (SOAP)"),
    ],
)
def test_its_description_stays_true_once_it_is_signed(variety, description) -> None:
    kind, facts = VARIETIES[variety]
    assert build(make_note(kind), facts=facts)["description"] == description


def test_a_clinician_without_a_name_is_a_reference_alone() -> None:
    assert build(chart=make_chart(clinician=CLINICIAN_UNKNOWN))["author"] == [
        {"reference": "Practitioner/invented-clinician"}
    ]


@pytest.mark.parametrize(
    ("encounter", "required", "period"),
    [
        ({}, False, {"start": "2026-11-23T09:00:00-07:00", "end": "2026-11-23T09:50:00-07:00"}),
        ({"status": "in-progress"}, False, {"start": "2026-11-23T09:00:00-07:00"}),
        ({"status": "in-progress"}, True, {"start": "2026-11-23T09:00:00-07:00", "end": "2026-11-23T09:50:00-07:00"}),
        ({"end": ""}, False, {"start": "2026-11-23T09:00:00-07:00"}),
        ({"end": ""}, True, {"start": "2026-11-23T09:00:00-07:00", "end": "2026-11-23T17:05:00+00:00"}),
        ({"start": "2026-11-23"}, False, {"start": "2026-11-23", "end": "2026-11-23T09:50:00-07:00"}),
        ({"start": "2026-11", "end": ""}, True, {"start": "2026-11", "end": "2026-11-23T17:05:00+00:00"}),
        ({"start": "2026-12", "end": ""}, True, {"start": "2026-11", "end": "2026-11-23T17:05:00+00:00"}),
        (
            {"start": "2026-11-23T19:00:00Z", "end": "", "status": "planned"},
            True,
            {"start": "2026-11-23T19:00:00+00:00", "end": "2026-11-23T19:00:00+00:00"},
        ),
        (None, False, {"start": "2026-11-23"}),
        (None, True, {"start": "2026-11-23", "end": "2026-11-23T17:05:00+00:00"}),
    ],
)
def test_the_period_is_the_encounter_s_no_finer_and_never_ends_before_it_starts(encounter, required, period) -> None:
    chart = make_chart(None if encounter is None else make_encounter(**encounter))
    context = build(chart=chart, period_end=required)["context"]
    assert context["period"] == period
    assert ("encounter" in context) == (encounter is not None)


@given(
    kind=st.sampled_from(["model", "outline", "none"]),
    text=st.text(st.characters(codec="utf-8"), max_size=400).map(lambda text: f"Words. {text}"),
    name=st.text(st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs"]), max_size=60),
    status=st.sampled_from(["planned", "arrived", "in-progress", "finished", "cancelled", "unknown", "final"]),
    dates=st.sampled_from(["", "2026", "2026-11", "2026-11-23", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00+14:00"]),
    site=st.fixed_dictionaries(
        {"labels": st.booleans(), "period_end": st.booleans(), "unsigned": st.sampled_from(["yes", "no"])},
        optional={"type_display": st.sampled_from(["final", "Psychiatry note"])},
    ),
)
def test_whatever_comes_in_it_is_preliminary_and_its_words_survive(kind, text, name, status, dates, site) -> None:
    chart = make_chart(make_encounter(status=status, start=dates, end=dates), patient_name=name or "N")
    note = make_note(kind, text)
    document = build(note, chart, make_facts("dictation"), **site)
    assert document["docStatus"] == "preliminary"
    assert document["status"] == "current"
    assert document["subject"] == {"reference": "Patient/invented-patient"}
    words = read_text(document)
    assert clean_text(text) in words
    assert "\r" not in words
    assert "\x00" not in words


def test_every_variety_is_a_valid_r4_resource() -> None:
    for kind, facts in VARIETIES.values():
        build(make_note(kind), facts=facts)  # validated inside


def test_a_note_as_long_as_the_review_allows_goes_through() -> None:
    text = "ж" * 200_000
    assert text in read_text(build(make_note(text=text)))
