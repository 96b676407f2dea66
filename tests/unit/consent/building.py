"""Consents to decide on, all invented, and questions about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.codes import ACT_CODE, ACT_REASON, CONSENT_SCOPE, LOINC, PARTICIPATION, Code
from gateway.consent.decision import Permit, Question, Refusal, Related, decide_consent, read_consents
from gateway.consent.rules import ConsentRules

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
SITE = "urn:site"
AI, RECORDING, TELEHEALTH = Activity.AI_DRAFTING, Activity.RECORDING, Activity.TELEHEALTH
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
CLINICIAN, CLINIC, GATEWAY = "Practitioner/1", "Organization/1", "Device/countersign"
TREAT: Code = (ACT_REASON, "TREAT")
OPT_IN, OPT_OUT = (ACT_CODE, "OPTIN"), (ACT_CODE, "OPTOUT")


def coding(code: str, system: str = OWN_CODES) -> dict[str, Any]:
    return {"system": system, "code": code}


def concept(code: str, system: str = OWN_CODES) -> dict[str, Any]:
    return {"coding": [coding(code, system)]}


def provision(type_: str | None = "permit", about: str | None = "ai-drafting", **more: Any) -> dict[str, Any]:
    node: dict[str, Any] = dict(more)
    if type_:
        node["type"] = type_
    if about:
        node["code"] = [concept(about)]
    return node


def actor(reference: str, role: str = "PRCP") -> dict[str, Any]:
    return {"role": concept(role, PARTICIPATION), "reference": {"reference": reference}}


def build(**changes: Any) -> dict[str, Any]:
    """A yes to AI drafting of Patient/1 herself; a change to None leaves the element out."""
    consent: dict[str, Any] = {
        "resourceType": "Consent",
        "id": "7",
        "status": "active",
        "scope": concept("treatment", CONSENT_SCOPE),
        "category": [concept("59284-0", LOINC)],
        "patient": {"reference": "Patient/1"},
        "dateTime": "2026-11-03",
        "performer": [{"reference": "Patient/1"}],
        "provision": provision(),
    }
    return {name: value for name, value in (consent | changes).items() if value is not None}


def other(**changes: Any) -> dict[str, Any]:
    """The same as a second Consent."""
    return build(**({"id": "8"} | changes))


@dataclass(frozen=True)
class Decide:
    """``decide(*consents, activity=…, rules={…})``: what the engine says, under the shipped rules but for these."""

    rules: ConsentRules

    def __call__(
        self,
        *consents: Any,
        problems: tuple[str, ...] = (),
        rules: Mapping[str, Any] | None = None,
        activity: Activity = AI,
        at: datetime = NOW,
        patient: str = "Patient/1",
        actors: tuple[str, ...] = (CLINICIAN, CLINIC, GATEWAY),
        purposes: tuple[Code, ...] = (TREAT,),
        majority: datetime | None = None,
        related: Mapping[str, Related] | None = None,
    ) -> Permit | Refusal:
        question = Question(activity, at, patient, frozenset(actors), frozenset(purposes), majority, related or {})
        site = change_rules(self.rules, **rules) if rules else self.rules
        return decide_consent(read_consents(consents, site), problems, question, site)


def change_rules(rules: ConsentRules, **changes: Any) -> ConsentRules:
    return ConsentRules.model_validate({**rules.model_dump(), **changes})


def add_answer(rules: ConsentRules, *added: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The rules' answers and more: ``{"code": …}`` of the system ``urn:site``, found in a category."""
    plain = {"activity": "ai-drafting", "system": SITE, "found_in": "category", "states": "provision"}
    return [*(one.model_dump() for one in rules.answers), *({**plain, **one} for one in added)]


def permitted(answer: Permit | Refusal) -> Permit:
    assert isinstance(answer, Permit), answer
    return answer


def refused(answer: Permit | Refusal, code: str, words: str = "") -> Refusal:
    """``words``: a part of the sentence."""
    assert isinstance(answer, Refusal), answer
    assert (answer.code, words in answer.words) == (code, True), answer
    assert answer.words.endswith((".", ")")), answer.words
    assert (answer.rules_id, answer.activity in Activity, type(answer.grounds)) == ("default", True, tuple)
    assert answer.decided_at.tzinfo is not None
    return answer
