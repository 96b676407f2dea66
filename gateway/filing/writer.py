"""Files the approved note as preliminary, reads it back, and says exactly what became of it.

In: the proof of approval. Out: ``FiledNote`` (read back from the record), ``UnsignedRefusal`` (this EHR holds no
unsigned notes) or ``NotFiled`` (why, and that nothing may be destroyed). A lost reply is an unknown outcome: it is
settled by searching for the note's own identifier, never by sending again, and where that finds nothing the clinician
is told that it is not known. What is compared when reading back: ``filing/comparison``.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.ehr.exchange import is_certain_no
from gateway.ehr.naming import list_objects
from gateway.ehr.reference import Reference, is_id, points_to
from gateway.ehr.site import EhrSite
from gateway.errors import EhrError, EhrRefused, FilingError
from gateway.filing.comparison import OTHER_PATIENT, compare_note, read_words
from gateway.filing.document import IDENTIFIER_SYSTEM, VisitFacts, build_document
from gateway.filing.provenance import build_provenance
from gateway.note.review import ApprovedNote
from gateway.proof import Maker

MAKER = Maker("filing/writer")
SETTLE_SECONDS = (0.0, 0.5)  # pauses before each look for what a lost reply left: an index may lag behind

UNKNOWN = (
    "It is not known whether the EHR took the note, because its answer was lost. Wait a minute and look in the chart, "
    "then file again here: Countersign first looks for the note that it sent, and nothing was deleted."
)
DOUBLED = "The EHR holds this note more than once. Look at the chart and remove the extra one before you sign."
UNSEARCHED = (
    "The EHR's list of this patient's notes could not be read to its end, so Countersign can't tell whether the note "
    "is there already. Look in the chart, then try again; nothing was deleted."
)
UNREAD = (
    "The EHR took the note, but Countersign could not read it back to check it. Look at it in the chart, then file "
    "again here: Countersign looks for the note that is there, and nothing was deleted."
)


@dataclass(frozen=True, slots=True)
class FiledNote:
    """The record holds the note, preliminary, for this patient and encounter, with these words.

    ``reference`` is relative; ``version`` is the one that was read back, empty where the EHR has none; ``provenance``
    says whether the record took it.
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
    """The note is not in the record as it should be, or that is not known; nothing may be destroyed."""

    error: FilingError | EhrError


async def file_note(
    client: FhirClient,
    note: ApprovedNote,
    chart: Chart,
    facts: VisitFacts,
    site: EhrSite,
    identifier: str,
    now: Callable[[], datetime],
    *,
    settle_seconds: Sequence[float] = SETTLE_SECONDS,
) -> FiledNote | UnsignedRefusal | NotFiled:
    """File one note under ``identifier`` (a ``urn:uuid:``, the same for every try of this visit).

    Args:
        settle_seconds: the pause before each look for the note where an answer was lost, and before each reading.
    """
    document = build_document(note, chart, facts, site, identifier)
    try:
        stored = await _find_note(client, chart, identifier)  # what an earlier try left
        if stored is None:
            created = await _create_note(client, document, chart, site, settle_seconds)
            if isinstance(created, UnsignedRefusal):
                return created
            stored = created
        held = await _read_back(client, stored, settle_seconds)
        problem = compare_note(held, document, await _read_words(client, held), client.ehr_base)
    except (EhrError, FilingError) as error:
        return NotFiled(error)
    if problem is not None:
        return NotFiled(problem)
    version = _version_of(held)
    # Only now, and tried once: a second try of the note must not leave two of these.
    target = str(stored) + (f"/_history/{version}" if version else "")
    provenance = build_provenance(note, chart, facts, target, site.note.labels)
    provenance_stored = await _create_provenance(client, provenance, site)
    return FiledNote(MAKER, str(stored), version, identifier, "bytes", provenance_stored, now())


async def _create_note(
    client: FhirClient,
    document: Mapping[str, Any],
    chart: Chart,
    site: EhrSite,
    settle_seconds: Sequence[float],
) -> Reference | UnsignedRefusal:
    """
    Raises:
        EhrError: certainly not stored. FilingError: not known, or not as it should be.
    """
    identifier = document["identifier"][0]["value"]
    condition = f"identifier={quote(f'{IDENTIFIER_SYSTEM}|{identifier}', safe='')}"
    try:
        stored = await client.create(document, if_none_exist=condition if site.note.conditional_create else None)
    except EhrError as error:
        if not is_certain_no(error):
            return await _settle(client, chart, identifier, error, settle_seconds)
        if isinstance(error, EhrRefused) and "docStatus" in error.elements:
            return UnsignedRefusal(error.detail)
        raise
    return stored.reference


async def _settle(
    client: FhirClient, chart: Chart, identifier: str, lost: EhrError, settle_seconds: Sequence[float]
) -> Reference:
    """What a create without a clear answer left behind.

    Raises:
        FilingError: it is not to be found (``filing.unknown``), or it is there twice or for another patient.
    """
    for seconds in settle_seconds:
        await asyncio.sleep(seconds)
        try:
            found = await _find_note(client, chart, identifier)
        except EhrError:
            continue
        if found is not None:
            return found
    raise FilingError("filing.unknown", UNKNOWN, f"{lost.code} {lost.detail}".strip())


async def _find_note(client: FhirClient, chart: Chart, identifier: str) -> Reference | None:
    """The note of this identifier, if the record has it. A server may ignore the identifier: each match is asked.

    Raises:
        EhrError: the search failed.
        FilingError: more than one is there, it is another patient's, or the answer was not whole.
    """
    patient_id = chart.context.patient_id
    found = await client.search(
        "DocumentReference", {"patient": patient_id, "identifier": f"{IDENTIFIER_SYSTEM}|{identifier}"}
    )
    own = [resource for resource in found.matches if _carries(resource, identifier)]
    if any(not points_to(resource.get("subject"), "Patient", patient_id, client.ehr_base) for resource in own):
        raise FilingError("filing.other-patient", OTHER_PATIENT)
    if len(own) > 1:
        raise FilingError("filing.doubled", DOUBLED)
    if own:
        return Reference("DocumentReference", str(own[0]["id"]))
    if found.problems:
        raise FilingError("filing.unsearched", UNSEARCHED, f"{len(found.problems)} problems")
    return None


def _carries(resource: Mapping[str, Any], identifier: str) -> bool:
    pairs = [(one.get("system"), one.get("value")) for one in list_objects(resource.get("identifier"))]
    return (IDENTIFIER_SYSTEM, identifier) in pairs


async def _read_back(client: FhirClient, stored: Reference, settle_seconds: Sequence[float]) -> Mapping[str, Any]:
    """
    Raises:
        FilingError: what was stored can't be read.
    """
    reason = ""
    for seconds in settle_seconds:
        await asyncio.sleep(seconds)
        try:
            return await client.read(stored.type, stored.id)
        except EhrError as error:
            reason = error.code
    raise FilingError("filing.unread", UNREAD, reason)


async def _read_words(client: FhirClient, held: Mapping[str, Any]) -> tuple[bytes, ...]:
    """
    Raises:
        FilingError: the EHR keeps the words where they can't be read.
    """
    try:
        words = await read_words(client, held)
    except EhrError as error:
        raise FilingError("filing.unread", UNREAD, f"content {error.code}") from None
    if not words:
        raise FilingError("filing.unread", UNREAD, "no content")
    return words


def _version_of(held: Mapping[str, Any]) -> str:
    meta = held.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return str(version) if is_id(version) else ""


async def _create_provenance(client: FhirClient, provenance: Mapping[str, Any], site: EhrSite) -> bool:
    """Whether the record took it; an EHR that takes none still has the note's own words about its making."""
    if not site.note.provenance:
        return False
    try:
        await client.create(provenance)
    except EhrError:
        return False
    return True
