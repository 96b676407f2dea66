"""The gateway's client keys, and the sample keys of the SMART App Launch guide."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey, import_key

from gateway.ehr.keys import Credential, make_key, read_credentials, read_key_file
from gateway.ehr.tokens import sign_assertion
from gateway.errors import ConfigurationError
from tests.unit.ehr.conftest import make_site

SAMPLES = Path(__file__).parents[4] / "shared/data/smart-keys"


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path, algorithm):
    path = tmp_path / "state" / "keys" / "key.json"
    first, second = make_key(path, algorithm), make_key(path, algorithm)
    assert first.kid == second.kid
    assert first.thumbprint() == second.thumbprint()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["key.json"]


def test_a_key_that_others_can_read_stops_start_up(tmp_path):
    path = tmp_path / "key.json"
    make_key(path, "ES384")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        make_key(path, "ES384")


def test_a_folder_that_can_not_be_written_stops_start_up(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be written"):
        make_key(tmp_path / "file" / "key.json", "ES384")


def test_the_public_set_holds_every_key_once_and_nothing_private(tmp_path):
    client = {"auth": "private_key_jwt"}
    sites = [
        make_site(client=client, backend={"id": "b", "algorithm": "RS384"}),
        make_site(id="south", client=client),
        make_site(id="west"),
    ]
    credentials = read_credentials(sites, tmp_path, {})
    keys = credentials.public_jwks()["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES384", "RS384"]
    assert all(key["use"] == "sig" and key["kid"] and not set(key) & {"d", "p", "q", "dp", "dq", "qi"} for key in keys)
    private = credentials.clients["north"].key
    assert private is not None
    assert private.as_dict(private=True)["d"] not in repr(credentials) + repr(credentials.clients["north"])


def test_a_secret_comes_from_the_environment_or_start_up_stops(tmp_path):
    site = make_site(client={"auth": "client_secret_basic", "secret_env": "NORTH"})
    assert read_credentials([site], tmp_path, {"NORTH": "s3cret"}).clients["north"].secret == "s3cret"
    assert "s3cret" not in repr(read_credentials([site], tmp_path, {"NORTH": "s3cret"}).clients["north"])
    with pytest.raises(ConfigurationError, match="NORTH is not set"):
        read_credentials([site], tmp_path, {})


def test_a_site_may_name_its_own_key_file(tmp_path):
    make_key(tmp_path / "own.json", "ES384")
    site = make_site(client={"auth": "private_key_jwt", "key_file": "own.json"})
    found = read_credentials([site], tmp_path / "state", {}, config_dir=tmp_path).clients["north"].key
    assert found is not None
    assert found.kid == read_key_file(tmp_path / "own.json", "ES384").kid


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read"),
        ("x", "not JSON"),
        ("{}", "holds no private key"),
        ("[]", "holds no private key"),
        (json.dumps({"keys": 7}), "holds no private key"),
        (json.dumps(ECKey.generate_key("P-384").as_dict(private=False)), "holds no private key"),
        (json.dumps(ECKey.generate_key("P-256").as_dict(private=True)), "P-384"),
        (json.dumps({"kty": "EC", "crv": "P-384", "d": "x", "x": "x", "y": "y"}), "broken"),
        (json.dumps({"kty": "EC", "d": "x"}), "broken"),
    ],
)
def test_a_key_file_that_does_not_fit_stops_start_up(tmp_path, content, reason):
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_key_file(path, "ES384")
    assert str(path) in caught.value.public


def test_rs384_needs_a_long_rsa_key(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(ECKey.generate_key("P-384").as_dict(private=True)))
    with pytest.raises(ConfigurationError, match="2048"):
        read_key_file(path, "RS384")


def test_an_assertion_needs_a_key():
    with pytest.raises(ValueError, match="without a key"):
        sign_assertion(Credential("c", "private_key_jwt"), "https://x", datetime.now(UTC), "1")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the guide's sample keys are not here (shared/data)")
@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_the_guides_sample_keys_sign_what_their_public_halves_verify(algorithm):
    """SMART App Launch 2.2 publishes these pairs for trying assertions out."""
    key = read_key_file(SAMPLES / f"{algorithm}.private.json", algorithm)
    published = json.loads((SAMPLES / f"{algorithm}.public.json").read_text())["keys"][0]
    now = datetime(2026, 11, 23, tzinfo=UTC)
    signed = sign_assertion(
        Credential("c", "private_key_jwt", key=key, algorithm=algorithm), "https://x/token", now, "1"
    )
    public = import_key({name: value for name, value in published.items() if name not in ("key_ops", "ext")})
    assert isinstance(public, ECKey | RSAKey)
    token = jwt.decode(signed, public, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "kid": published["kid"], "typ": "JWT"}
    assert token.claims["exp"] - token.claims["iat"] <= 300
