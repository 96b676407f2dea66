"""Files the approved note as preliminary, reads it back, and says exactly what became of it.

In: the proof of approval. Out: ``FiledNote`` (read back from the record), ``UnsignedRefusal`` (this EHR holds no
unsigned notes) or ``NotFiled`` (why, and that nothing may be destroyed). A lost reply is an unknown outcome: it is
settled by searching for the note's own identifier, never by sending again.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.ehr.reference import Reference, parse_reference, points_to
from gateway.ehr.site import EhrSite
from gateway.errors import EhrError, EhrRefused, FilingError
from gateway.filing.document import IDENTIFIER_SYSTEM, VisitFacts, build_document
from gateway.filing.provenance import build_provenance
from gateway.note.review import ApprovedNote
from gateway.proof import Maker

MAKER = Maker("filing/writer")
AMBIGUOUS_STATUSES = (409, 412)


@dataclass(frozen=True, slots=True)
class FiledNote:
    """The record holds the note, preliminary, for this patient and encounter, with these words.

    ``reference`` is relative; ``version`` may be empty; ``provenance`` says whether the record took it.
    """

    maker: InitVar[Maker]
    reference: str
    version: str
    identifier: str
    read_back: str  # "bytes": the content's hash was compared
    provenance: bool
    filed_at: datetime

    def __post_init__(self, maker: Maker) -> None:
        MAKER.check(maker)


@dataclass(frozen=True, slots=True)
class UnsignedRefusal:
    """This EHR answered that it takes no preliminary note; nothing was stored."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotFiled:
    """The note is not in the record as it should be; nothing may be destroyed."""

    error: FilingError | EhrError


async def file_note(
    client: FhirClient,
    note: ApprovedNote,
    chart: Chart,
    facts: VisitFacts,
    site: EhrSite,
    identifier: str,
    now: Callable[[], datetime],
) -> FiledNote | UnsignedRefusal | NotFiled:
    """File one note under ``identifier`` (a ``urn:uuid:``, the same for every try of this visit)."""
    document = build_document(note, chart, facts, site, identifier)
    try:
        stored = await _find_note(client, chart, identifier) or await _create_note(client, document, chart, site)
    except EhrRefused as error:
        if "docStatus" in error.elements:
            return UnsignedRefusal(error.detail)
        return NotFiled(error)
    except (EhrError, FilingError) as error:
        return NotFiled(error)
    target = str(stored) + (f"/_history/{stored.version}" if stored.version else "")
    provenance = build_provenance(note, chart, facts, target, site.note.labels)
    read_back, provenance_stored = await asyncio.gather(
        _read_back(client, stored, document, site),
        _create_provenance(client, provenance, site),
    )
    if isinstance(read_back, FilingError | EhrError):
        return NotFiled(read_back)
    return FiledNote(MAKER, str(stored), stored.version or "", identifier, "bytes", provenance_stored, now())


async def _create_note(client: FhirClient, document: Mapping[str, Any], chart: Chart, site: EhrSite) -> Reference:
    identifier = document["identifier"][0]["value"]
    condition = f"identifier={quote(f'{IDENTIFIER_SYSTEM}|{identifier}', safe='')}"
    try:
        stored = await client.create(document, if_none_exist=condition if site.note.conditional_create else None)
    except EhrError as error:
        if isinstance(error, EhrRefused) and error.http_status < 500 and error.http_status not in AMBIGUOUS_STATUSES:
            raise  # a certain no
        found = await _find_note(client, chart, identifier)
        if found is None:
            raise
        return found
    return stored.reference


async def _find_note(client: FhirClient, chart: Chart, identifier: str) -> Reference | None:
    """The note of this identifier, if the record has it.

    Raises:
        FilingError: more than one is there, or it is another patient's.
    """
    found = await client.search(
        "DocumentReference",
        {"patient": chart.context.patient_id, "identifier": f"{IDENTIFIER_SYSTEM}|{identifier}"},
    )
    if not found.matches:
        return None
    if len(found.matches) > 1:
        raise FilingError(
            "filing.doubled",
            "The EHR holds this note more than once. Look at the chart and remove the extra one before you sign.",
        )
    resource = found.matches[0]
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return Reference("DocumentReference", str(resource.get("id")), version if isinstance(version, str) else None)


async def _read_back(
    client: FhirClient, stored: Reference, sent: Mapping[str, Any], site: EhrSite
) -> FilingError | EhrError | None:
    """None where the record holds what was sent."""
    try:
        held = await client.read(stored.type, stored.id)
        return _compare(held, sent, await _read_content(client, held, site), client.ehr_base)
    except EhrError as error:
        return error


async def _read_content(client: FhirClient, held: Mapping[str, Any], site: EhrSite) -> bytes:
    """The note's bytes, inline or from the Binary that the EHR moved them to."""
    attachment = _first_attachment(held)
    if "data" in attachment:
        return base64.b64decode(str(attachment["data"]), validate=False)
    binary = parse_reference(attachment.get("url"), site.issuer)
    if binary is None or binary.type != "Binary":
        return b""
    return base64.b64decode(str((await client.read("Binary", binary.id)).get("data", "")), validate=False)


def _compare(held: Mapping[str, Any], sent: Mapping[str, Any], content: bytes, ehr_base: str) -> FilingError | None:
    patient = parse_reference(sent["subject"]["reference"])
    assert patient is not None
    if not points_to(held.get("subject"), patient.type, patient.id, ehr_base):
        return FilingError(
            "filing.other-patient",
            "The EHR filed the note for another patient. Tell whoever looks after it at once; nothing was deleted.",
        )
    if held.get("docStatus") != "preliminary" or held.get("status") != "current":
        return FilingError(
            "filing.not-preliminary",
            "The EHR did not keep the note as an unsigned draft. Look at it in the chart now; nothing was deleted.",
            f"docStatus {_code(held.get('docStatus'))}, status {_code(held.get('status'))}",
        )
    if _encounters(held, ehr_base) != _encounters(sent, ehr_base):
        return FilingError(
            "filing.other-encounter",
            "The EHR filed the note on another encounter. Look at it in the chart now; nothing was deleted.",
        )
    expected = base64.b64decode(_first_attachment(sent)["data"])
    if hashlib.sha256(content).digest() != hashlib.sha256(expected).digest():
        return FilingError(
            "filing.other-words",
            "The EHR holds other words than those that were sent. Look at the note in the chart; nothing was deleted.",
        )
    return None


def _first_attachment(document: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        attachment = document["content"][0]["attachment"]
    except (KeyError, IndexError, TypeError):
        return {}
    return attachment if isinstance(attachment, Mapping) else {}


def _encounters(document: Mapping[str, Any], ehr_base: str) -> set[str]:
    context = document.get("context")
    items = context.get("encounter", []) if isinstance(context, Mapping) else []
    found = (parse_reference(item.get("reference"), ehr_base) for item in items if isinstance(item, Mapping))
    return {str(reference) for reference in found if reference is not None}


def _code(value: object) -> str:
    return value if isinstance(value, str) and value.isascii() and len(value) < 30 else "none"


async def _create_provenance(client: FhirClient, provenance: Mapping[str, Any], site: EhrSite) -> bool:
    """Whether the record took it; an EHR that takes none still has the note's own words about its making."""
    if not site.note.provenance:
        return False
    try:
        await client.create(provenance)
    except EhrError:
        return False
    return True
