"""HL7's own twelve Consent examples of FHIR R4: each is argued for, and none permits anything here.

None names telehealth, recording or AI drafting, so at best nothing is on file; those that refuse in general, or
within limits that this version does not evaluate, are a no that names them.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.consent.activity import Activity
from gateway.consent.decision import Refusal, decide_consent

FOLDER = Path(__file__).parents[4] / "shared/data/fhir-r4-examples"
REASONS = {
    # Opt-out but for emergencies: refuses within limits of actor and purpose.
    "consent-example-Emergency": ("not-understood", "actor, purpose"),
    # Opt-out, framed by an organization: a refusal within limits.
    "consent-example-Out": ("not-understood", "actor"),
    # Opt-out that names a grantee and an action.
    "consent-example-grantor": ("not-understood", "action, actor"),
    # Opt-in without a word on what: a general yes answers no question.
    "consent-example-notAuthor": ("missing", "No consent to"),
    # Opt-in, but one organization is denied: that might be this one.
    "consent-example-notOrg": ("not-understood", "action, actor"),
    # Opt-in framed by one practitioner; "not" stands in the narrative only.
    "consent-example-notThem": ("missing", "No consent to"),
    # Opt-in framed by one piece of data.
    "consent-example-notThis": ("missing", "No consent to"),
    # Opt-in framed by a month of 2015.
    "consent-example-notTime": ("missing", "No consent to"),
    # Opt-out with frames of actor, action and label.
    "consent-example-pkb": ("not-understood", "action, actor, securityLabel"),
    # Opt-in; permits two LOINC documents to an author, until 2016: other things than the three questions.
    "consent-example-signature": ("missing", "No consent to"),
    # Opt-in; half an hour of 2016, access to MedicationRequest, no code.
    "consent-example-smartonfhir": ("missing", "No consent to"),
    # Opt-in until 2016, general.
    "consent-example": ("missing", "No consent to"),
}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="HL7's R4 examples are not here (shared/data)")


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.parametrize("activity", list(Activity))
def test_no_official_example_permits_anything(name, activity, rules):
    code, words = REASONS[name]
    consent = json.loads((FOLDER / f"{name}.json").read_text())
    answer = decide_consent([consent], [], activity, rules, datetime(2026, 11, 23, tzinfo=UTC))
    assert isinstance(answer, Refusal)
    assert (answer.code, words in answer.words) == (code, True), answer.words


def test_every_official_example_is_argued():
    assert {path.stem for path in FOLDER.glob("consent-example*.json")} == set(REASONS)
