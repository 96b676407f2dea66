"""What deciding costs: five Consents of one patient read once and asked again and again; 1,000 read and decided."""

import statistics
import time
from datetime import UTC, datetime
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.codes import CONSENT_SCOPE
from gateway.consent.decision import Permit, Question, decide_consent, read_consents
from gateway.consent.rules import read_rules
from tests.browser.demo_servers import ROOT

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
ROUNDS, DECISIONS = 9, 2000


def measure_consent() -> dict[str, float]:
    """Medians, on one core. Each patient has a yes to each question, one that was taken back and a no that is over."""
    rules = read_rules(ROOT / "config" / "consent")["default"]
    question = Question(
        activity=Activity.RECORDING,
        at=datetime(2026, 11, 23, 15, tzinfo=UTC),
        patient="Patient/1",
        actors=frozenset(("Practitioner/1", "Organization/1", "Device/countersign")),
        purposes=rules.purpose_codes,
    )
    five = list_consents(5)
    readings = read_consents(five, rules)
    assert isinstance(decide_consent(readings, (), question, rules), Permit)
    thousand = list_consents(1000)
    per_second, reading_us, thousand_ms = [], [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(DECISIONS):
            decide_consent(readings, (), question, rules)
        per_second.append(DECISIONS / (time.perf_counter() - started))
        started = time.perf_counter()
        for _ in range(DECISIONS // 5):
            read_consents(five, rules)
        reading_us.append(1e6 * (time.perf_counter() - started) / DECISIONS)
        started = time.perf_counter()
        answer = decide_consent(read_consents(thousand, rules), (), question, rules)
        thousand_ms.append(1000 * (time.perf_counter() - started))
        assert isinstance(answer, Permit)
    return {
        "consent_decisions_per_s": statistics.median(per_second),
        "consent_read_us": statistics.median(reading_us),
        "consent_1000_ms": statistics.median(thousand_ms),
    }


def list_consents(count: int) -> list[dict[str, Any]]:
    kinds = [
        build_consent(Activity.RECORDING),
        build_consent(Activity.AI_DRAFTING),
        build_consent(Activity.TELEHEALTH),
        build_consent(
            Activity.RECORDING, status="inactive", dateTime="2025-01-07", meta={"lastUpdated": "2025-02-03T09:00:00Z"}
        ),
        build_consent(Activity.RECORDING, dateTime="2024-06-05"),
    ]
    kinds[4]["provision"] |= {"type": "deny", "period": {"end": "2024-12-31"}}
    return [{**kinds[number % 5], "id": str(number)} for number in range(count)]


def build_consent(activity: Activity, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/1"},
        "dateTime": "2026-11-03T09:30:00-06:00",
        "performer": [{"reference": "Patient/1"}],
        "provision": {"type": "permit", "code": [{"coding": [{"system": OWN_CODES, "code": activity.value}]}]},
        **changes,
    }
