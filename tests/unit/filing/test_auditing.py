"""A decision on consent as an AuditEvent: what it names, and that it is told once or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.consent.activity import Activity
from gateway.consent.decision import Ground, Refusal
from gateway.consent.rules import read_rules
from gateway.ehr.site import Consents
from gateway.filing.auditing import describe_decision, send_audit_event
from gateway.ledger.audit_event import build_audit_event
from gateway.sandbox.faults import Fault
from gateway.sandbox.fhir.memory import MemoryBackend
from tests.unit.filing.conftest import Record, open_record
from tests.unit.filing.invented import EHR, STARTED, make_chart, make_encounter, make_permit, make_site

RULES = read_rules(Path(__file__).parents[3] / "config" / "consent")["default"]
SITE = make_site().model_copy(update={"consent": Consents(audit_events=True)})
GROUNDS = (
    Ground("this visit", "deny", "said no aloud"),
    Ground("Consent/7/_history/2", "deny", "says no"),
    Ground("Consent without an id", "unclear", "can't be read"),
)
REFUSAL = Refusal(Activity.RECORDING, "refused", GROUNDS, "The patient said no.", STARTED, "default")


@pytest.fixture
async def audited() -> AsyncIterator[Record]:
    async with open_record(MemoryBackend(EHR)) as record:
        consent = {"resourceType": "Consent", "id": "invented", "status": "active"}
        scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}]}
        category = [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]
        patient = {"reference": "Patient/invented-patient"}
        policy = {"policyRule": {"text": "invented"}}
        await record.direct.update(consent | policy | {"scope": scope, "category": category, "patient": patient})
        yield record


async def test_a_permit_is_told_with_the_consent_that_it_rests_on(audited):
    assert await send_audit_event(audited.client, make_chart(), SITE, RULES, make_permit(Activity.RECORDING))
    [event] = await audited.direct.search("AuditEvent", ("patient", "invented-patient"))
    assert (event["action"], event["outcome"], event["outcomeDesc"]) == ("E", "0", "permit")
    assert (event["type"]["code"], event["subtype"][0]["code"]) == ("110113", "AuthZ-Consent")
    assert event["recorded"] == "2026-11-23T16:40:00.000+00:00"
    assert [one["what"]["reference"] for one in event["entity"]] == ["Patient/invented-patient", "Consent/invented"]
    details = {one["type"]: one["valueString"] for entity in event["entity"] for one in entity["detail"]}
    assert details == {"activity": "recording", "rules": RULES.version, "effect": "permit"}
    requestors = [one["who"].get("reference") for one in event["agent"] if one["requestor"]]
    assert requestors == ["Practitioner/invented-clinician"]


def test_a_refusal_is_a_failure_and_names_its_code_and_no_sentence():
    event = build_audit_event(describe_decision(make_chart(), SITE, RULES, REFUSAL))
    assert (event["outcome"], event["outcomeDesc"]) == ("4", "refusal: refused")
    assert [one["what"]["reference"] for one in event["entity"]][1:] == ["Consent/7/_history/2"]
    assert "said" not in str(event)


def test_the_gateway_is_named_as_the_ehr_refers_to_it():
    known = SITE.model_copy(update={"acting_as": ("Organization/1", "Device/countersign")})
    event = build_audit_event(describe_decision(make_chart(), known, RULES, REFUSAL))
    assert event["source"]["observer"] == {"reference": "Device/countersign", "display": "Countersign"}
    unknown = build_audit_event(describe_decision(make_chart(), SITE, RULES, REFUSAL))
    assert unknown["source"]["observer"] == {"display": "Countersign"}
    for one in (event, unknown):
        assert [agent["who"] for agent in one["agent"][::3]] == [one["source"]["observer"]] * 2


@pytest.mark.parametrize("encounter", [None, make_encounter(organization="")])
def test_without_an_organization_none_is_named(encounter):
    event = build_audit_event(describe_decision(make_chart(encounter), SITE, RULES, REFUSAL))
    assert len(event["agent"]) == 3


async def test_a_site_that_does_not_ask_for_it_is_told_nothing(audited):
    assert not await send_audit_event(audited.client, make_chart(), make_site(), RULES, REFUSAL)
    assert audited.count("POST", "AuditEvent") == 0


@pytest.mark.parametrize("fault", [Fault.STATUS_401, Fault.STATUS_503, Fault.DROP_REPLY, Fault.HTML])
async def test_one_that_is_not_taken_stops_nothing_and_is_not_sent_again(audited, fault):
    audited.arm(fault, type_="AuditEvent")
    decided = make_permit(Activity.RECORDING)
    assert await send_audit_event(audited.client, make_chart(), SITE, RULES, decided) is False
    assert len(await audited.direct.search("AuditEvent", ("patient", "invented-patient"))) == (
        fault is Fault.DROP_REPLY
    )
