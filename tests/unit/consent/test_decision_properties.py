"""What must hold of every decision, searched by Hypothesis over whole stacks of Consents."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.activity import Activity
from gateway.consent.decision import Permit, decide_consent
from gateway.consent.rules import read_rules

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
SHIPPED = read_rules(Path(__file__).parents[3] / "config/consent")["default"]
RULES = SHIPPED.model_copy(update={"time_zone": ""})
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)

dates = st.sampled_from(["2025", "2026-11", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-23T15:00:00Z", "2028"])
concepts = st.sampled_from(
    [{"coding": [{"system": OWN_CODES, "code": code}]} for code in ("ai-drafting", "recording", "telehealth")]
    + [{"text": "a form"}, {"coding": [{"system": "urn:x", "code": "y"}]}]
)
periods = st.fixed_dictionaries({}, optional={"start": dates, "end": dates})
leaf = {
    "type": st.sampled_from(["permit", "deny"]),
    "code": st.lists(concepts, min_size=1, max_size=2),
    "period": periods,
    "actor": st.just([{}]),
}
provisions = st.recursive(
    st.fixed_dictionaries({}, optional=leaf),
    lambda inner: st.fixed_dictionaries({}, optional={**leaf, "provision": st.lists(inner, max_size=2)}),
    max_leaves=4,
)
consents = st.fixed_dictionaries(
    {
        "resourceType": st.just("Consent"),
        "id": st.sampled_from(["1", "2", "3"]),
        "status": st.sampled_from(["active"] * 4 + ["inactive", "draft", "rejected", "entered-in-error"]),
        "patient": st.just({"reference": "Patient/1"}),
        "scope": st.sampled_from(
            [{"coding": [{"system": SCOPE, "code": code}]} for code in ("treatment", "treatment", "research")]
        ),
    },
    optional={"dateTime": dates, "provision": provisions},
)
plain_permits = st.builds(lambda date: {**permit(), **({"dateTime": date} if date else {})}, st.none() | dates)
stacks = st.lists(consents | plain_permits, max_size=4)
activities = st.sampled_from(list(Activity))


def permit(activity: str = "ai-drafting", type_: str = "permit") -> dict[str, Any]:
    coding = {"system": OWN_CODES, "code": activity}
    return {
        "resourceType": "Consent",
        "id": "p",
        "status": "active",
        "patient": {"reference": "Patient/1"},
        "scope": {"coding": [{"system": SCOPE, "code": "treatment"}]},
        "provision": {"type": type_, "code": [{"coding": [coding]}]},
    }


def decide(stack: list[dict[str, Any]], activity: Activity, now: datetime = NOW, problems: tuple[str, ...] = ()):
    return decide_consent(stack, problems, activity, RULES, now)


@given(stacks, consents, activities)
def test_only_another_permit_turns_a_refusal_into_a_permit(stack, one, activity):
    if isinstance(decide([*stack, one], activity), Permit) and not isinstance(decide(stack, activity), Permit):
        assert isinstance(decide([one], activity), Permit)


@given(stacks, activities)
def test_a_no_in_force_always_wins(stack, activity):
    assert not isinstance(decide([*stack, permit(activity.value, "deny")], activity), Permit)


@given(stacks, activities)
def test_a_problem_always_wins(stack, activity):
    assert not isinstance(decide(stack, activity, problems=("unread",)), Permit)


@given(stacks, activities)
def test_the_order_of_the_consents_decides_nothing(stack, activity):
    first, last = decide(stack, activity), decide(stack[::-1], activity)
    assert type(first) is type(last)
    assert getattr(first, "until", None) == getattr(last, "until", None)


@given(stacks, activities)
def test_a_permit_rests_on_a_coded_permit_for_this_very_activity(stack, activity):
    if isinstance(decide(stack, activity), Permit):
        assert f"'code': '{activity.value}'" in str(stack)
        assert "'type': 'permit'" in str(stack)


@settings(max_examples=300)
@given(stacks, activities, st.floats(0, 1, exclude_max=True))
def test_a_permit_holds_at_every_moment_until_it_says(stack, activity, part):
    first = decide(stack, activity)
    if isinstance(first, Permit):
        span = (first.until or NOW + timedelta(days=900)) - NOW
        assert isinstance(decide(stack, activity, NOW + span * part), Permit)


names = st.sampled_from(["resourceType", "Consent", "status", "provision", "code"])
json_values = st.recursive(
    st.none() | st.integers(0, 9) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(json_values, max_size=3), activities)
def test_no_json_whatever_raises_or_permits(things, activity):
    assert not isinstance(decide(things, activity), Permit)


@given(
    consents,
    st.sampled_from(["status", "scope", "patient", "dateTime", "provision", "category", "policyRule"]),
    st.sampled_from([None, 7, "x", [], {}, [7], {"coding": 7}, {"coding": [7]}, [{"coding": {}}]]),
)
def test_a_broken_element_never_raises_and_never_makes_a_permit(consent, name, value):
    broken = {**consent, name: value}
    if isinstance(decide([broken], Activity.AI_DRAFTING), Permit):
        assert isinstance(decide([{k: v for k, v in consent.items() if k != name}], Activity.AI_DRAFTING), Permit)
