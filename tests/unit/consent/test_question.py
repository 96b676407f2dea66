"""The question of a visit: who acts, what for, and whether the patient is of age."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.consent.activity import Activity
from gateway.consent.question import NEVER, Related, ask, find_majority
from gateway.ehr import chart as charts
from gateway.ehr import context as contexts
from gateway.ehr.site import read_sites
from tests.unit.consent.building import NOW, ROLE_CODE, TREAT, change_rules, concept

SITES = read_sites(Path(__file__).parents[3] / "config/ehrs")


def make_chart(**changes):
    context = contexts.LaunchContext(
        contexts.MAKER, "sandbox", "1", None, changes.pop("launched_by", "PractitionerRole/7"), "s", (), False, ""
    )
    fields = {
        "context": context,
        "issuer": "https://ehr.example.org",
        "patient": charts.PatientSummary("1", "Invented", "2010-05-01", "female", ()),
        "encounter": None,
        "encounter_choices": (),
        "may_have_no_encounter": True,
        "practitioner": charts.PractitionerSummary("Practitioner/1", "Invented"),
        "consents": (),
        "consent_problems": (),
        "related": (),
        "read": (),
        "telehealth": "no",
    }
    return charts.Chart(charts.MAKER, **(fields | changes))


def test_everyone_who_acts_is_named(rules):
    encounter = charts.EncounterSummary("e", "", "", "", "", "", "", "", (), "Organization/1")
    site = next(iter(SITES.values())).model_copy(update={"acting_as": ("Device/countersign",)})
    question = ask(Activity.RECORDING, make_chart(encounter=encounter), site, rules, NOW)
    assert question.actors == {"PractitionerRole/7", "Practitioner/1", "Organization/1", "Device/countersign"}
    assert (question.activity, question.at, question.patient) == (Activity.RECORDING, NOW, "Patient/1")
    assert question.purposes == {TREAT}
    alone = site.model_copy(update={"acting_as": ()})
    assert ask(Activity.RECORDING, make_chart(launched_by=""), alone, rules, NOW).actors == {"Practitioner/1"}


def test_majority_is_the_patients_birthday_in_the_sites_zone(rules):
    chicago = change_rules(rules, time_zone="America/Chicago")
    question = ask(Activity.RECORDING, make_chart(), next(iter(SITES.values())), chicago, NOW)
    assert question.majority == datetime(2028, 5, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("born", "grown"),
    [
        ("2010-05-01", datetime(2028, 5, 1, tzinfo=UTC)),
        ("2008-02-29", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2010-05", datetime(2028, 6, 1, tzinfo=UTC)),  # as late as it may be
        ("2010", datetime(2029, 1, 1, tzinfo=UTC)),
        ("2010-05-01T10:00:00Z", datetime(2028, 5, 1, tzinfo=UTC)),
        ("", NEVER),
        ("in May", NEVER),
        ("9990", NEVER),
    ],
)
def test_an_unknown_birth_date_is_not_yet_of_age(rules, born, grown):
    assert find_majority(born, change_rules(rules, time_zone="UTC")) == grown


def test_where_no_zone_is_known_majority_is_when_the_day_has_begun_everywhere(rules):
    assert find_majority("2010-05-01", rules) == datetime(2028, 5, 1, 12, tzinfo=UTC)


def test_a_site_may_know_no_minors_or_another_age(rules):
    assert find_majority("2025-01-01", change_rules(rules, proxies={"majority_years": 0})) is None
    of_sixteen = change_rules(rules, time_zone="UTC", proxies={"majority_years": 16})
    assert find_majority("2010-05-01", of_sixteen) == datetime(2026, 5, 1, tzinfo=UTC)


def test_the_related_persons_that_were_read_are_known_by_reference(rules):
    mother = {"resourceType": "RelatedPerson", "id": "m", "relationship": [concept("MTH", ROLE_CODE), {"text": "kin"}]}
    halves = {"coding": [{"code": "FTH"}, {"system": ROLE_CODE}]}
    gone = {"resourceType": "RelatedPerson", "id": "f", "active": False, "relationship": [halves]}
    unsure = {"resourceType": "RelatedPerson", "id": "u", "active": "yes", "relationship": "mother"}
    question = ask(
        Activity.RECORDING, make_chart(related=(mother, gone, unsure)), next(iter(SITES.values())), rules, NOW
    )
    assert question.related == {
        "RelatedPerson/m": Related(frozenset([(ROLE_CODE, "MTH")]), active=True),
        "RelatedPerson/f": Related(frozenset(), active=False),
        "RelatedPerson/u": Related(frozenset(), active=False),
    }
