"""What became of a filed note: signed, changed, still waiting, or not known.

In: a client that may look and the note's reference. Out: ``SignedNote | AwaitingSignature | NotKnown``. The note's
content is not looked at. 404, 410, 403 and an expired token all mean *not known to be signed* (never *unsigned*).
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any

from gateway.ehr.client import FhirClient
from gateway.ehr.reference import Reference
from gateway.errors import EhrError
from gateway.proof import Maker

MAKER = Maker("filing/signature")
SIGNED_STATUSES = ("final", "amended")


@dataclass(frozen=True, slots=True)
class SignedNote:
    """The EHR says that the note is signed, as the same resource or as one that replaced it."""

    maker: InitVar[Maker]
    reference: str
    doc_status: str
    seen_at: datetime

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


@dataclass(frozen=True, slots=True)
class AwaitingSignature:
    """It is in the record and still preliminary."""

    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It is entered in error, or was replaced by something that is not signed."""

    code: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Nobody here may look, or the EHR did not say."""

    code: str
    seen_at: datetime


SignatureStatus = SignedNote | AwaitingSignature | Withdrawn | NotKnown


async def check_signature(client: FhirClient, reference: str, patient_id: str, now: datetime) -> SignatureStatus:
    """Ask the EHR about ``reference`` (``DocumentReference/7``), then about what replaces it."""
    id_ = reference.removeprefix("DocumentReference/")
    try:
        held = await client.read("DocumentReference", id_)
        if held.get("status") != "superseded":
            return read_status(held, now)
        replaced = await client.search(
            "DocumentReference", {"patient": patient_id, "relatesto": reference, "_sort": "-_lastUpdated"}
        )
    except EhrError as error:
        return NotKnown(error.code, now)
    signed = [read_status(match, now) for match in replaced.matches]
    return next((status for status in signed if isinstance(status, SignedNote)), Withdrawn("superseded", now))


def read_status(document: Mapping[str, Any], now: datetime) -> SignatureStatus:
    """What one DocumentReference says of itself; anything it does not say is not known."""
    reference = Reference("DocumentReference", str(document.get("id")))
    match document.get("status"), document.get("docStatus"):
        case "entered-in-error", _:
            return Withdrawn("entered-in-error", now)
        case "current", ("final" | "amended") as doc_status:
            return SignedNote(MAKER, str(reference), doc_status, now)
        case "current", "preliminary":
            return AwaitingSignature(now)
        case _, "entered-in-error":
            return Withdrawn("entered-in-error", now)
        case _:
            return NotKnown("status", now)
