"""Which browser holds a visit: by a secret in its cookie, passed on by a key that is good once and for a minute.

A cookie set in the EHR's frame comes back there and nowhere else (CHIPS), so a tab of the visit's own can't bring it.
In: what browsers show. Out: who may read and act (the holder), who may ask for a key (the holder, and the browser
that last passed the visit on, so that it can be taken back), and a new secret at each change of hands.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

SECRET_BYTES = 32
KEY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class _Key:
    """What is kept of a key that was given out."""

    digest: bytes
    until: datetime


class Holding:
    """One visit's holder.

    Args:
        now: the clock.
        new_secret: makes an unguessable URL-safe text of that many random bytes (``secrets.token_urlsafe``).
    """

    def __init__(self, now: Callable[[], datetime], new_secret: Callable[[int], str]) -> None:
        self._now = now
        self._new_secret = new_secret
        self._secret = new_secret(SECRET_BYTES)
        self._before: str | None = None
        self._key: _Key | None = None

    @property
    def secret(self) -> str:
        """For the holder's cookie."""
        return self._secret

    def is_holder(self, shown: str) -> bool:
        return _same(shown, self._secret)

    def passed_it_on(self, shown: str) -> bool:
        """Whether this browser held the visit last and gave it to the one that holds it now."""
        return self._before is not None and _same(shown, self._before)

    def make_key(self) -> str:
        """A new key; the one before it is good for nothing any more."""
        key = self._new_secret(SECRET_BYTES)
        self._key = _Key(sha256(key.encode()).digest(), self._now() + timedelta(seconds=KEY_SECONDS))
        return key

    def take_key(self, shown: str) -> bool:
        """Whether this is the key; it can't be taken again."""
        known = self._key
        if known is None or not hmac.compare_digest(sha256(shown.encode()).digest(), known.digest):
            return False
        self._key = None
        return self._now() < known.until

    def pass_on(self) -> None:
        """By a key: another browser holds the visit from now on; the one before may ask for it back."""
        self._before, self._secret, self._key = self._secret, self._new_secret(SECRET_BYTES), None

    def begin_again(self) -> None:
        """By a fresh launch: whoever held it before has no part in it any more."""
        self._before, self._secret, self._key = None, self._new_secret(SECRET_BYTES), None


def _same(shown: str, known: str) -> bool:
    return hmac.compare_digest(shown.encode(), known.encode())
