"""EHR files: those that ship can be read as they stand; what does not fit together stops the start."""

import shutil
from pathlib import Path

import pytest

from gateway.consent.rules import read_rules
from gateway.ehr.site import EhrSite, read_sites
from gateway.errors import ConfigurationError
from tests.unit.ehr.conftest import make_site

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLES = sorted((CONFIG / "ehrs/examples").glob("*.toml.example"))


def test_the_sandbox_is_the_one_ehr_that_ships():
    sites = read_sites(CONFIG / "ehrs")
    assert sites["sandbox"].issuer == "http://127.0.0.1:9000/fhir"
    assert sites["sandbox"].consent_rules in read_rules(CONFIG / "consent")
    assert sites["sandbox"].backend is not None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_read(tmp_path, path):
    name = path.name.removesuffix(".example")
    shutil.copy(path, tmp_path / name)
    assert list(read_sites(tmp_path)) == [name.removesuffix(".toml")]


def write_site(folder: Path, client: str = "", rest: str = "") -> dict[str, EhrSite]:
    head = 'name = "North"\nissuer = "https://ehr.example.org/fhir"\n'
    (folder / "north.toml").write_text(f'{head}[client]\nid = "countersign"\n{client}\n{rest}\n')
    return read_sites(folder)


def test_medications_are_turned_on_with_the_scope_that_they_need(tmp_path):
    turned_on = '[chart]\nmedications = "MedicationRequest"'
    with pytest.raises(ConfigurationError, match=r"north\.toml.*patient/MedicationRequest\.s"):
        write_site(tmp_path, rest=turned_on)
    with pytest.raises(ConfigurationError, match=r"patient/MedicationRequest\.s"):
        write_site(tmp_path, 'scopes = "launch patient/MedicationStatement.rs"', turned_on)
    for scope in ("patient/MedicationRequest.rs", "patient/MedicationRequest.read", "user/*.s"):
        sites = write_site(tmp_path, f'scopes = "launch {scope}"', turned_on)
        assert sites["north"].chart.medications == "MedicationRequest"
    with pytest.raises(ConfigurationError):
        write_site(tmp_path, f'scopes = "launch {scope}"\nstandalone_scopes = "openid"', turned_on)
    with pytest.raises(ConfigurationError):
        write_site(tmp_path, rest='[chart]\nmedications = "Condition"')


@pytest.mark.parametrize("language", ["", "English", "e", "en_US", "en-", "12"])
def test_a_language_is_a_tag_of_bcp_47_or_the_charts(language):
    with pytest.raises(ValueError, match="language"):
        make_site(note={"language": language})
    assert make_site(note={"language": "chart"}).note.language == "chart"
