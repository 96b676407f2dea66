"""Everyone in the room, against the table of another hand: every state of the patient, rule, answer and way."""

import itertools
from datetime import UTC, datetime

import pytest

from gateway.consent.activity import Activity
from gateway.consent.asking import PATIENT, AttestedAnswer, Performer
from gateway.consent.decision import Permit, Refusal, accept_attested
from gateway.consent.room import (
    ROLES,
    Present,
    Said,
    add_present,
    answer_for,
    decide_together,
    describe_answers,
    list_present,
)
from gateway.consent.rules import Parties
from gateway.ehr.attendance import Attendee
from gateway.visit.events import Telehealth, Way
from gateway.visit.state import Phase, State, needed_consents
from tests.truth import consent_room as truth
from tests.unit.consent.building import Decide
from tests.unit.consent.test_truth_table import STATES, make

NOW = datetime(2026, 11, 28, 15, tzinfo=UTC)
PARTIES = {rule: Parties(telehealth=rule, recording=rule, ai_drafting=rule) for rule in ("all", "one")}


def present(*answers: str, activity: Activity = Activity.RECORDING) -> tuple[Present, ...]:
    return tuple(
        Present(f"p{number}", f"Person {number}", "other", answers={activity: Said(said)})
        for number, said in enumerate(answers)
    )


@pytest.fixture(scope="module")
def own_answers(rules) -> dict[tuple[Activity, str], Permit | Refusal]:
    """What the patient's record says by itself, for each question and state."""
    decide = Decide(rules)
    return {
        (activity, state): decide(*make(activity, state), activity=activity)
        for activity in Activity
        for state in STATES
    }


@pytest.mark.parametrize("activity", list(Activity))
def test_each_room_is_answered_as_the_table_says(own_answers, rules, activity):
    """936 cases of each question: state, rule, up to two others, an answer attested in the visit."""
    patient = Performer("Patient/p", PATIENT)
    for case in truth.all_cases():
        own = own_answers[activity, case.patient_state]
        if case.attested != "none" and case.attested_counts:
            own = accept_attested(own, AttestedAnswer(activity, case.attested, patient, "spoken", NOW), rules)
        site = rules.model_copy(update={"parties": PARTIES[case.rule]})
        answer = decide_together(own, present(*case.others, activity=activity), site, NOW)
        assert isinstance(answer, Permit) == case.permitted, case
        assert isinstance(own, Permit) or answer is own


def test_all_three_questions_with_everyone_in_the_room_leave_the_ways_of_the_table(own_answers, rules):
    """All 145,152 rooms: states of the three questions, their rules, another's answers, telehealth, to the ways."""
    sites = {
        each: rules.model_copy(
            update={
                "parties": Parties(
                    **{activity.value.replace("-", "_"): rule for activity, rule in zip(Activity, each, strict=True)}
                )
            }
        )
        for each in itertools.product(("all", "one"), repeat=3)
    }
    one_question = {
        (activity, state, each, said): isinstance(
            decide_together(
                own_answers[activity, state], present(*([said] if said else []), activity=activity), sites[each], NOW
            ),
            Permit,
        )
        for activity in Activity
        for state in STATES
        for each in sites
        for said in ("", "yes", "no", "open")
    }
    count = 0
    for room in truth.all_rooms():
        others = room.other or ("", "", "")
        permitted = frozenset(
            activity
            for activity, state, said in zip(Activity, room.states, others, strict=True)
            if one_question[activity, state, room.rules, said]
        )
        assert permitted == room.permitted, room
        state = State(
            Phase.CHOOSING, permitted=permitted, telehealth=Telehealth(room.telehealth), encounter_settled=True
        )
        assert {way.value for way in Way if state.offers(way)} == room.offered, room
        count += 1
    assert count == 145_152


@pytest.mark.parametrize("row", list(truth.ways_table()))
def test_the_ways_that_remain_are_those_of_the_table(row):
    state = State(
        phase=Phase.CHOOSING,
        permitted=frozenset(Activity(one) for one in row.permitted),
        telehealth=Telehealth(row.telehealth),
        encounter_settled=True,
    )
    assert {way.value for way in Way if state.offers(way)} == row.offered


def test_a_no_names_the_role_and_nobody(decide, rules):
    own = decide(*make(Activity.RECORDING, "permit"), activity=Activity.RECORDING)
    partner = Present("p1", "Partner", "recorded", "Iris Quill", answers={Activity.RECORDING: Said.NO})
    answer = decide_together(own, (partner,), rules, NOW)
    assert (answer.code, answer.activity) == ("refused-by-other", Activity.RECORDING)
    assert (answer.decided_at, answer.rules_id) == (NOW, "default")
    assert answer.words == "Partner said no to recording. One no counts for everyone in the room."
    assert answer.grounds == own.grounds


def test_whoever_was_not_asked_is_named_by_role(decide, rules):
    own = decide(*make(Activity.RECORDING, "permit"), activity=Activity.RECORDING)
    people = list_present([Attendee("RelatedPerson/1", "Partner", "Iris"), Attendee("", "Member of the group")])
    assert [(one.kind, one.name) for one in people] == [("recorded", "Iris"), ("recorded", "")]
    answer = decide_together(own, people, rules, NOW)
    assert (answer.code, answer.activity) == ("others-unanswered", Activity.RECORDING)
    assert (answer.grounds, answer.decided_at, answer.rules_id) == (own.grounds, NOW, "default")
    assert answer.words == (
        "Not asked yet about recording: partner, member of the group. Here everyone in the room is asked."
    )


def test_people_are_added_and_answer():
    people = add_present(list_present([Attendee("", "Partner")]), "friend", {Activity.RECORDING: Said.YES})
    assert [(one.id, one.role, one.added) for one in people] == [("p1", "Partner", False), ("p2", "Friend", True)]
    assert [(one.kind, one.name) for one in people] == [("recorded", ""), ("friend", "")]
    people = answer_for(people, "p1", {Activity.RECORDING: Said.NO})
    people = answer_for(people, "p1", {Activity.AI_DRAFTING: Said.YES})
    assert [one.said(Activity.RECORDING) for one in people] == [Said.NO, Said.YES]
    assert describe_answers(people) == ("Partner: recording no, AI drafting yes", "Friend: recording yes")
    assert add_present((), "other", {})[0].id == "p1"
    assert describe_answers(add_present((), "other", {})) == ()


def test_every_role_can_stand_in_the_ledger():
    assert all(kind.replace("-", "").isalpha() and kind.islower() for kind in ROLES)


def test_what_a_way_needs_is_what_the_table_says():
    for way in Way:
        for telehealth in ("yes", "no"):
            needed = truth.needs(way.value, telehealth)
            assert {one.value for one in needed_consents(way, Telehealth(telehealth))} == needed
