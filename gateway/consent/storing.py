"""One Consent into the record, exactly once and read back; and one that is no longer meant, set inactive.

In: a Consent as ``consent/answer`` builds it, or one that was read. Out: the reference that the record gave it, or a
sentence about what is there instead. A lost reply is an unknown outcome: it is settled by searching for the answer's
own identifier, never by sending again. Nothing here decides what a Consent means.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gateway.consent.reading import OWN_CONSENTS
from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient, Resource
from gateway.ehr.dates import parse_date
from gateway.ehr.exchange import is_certain_no
from gateway.ehr.naming import list_objects
from gateway.ehr.reference import Reference, is_id, make_relative, points_to
from gateway.errors import ConsentNotTaken, EhrError, EhrRefused

SETTLE_SECONDS = (0.0, 0.5)  # pauses before each look for what a lost reply left: an index may lag behind

_SAYING = (
    *("modifierExtension", "implicitRules", "status", "scope", "category", "dateTime", "performer"),
    *("organization", "policy", "policyRule", "provision"),
)

LOST = (
    "It is not known whether the EHR took the answer, because its reply was lost. Look at the consents in the chart; "
    "if it is not there, enter the answer again."
)
UNCHECKED = (
    "The EHR took the answer, but Countersign could not read it back, so it does not count yet. "
    "Wait a moment and let the consents be read again."
)
ALTERED = (
    "The EHR stored the answer otherwise than it was given. Look at it in the chart and have it corrected there, "
    "then ask again."
)
OTHER_PATIENT = (
    "The EHR shows the consent in another patient's chart, so nothing was done with it. "
    "Tell whoever looks after the EHR at once."
)
CHANGED = (
    "A consent in the record was changed since Countersign read it. Let the consents be read again, "
    "look at them, then enter the answer again."
)
UNSETTLED = (
    "It is not known whether the EHR set the older consent inactive. Let the consents be read again, "
    "look at them, then enter the answer again."
)


async def store_consent(
    client: FhirClient,
    chart: Chart,
    consent: Mapping[str, Any],
    *,
    conditional_create: bool,
    settle_seconds: Sequence[float] = SETTLE_SECONDS,
) -> Reference:
    """Create a Consent, and read it back by its id.

    Returns:
        Its reference, with the version that was read back where the EHR has versions.

    Raises:
        EhrError: certainly not stored.
        ConsentNotTaken: not known, or not as it should be.
    """
    identifier = consent["identifier"][0]["value"]
    condition = f"identifier={quote(f'{OWN_CONSENTS}|{identifier}', safe='')}"
    try:
        stored = await client.create(consent, if_none_exist=condition if conditional_create else None)
        reference = stored.reference
    except EhrError as error:
        if is_certain_no(error):
            raise
        reference = await _settle(client, chart, identifier, error, settle_seconds)
    held = await _read_back(client, reference, settle_seconds)
    if not points_to(held.get("patient"), "Patient", chart.context.patient_id, client.ehr_base):
        raise ConsentNotTaken("consent.other-patient", OTHER_PATIENT)
    if _describe(held, client.ehr_base) != _describe(consent, client.ehr_base):
        raise ConsentNotTaken("consent.altered", ALTERED, str(reference))
    return Reference("Consent", reference.id, read_version(held))


async def end_consent(client: FhirClient, chart: Chart, decided_on: Mapping[str, Any]) -> bool:
    """Set a Consent inactive that is still the version which was decided on.

    Returns:
        False: the EHR keeps it as it is.

    Raises:
        EhrError: it could not be read; nothing was changed, or that is not known.
        ConsentNotTaken: it was changed meanwhile, is another patient's, or the outcome is not known.
    """
    version = read_version(decided_on)
    if version is None:  # without a version nothing says that it is still the same: nothing is overwritten
        return False
    raw = await client.read("Consent", decided_on["id"])
    if not points_to(raw.get("patient"), "Patient", chart.context.patient_id, client.ehr_base):
        raise ConsentNotTaken("consent.other-patient", OTHER_PATIENT)
    if read_version(raw) != version or raw.get("status") != "active":
        raise ConsentNotTaken("consent.changed", CHANGED)
    changed_meanwhile = False
    try:
        await client.update({**raw, "status": "inactive"}, version=version)
    except EhrError as error:
        if is_certain_no(error):
            return False
        changed_meanwhile = isinstance(error, EhrRefused) and error.http_status in (409, 412)
    held = await client.read("Consent", decided_on["id"])
    if held.get("status") == "inactive":
        return True
    if changed_meanwhile:
        raise ConsentNotTaken("consent.changed", CHANGED)
    raise ConsentNotTaken("consent.unsettled", UNSETTLED)


def read_version(resource: Mapping[str, Any]) -> str | None:
    """``meta.versionId``; None where there is none that may stand in a path."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) and is_id(version) else None


async def _settle(
    client: FhirClient, chart: Chart, identifier: str, lost: EhrError, settle_seconds: Sequence[float]
) -> Reference:
    """What a create without a clear reply left behind. Stored twice it is the same answer: either will do.

    Raises:
        ConsentNotTaken: it is not to be found.
    """
    wanted = {"patient": chart.context.patient_id, "identifier": f"{OWN_CONSENTS}|{identifier}"}
    for seconds in settle_seconds:
        await asyncio.sleep(seconds)
        try:
            found = await client.search("Consent", wanted)
        except EhrError:
            continue
        own = sorted(str(one["id"]) for one in found.matches if _carries(one, identifier))
        if own:
            return Reference("Consent", own[0])
    raise ConsentNotTaken("consent.lost", LOST, f"{lost.code} {lost.detail}".strip())


def _carries(resource: Mapping[str, Any], identifier: str) -> bool:
    """A server may ignore the identifier in a search: each match is asked."""
    pairs = [(one.get("system"), one.get("value")) for one in list_objects(resource.get("identifier"))]
    return (OWN_CONSENTS, identifier) in pairs


async def _read_back(client: FhirClient, stored: Reference, settle_seconds: Sequence[float]) -> Resource:
    """
    Raises:
        ConsentNotTaken: what was stored can't be read.
    """
    reason = ""
    for seconds in settle_seconds:
        await asyncio.sleep(seconds)
        try:
            return await client.read("Consent", stored.id)
        except EhrError as error:
            reason = error.code
    raise ConsentNotTaken("consent.unchecked", UNCHECKED, reason)


def _describe(consent: Mapping[str, Any], ehr_base: str) -> dict[str, Any]:
    """All of a Consent that bears on what it says: moments to the second, codings as pairs, references relative.

    A server may add a narrative, displays and labels of its own, and write a moment in another zone or without its
    fraction: whether it is late enough to count, the decision says.
    """
    own = make_relative(consent, ehr_base)
    return {name: _plain(own[name]) for name in _SAYING if name in own}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        unsaid = ("id", "extension", "display", "text", "userSelected", "version")
        return {name: _plain(one) for name, one in value.items() if name not in unsaid}
    span = parse_date(value)
    return span.earliest_start.replace(microsecond=0) if span is not None and span.precise else value
