"""``countersign consent explain``: an integrator tries her mapping on Consent files."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.consent.commands import create_consent_app
from gateway.consent.record import ConsentRecord
from gateway.errors import ConfigurationError
from gateway.settings import ROOT, Settings
from tests.unit.consent.building import ROLE_CODE, build, concept, other, provision

ROLES = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
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


def read_nobody(settings, site, patient_id):
    raise AssertionError("no EHR is asked where there are files")


def explain(*arguments: object):
    """What it prints, on one line."""
    return " ".join(print_explanation(*arguments).split())


def print_explanation(*arguments: object) -> str:
    result = CliRunner().invoke(
        create_consent_app(read_nobody), ["explain", *map(str, arguments)], env={"COLUMNS": "100"}
    )
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


class Ehr:
    """Keeps what was asked, and gives a patient's Consents."""

    def __init__(self, **record: object) -> None:
        self.asked: list[tuple[str, str]] = []
        self.record = {"birth_date": "1988-04-17", "consents": (), "related": (), "problems": (), **record}

    def __call__(self, settings, site, patient_id):
        assert isinstance(settings, Settings)
        self.asked.append((site.id, patient_id))
        return ConsentRecord(patient_id, **self.record)

    def explain(self, *words: str) -> str:
        result = CliRunner().invoke(create_consent_app(self), ["explain", *words], env={"COLUMNS": "100"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return " ".join(result.output.split())


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Two EHRs: ``north`` with a backend client, rules and a Device of its own; ``south`` with neither."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config" / "consent", folder / "consent")
    rules = (folder / "consent" / "default.toml").read_text(encoding="utf-8")
    (folder / "consent" / "county.toml").write_text(rules, encoding="utf-8")
    (folder / "ehrs").mkdir()
    lines = ['name = "EHR"', 'issuer = "https://%s.test/fhir"', 'consent_rules = "county"', 'acting_as = ["Device/9"]']
    text = "\n".join([*lines, "[client]", 'id = "c"', ""])
    (folder / "ehrs" / "north.toml").write_text(text % "north" + '[backend]\nid = "b"\n', encoding="utf-8")
    (folder / "ehrs" / "south.toml").write_text(text % "south", encoding="utf-8")
    monkeypatch.setenv("COUNTERSIGN_CONFIG_DIR", str(folder))
    return folder


def test_a_patient_of_an_ehr_is_decided_by_its_own_rules_actors_and_birth_date(config):
    actor = {"role": {"coding": [{"system": ROLES, "code": "PRCP"}]}, "reference": {"reference": "Device/9"}}
    ehr = Ehr(consents=(build(provision=provision(actor=[actor])),))
    printed = ehr.explain("--ehr", "north", "--patient", "Patient/1", *WHEN)
    assert ehr.asked == [("north", "1")]
    assert "1 Consents, Patient/1 at north, 2026-11-23 15:00 UTC, rules: county" in printed
    assert "ai-drafting yes" in printed
    assert "rules: default" in ehr.explain("--ehr", "north", "--patient", "1", "--rules", "default", *WHEN)
    for young in (Ehr(consents=ehr.record["consents"], birth_date=born) for born in ("2015-01-01", "")):
        assert "ai-drafting no" in young.explain("--ehr", "north", "--patient", "1", *WHEN)
    assert "ai-drafting yes" in young.explain("--ehr", "north", "--patient", "1", "--born", "1988", *WHEN)


def test_a_patient_without_consents_is_named_all_the_same(config):
    assert "0 Consents, Patient/1 at north" in Ehr().explain("--ehr", "north", "--patient", "1", *WHEN)


def test_a_proxy_of_the_record_counts_as_the_site_says(config):
    with (config / "consent" / "county.toml").open("a", encoding="utf-8") as rules:
        rules.write(f'\n[[proxies.of_minors]]\nsystem = "{ROLE_CODE}"\ncode = "MTH"\n')
    consent = build(performer=[{"reference": "RelatedPerson/3"}])
    words = ("--ehr", "north", "--patient", "1", *WHEN)
    for code, answer in (("MTH", "ai-drafting yes"), ("AUNT", "ai-drafting no")):
        person = {"resourceType": "RelatedPerson", "id": "3", "relationship": [concept(code, ROLE_CODE)]}
        assert answer in Ehr(birth_date="2015-01-01", consents=(consent,), related=(person,)).explain(*words)


def test_a_part_of_the_consents_that_could_not_be_read_is_a_no(config):
    ehr = Ehr(consents=(build(),), problems=("A part of the list could not be read.",))
    printed = ehr.explain("--ehr", "north", "--patient", "1", "--actor", "Practitioner/7", *WHEN)
    assert "ai-drafting no" in printed
    assert "A part of the list could not be read." in printed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--ehr", "north", "--patient", "1", "consents.json"], "takes either files, or --ehr with --patient"),
        ([], "takes either files, or --ehr with --patient"),
        (["--ehr", "west", "--patient", "1"], "ehrs/west.toml: is missing; there are north, south"),
        (["--ehr", "south", "--patient", "1"], "only a Backend Services client may read without a launch"),
        (["--ehr", "north"], "--patient: must be the id of a Patient in that EHR"),
        (["--ehr", "north", "--patient", "../1"], "--patient: must be the id of a Patient in that EHR"),
        (["--ehr", "north", "--patient", "1", "--rules", "nowhere"], "nowhere.toml: is missing"),
    ],
)
def test_says_what_is_wrong_before_an_ehr_is_asked(config, words, reason):
    ehr = Ehr()
    with pytest.raises(ConfigurationError) as caught:
        ehr.explain(*words)
    assert reason in str(caught.value)
    assert ehr.asked == []
