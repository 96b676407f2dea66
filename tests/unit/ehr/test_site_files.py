"""The EHR files that ship: each can be read as it stands."""

import shutil
from pathlib import Path

import pytest

from gateway.consent.rules import read_rules
from gateway.ehr.site import read_sites

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
