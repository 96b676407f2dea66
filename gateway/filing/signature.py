"""What became of a filed note: signed, changed, still waiting, or not known.

In: a client that may look and the note's reference. Out: ``SignedNote | AwaitingSignature | Withdrawn | NotKnown``.
The note's content is not looked at. 404, 410, 403 and an expired token all mean *not known to be signed* (never
*unsigned*), and so does an answer about another patient.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any

from gateway.ehr.client import FhirClient
from gateway.ehr.naming import list_objects
from gateway.ehr.reference import Reference, points_to
from gateway.errors import EhrError
from gateway.proof import Maker

MAKER = Maker("filing/signature")
MOST_REPLACEMENTS = 5

# Why it is not known, by the code or its first part; what is not here: the EHR did not answer as it should.
UNKNOWN_WORDS = {
    "nobody-may-look": (
        "Countersign has no access of its own to notes in this EHR, so it can't see whether this one is signed. "
        "Look for it in the EHR."
    ),
    "other-patient": (
        "The EHR now shows this note in another patient's chart. Tell whoever looks after the EHR at once."
    ),
    "status": "What the EHR says of this note does not tell whether it is signed. Look at it in the EHR.",
    "replaced-again": "The EHR says that this note was replaced again and again. Look at it in the EHR.",
    "ledger": "The log can't be written, so Countersign does not look whether this note is signed. Tell the operator.",
}
UNKNOWN_WORDS |= dict.fromkeys(
    ("ehr.404", "ehr.410"),
    "The note is no longer where it was filed: it was signed as another one, or discarded. Look for it in the EHR.",
)
UNKNOWN_WORDS |= dict.fromkeys(
    ("ehr.401", "ehr.403", "ehr.session", "token", "launch", "discovery"),
    "The EHR does not let Countersign look whether this note is signed. Look for it in the EHR, and tell the operator.",
)
UNANSWERED = (
    "The EHR did not say whether this note is signed; Countersign asks again. If this stays, look for it in the EHR."
)


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
    """It, or what replaced it, is in the record and still preliminary."""

    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It is entered in error, or was replaced by something that is not signed and not to be found."""

    code: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Nobody here may look, or the EHR did not say."""

    code: str
    seen_at: datetime

    @property
    def words(self) -> str:
        """Why, and what to do, for the clinician."""
        return UNKNOWN_WORDS.get(self.code) or UNKNOWN_WORDS.get(self.code.split(".")[0]) or UNANSWERED


SignatureStatus = SignedNote | AwaitingSignature | Withdrawn | NotKnown


async def check_signature(client: FhirClient, reference: str, patient_id: str, now: datetime) -> SignatureStatus:
    """Ask the EHR about ``reference`` (``DocumentReference/7``), then about what replaces it."""
    try:
        held: Mapping[str, Any] = await client.read("DocumentReference", reference.removeprefix("DocumentReference/"))
        if not points_to(held.get("subject"), "Patient", patient_id, client.ehr_base):
            return NotKnown("other-patient", now)
        for _ in range(MOST_REPLACEMENTS):
            if held.get("status") != "superseded":
                return read_status(held, now)
            following = await _find_replacement(client, held, patient_id)
            if following is None:
                return Withdrawn("superseded", now)
            held = following
    except EhrError as error:
        return NotKnown(error.code, now)
    return NotKnown("replaced-again", now)


def read_status(document: Mapping[str, Any], now: datetime) -> SignatureStatus:
    """What one DocumentReference says of itself; anything it does not say is not known."""
    reference = Reference("DocumentReference", str(document.get("id")))
    match document.get("status"), document.get("docStatus"):
        case ("entered-in-error", _) | (_, "entered-in-error"):
            return Withdrawn("entered-in-error", now)
        case "current", ("final" | "amended") as doc_status:
            return SignedNote(MAKER, str(reference), doc_status, now)
        case "current", "preliminary":
            return AwaitingSignature(now)
        case _:
            return NotKnown("status", now)


async def _find_replacement(client: FhirClient, held: Mapping[str, Any], patient_id: str) -> Mapping[str, Any] | None:
    """This patient's document that says it replaces ``held``; a server may ignore ``relatesto``, so each is asked."""
    target = f"DocumentReference/{held['id']}"
    found = await client.search(
        "DocumentReference", {"patient": patient_id, "relatesto": target, "_sort": "-_lastUpdated"}
    )
    for document in found.matches:
        is_own = points_to(document.get("subject"), "Patient", patient_id, client.ehr_base)
        if is_own and _replaces(document, str(held["id"]), client.ehr_base):
            return document
    return None


def _replaces(document: Mapping[str, Any], id_: str, ehr_base: str) -> bool:
    return any(
        relation.get("code") == "replaces" and points_to(relation.get("target"), "DocumentReference", id_, ehr_base)
        for relation in list_objects(document.get("relatesTo"))
    )
