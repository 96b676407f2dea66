"""Whether the record holds what was sent: the note as read back, against the note as filed.

Compared are the patient, the status, the encounter and the words; what an EHR adds or reformats beside them is its
own. Each difference is one sentence for the clinician. Only ``read_words`` reads, and only below this EHR's base.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.ehr.client import FhirClient
from gateway.ehr.naming import list_objects
from gateway.ehr.reference import parse_reference, points_to
from gateway.errors import FilingError

MOST_ATTACHMENTS = 3
OTHER_PATIENT = (
    "The EHR filed the note in another patient's chart. Tell whoever looks after the EHR at once, so that it is "
    "removed there; nothing was deleted here."
)
NOT_PRELIMINARY = (
    "The note is in the chart, but not as an unsigned draft. Look at it there: if you have signed it already, cancel "
    "this visit; if not, tell whoever looks after the EHR."
)
WITHOUT_ENCOUNTER = (
    "The EHR filed the note without its encounter. Look at it in the chart and set the encounter there; nothing was "
    "deleted here."
)
OTHER_ENCOUNTER = (
    "The EHR filed the note on another encounter. Look at it in the chart and correct it there; nothing was deleted "
    "here."
)
OTHER_WORDS = (
    "The note in the chart has other words than the ones that you approved. Look at it there before you sign it; "
    "nothing was deleted here."
)


async def read_words(client: FhirClient, held: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The bytes of each attachment, inline or from the Binary that the EHR moved it to; those that can be had.

    Raises:
        EhrError: a Binary of this EHR can't be read.
    """
    words: list[bytes] = []
    for content in list_objects(held.get("content"))[:MOST_ATTACHMENTS]:
        attachment = content.get("attachment")
        if not isinstance(attachment, Mapping):
            continue
        data = attachment.get("data")
        if data is None:
            binary = parse_reference(attachment.get("url"), client.ehr_base)
            if binary is None or binary.type != "Binary":
                continue
            data = (await client.read("Binary", binary.id)).get("data")
        words.append(_decode(data))
    return tuple(words)


def compare_note(
    held: Mapping[str, Any], sent: Mapping[str, Any], words: Sequence[bytes], ehr_base: str
) -> FilingError | None:
    """None where the record holds what was sent.

    Args:
        held: the resource as it was read back.
        sent: the resource as it was filed.
        words: what ``read_words`` found of it.
        ehr_base: below which absolute references are this EHR's.
    """
    patient = parse_reference(sent["subject"]["reference"])
    assert patient is not None
    if not points_to(held.get("subject"), patient.type, patient.id, ehr_base):
        return FilingError("filing.other-patient", OTHER_PATIENT)
    statuses = held.get("status"), held.get("docStatus")
    if statuses != ("current", "preliminary"):
        return FilingError("filing.not-preliminary", NOT_PRELIMINARY, f"status, docStatus: {_tell_codes(statuses)}")
    wanted, found = _list_encounters(sent, ehr_base), _list_encounters(held, ehr_base)
    if wanted != found:
        if not found:
            return FilingError("filing.without-encounter", WITHOUT_ENCOUNTER)
        return FilingError("filing.other-encounter", OTHER_ENCOUNTER)
    if base64.b64decode(sent["content"][0]["attachment"]["data"]) not in words:
        return FilingError("filing.other-words", OTHER_WORDS)
    return None


def _decode(data: object) -> bytes:
    """Lenient of line breaks in base64; what is no base64 holds no words."""
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _list_encounters(document: Mapping[str, Any], ehr_base: str) -> set[str]:
    """``Encounter/7``, without a version; a reference that can't be read stands as unreadable, so that it differs."""
    context = document.get("context")
    items = list_objects(context.get("encounter")) if isinstance(context, Mapping) else []
    return {str(parse_reference(item.get("reference"), ehr_base) or "unreadable") for item in items}


def _tell_codes(values: Sequence[object]) -> str:
    """Codes only, for the log: anything else may be the patient's."""
    known = ("current", "superseded", "entered-in-error", "preliminary", "final", "amended")
    return ", ".join(str(value) if value in known else "another" for value in values)
