"""SMART scopes, v1 and v2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ehr.scopes import covers, missing, parse_scope, split_scopes

letters = st.sets(st.sampled_from("cruds"), min_size=1).map(lambda some: "".join(one for one in "cruds" if one in some))
types = st.sampled_from(["Patient", "Consent", "*"])
levels = st.sampled_from(["patient", "user", "system"])
words = st.builds(
    "{}/{}.{}".format, levels, types, letters | st.sampled_from(["read", "write", "*"])
) | st.sampled_from(["openid", "launch", "patient/Consent.rs?category=x", "patient/Consent.sr", "rubbish/."])
grants = st.lists(words, max_size=5)


@pytest.mark.parametrize(
    ("granted", "needed", "covered"),
    [
        ("patient/Consent.rs", "patient/Consent.r", True),
        ("patient/Consent.r", "patient/Consent.rs", False),
        ("patient/Consent.r patient/Consent.s", "patient/Consent.rs", True),
        ("patient/*.cruds", "patient/Consent.rs", True),
        ("patient/Consent.read", "patient/Consent.rs", True),
        ("patient/Consent.read", "patient/Consent.c", False),
        ("patient/Consent.write", "patient/Consent.cud", True),
        ("patient/*.*", "patient/Consent.cruds", True),
        ("user/Consent.rs", "patient/Consent.rs", True),
        ("patient/Practitioner.r", "user/Practitioner.r", False),
        ("system/Consent.rs", "patient/Consent.rs", False),
        ("system/DocumentReference.read", "system/DocumentReference.rs", True),
        ("patient/Consent.rs?category=x", "patient/Consent.rs", False),
        ("patient/Consent.rs?category=x", "patient/Consent.rs?category=x", True),
        ("patient/Consent.rs", "patient/Consent.rs?category=x", True),
        ("patient/Consent.rs", "patient/*.rs", False),
        ("patient/ConsentX.rs", "patient/Consent.rs", False),
        ("openid fhirUser", "fhirUser", True),
        ("", "openid", False),
    ],
)
def test_covers(granted, needed, covered):
    assert covers(split_scopes(granted), needed) is covered


@pytest.mark.parametrize(
    "word",
    ["patient/Consent.", "patient/Consent.sr", "patient/Consent.rr", "Patient/Consent.r", "patient/consent.r", "x"],
)
def test_a_malformed_scope_grants_nothing(word):
    assert parse_scope(word) is None
    assert not covers([word], "patient/Consent.r")


def test_names_what_is_missing_in_order():
    assert missing(["patient/Patient.r"], ["openid", "patient/Patient.r", "patient/Consent.s"]) == (
        "openid",
        "patient/Consent.s",
    )


@given(grants)
def test_a_grant_covers_itself(granted):
    assert missing(granted, granted) == ()


@given(grants, grants, words)
def test_more_grants_never_cover_less(granted, more, needed):
    assert covers([*granted, *more], needed) or not covers(granted, needed)


@given(grants, types, letters)
def test_what_covers_the_whole_covers_its_parts(granted, type_, wanted):
    if covers(granted, f"patient/{type_}.{wanted}"):
        assert all(covers(granted, f"patient/{type_}.{letter}") for letter in wanted)
