"""Decisions, one property of Consent at a time. Unknown means no."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.consent.activity import Activity
from gateway.consent.decision import MAKER, Ground, Permit, Refusal, decide_consent
from gateway.consent.rules import Answer, ConsentRules
from gateway.proof import ForgedProof

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
AI = Activity.AI_DRAFTING


def concept(code: str, system: str = OWN_CODES) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def provision(type_: str | None = "permit", about: str | None = "ai-drafting", **more: Any) -> dict[str, Any]:
    node: dict[str, Any] = dict(more)
    if type_:
        node["type"] = type_
    if about:
        node["code"] = [concept(about)]
    return node


class Decide:
    def __init__(self, rules: ConsentRules, now: datetime) -> None:
        self.rules, self.now = rules, now

    def __call__(
        self,
        *consents: Any,
        problems: tuple[str, ...] = (),
        activity: Activity = AI,
        now: datetime | None = None,
        **more: Any,
    ) -> Permit | Refusal:
        return decide_consent(consents, problems, activity, more.pop("rules", self.rules), now or self.now, **more)


@pytest.fixture
def decide(rules: ConsentRules, now: datetime) -> Decide:
    return Decide(rules, now)


def refused(answer: Permit | Refusal, code: str) -> Refusal:
    assert isinstance(answer, Refusal)
    assert answer.code == code, answer
    assert answer.words.endswith((".", ")")), answer.words
    return answer


def permitted(answer: Permit | Refusal) -> Permit:
    assert isinstance(answer, Permit), answer
    return answer


def test_permits_what_an_active_consent_permits_by_code(decide, build):
    permit = permitted(decide(build(meta={"versionId": "3"})))
    assert permit.words == "The patient said yes to AI drafting on 3 Nov 2026."
    assert permit.grounds == (
        Ground("Consent/7/_history/3", "permit", "Consent/7/_history/3 permits AI drafting on 3 Nov 2026."),
    )
    assert permit.until is None
    assert permit.holds_at(decide.now + timedelta(days=9999))
    assert permit.rules_id == "default"


def test_no_answer_answers_another_question(decide, build):
    refused(decide(build(), activity=Activity.RECORDING), "missing")
    refused(decide(build(), activity=Activity.TELEHEALTH), "missing")


def test_nothing_on_file_is_no(decide):
    answer = refused(decide(), "missing")
    assert answer.words == "No consent to AI drafting is on file."


@pytest.mark.parametrize("root", [provision(about=None), {}, None, provision(None, None, period={"start": "2020"})])
def test_a_general_consent_answers_no_question(decide, build, root):
    refused(decide(build(provision=root)), "missing")
    refused(decide(build(provision=root, policyRule=concept("OPTIN", ACT_CODE))), "missing")


def test_a_proxy_of_loinc_59284_0_with_permit_is_no_consent(decide, build):
    refused(decide(build(provision=provision(about=None, actor=[{"role": {}, "reference": {}}]))), "missing")


def test_a_no_is_no(decide, build):
    answer = refused(decide(build(provision=provision("deny"))), "refused")
    assert answer.words == "The patient said no to AI drafting on 3 Nov 2026 (Consent/7)."
    assert answer.grounds[0].effect == "deny"


def test_a_later_no_takes_back_a_yes(decide, build):
    no = build(id="8", provision=provision("deny"), dateTime="2026-11-20")
    assert "took back" in refused(decide(build(), no), "revoked").words


@pytest.mark.parametrize("date", ["2026-11-02", "2026-11-03", "2026-11", None])
def test_a_no_that_is_not_certainly_later_contradicts(decide, build, date):
    no = build(id="8", provision=provision("deny"), dateTime=date)
    refused(decide(build(), no), "contradictory")
    refused(decide(no, build()), "contradictory")


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected"])
def test_what_was_never_in_force_gives_nothing(decide, build, status):
    refused(decide(build(status=status)), "not-in-force")


def test_entered_in_error_gives_nothing_not_even_a_no(decide, build):
    refused(decide(build(status="entered-in-error")), "missing")
    permitted(decide(build(), build(id="8", status="entered-in-error", provision=provision("deny"))))


def test_inactive_is_taken_back(decide, build):
    answer = refused(decide(build(status="inactive")), "revoked")
    assert answer.words == "The patient took back the yes to AI drafting (Consent/7)."


def test_only_a_later_yes_stands_after_one_was_taken_back(decide, build):
    back = build(id="8", status="inactive", dateTime="2026-11-10")
    refused(decide(back, build()), "revoked")
    refused(decide(back, build(dateTime=None)), "revoked")
    permitted(decide(back, build(dateTime="2026-11-11")))
    # The 10th may last until noon UTC of the 11th, somewhere.
    refused(decide(back, build(dateTime="2026-11-11T09:00:00+01:00")), "revoked")
    permitted(decide(back, build(dateTime="2026-11-11T13:00:00+01:00")))


@pytest.mark.parametrize(
    ("back", "again", "stands"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:01Z", True),
        ("2026-11-20T10:00:01Z", "2026-11-20T10:00:00Z", False),
        ("2026-11-20T10:00:00Z", None, False),
        (None, "2026-11-20T10:00:01Z", False),
    ],
)
def test_on_one_day_the_records_last_word_counts(decide, build, back, again, stands):
    def one(id_: str, status: str, written: str | None) -> dict[str, Any]:
        return build(id=id_, status=status, dateTime="2026-11-20", meta={"lastUpdated": written} if written else None)

    answer = decide(one("7", "inactive", back), one("8", "active", again))
    assert isinstance(answer, Permit) is stands
    undated = decide(build(status="inactive", dateTime=None, meta={"lastUpdated": back}), one("8", "active", again))
    refused(undated, "revoked")


def test_only_a_later_yes_stands_after_a_rejection(decide, build):
    back = build(id="8", status="rejected", dateTime="2026-11-10")
    refused(decide(back, build()), "refused")
    permitted(decide(back, build(dateTime="2026-11-12")))


def test_a_no_that_was_taken_back_does_not_bind(decide, build):
    permitted(decide(build(), build(id="8", status="inactive", provision=provision("deny"), dateTime="2026-11-20")))
    refused(decide(build(status="inactive", provision=provision("deny"))), "missing")
    refused(decide(build(status="inactive", provision=provision("deny", "telehealth"))), "missing")


@pytest.mark.parametrize("status", [None, "unknown", 7])
def test_a_status_that_is_none_is_no(decide, build, status):
    refused(decide(build(status=status)), "unreadable")


@pytest.mark.parametrize(
    ("end", "at", "holds"),
    [
        ("2026-11-23T15:00:01Z", "2026-11-23T15:00:00", True),
        ("2026-11-23T15:00:00Z", "2026-11-23T15:00:00", False),
        # The zone is not known: the 23rd ends first at UTC+14, which is 10:00 UTC.
        ("2026-11-23", "2026-11-23T09:59:59", True),
        ("2026-11-23", "2026-11-23T10:00:00", False),
        ("2026-11", "2026-11-30T09:59:59", True),
        ("2026", "2026-12-31T09:59:59", True),
        ("2026", "2026-12-31T10:00:00", False),
    ],
)
def test_a_permit_ends_where_its_period_certainly_lasts_no_longer(decide, build, end, at, holds):
    answer = decide(build(provision=provision(period={"end": end})), now=datetime.fromisoformat(at).replace(tzinfo=UTC))
    if holds:
        assert permitted(answer).until is not None
    else:
        refused(answer, "expired")


def test_a_date_is_the_whole_day_of_the_sites_zone(decide, build, rules):
    chicago = ConsentRules.model_validate({**rules.model_dump(), "time_zone": "America/Chicago"})
    day = build(provision=provision(period={"start": "2026-11-23", "end": "2026-11-23"}))
    begins, ends = datetime(2026, 11, 23, 6, tzinfo=UTC), datetime(2026, 11, 24, 6, tzinfo=UTC)
    refused(decide(day, rules=chicago, now=begins - timedelta(seconds=1)), "not-in-force")
    assert permitted(decide(day, rules=chicago, now=begins)).until == ends
    permitted(decide(day, rules=chicago, now=ends - timedelta(seconds=1)))
    refused(decide(day, rules=chicago, now=ends), "expired")


def test_a_permit_begins_when_its_day_has_begun_everywhere(decide, build):
    day = build(provision=provision(period={"start": "2026-11-23"}))
    refused(decide(day, now=datetime(2026, 11, 23, 11, 59, tzinfo=UTC)), "not-in-force")
    permitted(decide(day, now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC)))


def test_a_no_lasts_as_long_as_it_possibly_may(decide, build):
    no = build(id="8", provision=provision("deny", period={"start": "2026-11-20", "end": "2026-11-21"}))
    for at in (datetime(2026, 11, 19, 10, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)):
        refused(decide(build(), no, now=at), "contradictory")
    assert permitted(decide(build(), no, now=datetime(2026, 11, 19, 9, 59, tzinfo=UTC))).until == datetime(
        2026, 11, 19, 10, tzinfo=UTC
    )
    permitted(decide(build(), no, now=datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)))


def test_a_consent_dated_in_the_future_is_not_yet_in_force(decide, build):
    refused(decide(build(dateTime="2026-11-25")), "not-in-force")
    permitted(decide(build(dateTime="2026-11-23")))
    both = permitted(decide(build(), build(id="8", dateTime="2026-11-25T00:00:00Z")))
    assert both.until == datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize("date", ["yesterday", "2026-13", "2026-11-03T10:00:00", 20261103])
def test_a_date_that_is_none_is_no(decide, build, date):
    refused(decide(build(dateTime=date)), "unreadable")


@pytest.mark.parametrize(
    "period",
    ["2026", {"start": "soon"}, {"end": 7}, {"start": "2026-12", "end": "2026-01"}, {"_end": {"extension": []}}],
)
def test_a_period_that_is_none_is_no(decide, build, period):
    answer = refused(decide(build(provision=provision(period=period))), "not-understood")
    assert "Consent/7 has a provision that can't be read" in answer.words


def test_a_nested_no_is_an_exception_to_a_yes(decide, build):
    root = provision("permit", None, code=[concept("ai-drafting"), concept("recording")])
    root["provision"] = [provision("deny", "recording")]
    permitted(decide(build(provision=root)))
    refused(decide(build(provision=root), activity=Activity.RECORDING), "refused")


def test_a_nested_yes_is_an_exception_to_an_opt_out(decide, build):
    root = {"type": "deny", "provision": [provision("permit")]}
    permitted(decide(build(provision=root)))
    refused(decide(build(provision=root), activity=Activity.RECORDING), "not-understood")
    out = build(policyRule=concept("OPTOUT", ACT_CODE), provision={"provision": [provision("permit")]})
    permitted(decide(out))


def test_an_untyped_level_turns_a_yes_to_no_but_no_no_to_yes(decide, build):
    turned = provision("permit", provision=[provision(None, "ai-drafting")])
    refused(decide(build(provision=turned)), "refused")
    guessed = {"type": "deny", "provision": [provision(None, "ai-drafting")]}
    refused(decide(build(provision=guessed)), "not-understood")
    refused(decide(build(provision={"provision": [provision(None)]})), "not-understood")


def test_an_opt_in_without_a_stated_permit_is_not_a_yes(decide, build):
    consent = build(policyRule=concept("OPTIN", ACT_CODE), provision=provision(None, "ai-drafting"))
    refused(decide(consent), "not-understood")
    nested = build(policyRule=concept("OPTIN", ACT_CODE), provision={"provision": [provision(None)]})
    refused(decide(nested), "refused")


def test_among_exceptions_the_no_wins(decide, build):
    root = {"provision": [provision("permit"), provision("deny")]}
    refused(decide(build(provision=root)), "refused")


def test_a_no_stays_no_under_an_exception_that_is_not_understood(decide, build):
    root = provision("deny", provision=[provision("permit", purpose=[{"code": "TREAT"}])])
    refused(decide(build(provision=root)), "refused")


def test_an_exception_counts_only_in_its_time(decide, build):
    over = provision("permit", provision=[provision("deny", period={"end": "2026-01-01"})])
    permitted(decide(build(provision=over)))
    soon = provision("permit", provision=[provision("deny", period={"start": "2026-12-01T00:00:00Z"})])
    assert permitted(decide(build(provision=soon))).until == datetime(2026, 12, 1, tzinfo=UTC)


def test_provisions_that_contradict_their_frame_are_not_understood(decide, build):
    root = provision("permit", "recording", provision=[provision("permit", "ai-drafting")])
    refused(decide(build(provision=root)), "not-understood")


def test_a_no_to_something_else_does_not_bear(decide, build):
    permitted(decide(build(), build(id="8", provision=provision("deny", "recording", actor=[{}]))))


@pytest.mark.parametrize("limit", ["actor", "action", "securityLabel", "purpose", "class", "dataPeriod", "data"])
@pytest.mark.parametrize("type_", ["permit", "deny"])
def test_limits_that_are_not_evaluated_are_named(decide, build, limit, type_):
    limited = build(id="8", provision=provision(type_, **{limit: [{}]}))
    assert limit in refused(decide(limited), "not-understood").words
    assert limit in refused(decide(build(), limited), "not-understood").words


@pytest.mark.parametrize(
    "root",
    [
        provision("deny", None),
        provision("deny", None, code=[{"text": "the usual"}]),
        provision("deny", None, code="ai"),
        provision("permit", None, code=[{"text": "See the scanned form"}]),
        provision("permit", None, code=[{"coding": [{"code": "ai-drafting"}]}]),
        provision("permit", modifierExtension=[{}]),
        provision("permit", documentType=[]),
        provision("allow"),
        provision("permit", provision={}),
        provision("permit", provision=["x"]),
        [],
        7,
    ],
)
def test_a_provision_that_is_not_understood_is_no(decide, build, root):
    refused(decide(build(provision=root)), "not-understood")
    refused(decide(build(), build(id="8", provision=root)), "not-understood")


def test_provisions_nested_beyond_reason_are_no(decide, build):
    root = provision("permit")
    for _ in range(20):
        root = {"provision": [root]}
    refused(decide(build(provision=root)), "not-understood")


@pytest.mark.parametrize(
    "changes",
    [
        {"implicitRules": "https://example.org/rules"},
        {"modifierExtension": [{"url": "https://example.org/not"}]},
        {"decision": "deny"},
        {"category": "x"},
        {"category": [{"coding": [{"code": 5}]}]},
        {"policyRule": "x"},
        {"scope": None},
        {"scope": concept("clinical", SCOPE)},
        {"scope": {"coding": [*concept("treatment", SCOPE)["coding"], *concept("adr", SCOPE)["coding"]]}},
        {"verification": [{"verified": False}]},
        {"verification": {}},
    ],
)
def test_a_consent_that_is_not_understood_is_no(decide, build, changes):
    refused(decide(build(**changes)), "not-understood")


def test_a_verified_consent_permits(decide, build):
    permitted(decide(build(verification=[{"verified": True}])))


@pytest.mark.parametrize("code", ["adr", "research"])
def test_directives_and_research_permit_nothing_but_may_refuse(decide, build, code):
    aside = {"scope": concept(code, SCOPE)}
    refused(decide(build(**aside)), "missing")
    permitted(decide(build(), build(id="8", provision=provision("deny", None), **aside)))
    permitted(decide(build(), build(id="8", **aside)))
    refused(decide(build(provision=provision("deny"), **aside)), "refused")


@pytest.mark.parametrize("patient", [None, {}, {"reference": "#p"}, {"reference": "Group/1"}, {"reference": 4}])
def test_a_consent_of_nobody_is_no(decide, build, patient):
    refused(decide(build(patient=patient)), "unreadable")


def test_a_consent_of_another_patient_is_no(decide, build):
    refused(decide(build(), patient="Patient/2"), "unreadable")
    permitted(decide(build(), patient="Patient/1"))
    permitted(decide(build(patient={"reference": "https://ehr.example.org/fhir/Patient/1"}), patient="Patient/1"))


@pytest.mark.parametrize("thing", [None, "Consent", {}, {"resourceType": "Patient", "id": "1"}])
def test_what_is_no_consent_is_no(decide, build, thing):
    refused(decide(build(), thing), "unreadable")


def test_a_problem_in_loading_is_no(decide, build):
    answer = refused(decide(build(), problems=("A page is missing.",)), "unreadable")
    assert answer.words.endswith("A page is missing.")


def test_a_permit_says_when_the_answer_may_change(decide, build):
    first = build(provision=provision(period={"end": "2027-01-01T00:00:00Z"}))
    other = build(id="8", provision=provision(period={"end": "2026-12-01T00:00:00Z"}))
    permit = permitted(decide(first, other))
    assert permit.until == datetime(2026, 12, 1, tzinfo=UTC)
    assert permit.holds_at(permit.until - timedelta(seconds=1))
    assert not permit.holds_at(permit.until)


def with_answer(rules: ConsentRules, states: str, activity: Activity = AI) -> ConsentRules:
    answer = Answer(activity=activity, system="urn:site", code="type-1", found_in="category", states=states)
    return ConsentRules.model_validate({**rules.model_dump(), "answers": [*rules.answers, answer]})


def test_a_category_answers_where_the_sites_rules_say_so(decide, build, rules):
    metadata = build(category=[concept("type-1", "urn:site")], provision={"period": {"end": "2027-01-01"}})
    refused(decide(metadata), "missing")
    assert permitted(decide(metadata, rules=with_answer(rules, "permit"))).until is not None
    refused(decide(metadata, rules=with_answer(rules, "deny")), "refused")
    refused(decide(metadata, rules=with_answer(rules, "provision")), "missing")
    refused(decide(metadata, rules=with_answer(rules, "permit", Activity.RECORDING)), "missing")


def test_a_category_names_what_the_provisions_answer(decide, build, rules):
    named = with_answer(rules, "provision")
    category = [concept("type-1", "urn:site")]
    permitted(decide(build(category=category, provision={"type": "permit"}), rules=named))
    refused(decide(build(category=category, provision={"type": "deny"}), rules=named), "refused")
    refused(
        decide(build(category=category, provision=None, policyRule=concept("OPTOUT", ACT_CODE)), rules=named), "refused"
    )


def test_a_category_and_provisions_that_differ_are_no(decide, build, rules):
    category = [concept("type-1", "urn:site")]
    yes, no = with_answer(rules, "permit"), with_answer(rules, "deny")
    refused(decide(build(category=category), rules=no), "not-understood")
    refused(decide(build(category=category, provision=provision("deny")), rules=yes), "refused")
    opt_out = build(category=category, provision=None, policyRule=concept("OPTOUT", ACT_CODE))
    refused(decide(opt_out, rules=yes), "not-understood")
    second = Answer(activity=AI, system="urn:site", code="type-2", found_in="category", states="deny")
    both = ConsentRules.model_validate({**yes.model_dump(), "answers": [*yes.answers, second]})
    mixed = [concept("type-1", "urn:site"), concept("type-2", "urn:site"), {"text": "form"}]
    refused(decide(build(category=mixed, provision=None), rules=both), "not-understood")


def test_only_the_decision_makes_a_permit(now):
    with pytest.raises(ForgedProof):
        Permit(object(), AI, (Ground("Consent/1", "permit", ""),), "", now, None, "default")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rests on"):
        Permit(MAKER, AI, (), "", now, None, "default")
