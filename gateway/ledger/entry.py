"""One entry of the ledger: what happened, in codes, counts and keyed hashes; never in words.

In: an event name ``source:subject:action`` and codes. Out: the JSON line that the log chains and keeps. An entry
that could carry content (free text, a nested value, a long string) is refused before it is written.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.errors import LedgerError

Code = str | int | bool | None

EVENT = re.compile(r"[a-z][a-z0-9-]{0,30}(:[a-z][a-z0-9-]{0,30}){2}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
CODE = re.compile(r"[A-Za-z0-9._:/+-]{0,80}")
RESERVED = frozenset({"n", "at", "event", "outcome", "visit", "site", "patient", "user", "owed", "chain", "resources"})
HASH_BYTES = 16
MOST_RESOURCES = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written. ``patient`` and ``user`` are ids as the EHR knows them: they are hashed, never kept.

    Attributes:
        event: ``source:subject:action``, each part lower case.
        outcome: a code; empty where the entry announces what is about to start.
        codes: names to codes, counts and flags.
        resources: relative references of what it rests on; hashed as ids are, at most ``MOST_RESOURCES`` of them.
    """

    event: str
    outcome: str = ""
    visit: str = ""
    site: str = ""
    patient: str = ""
    user: str = ""
    codes: Mapping[str, Code] = field(default_factory=dict)
    resources: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises:
        LedgerError: a name, a code or a value could carry content.
        """
        if not EVENT.fullmatch(self.event):
            raise _refusal("event")
        for name, code in (("outcome", self.outcome), ("visit", self.visit), ("site", self.site)):
            if not CODE.fullmatch(code):
                raise _refusal(name)
        for name, value in self.codes.items():
            if not NAME.fullmatch(name) or name in RESERVED:
                raise _refusal("a code's name")
            if value is not None and not isinstance(value, str | int | bool):
                raise _refusal(name)
            if isinstance(value, str) and not CODE.fullmatch(value):
                raise _refusal(name)


def _refusal(what: str) -> LedgerError:
    return LedgerError(
        "ledger.content", "The step was not taken: its log entry was not in order.", f"{what} is not a code"
    )


def hash_id(audit_key: bytes, kind: str, site: str, given: str) -> str:
    """The keyed hash that stands for an id: the same person at the same EHR gives the same hash.

    HMAC-SHA-256 (RFC 2104), cut to 128 bits, as hexadecimal; empty for an empty id.
    """
    if not given:
        return ""
    message = "\x00".join((kind, site, given)).encode()
    return hmac.new(audit_key, message, hashlib.sha256).digest()[:HASH_BYTES].hex()


def write_line(entry: Entry, *, number: int, at: datetime, chain: str, owed: bool, audit_key: bytes) -> bytes:
    """The entry as one line of JSON with its newline; keys without a value are left out."""
    body: dict[str, Code] = {
        "n": number,
        "at": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": entry.event,
        "outcome": entry.outcome,
        "visit": entry.visit,
        "site": entry.site,
        "patient": hash_id(audit_key, "patient", entry.site, entry.patient),
        "user": hash_id(audit_key, "user", entry.site, entry.user),
        **entry.codes,
    }
    kept: dict[str, Code | list[str]] = {name: value for name, value in body.items() if value not in ("", None)}
    if entry.resources:
        named = entry.resources[:MOST_RESOURCES]
        kept["resources"] = [hash_id(audit_key, "resource", entry.site, one) for one in named]
    if owed:
        kept["owed"] = True
    kept["chain"] = chain
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
