"""What the gateway would write as a Consent is what it reads: each answer, and nothing more than it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.consent.activity import Activity
from gateway.consent.answer import GivenAnswer, build_consent
from gateway.consent.codes import ACT_REASON
from gateway.consent.decision import Permit, Question, Refusal, Related, decide_consent, read_consents
from gateway.consent.rules import Coding, ConsentRules, Proxies
from tests.unit.consent.examples import FOLDER, GIVEN_AT, PATIENT, UNTIL, list_examples, write_example

EXAMPLES = {file.stem.removeprefix("Consent-"): resource for file, resource in list_examples()}
MOTHER = ("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MTH")


def decide(
    rules: ConsentRules,
    activity: Activity,
    *consents: dict[str, Any],
    at: datetime = GIVEN_AT + timedelta(days=30),
    **more: Any,
) -> Permit | Refusal:
    actors, purposes = frozenset(["Practitioner/1"]), frozenset([(ACT_REASON, "TREAT")])
    return decide_consent(
        read_consents(consents, rules), (), Question(activity, at, PATIENT, actors, purposes, **more), rules
    )


def test_the_published_examples_are_what_the_code_builds() -> None:
    wanted = {file: write_example(resource) for file, resource in list_examples()}
    held = {file: file.read_text(encoding="utf-8") for file in FOLDER.glob("Consent-*.json")}
    assert held == wanted, "write them anew: python -m tests.unit.consent.examples"


@pytest.mark.parametrize("activity", list(Activity))
def test_each_answer_answers_its_own_question_alone(rules: ConsentRules, activity: Activity) -> None:
    yes, no = EXAMPLES[f"{activity.value}-permit"], EXAMPLES[f"{activity.value}-deny"]
    for asked in Activity:
        answer = decide(rules, asked, yes)
        assert isinstance(answer, Permit) is (asked is activity)
        refusal = decide(rules, asked, no)
        assert isinstance(refusal, Refusal)
        assert refusal.code == ("refused" if asked is activity else "missing")


@pytest.mark.parametrize(
    ("example", "code"),
    [("recording-over", "expired"), ("recording-revoked", "revoked"), ("recording-deny", "refused")],
)
def test_what_is_over_revoked_or_denied_is_no(rules: ConsentRules, example: str, code: str) -> None:
    refusal = decide(rules, Activity.RECORDING, EXAMPLES[example])
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_a_yes_ends_when_it_says(rules: ConsentRules) -> None:
    permit = decide(rules, Activity.RECORDING, EXAMPLES["recording-permit"])
    assert isinstance(permit, Permit)
    assert permit.until is not None
    assert timedelta() <= permit.until - UNTIL < timedelta(seconds=1)
    unending = decide(rules, Activity.RECORDING, EXAMPLES["recording-open-end"])
    assert isinstance(unending, Permit)
    assert unending.until is None


def test_a_proxy_counts_where_the_site_says_so(rules: ConsentRules) -> None:
    by_mother = EXAMPLES["recording-by-proxy"]
    accepting = rules.model_copy(update={"proxies": Proxies(of_minors=(Coding(system=MOTHER[0], code=MOTHER[1]),))})
    child = {
        "majority": GIVEN_AT + timedelta(days=900),
        "related": {"RelatedPerson/mother": Related(frozenset([MOTHER]))},
    }
    assert isinstance(decide(accepting, Activity.RECORDING, by_mother, **child), Permit)
    assert isinstance(decide(rules, Activity.RECORDING, by_mother, **child), Refusal)


def test_a_changed_mind_counts_in_either_direction(rules: ConsentRules) -> None:
    """A newer no always; a newer yes over a no that the gateway wrote."""

    def give(says: str, minutes: int) -> dict[str, Any]:
        identifier = f"urn:uuid:00000000-0000-4000-8000-{minutes:012}"
        moment = GIVEN_AT + timedelta(minutes=minutes)
        return build_consent(GivenAnswer(Activity.RECORDING, says, PATIENT, moment, identifier), PATIENT)  # type: ignore[arg-type]

    assert isinstance(decide(rules, Activity.RECORDING, give("permit", 0), give("deny", 1)), Refusal)
    assert isinstance(decide(rules, Activity.RECORDING, give("deny", 0), give("permit", 1)), Permit)
    foreign = {**give("deny", 0), "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}]}
    assert isinstance(decide(rules, Activity.RECORDING, foreign, give("permit", 1)), Refusal)
