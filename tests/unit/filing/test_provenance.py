"""The Provenance: who wrote, who verified, what it was made with, and nothing of what was said."""

import json

import pytest

from gateway.filing.provenance import build_provenance
from tests.unit.filing.invented import VARIETIES, make_chart, make_encounter, make_facts, make_note

TARGET = "DocumentReference/7/_history/1"


def build(kind="model", facts=None, labels=True):
    return build_provenance(make_note(kind), make_chart(), facts or make_facts("dictation"), TARGET, labels)


def roles(provenance) -> list[tuple[str, str]]:
    return [(agent["type"]["coding"][0]["code"], agent["who"]["reference"]) for agent in provenance["agent"]]


@pytest.mark.parametrize(
    ("kind", "agents", "says"),
    [
        (
            "model",
            [("author", "#drafter"), ("verifier", "Practitioner/invented-clinician")],
            "Note drafted by an AI model, reviewed and attested by the clinician (statements: 1 shown, 1 withheld, "
            "0 of them taken over; risk lines: 0 kept, 0 struck; sections: 1 accepted, 2 edited, 1 struck)",
        ),
        (
            "outline",
            [("composer", "#drafter"), ("author", "Practitioner/invented-clinician")],
            "Note arranged by software, reviewed and attested by the clinician (statements: 1 shown, 1 withheld, "
            "0 of them taken over; risk lines: 0 kept, 0 struck; sections: 1 accepted, 2 edited, 1 struck)",
        ),
        (
            "none",
            [("author", "Practitioner/invented-clinician")],
            "Note written and attested by the clinician (sections: 1 accepted, 2 edited, 1 struck)",
        ),
    ],
)
def test_it_names_who_wrote_and_who_verified(kind, agents, says) -> None:
    provenance = build(kind)
    assert provenance["target"] == [{"reference": TARGET}]
    assert roles(provenance) == agents
    assert provenance["activity"]["text"] == says
    assert provenance["activity"]["coding"][0]["code"] == "CREATE"


def test_it_counts_the_lines_of_speech_that_the_clinician_corrected_or_confirmed() -> None:
    note = make_note(lines_settled=2)
    provenance = build_provenance(note, make_chart(), make_facts("dictation"), TARGET, True)
    assert "(lines of speech: 2 corrected or confirmed; statements: 1 shown" in provenance["activity"]["text"]


def test_who_acts_acts_for_the_encounter_s_organization() -> None:
    behalf = {"reference": "Organization/invented-practice"}
    assert [agent["onBehalfOf"] for agent in build()["agent"]] == [behalf, behalf]
    for chart in (make_chart(None), make_chart(make_encounter(organization=""))):
        provenance = build_provenance(make_note(), chart, make_facts("dictation"), TARGET, True)
        assert not any("onBehalfOf" in agent for agent in provenance["agent"])


def test_ai_is_the_reason_where_a_model_had_a_part_in_the_words() -> None:
    labelled = {name for name, (kind, facts) in VARIETIES.items() if "reason" in build(kind, facts)}
    assert labelled == {"dictated", "dictated-outline", "typed", "telehealth"}


def test_a_model_is_an_ai_device_and_named_by_its_hashes() -> None:
    provenance = build("model")
    [device] = provenance["contained"]
    assert device["deviceName"] == [{"name": "Invented text model 1.5B", "type": "model-name"}]
    assert device["type"]["coding"][0]["code"] == "Artificial-Intelligence"
    derived = {
        entity["what"]["display"]: entity["what"]["identifier"]["value"]
        for entity in provenance["entity"]
        if entity["role"] == "derivation"
    }
    assert derived == {"text model": "a" * 64, "prompt": "b" * 64, "note format": "c" * 64}
    assert provenance["reason"][0]["coding"][0]["code"] == "AIAST"


def test_software_without_a_model_is_no_ai_device() -> None:
    provenance = build("outline")
    assert "type" not in provenance["contained"][0]
    assert "text model" not in [entity["what"]["display"] for entity in provenance["entity"]]


def test_without_ai_it_names_no_device_no_material_and_no_reason() -> None:
    assert not {"contained", "entity", "reason"} & set(build("none"))


def test_a_site_without_labels_gets_no_code_that_strict_terminology_refuses() -> None:
    assert "reason" not in build(labels=False)


def test_the_material_is_named_by_its_kind_only() -> None:
    sources = [
        entity["what"]
        for entity in build(facts=make_facts("dictation", "typed notes"))["entity"]
        if entity["role"] == "source"
    ]
    assert sources == [
        {"display": "dictation (transcribed by an AI speech model), to be destroyed after filing"},
        {"display": "typed notes, to be destroyed after filing"},
    ]
    for kind, facts in VARIETIES.values():
        written = json.dumps(build(kind, facts))
        assert "sleep" not in written.lower()
        assert "Marlowe" not in written
