"""Decisions, one property of Consent at a time, with the words that a clinician reads. Unknown means no."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.consent.codes import (
    ACT_CODE,
    ACT_REASON,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    CONSENT_SCOPE,
    LOINC,
    PARTICIPATION,
)
from gateway.consent.decision import MAKER, Ground, Permit, Related
from gateway.consent.reading import OWN_CONSENTS
from gateway.proof import ForgedProof
from tests.unit.consent.building import (
    AI,
    CLINIC,
    CLINICIAN,
    GATEWAY,
    NOW,
    OPT_IN,
    OPT_OUT,
    RECORDING,
    ROLE_CODE,
    SITE,
    TELEHEALTH,
    TREAT,
    actor,
    add_answer,
    build,
    coding,
    concept,
    other,
    permitted,
    provision,
    refused,
)

RESEARCH = (ACT_REASON, "HRESCH")
PSY = (ACT_CODE, "PSY")
MOTHER = {"RelatedPerson/1": Related(frozenset([(ROLE_CODE, "MTH")]))}
BY_MOTHER = [{"reference": "RelatedPerson/1"}]
EXTENSION = [{"url": "https://example.org/not", "valueBoolean": True}]


def policy(code: tuple[str, str]) -> dict[str, Any]:
    return concept(code[1], code[0])


def typed(kind: str, **more: Any) -> dict[str, Any]:
    """An exception inside a provision that names the activity already."""
    return {"type": kind, **more}


# The answer ---------------------------------------------------------------------------------------------------------


def test_permits_what_an_active_consent_permits_by_code(decide):
    permit = permitted(decide(build(meta={"versionId": "3"})))
    assert permit.words == "The patient said yes to AI drafting on 3 Nov 2026."
    assert permit.grounds == (
        Ground("Consent/7/_history/3", "permit", "Consent/7/_history/3 permits AI drafting on 3 Nov 2026."),
    )
    assert permit.until is None
    assert permit.holds_at(NOW + timedelta(days=9999))
    assert (permit.rules_id, permit.activity, permit.decided_at) == ("default", AI, NOW)


@pytest.mark.parametrize(
    ("date", "words"),
    [("2026-10", " in Oct 2026"), ("2025", " in 2025"), ("2026-11-03T10:00:00Z", " on 3 Nov 2026"), (None, "")],
)
def test_says_when_as_precisely_as_the_record_does(decide, date, words):
    assert permitted(decide(build(dateTime=date))).words == f"The patient said yes to AI drafting{words}."


def test_no_answer_answers_another_question(decide):
    refused(decide(build(), activity=RECORDING), "missing", "No consent to recording is on file.")
    refused(decide(build(), activity=TELEHEALTH), "missing")


def test_nothing_on_file_is_no(decide):
    answer = refused(decide(), "missing", "No consent to AI drafting is on file.")
    assert (answer.rules_id, answer.activity, answer.decided_at, answer.grounds) == ("default", AI, NOW, ())


def test_a_no_is_no(decide):
    answer = refused(decide(build(provision=provision("deny"))), "refused")
    assert answer.words == "The patient said no to AI drafting on 3 Nov 2026 (Consent/7)."
    assert answer.grounds == (Ground("Consent/7", "deny", "Consent/7 says no to AI drafting on 3 Nov 2026."),)


def test_a_page_that_failed_is_no(decide):
    answer = refused(decide(build(), problems=("A page is missing.", "Another too.")), "unreadable")
    assert answer.words == "Not every consent could be read, so there is no yes to AI drafting. A page is missing."
    refused(decide(problems=("A page is missing.",)), "unreadable")
    refused(decide(build(provision=provision("deny")), problems=("A page is missing.",)), "refused")


def test_the_strongest_ground_stands_first(decide):
    readable = [build(id="1", status="draft"), build(id="2"), build(id="3", status=None), build(id="4")]
    readable[3]["provision"] = provision("deny")
    answer = refused(decide(*readable), "contradictory")
    assert [ground.effect for ground in answer.grounds] == ["deny", "unclear", "permit", "ignored"]
    assert [ground.reference for ground in answer.grounds] == ["Consent/4", "Consent/3", "Consent/2", "Consent/1"]


def test_only_the_decision_makes_a_permit():
    with pytest.raises(ForgedProof):
        Permit(object(), AI, (Ground("Consent/1", "permit", ""),), "", NOW, None, "default")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rests on"):
        Permit(MAKER, AI, (Ground("Consent/1", "deny", ""),), "", NOW, None, "default")


# The question -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actors", [(), ("#someone",), (CLINICIAN, "https://other.example.org/Practitioner/1")])
def test_who_acts_must_be_known(decide, actors):
    refused(decide(build(), actors=actors), "not-understood", "does not say who acts in this visit")


def test_a_question_has_a_time_zone_and_a_purpose(decide):
    with pytest.raises(ValueError, match="time zone"):
        decide(build(), at=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="purpose"):
        decide(build(), purposes=())


def test_a_purpose_that_the_site_does_not_accept_is_no(decide):
    answer = refused(decide(build(), purposes=(RESEARCH,)), "not-accepted")
    assert answer.words == "No consent to AI drafting counts here: this site does not accept the purpose HRESCH."


# Status -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("draft", "is only a draft"),
        ("proposed", "is only proposed"),
        ("rejected", "was offered and rejected"),
        ("entered-in-error", "was entered in error"),
    ],
)
def test_what_was_never_in_force_gives_neither_yes_nor_no(decide, status, words):
    answer = refused(decide(build(status=status)), "not-in-force")
    assert answer.words == f"No consent to AI drafting is in force: Consent/7 {words}."
    assert permitted(decide(build(), other(status=status, provision=provision("deny")))).grounds[1].effect == "ignored"
    # Nothing more of it is read, but what may change its status.
    broken = other(status=status, dateTime=7, category=[7], provision=provision(about="video"))
    permitted(decide(build(), broken))
    permitted(decide(build(), other(status=status, patient=None, category=7)))
    refused(decide(build(), {**broken, "modifierExtension": EXTENSION}), "unreadable", "modifierExtension")


def test_a_draft_is_told_of_by_its_category_too(decide, rules):
    draft = build(status="draft", category=[concept("recording")], provision={"type": "permit"})
    refused(decide(draft, activity=RECORDING), "not-in-force")
    refused(decide(draft), "missing")
    refused(decide(build(status="draft", category=None)), "not-in-force")


@pytest.mark.parametrize("status", [None, "unknown", 7])
def test_a_status_that_is_none_is_no(decide, status):
    refused(decide(build(status=status)), "unreadable", "status")
    refused(decide(build(), other(status=status)), "unreadable")


def test_inactive_is_taken_back(decide):
    answer = refused(decide(build(status="inactive")), "revoked")
    assert answer.words == "The patient took back the yes to AI drafting (Consent/7)."
    assert answer.grounds[0].words == "Consent/7 permitted AI drafting and was taken back."


@pytest.mark.parametrize(
    ("back", "written", "again", "stands"),
    [
        ("2026-11-10", "2026-11-20T10:00:00Z", "2026-11-20T10:00:01Z", True),
        ("2026-11-10", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z", False),
        ("2026-11-10", "2026-11-20T10:00:00Z", "2026-11-19", False),
        ("2026-11-20T10:00:00Z", "2026-11-10T10:00:00Z", "2026-11-20T09:00:00Z", False),
        ("2026-11-10", None, "2026-11-20", False),
        (None, "2026-11-10T10:00:00Z", "2026-11-20", False),
        ("2026-11-10", "2026-11-10T10:00:00Z", None, False),
    ],
)
def test_only_a_yes_after_the_records_last_word_stands_again(decide, back, written, again, stands):
    ended = build(status="inactive", dateTime=back, meta={"lastUpdated": written} if written else None)
    answer = decide(ended, other(dateTime=again))
    if stands:
        permitted(answer)
    else:
        words = "Consent/7 permitted AI drafting and was taken back, and no later yes is on file."
        assert refused(answer, "revoked").words == words


def test_ending_a_no_takes_no_later_yes_back(decide):
    no = build(status="inactive", provision=provision("deny"))
    answer = permitted(decide(no, other(dateTime="2026-11-04T14:00:00Z")))
    assert answer.grounds[1].words == "Consent/7 said no to AI drafting and is no longer in force."
    refused(decide(no, other(dateTime="2026-11-02")), "revoked", "said no to AI drafting and is no longer in force")
    refused(decide(no), "missing")
    with_exception = build(status="inactive", provision=provision("deny", provision=[typed("permit")]))
    refused(decide(with_exception, other(dateTime="2026-11-04T14:00:00Z")), "revoked")


def test_ending_an_opt_out_takes_no_later_yes_back(decide, rules):
    stating = ({"code": "yes", "states": "permit"}, {"code": "no", "states": "deny"})
    site = {"answers": add_answer(rules, {"code": "form"}, *stating)}
    out = build(status="inactive", category=[concept("form", SITE)], provision=None, policyRule=policy(OPT_OUT))
    permitted(decide(out, other(dateTime="2026-11-10"), rules=site))
    said_no = build(status="inactive", category=[concept("no", SITE)], provision=None)
    answer = permitted(decide(said_no, other(dateTime="2026-11-10"), rules=site))
    assert answer.grounds[1].words == "Consent/7 said no to AI drafting and is no longer in force."
    opted_in = {**out, "policyRule": policy(OPT_IN)}
    refused(decide(opted_in, other(dateTime="2026-11-10"), rules=site), "revoked")
    said_yes = build(status="inactive", category=[concept("yes", SITE)], provision=None)
    refused(decide(said_yes, other(dateTime="2026-11-10"), rules=site), "revoked")


def test_ending_what_was_not_about_this_takes_nothing_back(decide):
    elsewhere = other(status="inactive", provision=provision(actor=[actor("Organization/9")], period={"end": "2020"}))
    answer = permitted(decide(build(), elsewhere))
    assert answer.grounds[1].words == "Consent/8 was not about AI drafting here and is no longer in force."
    over = other(status="inactive", provision=provision(period={"end": "2020"}))
    refused(decide(build(), over), "revoked")


def test_an_ended_consent_without_a_type_is_taken_back_all_the_same(decide):
    untyped = build(status="inactive", provision=provision(None, provision=[typed("permit")]))
    refused(decide(untyped, other(dateTime="2026-11-10")), "revoked")
    written = {**untyped, "meta": {"lastUpdated": "2026-11-03T12:00:00Z"}}
    permitted(decide(written, other(dateTime="2026-11-10")))


# Is it readable? ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [None, 7, "Consent", [], {}, {"resourceType": "Patient"}])
def test_what_is_no_consent_is_no(decide, thing):
    answer = refused(decide(build(), thing), "unreadable")
    assert answer.words == "Consent without an id can't be read. That counts as no to AI drafting."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"implicitRules": "https://example.org/rules"}, "carries implicitRules, which may change what it means"),
        ({"modifierExtension": EXTENSION}, "carries modifierExtension, which may change what it means"),
        ({"decision": "deny"}, "carries decision, which is not understood here"),
        ({"_dateTime": {"extension": EXTENSION}}, "carries _dateTime, which is not understood here"),
        ({"category": "x"}, "has a category that can't be read"),
        ({"category": []}, "has a category that can't be read"),
        ({"category": [{"coding": [{"code": 5}]}]}, "has a category.coding.code that can't be read"),
        ({"policyRule": "x"}, "has a policyRule that can't be read"),
        ({"verification": {}}, "has a verification that can't be read"),
        ({"dateTime": "2026-11-03T10:00:00"}, "has a dateTime that can't be read"),
        ({"dateTime": "2026-13"}, "has a dateTime that can't be read"),
        ({"dateTime": "yesterday"}, "has a dateTime that can't be read"),
        ({"dateTime": 20261103}, "has a dateTime that can't be read"),
        ({"meta": {"lastUpdated": "2026-11-03"}}, "has a meta.lastUpdated that can't be read"),
        ({"scope": None}, "has no scope"),
        ({"category": None}, "has no category"),
        ({"patient": None}, "has no patient"),
        ({"patient": {}}, "has a patient that can't be read"),
        ({"patient": {"reference": 4}}, "has a patient.reference that can't be read"),
        ({"patient": {"display": "A. Patient"}}, "does not say whose it is"),
        ({"patient": {"reference": "#p"}}, "does not say whose it is"),
        ({"patient": {"reference": "Group/1"}}, "does not say whose it is"),
        ({"patient": {"reference": "Patient/1", "type": "Group"}}, "does not say whose it is"),
        ({"patient": {"reference": "Patient/1/_history/2"}}, "does not say whose it is"),
        (
            {"meta": {"tag": [coding("SUBSETTED", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue")]}},
            "whole",
        ),
        (
            {"meta": {"security": [coding("MASKED", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue")]}},
            "was not given whole by the EHR",
        ),
    ],
)
def test_a_consent_that_can_not_be_read_is_no_whatever_it_is_about(decide, changes, words):
    for consents in ((build(**changes),), (build(), other(**changes)), (build(), other(provision=None, **changes))):
        answer = refused(decide(*consents), "unreadable", words)
        assert answer.words.endswith(". That counts as no to AI drafting.")


@pytest.mark.parametrize(
    "place", ["extension", "text", "contained", "identifier", "sourceAttachment", "provision", "scope"]
)
def test_a_modifier_at_any_depth_is_no(decide, place):
    inside = {"modifierExtension": EXTENSION}
    values = {"text": inside, "sourceAttachment": inside, "provision": inside, "scope": inside}
    refused(decide(build(), other(**{place: values.get(place, [inside])})), "unreadable", "modifierExtension")
    values = {name: {"x": [inside]} for name in ("text", "sourceAttachment", "provision", "scope")}
    refused(decide(build(), other(**{place: values.get(place, [{"x": [inside]}])})), "unreadable", "modifierExtension")


def test_what_changes_no_meaning_is_let_be(decide):
    note = [{"url": "https://example.org/note", "valueString": "seen"}]
    full = build(
        meta={"profile": ["https://example.org/profile"], "source": "urn:x", "tag": [coding("x", "urn:y")]},
        language="en",
        patient={"reference": "Patient/1", "type": "Patient", "display": "Invented"},
        text={"status": "generated", "div": "<div/>"},
        contained=[{"resourceType": "Organization", "id": "o"}],
        extension=note,
        identifier=[{"value": "1"}],
        sourceReference={"reference": "DocumentReference/1"},
        policy=[{"uri": "https://example.org/law", "authority": "https://example.org"}],
        provision=provision(extension=note),
    )
    permitted(decide(full))


@pytest.mark.parametrize(
    ("depth", "code", "words"),
    [
        (8, "", ""),
        (9, "not-understood", "is nested too deeply to be understood"),
        (5000, "unreadable", "Consent/7 has a provision that can't be read."),
    ],
)
def test_provisions_nested_beyond_reason_are_no(decide, depth, code, words):
    root: dict[str, Any] = typed("permit")
    for level in range(depth):
        root = {"type": "permit" if level % 2 else "deny", "provision": [root]}
    root |= {"code": [concept("ai-drafting")]}
    refused(decide(build(provision=root)), code, words) if code else permitted(decide(build(provision=root)))


# Whose it is --------------------------------------------------------------------------------------------------------


def test_a_consent_of_another_patient_says_nothing(decide):
    hers = {"patient": {"reference": "Patient/2"}}
    refused(decide(build(**hers)), "missing")
    permitted(decide(build(), other(provision=provision("deny"), **hers)))
    permitted(decide(build(), other(status="inactive", **hers)))
    permitted(decide(build(), other(category=[concept("unheard-of")], **hers)))
    [ground] = permitted(decide(build(), other(status="draft", **hers))).grounds
    assert ground.reference == "Consent/7"


# What it is about ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scope": concept("clinical", CONSENT_SCOPE)}, "has the scope clinical, which is not known here"),
        ({"scope": {"text": "privacy"}}, "has words without a code, which are not understood here"),
        ({"category": [concept("video")]}, "has the category video, which is not known here"),
        ({"category": [{"text": "the usual"}]}, "has words without a code"),
        ({"category": [{"coding": [{"code": "ai-drafting"}]}]}, "has a coding without its system or its code"),
        ({"category": [{"coding": [{"system": LOINC}]}]}, "has a coding without its system or its code"),
        ({"provision": provision(about="video")}, "has the code video, which is not known here"),
        ({"provision": provision(provision=[provision("deny", "x" * 99)])}, "has the code " + "x" * 40 + ","),
        ({"provision": provision(about=None, code=[{"text": "See the scanned form"}])}, "has words without a code"),
        ({"provision": provision(about=None, code=[concept("1-2-3", LOINC)])}, "has the code 1-2-3"),
    ],
)
def test_an_unknown_code_is_no_since_it_can_not_be_told_what_it_is_about(decide, changes, words):
    for consents in ((build(**changes),), (build(), other(**changes))):
        refused(decide(*consents), "not-understood", words)


def test_clinical_codes_name_no_activity_and_are_known(decide):
    lab = other(provision=provision("deny", None, code=[concept("11506-3", LOINC)]))
    permitted(decide(build(), lab))
    # Beside the activity they neither widen nor unmake it.
    both = {"coding": [coding("ai-drafting"), coding("11506-3", LOINC)]}
    permitted(decide(build(provision=provision(about=None, code=[both]))))
    elsewhere = provision("deny", "recording", actor=[actor("Practitioner/9")])
    limited = provision(about=None, code=[concept("11506-3", LOINC)], provision=[elsewhere])
    refused(decide(build(provision=limited), activity=RECORDING), "not-in-force", "speaks of recording")


def test_two_concepts_name_both_but_one_concept_with_two_names_neither_for_a_yes(decide):
    side_by_side = [concept("ai-drafting"), concept("recording")]
    together = [{"coding": [coding("ai-drafting"), coding("recording")]}]
    for order in ([*side_by_side, *together], [*together, *side_by_side]):
        permitted(decide(build(provision=provision(about=None, code=order))))
    for activity in (AI, RECORDING):
        permitted(decide(build(provision=provision(about=None, code=side_by_side)), activity=activity))
        refused(decide(build(provision=provision(about=None, code=together)), activity=activity), "not-in-force")
        no = other(provision=provision("deny", None, code=together))
        refused(decide(build(provision=provision(about=activity)), no, activity=activity), "contradictory")


@pytest.mark.parametrize("root", [provision(about=None), None, provision(None, None, period={"start": "2020"})])
@pytest.mark.parametrize("rule", [None, policy(OPT_IN), policy(OPT_OUT)])
def test_a_general_consent_answers_no_question(decide, root, rule):
    general = {"scope": concept("patient-privacy", CONSENT_SCOPE), "provision": root, "policyRule": rule}
    refused(decide(build(**general)), "missing")
    permitted(decide(build(), other(**general)))


def test_where_the_site_counts_general_consents_one_answers_all(decide):
    site = {"general_consent_counts": True}
    general = build(
        scope=concept("patient-privacy", CONSENT_SCOPE), category=[concept("INFA", ACT_CODE)], provision=typed("permit")
    )
    for activity in (AI, RECORDING, TELEHEALTH):
        permitted(decide(general, activity=activity, rules=site))
    refused(decide(build(provision=typed("permit")), rules=site), "missing")  # of another scope
    denied = {**general, "id": "8", "provision": typed("deny")}
    refused(decide(build(), denied, rules=site), "contradictory")
    named = other(scope=general["scope"], provision=provision("deny", "recording"))
    permitted(decide(build(), named, rules=site))


@pytest.mark.parametrize("code", ["59284-0", "64292-6"])
def test_that_a_consent_document_exists_is_no_yes(decide, code):
    document = {
        "scope": concept("patient-privacy", CONSENT_SCOPE),
        "category": [concept("INFA", ACT_CODE), concept(code, LOINC)],
        "provision": typed("permit"),
    }
    refused(decide(build(**document)), "missing")
    words = "Consent/7 permits AI drafting, but only says that a consent document exists."
    refused(decide(build(**document), rules={"general_consent_counts": True}), "not-accepted", words)


def test_a_category_names_what_the_provisions_answer(decide, rules):
    site = {"answers": add_answer(rules, {"code": "form"})}
    category = [concept("form", SITE)]
    permitted(decide(build(category=category, provision=typed("permit")), rules=site))
    refused(decide(build(category=category, provision=typed("deny")), rules=site), "refused")
    refused(decide(build(category=category, provision=None, policyRule=policy(OPT_OUT)), rules=site), "refused")
    refused(decide(build(category=category, provision=typed("permit")), activity=RECORDING, rules=site), "missing")


def test_a_coding_in_the_place_where_the_site_does_not_look_is_no_yes(decide):
    """The shipped rules look for the project's codes in provisions."""
    category = [concept("ai-drafting")]
    refused(decide(build(category=category, provision=typed("permit"))), "not-in-force", "speaks of AI drafting")
    refused(decide(build(), other(category=category, provision=typed("deny"))), "contradictory")
    permitted(decide(build(category=category)))


def test_a_category_about_something_else_unmakes_a_yes_and_no_no(decide, rules):
    site = {"answers": add_answer(rules, {"code": "form", "activity": "recording"})}
    category = [concept("form", SITE)]
    words = "Consent/7 permits AI drafting, but is about something else by its category."
    refused(decide(build(category=category), rules=site), "not-accepted", words)
    permitted(decide(build(category=category), other(), rules=site))
    refused(decide(build(), other(category=category, provision=provision("deny")), rules=site), "contradictory")


# What its categories say by themselves ------------------------------------------------------------------------------


def test_a_category_answers_where_the_sites_rules_say_so(decide, rules):
    form = build(category=[concept("form", SITE)], provision=None)
    for states, activity, code in (
        ("permit", AI, ""),
        ("deny", AI, "refused"),
        ("provision", AI, "not-understood"),
        ("permit", RECORDING, "missing"),
    ):
        site = {"answers": add_answer(rules, {"code": "form", "states": states, "activity": activity.value})}
        answer = decide(form, rules=site)
        refused(answer, code) if code else permitted(answer)
    # A root without a type takes the category's.
    site = {"answers": add_answer(rules, {"code": "form", "states": "permit"})}
    framed = {
        **form,
        "provision": {"period": {"end": "2027-01-01"}, "provision": [typed("deny", purpose=[coding(*TREAT[::-1])])]},
    }
    refused(decide(framed, rules=site), "refused")
    framed["provision"].pop("provision")
    assert permitted(decide(framed, rules=site)).until == datetime(2027, 1, 1, 10, tzinfo=UTC)
    site = {"answers": add_answer(rules, {"code": "form", "states": "deny"})}
    refused(decide(framed, rules=site), "refused")


def test_a_yes_by_category_needs_a_concept_that_names_nothing_else(decide, rules):
    site = {"answers": add_answer(rules, {"code": "yes", "states": "permit"}, {"code": "no", "states": "deny"})}
    mixed = [{"coding": [coding("yes", SITE), coding("recording")]}]
    refused(decide(build(category=mixed, provision=None), rules=site), "not-understood", "says neither yes nor no")
    translated = [{"coding": [coding("59284-0", LOINC), coding("yes", SITE)]}]
    permitted(decide(build(category=translated, provision=None), rules=site))
    no = [{"coding": [coding("no", SITE), coding("recording")]}]
    opted_in = {"provision": None, "policyRule": policy(OPT_IN)}
    refused(decide(build(category=no, **opted_in), rules=site), "refused")


def test_a_category_that_answers_one_question_leaves_another_open(decide, rules):
    site = {
        "answers": add_answer(rules, {"code": "yes", "states": "permit"}, {"code": "about", "activity": "recording"})
    }
    both = build(category=[concept("yes", SITE), concept("about", SITE)], provision=None)
    refused(decide(both, rules=site), "not-understood", "says neither yes nor no")
    refused(decide({**both, "provision": {"period": {"start": "2020"}}}, rules=site), "not-understood", "says neither")
    no_recording = {"code": "no", "states": "deny", "activity": "recording"}
    site = {"answers": add_answer(rules, {"code": "yes", "states": "permit"}, no_recording)}
    apart = build(category=[concept("yes", SITE), concept("no", SITE)], provision=None)
    permitted(decide(apart, rules=site))
    refused(decide(apart, activity=RECORDING, rules=site), "refused")
    framed = {**apart, "provision": {"period": {"start": "2020"}}}
    refused(decide(framed, rules=site), "not-understood", "says neither yes nor no")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": ["yes", "no"], "provision": None}, "says both yes and no by its categories"),
        ({"category": ["no"]}, "says one thing by its category and another by its provision"),
        ({"category": ["yes"], "provision": provision("deny")}, "says one thing by its category and another"),
        (
            {"category": ["yes"], "provision": None, "policyRule": policy(OPT_OUT)},
            "says yes by its category and no by its policy",
        ),
    ],
)
def test_parts_that_contradict_each_other_are_no(decide, rules, changes, words):
    site = {"answers": add_answer(rules, {"code": "yes", "states": "permit"}, {"code": "no", "states": "deny"})}
    category = [concept(code, SITE) for code in changes["category"]]
    answer = decide(build(**{**changes, "category": category}), rules=site)
    refused(answer, "not-understood", f"Consent/7 {words}")


# Policy -------------------------------------------------------------------------------------------------------------


def test_opting_in_alone_is_neither_yes_nor_no(decide, rules):
    site = {"answers": add_answer(rules, {"code": "form"})}
    opted_in = build(category=[concept("form", SITE)], provision=None, policyRule=policy(OPT_IN))
    answer = refused(decide(opted_in, rules=site), "not-in-force")
    assert (
        answer.words
        == "No consent to AI drafting is in force: Consent/7 speaks of AI drafting, but not for this visit."
    )
    permitted(decide(build(), {**opted_in, "id": "8"}, rules=site))


@pytest.mark.parametrize("code", ["OPTOUT", "OPTOUTE"])
def test_opting_out_is_no_wherever_the_provision_does_not_say_otherwise(decide, code):
    out = {"policyRule": concept(code, ACT_CODE)}
    permitted(decide(build(**out)))
    refused(decide(build(provision=provision(period={"end": "2026-01-01"}), **out)), "refused")
    refused(decide(build(provision=provision(actor=[actor("Practitioner/9")]), **out)), "refused")
    refused(decide(build(provision=provision("deny"), **out)), "refused")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (concept("ours", SITE), "has the policy ours, which is not known here"),
        ({"text": "opt in"}, "has words without a code"),
        ({"coding": [coding("OPTIN", ACT_CODE), coding("OPTOUT", ACT_CODE)]}, "opts in and out at once"),
    ],
)
def test_a_policy_that_is_not_understood_is_no(decide, rule, words):
    refused(decide(build(policyRule=rule)), "not-understood", f"Consent/7 {words}")
    permitted(decide(build(), other(policyRule=rule, provision=provision(about="recording"))))


def test_other_policies_change_nothing(decide):
    law = concept("hipaa-auth", "http://terminology.hl7.org/CodeSystem/consentpolicycodes")
    permitted(decide(build(policyRule=law)))
    refused(decide(build(provision=provision("deny"), policyRule=law)), "refused")


# Provision: type and nesting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [None, policy(OPT_IN), policy(OPT_OUT)])
def test_a_root_without_a_type_is_no(decide, rules, rule):
    """R4's own examples mean it as a limit here and as an exception there: its direction can't be known."""
    untyped = build(provision=provision(None), policyRule=rule)
    refused(decide(untyped), "not-understood", "Consent/7 says neither yes nor no.")
    site = {"answers": add_answer(rules, {"code": "form", "states": "permit"})}  # though the site knows such forms
    refused(decide(untyped, rules=site), "not-understood", "Consent/7 says neither yes nor no.")
    refused(decide(build(), {**untyped, "id": "8"}), "not-understood")


@pytest.mark.parametrize("root", [provision("allow"), provision(documentType=[]), {}, {"provision": ["x"]}, [], 7])
def test_a_provision_that_can_not_be_read_is_no(decide, root):
    refused(decide(build(provision=root)), "unreadable", "provision")
    refused(decide(build(), other(provision=root)), "unreadable")


def test_a_nested_no_is_an_exception_to_a_yes(decide):
    root = provision(about=None, code=[concept("ai-drafting"), concept("recording")])
    root["provision"] = [provision("deny", "recording")]
    permitted(decide(build(provision=root)))
    refused(decide(build(provision=root), activity=RECORDING), "refused")


def test_a_nested_yes_is_an_exception_to_a_no(decide):
    root = {"type": "deny", "provision": [provision("permit")]}
    permitted(decide(build(provision=root)))
    refused(decide(build(provision=root), activity=RECORDING), "missing")
    unnamed = provision("deny", None, actor=[actor(CLINICIAN)], provision=[typed("permit")])
    refused(decide(build(), other(category=[concept("ai-drafting")], provision=unnamed)), "contradictory")


def test_each_level_turns_the_answer_round(decide):
    third = typed("permit", purpose=[coding("TREAT", ACT_REASON)])
    root = provision(provision=[typed("deny", provision=[third])])
    permitted(decide(build(provision=root)))
    third["purpose"] = [coding("HRESCH", ACT_REASON)]
    refused(decide(build(provision=root)), "refused")


@pytest.mark.parametrize("nested", [typed("permit"), provision(None)])
def test_an_exception_that_does_not_turn_the_answer_round_is_no(decide, nested):
    words = "has an exception that says the same as the rule around it, or nothing"
    refused(decide(build(provision=provision(provision=[nested]))), "not-understood", words)
    refused(decide(build(provision=provision(provision=[typed("deny", provision=[typed("deny")])]))), "not-understood")


def test_among_exceptions_the_no_wins(decide):
    """Two levels down, so that a yes and a no stand side by side."""
    yes = typed("deny", provision=[typed("permit")])
    root = provision(provision=[yes, typed("deny")])
    refused(decide(build(provision=root)), "refused")
    refused(decide(build(provision=provision(provision=[typed("deny"), yes]))), "refused")


def test_an_exception_reaches_no_further_than_its_rule(decide):
    """A no that may not apply here is no yes; a yes inside it lifts it only."""
    content = {"class": [coding("DocumentReference", "http://hl7.org/fhir/resource-types")]}
    root = provision("deny", provision=[typed("permit")], **content)
    refused(decide(build(provision=root)), "not-in-force")
    permitted(decide(build(), other(provision=root)))
    root = provision(provision=[typed("deny", actor=[actor("Practitioner/9")])], **content)
    refused(decide(build(provision=root)), "not-in-force")


def test_an_exception_counts_only_in_its_time(decide):
    over = provision(provision=[provision("deny", period={"end": "2026-01-01"})])
    permitted(decide(build(provision=over)))
    soon = provision(provision=[provision("deny", period={"start": "2026-12-01T00:00:00Z"})])
    assert permitted(decide(build(provision=soon))).until == datetime(2026, 12, 1, tzinfo=UTC)
    maybe = [actor("CareTeam/1")]
    for times, words in (
        ({"end": "2020"}, "said no to AI drafting and is over"),
        ({"start": "2030"}, "says no to AI drafting later"),
    ):
        turned = build(provision=provision(actor=maybe, provision=[typed("deny", period=times)]))
        answer = refused(decide(turned), "missing")
        assert answer.grounds == (Ground("Consent/7", "ignored", f"Consent/7 {words}."),)
    lasting = provision(provision=[typed("deny", provision=[typed("permit", period={"end": "2026-11-23T14:59:59Z"})])])
    refused(decide(build(provision=lasting)), "refused")


def test_a_yes_names_its_activity_and_a_no_need_not(decide):
    unnamed = provision(provision=[provision("deny", "recording", provision=[typed("permit")])], about=None)
    refused(decide(build(provision=unnamed)), "missing")
    permitted(decide(build(provision=unnamed), activity=RECORDING))
    no = provision("deny", None, actor=[actor(CLINICIAN)], provision=[provision("permit", "recording")])
    refused(
        decide(build(provision=provision(about="recording")), other(provision=no), activity=RECORDING), ""
    ) if 0 else None
    silent = provision("deny", None, provision=[provision("permit", "recording", actor=[actor("Practitioner/9")])])
    refused(
        decide(build(provision=provision(about="recording")), other(provision=silent), activity=RECORDING),
        "contradictory",
    )


# Provision: time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "at", "holds"),
    [
        ("2026-11-23T15:00:00Z", "2026-11-23T15:00:00.999", True),  # a second is over when the next begins
        ("2026-11-23T15:00:00Z", "2026-11-23T15:00:01", False),
        ("2026-11-23T15:00:00.5Z", "2026-11-23T15:00:00.599", True),
        ("2026-11-23T15:00:00.5Z", "2026-11-23T15:00:00.600", False),
        # The zone is not known: the 23rd ends first at UTC+14, which is 10:00 UTC.
        ("2026-11-23", "2026-11-23T09:59:59", True),
        ("2026-11-23", "2026-11-23T10:00:00", False),
        ("2026-11", "2026-11-30T09:59:59", True),
        ("2026", "2026-12-31T09:59:59", True),
        ("2026", "2026-12-31T10:00:00", False),
        ("9999-12-31", "2026-12-31T10:00:00", True),
    ],
)
def test_a_permit_ends_where_its_period_certainly_lasts_no_longer(decide, end, at, holds):
    answer = decide(build(provision=provision(period={"end": end})), at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    if holds:
        assert (permitted(answer).until is None) == (end == "9999-12-31")
    else:
        words = "Consent/7 permitted AI drafting and is over. Ask the patient again."
        assert refused(answer, "expired").words == words
        assert answer.grounds[0].words == "Consent/7 permitted AI drafting and is over."


def test_a_date_is_the_whole_day_of_the_sites_zone(decide):
    chicago = {"time_zone": "America/Chicago"}
    day = build(provision=provision(period={"start": "2026-11-23", "end": "2026-11-23"}))
    begins, ends = datetime(2026, 11, 23, 6, tzinfo=UTC), datetime(2026, 11, 24, 6, tzinfo=UTC)
    refused(
        decide(day, rules=chicago, at=begins - timedelta(seconds=1)), "not-in-force", "permits AI drafting, but not yet"
    )
    permit = permitted(decide(day, rules=chicago, at=begins))
    assert permit.until == ends
    assert permit.holds_at(ends - timedelta(microseconds=1))
    assert not permit.holds_at(ends)
    permitted(decide(day, rules=chicago, at=ends - timedelta(seconds=1)))
    refused(decide(day, rules=chicago, at=ends), "expired")


def test_a_permit_begins_when_its_day_has_begun_everywhere(decide):
    day = build(provision=provision(period={"start": "2026-11-23"}))
    refused(decide(day, at=datetime(2026, 11, 23, 11, 59, tzinfo=UTC)), "not-in-force")
    permitted(decide(day, at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC)))


def test_a_no_lasts_as_long_as_it_possibly_may(decide):
    no = other(provision=provision("deny", period={"start": "2026-11-20", "end": "2026-11-21"}), dateTime="2026-11-01")
    for at in (datetime(2026, 11, 19, 10, tzinfo=UTC), datetime(2026, 11, 22, 11, 59, 59, tzinfo=UTC)):
        refused(decide(build(), no, at=at), "contradictory")
    before = permitted(decide(build(), no, at=datetime(2026, 11, 19, 9, 59, tzinfo=UTC)))
    assert before.until == datetime(2026, 11, 19, 10, tzinfo=UTC)
    permitted(decide(build(dateTime="2026-11-04"), no, at=datetime(2026, 11, 22, 12, tzinfo=UTC)))


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2026-12", "end": "2026-01"},
        {"id": "p"},
        {"start": "2026-02-31"},
        {"end": "2026-02-31"},
        {"start": "9999"},
        {"start": "2026-02-31", "end": "9999"},
    ],
)
@pytest.mark.parametrize("name", ["period", "dataPeriod"])
def test_a_period_that_is_none_is_no(decide, period, name):
    refused(decide(build(provision=provision(**{name: period}))), "not-understood", "has a period that can't be read")


@pytest.mark.parametrize("period", ["2026", {}, {"start": "soon"}, {"end": 7}, {"_end": {"extension": EXTENSION}}])
def test_a_period_of_the_wrong_shape_is_no(decide, period):
    refused(decide(build(provision=provision(period=period))), "unreadable", "provision.period")


def test_data_of_another_time_are_no_part_of_a_visit_but_ai_may_read_older_ones(decide):
    older, newer = {"end": "2020"}, {"start": "2027"}
    for activity, times, code in ((RECORDING, older, "ok"), (AI, older, "contradictory"), (AI, newer, "ok")):
        no = other(provision=provision("deny", activity.value, dataPeriod=times), dateTime="2026-11-01")
        answer = decide(build(provision=provision(about=activity.value)), no, activity=activity)
        permitted(answer) if code == "ok" else refused(answer, code)
    refused(decide(build(provision=provision(dataPeriod=older))), "not-in-force")
    limited = build(provision=provision(dataPeriod={"start": "2026-01-01", "end": "2026-11-23T16:00:00Z"}))
    assert permitted(decide(limited)).until == datetime(2026, 11, 23, 16, 0, 1, tzinfo=UTC)


# Provision: who, what for, which data -------------------------------------------------------------------------------


def check_limit(decide, limit: dict[str, Any], fits: str, **question: Any) -> None:
    """A provision limited so: its yes counts only where it fits ("yes"), its no unless it does not ("no")."""
    yes, no = build(provision=provision(**limit)), other(provision=provision("deny", **limit))
    answer = decide(yes, **question)
    permitted(answer) if fits == "yes" else refused(answer, "not-in-force", "but not for this visit")
    answer = decide(build(), no, **question)
    permitted(answer) if fits == "no" else refused(answer, "contradictory")


@pytest.mark.parametrize(
    ("actors", "fits"),
    [
        ([actor(CLINICIAN)], "yes"),
        ([actor(CLINIC)], "yes"),
        ([actor(GATEWAY, "DEV")], "yes"),
        ([actor("Practitioner/9")], "no"),
        ([actor("Practitioner/9"), actor(CLINICIAN)], "yes"),
        ([actor(CLINIC, "CST")], "maybe"),  # whose data they are, not who acts
        ([actor("CareTeam/1")], "maybe"),
        ([actor("Group/1")], "maybe"),
        ([actor("PractitionerRole/1")], "maybe"),
    ],
)
def test_actor(decide, actors, fits):
    check_limit(decide, {"actor": actors}, fits)


def test_an_actor_acts_in_all_its_roles_or_may_not(decide):
    both = {"coding": [coding("PRCP", PARTICIPATION), coding("CST", PARTICIPATION)]}
    check_limit(decide, {"actor": [{"role": both, "reference": {"reference": CLINICIAN}}]}, "maybe")


@pytest.mark.parametrize(
    ("codes", "activity", "fits"),
    [
        (["collect"], RECORDING, "yes"),
        (["use"], RECORDING, "maybe"),
        (["use"], AI, "yes"),
        (["use"], TELEHEALTH, "yes"),
        (["collect"], AI, "maybe"),
        (["access"], AI, "maybe"),
        (["disclose"], AI, "maybe"),
        (["correct"], AI, "no"),
        (["correct", "use"], AI, "yes"),
    ],
)
def test_action(decide, codes, activity, fits):
    limit = {"action": [concept(code, CONSENT_ACTION) for code in codes]}
    yes = build(provision=provision(about=activity.value, **limit))
    no = other(provision=provision("deny", activity.value, **limit))
    answer = decide(yes, activity=activity)
    permitted(answer) if fits == "yes" else refused(answer, "not-in-force")
    answer = decide(build(provision=provision(about=activity.value)), no, activity=activity)
    permitted(answer) if fits == "no" else refused(answer, "contradictory")


def test_an_action_of_two_codes_is_both(decide):
    both = {"coding": [coding("use", CONSENT_ACTION), coding("correct", CONSENT_ACTION)]}
    check_limit(decide, {"action": [both]}, "maybe")


@pytest.mark.parametrize(
    ("codes", "fits"),
    [
        (["TREAT"], "yes"),
        (["HRESCH"], "no"),
        (["HRESCH", "TREAT"], "yes"),
        (["ETREAT"], "maybe"),
        (["PurposeOfUse"], "maybe"),
    ],
)
def test_purpose(decide, codes, fits):
    check_limit(decide, {"purpose": [coding(code, ACT_REASON) for code in codes]}, fits)


def test_each_purpose_of_the_visit_must_be_permitted(decide):
    site = {"purposes": [coding("TREAT", ACT_REASON), coding("HRESCH", ACT_REASON)]}
    treating, researching = (
        build(provision=provision(purpose=[coding(code, ACT_REASON)])) for code in ("TREAT", "HRESCH")
    )
    refused(decide(treating, purposes=(TREAT, RESEARCH), rules=site), "not-in-force")
    refused(decide(researching, purposes=(TREAT, RESEARCH), rules=site), "not-in-force")
    permitted(decide(treating, {**researching, "id": "8"}, purposes=(TREAT, RESEARCH), rules=site))
    permitted(decide(build(), purposes=(TREAT, RESEARCH), rules=site))


@pytest.mark.parametrize(
    "limit",
    [
        {"class": [coding("DocumentReference", "http://hl7.org/fhir/resource-types")]},
        {"class": [coding("34133-9", LOINC)]},
        {"class": [coding("application/hl7-cda+xml", "urn:ietf:bcp:13")]},
        {"data": [{"meaning": "instance", "reference": {"reference": "DocumentReference/1"}}]},
        {"data": [{"meaning": "related", "reference": {"reference": "Encounter/1"}}]},
    ],
)
def test_what_a_visit_will_hold_is_not_known_beforehand(decide, limit):
    check_limit(decide, limit, "maybe")


@pytest.mark.parametrize(
    ("labels", "fits"),
    [
        ([coding("N", CONFIDENTIALITY)], "yes"),
        ([coding("R", CONFIDENTIALITY)], "yes"),
        ([coding("V", CONFIDENTIALITY)], "yes"),
        ([coding("L", CONFIDENTIALITY)], "maybe"),
        ([coding("PSY", ACT_CODE)], "maybe"),
        ([coding("PSY", ACT_CODE), coding("N", CONFIDENTIALITY)], "yes"),
    ],
)
def test_security_label_of_ordinary_data(decide, labels, fits):
    check_limit(decide, {"securityLabel": labels}, fits)


def test_data_with_a_label_of_the_site_need_a_yes_that_names_it(decide, rules):
    site = {"sensitive_labels": [coding("PSY", ACT_CODE), coding("house", SITE)]}
    labels = [coding("N", CONFIDENTIALITY), coding("PSY", ACT_CODE), coding("house", SITE)]
    words = "Consent/7 speaks of AI drafting, but not for data labelled PSY."
    refused(decide(build(), rules=site), "not-in-force", words)
    permitted(decide(build(provision=provision(securityLabel=labels)), rules=site))
    refused(decide(build(provision=provision(securityLabel=labels[:2])), rules=site), "not-in-force", "labelled house")
    # A confidentiality may or may not cover it: no yes, but a no.
    normal, psy = [coding("N", CONFIDENTIALITY)], [coding("PSY", ACT_CODE)]
    whole = build(provision=provision(securityLabel=labels))
    refused(decide(build(provision=provision(securityLabel=normal)), rules=site), "not-in-force")
    refused(decide(whole, other(provision=provision("deny", securityLabel=psy)), rules=site), "contradictory")
    refused(decide(whole, other(provision=provision("deny")), rules=site), "contradictory")
    sex = [coding("SEX", ACT_CODE)]
    refused(decide(whole, other(provision=provision("deny", securityLabel=sex)), rules=site), "contradictory")
    # Named around it is named.
    nested = provision(securityLabel=labels, provision=[typed("deny", provision=[typed("permit")])])
    permitted(decide(build(provision=nested), rules=site))
    # A label around it does not make a narrower one cover it.
    for inner, holds in ((normal, False), (labels, True)):
        exception = typed("deny", provision=[typed("permit", securityLabel=inner)])
        answer = decide(build(provision=provision(securityLabel=labels, provision=[exception])), rules=site)
        permitted(answer) if holds else refused(answer, "refused")
    # A category names no label.
    stating = {**site, "answers": add_answer(rules, {"code": "yes", "states": "permit"})}
    form = build(category=[concept("yes", SITE)], provision=None)
    refused(decide(form, rules=stating), "not-in-force", "not for data labelled PSY")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"actor": [{"reference": {"reference": CLINICIAN}}]}, "names someone without a role or without saying who"),
        ({"actor": [{"role": concept("PRCP", PARTICIPATION)}]}, "names someone without a role or without saying who"),
        ({"actor": [actor(CLINICIAN, "scribe")]}, "has the role scribe, which is not known here"),
        ({"actor": [actor("#doctor")]}, "names someone who can't be found in the record"),
        ({"actor": [actor("Location/1")]}, "names someone who can't be found in the record"),
        ({"actor": [actor("https://ehr.example.org/fhir/Practitioner/1")]}, "names someone who can't be found"),
        ({"actor": [actor("Practitioner/1/_history/2")]}, "names someone who can't be found in the record"),
        ({"action": [concept("sell", CONSENT_ACTION)]}, "has the action sell, which is not known here"),
        ({"action": [concept("use", CONSENT_ACTION), {"text": "listen"}]}, "has words without a code"),
        ({"purpose": [coding("fun", ACT_REASON)]}, "has the purpose fun, which is not known here"),
        ({"purpose": [{"code": "TREAT"}]}, "has a coding without its system or its code"),
        ({"securityLabel": [coding("secret", SITE)]}, "has the label secret, which is not known here"),
        ({"class": [coding("note", SITE)]}, "has a class of content that is not known here"),
        (
            {"class": [coding("Banana", "http://hl7.org/fhir/resource-types")]},
            "has a class of content that is not known",
        ),
        ({"class": [coding("123456", "http://snomed.info/sct")]}, "has a class of content that is not known here"),
        ({"data": [{"meaning": "instance"}]}, "names data that can't be found in the record"),
        ({"data": [{"reference": {"reference": "Encounter/1"}}]}, "names data that can't be found in the record"),
        ({"data": [{"meaning": "x", "reference": {"reference": "Encounter/1"}}]}, "names data that can't be found"),
        ({"data": [{"meaning": "instance", "reference": {"reference": "#note"}}]}, "names data that can't be found"),
    ],
)
@pytest.mark.parametrize("kind", ["permit", "deny"])
def test_a_limit_that_is_not_understood_is_named_and_is_no(decide, limit, words, kind):
    limited = other(provision=provision(kind, **limit))
    refused(decide(build(), limited), "not-understood", f"Consent/8 {words}")
    refused(decide(limited), "not-understood", words)
    nested = other(provision=provision(provision=[typed("deny", **limit)]))
    refused(decide(build(), nested), "not-understood", words)
    # What does not bear on the question need not be understood.
    permitted(decide(build(), other(provision=provision(kind, "recording", **limit))))


# When it was given --------------------------------------------------------------------------------------------------


def test_a_consent_dated_in_the_future_is_not_yet_in_force(decide):
    words = "No consent to AI drafting is in force: Consent/7 permits AI drafting, but is dated in the future."
    assert refused(decide(build(dateTime="2026-11-25")), "not-in-force").words == words
    permitted(decide(build(dateTime="2026-11-23")))
    permitted(decide(build(dateTime="2026-11-23T15:00:00Z")))
    refused(decide(build(dateTime="2026-11-23T15:00:01Z")), "not-in-force")
    both = permitted(decide(build(), other(dateTime="2026-11-25T00:00:00Z")))
    assert both.until == datetime(2026, 11, 25, tzinfo=UTC)


def test_a_no_counts_whatever_its_date(decide):
    for date in ("2030", "2001", None):
        refused(
            decide(build(), other(provision=provision("deny"), dateTime=date)),
            "contradictory" if date != "2030" else "revoked",
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dateTime": "2026-02-31"}, "has a date that can't be read"),
        ({"dateTime": "9999-12-31T23:59:59Z"}, "has a date that can't be read"),
        ({"meta": {"lastUpdated": "2026-02-31T10:00:00Z"}}, "has a date that can't be read"),
        ({"verification": [{"verified": True, "verificationDate": "2026-02-31"}]}, "has a date that can't be read"),
    ],
)
def test_a_date_that_is_none_is_no(decide, changes, words):
    refused(decide(build(**changes)), "not-understood", f"Consent/7 {words}")
    permitted(decide(build(), other(provision=provision("deny", "recording"), **changes)))


def test_a_yes_grows_old_where_the_site_says_so_and_a_no_never(decide):
    site = {"max_age_days": 20}
    given = build(dateTime="2026-11-03T15:00:01Z")
    assert permitted(decide(given, rules=site)).until == datetime(2026, 11, 23, 15, 0, 1, tzinfo=UTC)
    answer = refused(decide(build(dateTime="2026-11-03T15:00:00Z"), rules=site), "expired")
    assert answer.grounds[0].words == "Consent/7 permits AI drafting, but is older than this site allows."
    refused(decide(build(dateTime=None), rules=site), "not-accepted", "but has no date, and this site asks for one.")
    refused(decide(given, other(provision=provision("deny"), dateTime="1990"), rules=site), "contradictory")
    # An age that reaches past the last year there is.
    far = permitted(decide(given, other(dateTime="9999-12-20"), rules=site))
    assert far.until == datetime(2026, 11, 23, 15, 0, 1, tzinfo=UTC)


# Who gave it --------------------------------------------------------------------------------------------------------


def test_a_yes_must_say_who_gave_it_unless_the_site_waives_that(decide):
    words = "No consent to AI drafting counts here: Consent/7 permits AI drafting, but does not say who gave it."
    assert refused(decide(build(performer=None)), "not-accepted").words == words
    assert permitted(decide(build(performer=None), rules={"performer_needed": False})).words.startswith(
        "Someone said yes"
    )
    no = refused(decide(build(performer=None, provision=provision("deny"))), "refused")
    assert no.words.startswith("Someone said no to AI drafting")


@pytest.mark.parametrize("who", ["Practitioner/1", "Organization/1", "Patient/2", "PractitionerRole/1"])
def test_nobody_else_may_answer(decide, who):
    words = "permits AI drafting, but was given by someone whose yes does not count here."
    for site in ({}, {"performer_needed": False}):
        refused(decide(build(performer=[{"reference": who}]), rules=site), "not-accepted", words)
    permitted(decide(build(performer=[{"reference": who}, {"reference": "Patient/1"}])))
    refused(decide(build(performer=[{"reference": who}], provision=provision("deny"))), "refused", "representative")


@pytest.mark.parametrize("who", ["#mother", "Device/1", "https://ehr.example.org/fhir/Patient/1", "RelatedPerson/9"])
def test_a_performer_who_can_not_be_found_is_no(decide, who):
    answer = refused(decide(build(performer=[{"reference": "Patient/1"}, {"reference": who}])), "not-understood")
    assert "who can't be found in the record. That counts as no to AI drafting." in answer.words
    refused(
        decide(build(performer=[{"display": "Mother"}])), "not-understood", "was answered by someone who can't be found"
    )


def test_a_proxy_answers_for_a_minor_where_the_site_says_so(decide):
    grown = datetime(2030, 1, 1, tzinfo=UTC)
    site = {"proxies": {"of_minors": [coding("MTH", ROLE_CODE)]}}
    child = {"majority": grown, "related": MOTHER}
    permit = permitted(decide(build(performer=BY_MOTHER), rules=site, **child))
    assert permit.until == grown
    assert permit.words == "The patient's representative said yes to AI drafting on 3 Nov 2026."
    refused(decide(build(performer=BY_MOTHER), **child), "not-accepted")
    refused(decide(build(performer=BY_MOTHER), rules=site, related=MOTHER), "not-accepted")
    refused(decide(build(performer=BY_MOTHER), rules=site, at=grown, **child), "not-accepted")
    gone = {"RelatedPerson/1": Related(MOTHER["RelatedPerson/1"].relationships, active=False)}
    refused(decide(build(performer=BY_MOTHER), rules=site, majority=grown, related=gone), "not-accepted")
    aunt = {"RelatedPerson/1": Related(frozenset([(ROLE_CODE, "AUNT")]))}
    refused(decide(build(performer=BY_MOTHER), rules=site, majority=grown, related=aunt), "not-accepted")
    adults = {"proxies": {"of_adults": [coding("MTH", ROLE_CODE)]}}
    permitted(decide(build(performer=BY_MOTHER), rules=adults, related=MOTHER))


def test_a_minor_answers_only_where_the_site_says_so(decide):
    grown = datetime(2030, 1, 1, tzinfo=UTC)
    words = "permits AI drafting, but does not show that the patient was of age."
    refused(decide(build(), majority=grown), "not-accepted", words)
    site = {"proxies": {"minors_answer_themselves": True}}
    assert permitted(decide(build(), majority=grown, rules=site)).until == grown
    refused(decide(build(), majority=grown, at=grown, rules=site), "not-accepted", words)


@pytest.mark.parametrize(("date", "counts"), [("2026-11-02", False), ("2026-11-03T00:00:00Z", True), (None, False)])
def test_who_has_come_of_age_answers_anew(decide, date, counts):
    answer = decide(build(dateTime=date), majority=datetime(2026, 11, 3, tzinfo=UTC))
    permitted(answer) if counts else refused(answer, "not-accepted", "of age")


# For whom, under what, confirmed by whom ----------------------------------------------------------------------------


def test_a_yes_counts_under_the_sites_scopes_only_and_a_no_under_any(decide):
    aside = {"scope": concept("research", CONSENT_SCOPE)}
    words = "permits AI drafting, but stands under a scope that this site does not accept."
    refused(decide(build(**aside)), "not-accepted", words)
    two = {"scope": {"coding": [coding("treatment", CONSENT_SCOPE), coding("adr", CONSENT_SCOPE)]}}
    refused(decide(build(**two)), "not-accepted", words)
    permitted(decide(build(), other(**aside)))
    refused(decide(build(provision=provision("deny"), **aside)), "refused")
    site = {"scopes": [coding("house", SITE)]}
    permitted(decide(build(scope=concept("house", SITE)), rules=site))


def test_a_yes_counts_for_the_sites_organizations_only_and_a_no_for_any(decide):
    site = {"organizations": [CLINIC]}
    here = {"organization": [{"reference": "Organization/2"}, {"reference": CLINIC}]}
    permitted(decide(build(**here), rules=site))
    for elsewhere in ({}, {"organization": [{"reference": "Organization/2"}]}):
        refused(decide(build(**elsewhere), rules=site), "not-accepted", "but was not given to this organization.")
        refused(decide(build(**here), other(provision=provision("deny"), **elsewhere), rules=site), "contradictory")
        permitted(decide(build(**elsewhere)))
    words = "belongs to an organization that can't be found in the record"
    refused(decide(build(organization=[{"display": "A clinic"}])), "not-understood", words)


def test_a_yes_that_was_not_confirmed_does_not_count(decide):
    confirmed = {"verified": True, "verifiedWith": {"reference": "Patient/1"}, "verificationDate": "2026-11-04"}
    for found, counts, counts_where_asked in (
        (None, True, False),
        ([confirmed], True, True),
        ([{"verified": False}], False, False),
        ([confirmed, {"verified": False}], False, False),
        ([{"verified": False}, confirmed], False, False),
        ([confirmed, confirmed], True, True),
    ):
        for site, holds in (({}, counts), ({"verified_only": True}, counts_where_asked)):
            answer = decide(build(verification=found), rules=site)
            permitted(answer) if holds else refused(answer, "not-accepted", "but is not verified.")
    words = "Consent/7 has a verification without a result."
    refused(decide(build(verification=[{"verifiedWith": {"reference": "Patient/1"}}])), "not-understood", words)
    someone = [{"verified": True, "verifiedWith": {"reference": "Practitioner/1"}}]
    refused(decide(build(verification=someone)), "not-understood", "was confirmed by someone who can't be found")


# Several Consents ---------------------------------------------------------------------------------------------------


def test_a_later_no_takes_back_a_yes(decide):
    no = other(provision=provision("deny"), dateTime="2026-11-20")
    words = "The patient took back the yes to AI drafting on 20 Nov 2026 (Consent/8)."
    assert refused(decide(build(), no), "revoked").words == words


@pytest.mark.parametrize("date", ["2026-11-02", "2026-11-03", "2026-11", None])
def test_a_no_that_is_not_certainly_later_contradicts(decide, date):
    no = other(provision=provision("deny"), dateTime=date)
    answer = refused(decide(build(), no), "contradictory")
    assert answer.words == (
        "The record contradicts itself: Consent/7 says yes to AI drafting, Consent/8 says no. "
        "No counts until that is settled."
    )
    refused(decide(no, build()), "contradictory")


def test_a_newer_yes_of_the_same_people_wins_over_a_no_that_the_gateway_wrote(decide):
    def say_no(**changes: Any) -> dict[str, Any]:
        own = [{"system": OWN_CONSENTS, "value": "1"}]
        return build(**({"identifier": own, "provision": provision("deny")} | changes))

    newer = other(dateTime="2026-11-10")
    assert [ground.effect for ground in permitted(decide(say_no(), newer)).grounds] == ["permit", "deny"]
    refused(decide(say_no(identifier=None), newer), "contradictory")
    refused(decide(say_no(identifier=[{"system": SITE, "value": "1"}]), newer), "contradictory")
    refused(decide(say_no(), other(dateTime="2026-11-04T09:00:00+14:00")), "contradictory")  # not certainly newer
    refused(decide(say_no(performer=BY_MOTHER), newer, related=MOTHER), "contradictory")
    unsaid = other(dateTime="2026-11-10", performer=None)
    refused(decide(say_no(performer=None), unsaid, rules={"performer_needed": False}), "contradictory")


@pytest.mark.parametrize(("wins", "stands"), [("always", True), ("never", False)])
def test_a_site_says_whether_a_newer_yes_counts_over_a_no_that_stays_in_force(decide, wins, stands):
    site = {"newer_yes_wins": wins}
    newer, theirs = other(dateTime="2026-11-10"), build(provision=provision("deny"))
    own = build(provision=provision("deny"), identifier=[{"system": OWN_CONSENTS, "value": "1"}])
    for denial in (theirs, own):
        answer = decide(denial, newer, rules=site)
        assert isinstance(answer, Permit) is stands
    refused(decide(theirs, other(dateTime="2026-11-03"), rules=site), "contradictory")  # not certainly newer
    refused(decide(theirs | {"performer": BY_MOTHER}, newer, related=MOTHER, rules=site), "contradictory")


def test_a_no_that_was_in_force_since_the_yes_takes_it_away(decide):
    def no_until(end: str, **changes: Any) -> dict[str, Any]:
        return other(**({"provision": provision("deny", period={"end": end}), "dateTime": "2026-11-10"} | changes))

    answer = refused(decide(build(), no_until("2026-11-20")), "refused")
    assert answer.words == "Consent/8 said no to AI drafting on 10 Nov 2026, and no later yes is on file."
    refused(decide(build(), no_until("2026-11-20", dateTime=None)), "refused", "Consent/8 said no to AI drafting, and")
    permitted(decide(build(), no_until("2026-11-20"), build(id="9", dateTime="2026-11-13")))
    permitted(decide(build(), no_until("2026-11-20", dateTime="2026-10")))
    refused(decide(build(dateTime=None), no_until("2026-11-20", dateTime="2026-10")), "refused")
    # It was over before it was dated, or has not begun.
    permitted(decide(build(), no_until("2026-11-07")))
    later = other(provision=provision("deny", period={"start": "2026-11-23T15:00:01Z"}), dateTime="2026-11-10")
    assert permitted(decide(build(), later)).until == datetime(2026, 11, 23, 15, 0, 1, tzinfo=UTC)
    ended_now = other(
        provision=provision("deny", period={"start": "0001-01-01T00:00:00Z", "end": "2026-11-20"}), dateTime=None
    )
    refused(decide(build(), ended_now), "refused")


def test_the_yes_that_stands_is_told_of(decide):
    """Opted out on the 10th, with a yes from the 15th on: the yes of the 3rd is gone."""
    out = other(
        policyRule=policy(OPT_OUT),
        dateTime="2026-11-10",
        provision=provision(period={"start": "2026-11-15"}, actor=[actor(CLINICIAN)]),
    )
    permit = permitted(decide(build(), out))
    assert permit.words == "The patient said yes to AI drafting on 10 Nov 2026."
    assert [ground.reference for ground in permit.grounds] == ["Consent/8", "Consent/7"]
    out["provision"]["period"]["end"] = "2026-11-20"
    refused(decide(build(), out), "revoked")


def test_no_consent_takes_its_own_yes_away(decide):
    turned = build(provision=provision(provision=[typed("deny", period={"end": "2026-11-10"})]))
    permitted(decide(turned))
    permitted(decide(turned, dict(turned)))  # the same on two pages
    refused(decide(turned, {**turned, "id": "8"}), "refused")


def test_a_no_to_something_else_does_not_bear(decide):
    permitted(decide(build(), other(provision=provision("deny", "recording", actor=[actor("#x")]))))


def test_a_permit_says_when_the_answer_may_change(decide):
    first = build(provision=provision(period={"end": "2026-12-31T23:59:59Z"}))
    second = other(provision=provision(period={"end": "2026-11-30T23:59:59Z"}))
    assert permitted(decide(first, second)).until == datetime(2026, 12, 1, tzinfo=UTC)
    elsewhere = other(provision=provision(about="recording", period={"end": "2026-11-24"}))
    assert permitted(decide(first, elsewhere)).until == datetime(2027, 1, 1, tzinfo=UTC)
    hers = other(patient={"reference": "Patient/2"}, provision=provision(period={"end": "2026-11-24"}))
    assert permitted(decide(first, hers)).until == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("consents", "code"),
    [
        ([{"status": "inactive"}, {"provision": provision(period={"end": "2020"})}], "revoked"),
        ([{"performer": None}, {"provision": provision(period={"end": "2020"})}], "expired"),
        ([{"status": "draft"}, {"performer": None}], "not-accepted"),
        ([{"provision": provision("deny", "recording")}, {"status": "draft"}], "not-in-force"),
    ],
)
def test_of_many_reasons_the_one_most_worth_knowing_is_told(decide, consents, code):
    stack = [build(id=str(number), **changes) for number, changes in enumerate(consents)]
    refused(decide(*stack), code)
    refused(decide(*reversed(stack)), code)
