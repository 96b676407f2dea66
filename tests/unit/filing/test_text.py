"""The note's words: the head says what the record says and no more, and each sentence stays true once it is signed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.consent.activity import Activity
from gateway.ehr.chart import CLINICIAN_UNKNOWN
from gateway.filing.text import compose_head, compose_text, describe_making
from tests.unit.filing.invented import DRAFTERS, make_chart, make_encounter, make_facts, make_note, make_site


def head(chart, facts=None) -> dict[str, str]:
    return {line.label: line.value for line in compose_head(chart, facts or make_facts())}


def test_the_head_holds_what_a_payer_looks_for_in_this_order() -> None:
    facts = make_facts(permitted=(Activity.TELEHEALTH, Activity.AI_DRAFTING))
    assert list(head(make_chart(), facts).items()) == [
        ("Patient", "Ada Marlowe, MRN LS-1047"),
        ("Born", "17 Apr 1988"),
        ("Date", "23 Nov 2026"),
        ("Start", "09:00 UTC-07:00"),
        ("Stop", "09:50 UTC-07:00"),
        ("Modality", "In person"),
        ("Place", "Linden Street, room 2"),
        ("Participants", "patient; Dr. Mara Ellison PsyD (clinician)"),
        ("Consent on file", "AI drafting, telehealth"),
    ]


@pytest.mark.parametrize(
    ("changes", "date", "start", "stop"),
    [
        ({}, "23 Nov 2026", "09:00 UTC-07:00", "09:50 UTC-07:00"),
        ({"start": "2026-11-23T16:00:00Z", "end": "2026-11-23T16:50:00Z"}, "23 Nov 2026", "16:00 UTC", "16:50 UTC"),
        ({"status": "in-progress"}, "23 Nov 2026", "09:00 UTC-07:00", "09:50 UTC-07:00 (scheduled)"),
        ({"status": "planned"}, "23 Nov 2026", "09:00 UTC-07:00 (scheduled)", "09:50 UTC-07:00 (scheduled)"),
        ({"status": "arrived", "end": ""}, "23 Nov 2026", "09:00 UTC-07:00 (scheduled)", "Not recorded"),
        ({"start": "2026-11-23", "end": "2026-11-23"}, "23 Nov 2026", "Not recorded", "Not recorded"),
        ({"start": "2026-11", "end": ""}, "Nov 2026", "Not recorded", "Not recorded"),
        ({"start": "2026", "end": ""}, "2026", "Not recorded", "Not recorded"),
        ({"start": "", "end": ""}, "23 Nov 2026 (of writing)", "Not recorded", "Not recorded"),
        ({"start": ""}, "23 Nov 2026 (of writing)", "Not recorded", "09:50 UTC-07:00"),
        (
            {"start": "2026-11-23T23:30:00Z", "end": "2026-11-24T00:20:00Z"},
            "23 Nov 2026",
            "23:30 UTC",
            "24 Nov 2026, 00:20 UTC",
        ),
    ],
)
def test_times_are_as_the_encounter_has_them_and_plans_are_marked(changes, date, start, stop) -> None:
    found = head(make_chart(make_encounter(**changes)))
    assert (found["Date"], found["Start"], found["Stop"]) == (date, start, stop)


def test_without_an_encounter_the_head_says_what_is_not_recorded() -> None:
    found = head(make_chart(None), make_facts(telehealth="unknown"))
    assert found["Date"] == "23 Nov 2026 (of writing)"
    assert {found[label] for label in ("Start", "Stop", "Modality", "Place")} == {"Not recorded"}
    assert found["Participants"] == "patient; Dr. Mara Ellison PsyD (clinician)"


def test_an_evening_visit_that_the_record_has_in_utc_keeps_its_day_in_the_practice_s_zone() -> None:
    evening = make_chart(make_encounter(start="2026-11-24T01:00:00Z", end="2026-11-24T01:50:00Z"))
    assert head(evening)["Date"] == "24 Nov 2026"
    local = head(evening, make_facts(zone=ZoneInfo("America/Denver")))
    assert (local["Date"], local["Start"], local["Stop"]) == ("23 Nov 2026", "18:00 MST", "18:50 MST")


def test_the_day_of_writing_is_the_practice_s_day() -> None:
    facts = make_facts(zone=ZoneInfo("Pacific/Auckland"))
    assert facts.started_at == datetime(2026, 11, 23, 16, 40, tzinfo=UTC)
    assert head(make_chart(None), facts)["Date"] == "24 Nov 2026 (of writing)"


@pytest.mark.parametrize(
    ("named", "participants"),
    [
        ((), ["Dr. Mara Ellison PsyD (clinician)"]),
        (("Dr. Mara Ellison PsyD",), ["Dr. Mara Ellison PsyD (clinician)"]),
        (("Ellison, Mara",), ["Dr. Mara Ellison PsyD (clinician)"]),
        (("Marlowe, Ada", "Ben Marlowe"), ["Dr. Mara Ellison PsyD (clinician)", "Ben Marlowe"]),
        (("Dr. Tomas Vance MD", "Mara"), ["Dr. Mara Ellison PsyD (clinician)", "Dr. Tomas Vance MD", "Mara"]),
    ],
)
def test_each_participant_is_named_once_and_the_patient_not_by_name_again(named, participants) -> None:
    chart = make_chart(make_encounter(participants=named))
    assert head(chart)["Participants"].split("; ") == ["patient", *participants]


def test_a_clinician_without_a_name_is_named_by_what_she_is() -> None:
    found = head(make_chart(make_encounter(participants=()), clinician=CLINICIAN_UNKNOWN))
    assert found["Participants"] == "patient; the clinician signed in to the EHR"


def test_a_birth_date_that_is_not_recorded_is_said_to_be() -> None:
    assert head(make_chart(birth_date=""))["Born"] == "Not recorded"


@pytest.mark.parametrize(
    ("kind", "sources", "begins"),
    [
        (
            "model",
            ("dictation", "typed notes"),
            "An AI model (Invented text model 1.5B, run by Countersign 0.1.0) drafted this note from the clinician's "
            "dictation (transcribed by an AI speech model) and typed notes; the clinician reviewed each section",
        ),
        (
            "outline",
            ("typed notes",),
            "Software without a language model (Countersign 0.1.0) arranged this note from the clinician's typed ",
        ),
        ("model", (), "An AI model (Invented text model 1.5B, run by Countersign 0.1.0) drafted this note from the "),
        ("none", (), "The clinician wrote this note without AI;"),
    ],
)
def test_one_sentence_says_how_the_note_was_made(kind, sources, begins, monkeypatch) -> None:
    monkeypatch.setattr("gateway.filing.text.__version__", "0.1.0")
    made = describe_making(DRAFTERS[kind], make_facts(*sources))
    assert made.startswith(begins)
    assert made.endswith("only the clinician's signature in the record makes it final.")


def test_the_text_is_title_head_sections_and_how_it_was_made() -> None:
    parts = compose_text(make_note(), make_chart(), make_facts("dictation"), make_site().note).split("\n\n")
    assert parts[0] == "Progress note (SOAP)"
    assert parts[1].startswith("Patient: Ada Marlowe, MRN LS-1047\nBorn: 17 Apr 1988\n")
    assert parts[2] == "SUBJECTIVE\nThe patient sleeps five hours a night since March."
    assert [part.split("\n")[0] for part in parts[2:-1]] == ["SUBJECTIVE", "OBJECTIVE", "PLAN"]
    assert parts[-1].startswith("How this note was made: An AI model")
    assert parts[-1].endswith(".\n")


def test_nothing_in_the_text_turns_false_when_the_note_is_signed() -> None:
    for kind in DRAFTERS:
        text = compose_text(make_note(kind), make_chart(), make_facts(), make_site().note).lower()
        assert "unsigned" not in text
        assert "draft note" not in text
        assert "preliminary" not in text
