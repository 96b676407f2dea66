"""Consent resources to decide on; all invented."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from gateway.consent.rules import ConsentRules, read_rules

# A machine under load is no reason to fail a property.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

OWN_CODES = "https://countersign.dev/fhir/CodeSystem/consent-activity"
Build = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def rules() -> ConsentRules:
    """The shipped rules, of no known zone."""
    shipped = read_rules(Path(__file__).parents[3] / "config/consent")["default"]
    return shipped.model_copy(update={"time_zone": ""})


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def build() -> Build:
    """``build(**changes)``: a permit for AI drafting; ``provision=…`` and others replace, None removes."""

    def build(**changes: Any) -> dict[str, Any]:
        consent: dict[str, Any] = {
            "resourceType": "Consent",
            "id": "7",
            "status": "active",
            "scope": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}]
            },
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": "Patient/1"},
            "dateTime": "2026-11-03",
            "provision": {"type": "permit", "code": [concept("ai-drafting")]},
        }
        consent.update(changes)
        return {name: value for name, value in consent.items() if value is not None}

    return build


def concept(code: str, system: str = OWN_CODES) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
