"""The site's keys on this machine, and sealing with them.

In: a key file of 32 bytes in the state folder, made on first use, readable by its owner alone. Out: AES-256-GCM
(NIST SP 800-38D) with a fresh 96-bit nonce before the ciphertext; the associated data names the row, so that a
sealed value is good in its own row only.
"""

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import ConfigurationError

KEY_BYTES = 32
NONCE_BYTES = 12


class Unsealable(Exception):
    """A sealed value was made with another key or for another row, or was changed."""


def read_key(path: Path) -> bytes:
    """The key in ``path``; where there is none, a new one is made there (mode 0600).

    Raises:
        ConfigurationError: it can't be read or made, others may read it, or it is no key.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(path, "", "others may read this key: set its mode to 0600")
        key = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(path, "", f"the key can't be read or made ({error.strerror})") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(path, "", f"is not a key of {KEY_BYTES} bytes: restore it from a copy")
    return key


def _make_key(path: Path) -> None:
    """Write a new key beside its place, then link it there: nobody ever sees half a key.

    Raises:
        FileExistsError: there is one already; it stays.
    """
    if path.exists():
        raise FileExistsError(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, secrets.token_bytes(KEY_BYTES))
        os.fsync(file)
        os.link(draft, path)
    finally:
        os.close(file)
        draft.unlink()


def seal(key: bytes, plain: bytes, row: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, row.encode())


def unseal(key: bytes, sealed: bytes, row: str) -> bytes:
    """Raises:
    Unsealable: another key, another row, or a changed value.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row.encode())
    except (InvalidTag, ValueError) as error:
        raise Unsealable(row) from error
