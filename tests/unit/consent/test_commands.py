"""``countersign consent explain``: an integrator tries her mapping on Consent files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.consent.commands import app
from gateway.errors import ConfigurationError
from tests.unit.consent.building import build, other, provision

WHEN = ["--at", "2026-11-23T15:00:00Z"]
NO_CONSENT = "holds no Consent; give a Consent, a list of them, or a Bundle"
EXPECTED = """\
4 Consents, Patient/1, 2026-11-23 15:00 UTC, rules: default

question     answer           why                                                              until
telehealth   no (unreadable)  Consent/9 has a dateTime that can't be read. That counts as no
                              to telehealth.
recording    no (refused)     The patient said no to recording on 3 Nov 2026 (Consent/8).
ai-drafting  no (unreadable)  Consent/9 has a dateTime that can't be read. That counts as no
                              to AI drafting.

question     counts as  what it says
telehealth   no         Consent/9 has a dateTime that can't be read.
recording    no         Consent/8 says no to recording on 3 Nov 2026.
recording    no         Consent/9 has a dateTime that can't be read.
ai-drafting  no         Consent/9 has a dateTime that can't be read.
ai-drafting  yes        Consent/7 permits AI drafting on 3 Nov 2026.
ai-drafting  nothing    Consent/1 is only a draft.
"""


def explain(*arguments: object):
    """What it prints, on one line."""
    return " ".join(print_explanation(*arguments).split())


def print_explanation(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)], env={"COLUMNS": "100"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


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


def test_prints_two_tables(tmp_path):
    stack = [
        build(),
        other(provision=provision("deny", "recording")),
        build(id="9", dateTime="soon"),
        build(id="1", status="draft"),
    ]
    printed = print_explanation(write(tmp_path, stack), *WHEN)
    assert [line.rstrip() for line in printed.splitlines()] == EXPECTED.splitlines()


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
        (["--rules", "nowhere"], "consent/nowhere.toml: is missing; there are default"),
        (
            ["--at", "2026-11-23"],
            "configuration: --at: is no moment with a time zone; write it as 2026-11-23T15:00:00Z",
        ),
    ],
)
def test_says_what_is_wrong_with_the_call(tmp_path, arguments, reason):
    with pytest.raises(ConfigurationError) as caught:
        explain(write(tmp_path, build()), *arguments)
    assert str(caught.value).endswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "can't be read (No such file or directory)"),
        ("{", "is not JSON"),
        ("7", NO_CONSENT),
        ('{"resourceType": "Patient"}', NO_CONSENT),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, text, reason):
    file = tmp_path / "consents.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        explain(file)
    assert str(caught.value) == f"configuration: {file}: {reason}"
