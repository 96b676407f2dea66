"""The gateway's own client keys: made once and kept in ``state_dir`` (mode 0600), or read from a site's file.

Out comes what signs an assertion, and the public set that EHRs fetch from ``/.well-known/jwks.json``. A private key
never leaves this module's objects: their ``repr`` shows none.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, RSAKey, import_key

from gateway.ehr.site import Backend, Client, EhrSite
from gateway.errors import ConfigurationError

Algorithm = Literal["ES384", "RS384"]
PrivateKey = RSAKey | ECKey
RSA_BITS = 3072


@dataclass(frozen=True, slots=True)
class Credential:
    """How one client of the gateway proves who it is to one EHR."""

    client_id: str
    method: Literal["public", "client_secret_basic", "private_key_jwt"]
    secret: str = field(default="", repr=False)
    key: PrivateKey | None = field(default=None, repr=False)
    algorithm: Algorithm = "ES384"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Every credential of the configured sites, by site id; ``public_jwks`` is what may be shown to anyone."""

    clients: Mapping[str, Credential] = field(repr=False)
    backends: Mapping[str, Credential] = field(repr=False)

    def public_jwks(self) -> dict[str, Any]:
        """The JWKS with the public half of every key in use, each once."""
        found: dict[str, dict[str, Any]] = {}
        for credential in (*self.clients.values(), *self.backends.values()):
            if credential.key is not None:
                public = dict(credential.key.as_dict(private=False))
                public.pop("key_ops", None)
                kid = key_id(credential.key)
                found[kid] = {**public, "kid": kid, "use": "sig", "alg": credential.algorithm}
        return {"keys": list(found.values())}


def read_credentials(
    sites: Iterable[EhrSite], state_dir: Path, environment: Mapping[str, str], config_dir: Path | None = None
) -> Credentials:
    """Read or make every key and secret that the sites name; at start-up, so that a wrong one stops it.

    Args:
        config_dir: where a relative ``key_file`` starts; None: the working directory.

    Raises:
        ConfigurationError: a key file is missing or wrong, or an environment variable is not set.
    """
    clients: dict[str, Credential] = {}
    backends: dict[str, Credential] = {}
    for site in sites:
        file = f"config/ehrs/{site.id}.toml"
        client = site.client
        key = _find_key(client, state_dir, config_dir) if client.auth == "private_key_jwt" else None
        secret = ""
        if client.auth == "client_secret_basic":
            secret = environment.get(client.secret_env, "")
            if not secret:
                raise ConfigurationError(file, "client.secret_env", f"{client.secret_env} is not set")
        clients[site.id] = Credential(client.id, client.auth, secret, key, client.algorithm)
        if site.backend is not None:
            key = _find_key(site.backend, state_dir, config_dir)
            backends[site.id] = Credential(
                site.backend.id, "private_key_jwt", key=key, algorithm=site.backend.algorithm
            )
    return Credentials(clients, backends)


def key_id(key: PrivateKey) -> str:
    """The key's own ``kid``, else its thumbprint (RFC 7638)."""
    return key.kid or key.thumbprint()


def _find_key(owner: Client | Backend, state_dir: Path, config_dir: Path | None) -> PrivateKey:
    if owner.key_file:
        return read_key_file((config_dir or Path()) / Path(owner.key_file).expanduser(), owner.algorithm)
    return make_key(state_dir / "keys" / f"{owner.algorithm.lower()}.jwk.json", owner.algorithm)


def make_key(path: Path, algorithm: Algorithm) -> PrivateKey:
    """The key at ``path``, made if there is none yet. The file is complete before it has its name.

    Raises:
        ConfigurationError: the folder can't be written, or the file there is wrong or open to others.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_key(path, algorithm)
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(path, "", "is open to other users; run chmod 600 on it")
    except OSError as error:
        raise ConfigurationError(path, "", f"can't be written ({error.strerror})") from error
    return read_key_file(path, algorithm)


def _write_key(path: Path, algorithm: Algorithm) -> None:
    parameters: KeyParameters = {"use": "sig", "alg": algorithm}
    key: PrivateKey = (
        ECKey.generate_key("P-384", parameters, auto_kid=True)
        if algorithm == "ES384"
        else RSAKey.generate_key(RSA_BITS, parameters, auto_kid=True)
    )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(key.as_dict(private=True), file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_key_file(path: Path, algorithm: Algorithm) -> PrivateKey:
    """A private JWK, or the one private key of a JWK set that fits ``algorithm``.

    Raises:
        ConfigurationError: it can't be read, is no private key, or does not fit.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(path, "", f"can't be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigurationError(path, "", "is not JSON; a private key is given as a JWK") from error
    listed = data.get("keys") if isinstance(data, dict) and "keys" in data else [data]
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and "d" in item and item.get("alg", algorithm) == algorithm:
            return _import_private(path, item, algorithm)
    raise ConfigurationError(path, "", f"holds no private key for {algorithm}")


def _import_private(path: Path, item: Mapping[str, Any], algorithm: Algorithm) -> PrivateKey:
    # key_ops and use are hints of whoever made the file; the sample keys of the guide say "verify" on a private key.
    plain = {name: value for name, value in item.items() if name not in ("key_ops", "use", "ext")}
    try:
        key = import_key(plain)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(path, "", "is a broken JWK") from error
    if algorithm == "ES384":
        if not isinstance(key, ECKey) or key.curve_name != "P-384":
            raise ConfigurationError(path, "crv", "ES384 needs an EC key on P-384")
        return key
    if not isinstance(key, RSAKey) or key.raw_value.key_size < 2048:
        raise ConfigurationError(path, "n", "RS384 needs an RSA key of 2048 bits or more")
    return key
