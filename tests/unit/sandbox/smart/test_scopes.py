"""SMART scopes of both versions."""

import pytest

from gateway.sandbox.smart.scopes import (
    ScopeError,
    Scopes,
    narrow_scopes,
    parse_scopes,
    read_resource_scope,
    spell_as_v1,
)


@pytest.mark.parametrize(
    ("text", "level", "type_", "actions"),
    [
        ("patient/Patient.r", "patient", "Patient", "r"),
        ("user/*.cruds", "user", "*", "cruds"),
        ("system/DocumentReference.rs", "system", "DocumentReference", "rs"),
        ("patient/Observation.read", "patient", "Observation", "rs"),
        ("patient/Observation.write", "patient", "Observation", "cud"),
        ("user/Observation.*", "user", "Observation", "cruds"),
        ("patient/Observation.s", "patient", "Observation", "s"),
    ],
)
def test_a_scope_of_either_version_is_read(text: str, level: str, type_: str, actions: str) -> None:
    scope = read_resource_scope(text)
    assert scope is not None
    assert (scope.level, scope.type, scope.actions) == (level, type_, frozenset(actions))


def test_restrictions_by_search_are_read() -> None:
    scope = read_resource_scope("patient/Observation.rs?category=laboratory&status=final")
    assert scope is not None
    assert scope.restrictions == (("category", "laboratory"), ("status", "final"))


@pytest.mark.parametrize(
    "text",
    [
        "patient/Patient.sr",
        "patient/Patient.",
        "patient/Patient",
        "patient/patient.r",
        "patient/Patient.rr",
        "patient/Patient.reads",
        "patient/Observation.read?category=laboratory",
        "patient/Observation.rs?",
        'patient/Observation.rs?a="b"',
    ],
)
def test_a_malformed_scope_is_refused(text: str) -> None:
    with pytest.raises(ScopeError):
        parse_scopes(text)


def test_each_scope_counts_once_and_keeps_its_place() -> None:
    assert parse_scopes("openid launch openid").texts == ("openid", "launch")


def test_what_is_granted_lies_within_what_is_registered() -> None:
    registered = parse_scopes("launch openid patient/*.rs user/Practitioner.cruds")
    asked = parse_scopes("launch fhirUser patient/Patient.r patient/Patient.c user/Practitioner.read user/Patient.r")
    assert narrow_scopes(asked, registered).texts == ("launch", "patient/Patient.r", "user/Practitioner.read")


def test_a_restricted_scope_is_narrower_than_the_same_without_restriction() -> None:
    wide, narrow = parse_scopes("patient/Observation.rs"), parse_scopes("patient/Observation.rs?category=laboratory")
    assert narrow.is_within(wide)
    assert not wide.is_within(narrow)


def test_scopes_can_be_spelled_as_v1() -> None:
    assert spell_as_v1(("launch", "patient/DocumentReference.crs", "patient/Consent.rs")) == (
        "launch",
        "patient/DocumentReference.read",
        "patient/DocumentReference.write",
        "patient/Consent.read",
    )


def test_a_wildcard_covers_every_type() -> None:
    assert Scopes(("patient/*.rs",)).find("r", "Consent")
    assert not Scopes(("patient/*.rs",)).find("c", "Consent")
