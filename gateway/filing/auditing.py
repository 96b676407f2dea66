"""A decision on consent, told to an EHR that keeps AuditEvents. It is told once; a failure stops nothing.

In: what ``consent/decision`` said. Out: whether the EHR took it. The gateway's own ledger is not this one's business.
"""

from gateway.consent.decision import Permit, Refusal
from gateway.consent.rules import ConsentRules
from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.ehr.reference import parse_reference
from gateway.ehr.site import EhrSite
from gateway.errors import EhrError
from gateway.ledger.audit_event import AuditedDecision, build_audit_event


async def send_audit_event(
    client: FhirClient, chart: Chart, site: EhrSite, rules: ConsentRules, decided: Permit | Refusal
) -> bool:
    """Tell one decision; False where the site has none told, or the EHR did not say that it took it."""
    if not site.consent.audit_events:
        return False
    event = build_audit_event(describe_decision(chart, site, rules, decided))
    try:
        await client.create(event)
    except EhrError:
        return False
    return True


def describe_decision(chart: Chart, site: EhrSite, rules: ConsentRules, decided: Permit | Refusal) -> AuditedDecision:
    """The decision without its sentences. An answer of this visit alone is no resource and is left out."""
    return AuditedDecision(
        activity=decided.activity.value,
        permitted=isinstance(decided, Permit),
        code="" if isinstance(decided, Permit) else decided.code,
        patient=chart.patient.reference,
        clinician=chart.practitioner.reference,
        organization=chart.encounter.organization if chart.encounter else "",
        device=next((one for one in site.acting_as if one.startswith("Device/")), ""),
        consents=[(one.reference, one.effect) for one in decided.grounds if parse_reference(one.reference)],
        rules=rules.version,
        decided_at=decided.decided_at,
    )
