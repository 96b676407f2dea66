"""HL7's own twelve Consent examples of FHIR R4: each is argued for, and none permits anything.

None names telehealth, recording or AI drafting: as general consents they answer none of the three, so nothing is on
file, and none of them spoils a yes that stands beside it. The arguments tell why they are no yes even at a site that
counts general consents and waives the performer.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.consent.activity import Activity
from gateway.consent.rules import ConsentRules
from tests.truth import consent_oracle
from tests.unit.consent.building import Decide, build, permitted, provision, refused
from tests.unit.consent.oracle import decide as decide_as_oracle

FOLDER = Path(__file__).parents[4] / "shared/data/fhir-r4-examples"
UNTYPED = ("not-understood", "says neither yes nor no")
# What a site gets that counts general consents.
ARGUED = {
    # Opt-out, with a root that frames emergency treatment and says neither permit nor deny: as a limit it would deny
    # only there, as an exception permit only there. This visit is no emergency either way.
    "consent-example-Emergency": UNTYPED,
    # Opt-out of everything. Read as an exception to that, the untyped root would permit what its author withheld.
    "consent-example-Out": UNTYPED,
    # Opt-out, with an untyped root that names a custodian and a recipient, to access: the recipient is meant to
    # have access, but nothing says so, and access is not what this gateway asks for.
    "consent-example-grantor": UNTYPED,
    # Opt-in, with an untyped root that names the custodian's author and means that one is excluded: it would be
    # wrong as a permit.
    "consent-example-notAuthor": UNTYPED,
    # Opt-in, and a typed root: deny of access and correction to one organization. Of others it says nothing, and
    # opting in alone is no yes to a question that was not put.
    "consent-example-notOrg": ("not-in-force", "speaks of {activity}, but not for this visit"),
    # Opt-in, with an untyped root that names a nurse; that she is excluded stands in the narrative only.
    "consent-example-notThem": UNTYPED,
    # Opt-in, with an untyped root that names one Task, meant as the exclusion of it.
    "consent-example-notThis": UNTYPED,
    # Opt-in, with an untyped root that names a month, meant as an exclusion. The basic example has the same shape
    # and means a limit: the direction of an untyped root can't be known.
    "consent-example-notTime": UNTYPED,
    # Opt-out, with an untyped root and eleven untyped exceptions by label: none says which way it turns.
    "consent-example-pkb": ("not-understood", "says neither yes nor no"),
    # Opt-in; an untyped root for one practitioner, in it a permit for another author and two kinds of document.
    "consent-example-signature": UNTYPED,
    # Opt-in for half an hour of 2016, access to MedicationRequest; the RelatedPerson who gave it was not read.
    "consent-example-smartonfhir": ("not-understood", "says neither yes nor no"),
    # Opt-in; an untyped root with a period that is over. LOINC 59284-0 only says that a document exists.
    "consent-example": UNTYPED,
}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="HL7's R4 examples are not here (shared/data)")


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ARGUED)
@pytest.mark.parametrize("activity", list(Activity))
@pytest.mark.parametrize("year", [2015, 2016, 2026])
def test_no_official_example_answers_a_question(decide: Decide, rules: ConsentRules, name, activity, year):
    example, at = read(name), datetime(year, 6, 1, tzinfo=UTC)
    question = {"activity": activity, "at": at, "patient": example["patient"]["reference"]}
    refused(decide(example, **question), "missing", f"No consent to {activity.words} is on file.")
    beside = build(
        patient=example["patient"],
        performer=[example["patient"]],
        provision=provision("permit", activity.value),
        dateTime="2015-01-02",
    )
    permitted(decide(example, beside, **question))


@pytest.mark.parametrize("name", ARGUED)
@pytest.mark.parametrize("activity", list(Activity))
def test_none_is_a_yes_where_general_consents_count_either(decide: Decide, name, activity):
    example = read(name)
    code, words = ARGUED[name]
    site = {"general_consent_counts": True, "performer_needed": False}
    answer = decide(example, activity=activity, patient=example["patient"]["reference"], rules=site)
    refused(answer, code, words.format(activity=activity.words))


@pytest.mark.parametrize("name", ARGUED)
@pytest.mark.parametrize("activity", consent_oracle.ACTIVITIES)
@pytest.mark.parametrize("general_counts", [False, True])
def test_the_oracle_refuses_them_too(name, activity, general_counts):
    example = read(name)
    question = replace(consent_oracle.QUESTION, activity=activity, patient=example["patient"]["reference"])
    site = consent_oracle.Site(general_counts=general_counts, performer_needed=not general_counts)
    assert not consent_oracle.permits([example], question, site)
    assert hasattr(decide_as_oracle([example], question, site), "code")


def test_every_official_example_is_argued():
    assert {path.stem for path in FOLDER.glob("consent-example*.json")} == set(ARGUED)
