"""The shipped rules, and a quick way to put a question."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gateway.consent.rules import ConsentRules, read_rules
from tests.unit.consent.building import NOW, Decide

# How many draws are held against the oracle: `make test`, continuous integration, `make fuzz-consent`.
CASES = int(os.environ.get("CONSENT_CASES") or 2_000)

# A machine under load is no reason to fail a property.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("oracle", max_examples=CASES, **_PATIENT)
settings.register_profile("patient", **_PATIENT)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def rules() -> ConsentRules:
    """The shipped rules, of no known zone."""
    shipped = read_rules(Path(__file__).parents[3] / "config/consent")["default"]
    return shipped.model_copy(update={"time_zone": ""})


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def decide(rules: ConsentRules) -> Decide:
    return Decide(rules)
