"""What may be taken as an answer: who may give it, when, and what an attested one counts for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.consent.activity import Activity
from gateway.consent.asking import (
    AskedAnswers,
    AttestedAnswer,
    Performer,
    attest_answers,
    check_answers,
    list_performers,
)
from gateway.consent.decision import Permit, Refusal, accept_attested
from gateway.consent.question import find_majority
from gateway.consent.rules import Coding, ConsentRules, Proxies
from gateway.ehr.chart import PatientSummary
from gateway.errors import ConsentNotTaken
from tests.unit.consent.building import AI, NOW, RECORDING, ROLE_CODE, build, change_rules, other, provision, refused
from tests.unit.consent.test_question import make_chart

MTH, FTH, GUARD = (Coding(system=ROLE_CODE, code=code) for code in ("MTH", "FTH", "GUARD"))
ADULT = PatientSummary("1", "Invented", "1980-05-01", "female", ())
CHILD = PatientSummary("1", "Invented", "2015-05-01", "female", ())
LANGUAGES = ("en", "es")


def related(id_: str, code: str = "MTH", display: str = "", **more: Any) -> dict[str, Any]:
    coding = {"system": ROLE_CODE, "code": code} | ({"display": display} if display else {})
    return {"resourceType": "RelatedPerson", "id": id_, "relationship": [{"coding": [coding]}], **more}


def accept_proxies(rules: ConsentRules, **proxies: Any) -> ConsentRules:
    return change_rules(rules, proxies=Proxies(**proxies).model_dump())


def make_asked(**changes: Any) -> AskedAnswers:
    given = {
        "language": "en",
        "performer": "Patient/1",
        "how": "spoken",
        "witness": "clinician",
        "given_at": None,
        "answers": {RECORDING: "yes"},
    }
    return AskedAnswers(**(given | changes))


# Who may answer -----------------------------------------------------------------------------------------------------


def test_the_patient_of_age_answers_alone(rules):
    chart = make_chart(patient=ADULT, related=(related("mother"),))
    assert list_performers(chart, rules, NOW) == (Performer("Patient/1", "The patient"),)


def test_for_a_minor_answers_whom_the_site_accepts(rules):
    site = accept_proxies(rules, of_minors=(MTH, FTH, GUARD))
    people = (
        related("a"),
        related("b", "AUNT"),
        related("c", "FTH", active=False),
        related("d", "GUARD"),
        {"resourceType": "RelatedPerson", "id": "e", "relationship": [{"text": "mother"}]},
        {"resourceType": "RelatedPerson", "id": "f"},
        related("g", 7),
    )
    found = list_performers(make_chart(patient=CHILD, related=people), site, NOW)
    assert found == (Performer("RelatedPerson/a", "Mother"), Performer("RelatedPerson/d", "Guardian"))


def test_a_minor_answers_where_the_site_says_so(rules):
    site = accept_proxies(rules, minors_answer_themselves=True)
    assert [one.label for one in list_performers(make_chart(patient=CHILD), site, NOW)] == ["The patient"]


def test_the_patient_answers_from_the_instant_of_coming_of_age(rules):
    chart = make_chart(patient=CHILD)
    majority = find_majority(CHILD.birth_date, rules)
    assert list_performers(chart, rules, majority - timedelta(microseconds=1)) == ()
    assert list_performers(chart, rules, majority) == (Performer("Patient/1", "The patient"),)


def test_two_of_the_same_relation_are_told_apart(rules):
    site = accept_proxies(rules, of_minors=(MTH,))
    chart = make_chart(patient=CHILD, related=(related("a"), related("b")))
    assert [one.label for one in list_performers(chart, site, NOW)] == ["Mother 1", "Mother 2"]


@pytest.mark.parametrize(("display", "label"), [("Foster mother", "Foster mother"), ("", "A related person")])
def test_a_relation_that_is_not_known_here_is_worded_as_in_the_record(rules, display, label):
    site = accept_proxies(rules, of_adults=(Coding(system=ROLE_CODE, code="FOST"),))
    chart = make_chart(patient=ADULT, related=(related("a", "FOST", display),))
    assert [one.label for one in list_performers(chart, site, NOW)] == ["The patient", label]


# What is taken ------------------------------------------------------------------------------------------------------


def fail(rules: ConsentRules, chart: Any = None, **changes: Any) -> str:
    with pytest.raises(ConsentNotTaken) as caught:
        check_answers(make_asked(**changes), chart or make_chart(patient=ADULT), rules, LANGUAGES, NOW)
    assert caught.value.public.endswith(".")
    assert (caught.value.status, caught.value.written) == (422, ())
    return caught.value.code


def test_an_answer_of_just_now_is_taken_as_it_is(rules):
    asked = make_asked()
    assert check_answers(asked, make_chart(patient=ADULT), rules, LANGUAGES, NOW) is asked


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"answers": {}}, "consent.nothing-answered"),
        ({"language": "fr"}, "consent.language"),
        ({"performer": "Patient/2"}, "consent.performer"),
        ({"performer": "RelatedPerson/a"}, "consent.performer"),
        ({"performer": "Patient/2", "answers": {RECORDING: "no"}}, "consent.performer"),
        ({"given_at": NOW + timedelta(seconds=1)}, "consent.moment"),
        ({"given_at": NOW - timedelta(hours=24, seconds=1)}, "consent.moment"),
        ({"given_at": NOW.replace(tzinfo=None)}, "consent.moment"),  # the rules of the tests know no zone
    ],
)
def test_what_is_no_answer_is_refused_with_the_reason(rules, changes, code):
    assert fail(rules, **changes) == code


def test_a_minor_says_no_but_not_yes(rules):
    chart = make_chart(patient=CHILD)
    assert fail(rules, chart) == "consent.performer"
    assert fail(rules, chart, answers={RECORDING: "no", AI: "yes"}) == "consent.performer"
    no = make_asked(answers={RECORDING: "no"})
    assert check_answers(no, chart, rules, LANGUAGES, NOW) is no


@pytest.mark.parametrize("given_at", [NOW, NOW - timedelta(hours=24)])
def test_the_last_day_is_taken(rules, given_at):
    there = make_asked(given_at=given_at.astimezone(ZoneInfo("America/Denver")))
    checked = check_answers(there, make_chart(patient=ADULT), rules, LANGUAGES, NOW)
    assert (checked.given_at, checked.given_at.tzinfo) == (given_at, UTC)


def test_a_moment_without_a_zone_is_the_practice_s(rules):
    site = change_rules(rules, time_zone="America/Denver")
    asked = make_asked(given_at=datetime(2026, 11, 23, 7, 30))
    checked = check_answers(asked, make_chart(patient=ADULT), site, LANGUAGES, NOW)
    assert checked.given_at == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


# Attested -----------------------------------------------------------------------------------------------------------


def attest(rules: ConsentRules, **changes: Any) -> AttestedAnswer:
    [attested] = attest_answers(make_asked(**changes), make_chart(patient=ADULT), rules, LANGUAGES, NOW)
    return attested


def test_each_answer_is_attested_by_itself(rules):
    asked = make_asked(answers={RECORDING: "yes", AI: "no"}, how="signed", given_at=NOW - timedelta(minutes=5))
    found = attest_answers(asked, make_chart(patient=ADULT), rules, LANGUAGES, NOW)
    assert [(one.activity, one.says) for one in found] == [(RECORDING, "yes"), (AI, "no")]
    assert {(one.how, one.given_at) for one in found} == {("signed", NOW - timedelta(minutes=5))}
    assert attest(rules).given_at == NOW


def test_a_minor_s_own_no_is_attested_as_hers(rules):
    no = make_asked(answers={RECORDING: "no"})
    [attested] = attest_answers(no, make_chart(patient=CHILD), rules, LANGUAGES, NOW)
    assert (attested.says, attested.performer) == ("no", Performer("Patient/1", "The patient"))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("spoken", "answered aloud in this visit, attested by the clinician"),
        ("signed", "signed on paper in this visit, attested by the clinician"),
    ],
)
def test_an_attested_yes_counts_where_the_record_is_silent(decide, rules, how, words):
    permit = accept_attested(decide(activity=RECORDING), attest(rules, how=how), rules)
    assert isinstance(permit, Permit)
    assert permit.words == f"The patient said yes to recording, {words}."
    [ground] = permit.grounds
    assert (ground.reference, ground.effect) == ("this visit", "permit")
    assert ground.words == f"The patient said yes to recording: {words}."
    assert (permit.until, permit.decided_at, permit.rules_id) == (None, NOW, "default")


def test_an_attested_yes_counts_where_the_yes_of_the_record_is_over(decide, rules):
    over = build(provision=provision(about="recording", period={"end": "2026-11-10"}))
    permit = accept_attested(decide(over, activity=RECORDING), attest(rules), rules)
    assert isinstance(permit, Permit)
    assert [ground.effect for ground in permit.grounds] == ["permit", "ignored"]


@pytest.mark.parametrize(
    ("consents", "problems"),
    [
        ([build(provision=provision("deny", "recording"))], ()),
        ([build(provision=provision(about="recording"), status="inactive")], ()),
        ([build(scope=None)], ()),
        ([build(provision=provision(about="recording", period={"start": "2027-01-01"}))], ()),
        ([], ("A page failed.",)),
        ([build(provision=provision(about="recording", period={"end": "2026-11-10"}))], ("A page failed.",)),
    ],
)
def test_an_attested_yes_counts_over_nothing_else(decide, rules, consents, problems):
    decided = decide(*consents, activity=RECORDING, problems=problems)
    assert isinstance(decided, Refusal)
    assert accept_attested(decided, attest(rules), rules) is decided


def test_an_attested_yes_leaves_the_record_s_own_yes_as_it_is(decide, rules):
    decided = decide(build(provision=provision(about="recording")), activity=RECORDING)
    assert accept_attested(decided, attest(rules), rules) is decided


def test_an_attested_yes_names_no_label(decide, rules):
    site = change_rules(rules, sensitive_labels=[{"system": "urn:site", "code": "PSY"}])
    decided = decide(activity=RECORDING)
    assert accept_attested(decided, attest(site), site) is decided


@pytest.mark.parametrize(
    "consents", [[], [build(provision=provision(about="recording"))], [build(scope=None), other()]]
)
def test_an_attested_no_always_counts(decide, rules, consents):
    decided = decide(*consents, activity=RECORDING)
    refusal = accept_attested(decided, attest(rules, answers={RECORDING: "no"}), rules)
    refused(refusal, "refused", "The patient said no to recording in this visit.")
    assert refusal.grounds[0].effect == "deny"
    assert refusal.grounds[1:] == decided.grounds


def test_an_answer_to_another_question_is_a_fault(decide, rules):
    with pytest.raises(ValueError, match="another question"):
        accept_attested(decide(activity=Activity.TELEHEALTH), attest(rules), rules)
