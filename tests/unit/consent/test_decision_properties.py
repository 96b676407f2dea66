"""What must hold of every decision, searched by Hypothesis over whole stacks of Consents."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.activity import Activity
from gateway.consent.codes import ACT_CODE, ACT_REASON, CONSENT_SCOPE, LOINC
from gateway.consent.decision import Permit, Refusal
from gateway.consent.rules import read_rules
from tests.unit.consent.building import NOW, Decide, actor, build, coding, concept, provision

SHIPPED = read_rules(Path(__file__).parents[3] / "config/consent")["default"]
decide = Decide(SHIPPED.model_copy(update={"time_zone": ""}))

dates = st.sampled_from(["2025", "2026-11", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-23T15:00:00Z", "2028"])
concepts = st.sampled_from(
    [concept(activity.value) for activity in Activity] * 4 + [concept("11506-3", LOINC), {"text": "a form"}]
)
limits: dict[str, Any] = {
    "code": st.lists(concepts, min_size=1, max_size=2),
    "period": st.fixed_dictionaries({"start": dates}, optional={"end": dates}),
    "actor": st.sampled_from([[actor("Practitioner/1")], [actor("Practitioner/9")], [actor("CareTeam/1")]]),
    "purpose": st.sampled_from([[coding("TREAT", ACT_REASON)], [coding("HRESCH", ACT_REASON)]]),
}


@st.composite
def provisions(draw: st.DrawFn, kind: str, depth: int) -> dict[str, Any]:
    """Each level turns the answer round."""
    node = draw(st.fixed_dictionaries({"type": st.just(kind)}, optional=limits))
    opposite = "deny" if kind == "permit" else "permit"
    nested = draw(st.lists(provisions(opposite, depth - 1), max_size=2)) if depth else []
    return node | ({"provision": nested} if nested else {})


consents = st.builds(
    lambda changes: build(**changes),
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["1", "2", "3"]),
            "status": st.sampled_from(["active"] * 5 + ["inactive", "draft", "rejected", "entered-in-error"]),
            "scope": st.sampled_from([concept(code, CONSENT_SCOPE) for code in ("treatment", "treatment", "research")]),
            "dateTime": st.none() | dates,
            "provision": provisions("permit", 2) | provisions("permit", 1) | provisions("deny", 2) | st.none(),
        },
        optional={
            "policyRule": st.sampled_from([concept("OPTIN", ACT_CODE), concept("OPTOUT", ACT_CODE)]),
            "performer": st.sampled_from([None, [{"reference": "Practitioner/1"}]]),
            "meta": st.just({"lastUpdated": "2026-11-22T10:00:00Z"}),
        },
    ),
)
plain_permits = st.builds(
    lambda date, activity: build(dateTime=date, provision=provision("permit", activity.value)),
    st.none() | dates,
    st.sampled_from(list(Activity)),
)
stacks = st.lists(consents | plain_permits, max_size=4)
activities = st.sampled_from(list(Activity))


@given(stacks, consents, activities)
def test_only_another_permit_turns_a_refusal_into_a_permit(stack, one, activity):
    after, before = decide(*stack, one, activity=activity), decide(*stack, activity=activity)
    if isinstance(after, Permit) and not isinstance(before, Permit):
        assert isinstance(decide(one, activity=activity), Permit)


@given(stacks, activities)
def test_a_no_in_force_always_wins(stack, activity):
    no = build(id="no", provision=provision("deny", activity.value))
    assert isinstance(decide(*stack, no, activity=activity), Refusal)


@given(stacks, activities)
def test_a_problem_always_wins(stack, activity):
    assert isinstance(decide(*stack, activity=activity, problems=("Unread.",)), Refusal)


@given(stacks, activities)
def test_the_order_of_the_consents_decides_nothing(stack, activity):
    first, last = decide(*stack, activity=activity), decide(*stack[::-1], activity=activity)
    assert type(first) is type(last)
    assert getattr(first, "until", None) == getattr(last, "until", None)


@given(stacks, activities)
def test_saying_a_thing_twice_changes_nothing(stack, activity):
    once, twice = decide(*stack, activity=activity), decide(*stack, *stack, activity=activity)
    assert type(once) is type(twice)


@given(stacks, activities)
def test_a_permit_rests_on_a_coded_permit_for_this_very_activity(stack, activity):
    answer = decide(*stack, activity=activity)
    if isinstance(answer, Permit):
        assert answer.grounds[0].effect == "permit"
        resting = [one for one in stack if f"Consent/{one['id']}" == answer.grounds[0].reference]
        assert any(f'"code": "{activity.value}"' in json.dumps(one) for one in resting)
        assert any('"type": "permit"' in json.dumps(one) for one in resting)


@settings(max_examples=300)
@given(stacks, activities, st.floats(0, 1, exclude_max=True))
def test_a_permit_holds_at_every_moment_until_it_says(stack, activity, part):
    first = decide(*stack, activity=activity)
    if isinstance(first, Permit):
        span = (first.until or NOW + timedelta(days=900)) - NOW
        assert isinstance(decide(*stack, activity=activity, at=NOW + span * part), Permit)


@given(stacks, activities)
def test_every_sentence_is_whole_and_short(stack, activity):
    answer = decide(*stack, activity=activity)
    for words in (answer.words, *(ground.words for ground in answer.grounds)):
        assert words[0].isupper()
        assert words.endswith((".", ")"))
        assert len(words) <= 180
        assert "  " not in words


names = st.sampled_from(["resourceType", "Consent", "status", "provision", "code"])
json_values = st.recursive(
    st.none() | st.integers(0, 9) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(json_values, max_size=3), activities)
def test_no_json_whatever_raises_or_permits(things, activity):
    assert isinstance(decide(*things, activity=activity), Refusal)


elements = st.sampled_from(
    ["status", "scope", "patient", "dateTime", "provision", "category", "policyRule", "meta", "identifier", "performer"]
)
broken_values = st.sampled_from(
    [None, 7, "x", [], {}, [7], {"coding": 7}, {"coding": [7]}, [{"coding": {}}], [[]], "\n"]
)


@given(consents, elements, broken_values)
def test_a_broken_element_never_raises_and_never_makes_a_permit(consent, name, value):
    """Where it is taken, it says no more than leaving it out does."""
    if isinstance(decide({**consent, name: value}), Permit):
        assert isinstance(decide({key: kept for key, kept in consent.items() if key != name}), Permit)


@given(consents, elements, broken_values)
def test_a_broken_element_never_makes_a_no_unsaid(consent, name, value):
    """Beside a yes: where the whole Consent takes it away, the broken one does too, or it is no Consent of hers."""
    whole, broken = {**consent, "id": "no"}, {**consent, "id": "no", name: value}
    if isinstance(decide(build(), whole), Refusal) and name not in ("provision", "policyRule", "status", "dateTime"):
        assert isinstance(decide(build(), broken), Refusal)
