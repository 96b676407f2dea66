"""``countersign consent explain``: an integrator tries her mapping on Consent files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.consent.commands import app
from gateway.errors import ConfigurationError
from tests.unit.consent.building import build, other, provision

WHEN = ["--at", "2026-11-23T15:00:00Z"]


def explain(*arguments: object):
    """What it prints, on one line."""
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return " ".join(result.output.split())


def write(folder: Path, data: object) -> Path:
    file = folder / "consents.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def test_prints_each_answer_with_its_reasons(tmp_path):
    limited = build(provision=provision(period={"end": "2026-12-31T23:59:59Z"}))
    no = other(provision=provision("deny", "recording"))
    general = build(id="9", provision={"type": "permit"})
    printed = explain(write(tmp_path, [limited, no, general]), *WHEN)
    assert "3 Consents, Patient/1, 2026-11-23 15:00 UTC, rules: default" in printed
    assert "ai-drafting yes The patient said yes to AI drafting on 3 Nov 2026. 2027-01-01 00:00 UTC" in printed
    assert "recording no (refused) The patient said no to recording on 3 Nov 2026 (Consent/8)." in printed
    assert "telehealth no (missing) No consent to telehealth is on file." in printed
    assert "recording no Consent/8 says no to recording on 3 Nov 2026." in printed
    assert "none nothing Consent/9 speaks of none of the three." in printed


@pytest.mark.parametrize(
    "data",
    [build(), [build()], {"resourceType": "Bundle", "entry": [{"resource": build()}, 7]}],
)
def test_takes_a_consent_a_list_or_a_bundle(tmp_path, data):
    assert "ai-drafting yes" in explain(write(tmp_path, data), *WHEN)


@pytest.mark.parametrize("data", [{"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": 7}, []])
def test_nothing_in_a_file_is_a_no(tmp_path, data):
    assert "0 Consents, Patient/unknown" in explain(write(tmp_path, data))


def test_asks_for_whom_and_by_whom_it_is_told(tmp_path):
    file = write(tmp_path, build())
    assert "ai-drafting no (missing)" in explain(file, "--patient", "Patient/2", *WHEN)
    assert "does not show that the patient was of age" in explain(file, "--born", "2015", *WHEN)
    assert "does not say who acts in this visit" in explain(file, "--actor", "the doctor", *WHEN)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rules", "nowhere"], "nowhere.toml: is missing; there are default"),
        (["--at", "2026-11-23"], "is no moment with a time zone"),
    ],
)
def test_says_what_is_wrong_with_the_call(tmp_path, arguments, reason):
    with pytest.raises(ConfigurationError, match=reason):
        explain(write(tmp_path, build()), *arguments)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "can't be read"),
        ("{", "is not JSON"),
        ("7", "holds no Consent"),
        ('{"resourceType": "Patient"}', "no Consent"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, text, reason):
    file = tmp_path / "consents.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=reason):
        explain(file)
