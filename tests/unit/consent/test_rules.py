"""A rules file that could let the wrong consent pass stops start-up, with file, key and reason."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH

import pytest

from gateway.consent.activity import Activity
from gateway.consent.rules import read_local_zone, read_rules
from gateway.errors import ConfigurationError

SHIPPED = Path(__file__).parents[3] / "config/consent"
SHIPPED_TEXT = (SHIPPED / "default.toml").read_text()


def read(tmp_path: Path, text: str):
    (tmp_path / "default.toml").write_text(text)
    return read_rules(tmp_path)["default"]


def answer(**changes: str) -> str:
    row = {"activity": "ai-drafting", "system": "urn:site", "code": "x", **changes}
    return "\n[[answers]]\n" + "\n".join(f'{key} = "{value}"' for key, value in row.items()) + "\n"


def test_the_shipped_rules_answer_each_question_by_its_own_code():
    rules = read_rules(SHIPPED)["default"]
    assert {one.activity for one in rules.answers} == set(Activity)
    assert rules.zone is not None


def test_another_file_is_found_by_its_name(tmp_path):
    (tmp_path / "north.toml").write_text(SHIPPED_TEXT.replace('"local"', '"Europe/Berlin"'))
    (tmp_path / "default.toml").write_text(SHIPPED_TEXT)
    rules = read_rules(tmp_path)
    assert rules["north"].id == "north"
    assert str(rules["north"].zone) == "Europe/Berlin"


def test_the_local_zone_is_the_machines_and_utc_without_one(tmp_path):
    assert read_local_zone(tmp_path / "none") is UTC
    [chicago] = [file for folder in TZPATH if (file := Path(folder) / "America/Chicago").exists()][:1] or [None]
    if chicago:
        zone = read_local_zone(chicago)
        assert (str(zone), datetime(2026, 1, 1, tzinfo=zone).utcoffset()) == ("local", timedelta(hours=-6))
    (tmp_path / "broken").write_bytes(b"x")
    assert read_local_zone(tmp_path / "broken") is UTC
    assert read(tmp_path, SHIPPED_TEXT.replace('"local"', '""')).zone is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (answer(system="http://loinc.org", code="59284-0"), "can't answer"),
        (answer(system="http://terminology.hl7.org/CodeSystem/consentscope", code="treatment"), "too wide"),
        (answer(states="permit"), "only a category"),
        (answer() + answer(activity="recording"), "none answers another"),
        (answer() + answer(), "stands twice"),
        (answer(activity="billing"), "Input should be"),
        ('\n[[scopes]]\nsystem = "urn:x"\n', "this key is missing"),
    ],
)
def test_refuses_a_file_that_could_let_the_wrong_consent_pass(tmp_path, more, reason):
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read(tmp_path, SHIPPED_TEXT + more)
    assert "default.toml" in caught.value.public


def test_one_coding_may_stand_in_both_places(tmp_path):
    rules = read(tmp_path, SHIPPED_TEXT + answer() + answer(found_in="category"))
    assert ("urn:site", "x") in rules.provision_answers
    assert ("urn:site", "x") in rules.category_answers


def test_refuses_rules_that_leave_a_question_open(tmp_path):
    without = SHIPPED_TEXT.replace('code = "recording"', 'code = "other"').replace(
        'activity = "recording"', 'activity = "telehealth"'
    )
    with pytest.raises(ConfigurationError, match="no coding answers recording"):
        read(tmp_path, without)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/"])
def test_refuses_a_zone_that_is_none(tmp_path, zone):
    with pytest.raises(ConfigurationError, match="time_zone"):
        read(tmp_path, SHIPPED_TEXT.replace('"local"', f'"{zone}"'))


def test_refuses_an_unknown_key_and_a_missing_default(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        read_rules(tmp_path)
    assert str(caught.value) == f"configuration: {tmp_path / 'default.toml'}: is missing"
    with pytest.raises(ConfigurationError, match="permit_all"):
        read(tmp_path, "permit_all = true\n" + SHIPPED_TEXT)


def test_who_may_answer_for_what_and_how_long_is_read(tmp_path):
    coding = 'system = "urn:site"\ncode = "{}"\n'
    lists = [
        ("purposes", "care", "purpose_codes"),
        ("sensitive_labels", "secret", "label_codes"),
        ("other_categories", "form", "known_categories"),
        ("scopes", "house", "accepted_scopes"),
        ("proxies.of_minors", "mother", "proxies_of_minors"),
        ("proxies.of_adults", "guardian", "proxies_of_adults"),
    ]
    rules = read(tmp_path, SHIPPED_TEXT + "".join(f"\n[[{key}]]\n" + coding.format(code) for key, code, _ in lists))
    for _, code, name in lists:
        assert ("urn:site", code) in getattr(rules, name)
    assert ("urn:site", "house") in rules.known_scopes
    assert read_rules(SHIPPED)["default"].purpose_codes == {
        ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "TREAT")
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_age_days", "0"),
        ("general_consent_counts", '"maybe"'),
        ("organizations", '"Organization/1"'),
        ("proxies", "7"),
    ],
)
def test_refuses_a_value_that_is_none(tmp_path, key, value):
    with pytest.raises(ConfigurationError, match=key):
        read(tmp_path, f"{key} = {value}\n" + SHIPPED_TEXT)
