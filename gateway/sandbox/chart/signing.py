"""What the clinician does to notes and consents in the chart: each is a new version in the record, as in an EHR."""

from datetime import datetime, timedelta

from gateway.sandbox.chart.notes import tell_state
from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.client import FhirRefused
from gateway.sandbox.practice import Practice
from gateway.sandbox.seed.people import Answer
from gateway.sandbox.seed.resources import build_consent


class ChartRefusal(Exception):
    """The chart does not do this; ``words`` say why, for the clinician."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


async def sign_note(practice: Practice, patient: str, note_id: str, version: str) -> Resource:
    """Makes a draft final: new version, ``docStatus`` final, the signed-in clinician as authenticator.

    ``version`` is the one that she saw; signing another text than the one she read is refused.

    Raises:
        ChartRefusal: it is no draft, or it has changed since.
    """
    note = await _read_note(practice, patient, note_id, version)
    if tell_state(note) != "draft":
        raise ChartRefusal("Only an unsigned draft can be signed.")
    signed = {**note, "status": "current", "docStatus": "final", "authenticator": {"reference": practice.user}}
    return await practice.record.update(signed, if_match=version)


async def discard_draft(practice: Practice, patient: str, note_id: str, version: str) -> None:
    """Deletes an unsigned draft, and the Provenance that speaks of it.

    Raises:
        ChartRefusal: it is signed, or it has changed since.
    """
    note = await _read_note(practice, patient, note_id, version)
    if tell_state(note) != "draft":
        raise ChartRefusal("A signed note can't be discarded; mark it as entered in error.")
    reference = f"DocumentReference/{note_id}"
    for provenance in await practice.record.search("Provenance", ("target", reference)):
        await practice.record.delete("Provenance", provenance["id"])
    await practice.record.delete("DocumentReference", note_id)


async def withdraw_note(practice: Practice, patient: str, note_id: str, version: str) -> Resource:
    """Marks a note as entered in error: it stays in the record and counts no more."""
    note = await _read_note(practice, patient, note_id, version)
    withdrawn = {**note, "status": "entered-in-error", "docStatus": "entered-in-error"}
    return await practice.record.update(withdrawn, if_match=version)


async def revoke_consent(practice: Practice, patient: str, consent_id: str) -> Resource:
    """Ends a consent from now on.

    Raises:
        ChartRefusal: it is another patient's, or not in force.
    """
    consent = await practice.record.read("Consent", consent_id)
    if (consent.get("patient") or {}).get("reference") != f"Patient/{patient}":
        raise ChartRefusal("This consent is not in this patient's chart.")
    if consent.get("status") != "active":
        raise ChartRefusal("This consent is not in force.")
    version = (consent.get("meta") or {}).get("versionId")
    return await practice.record.update({**consent, "status": "inactive"}, if_match=version)


async def record_consent(practice: Practice, patient: str, answer: Answer) -> Resource:
    """Writes down what the patient said today; an answer that is in force to the same question ends."""
    for consent in await practice.record.search("Consent", ("patient", patient), ("status", "active")):
        concepts = (consent.get("provision") or {}).get("code", [])
        codes = {coding.get("code") for concept in concepts for coding in concept.get("coding", [])}
        if codes == {answer.activity}:
            await revoke_consent(practice, patient, consent["id"])
    now = practice.clock()
    given = build_consent(answer, f"Patient/{patient}", practice.organization, now.date())
    return await practice.record.create({**given, "dateTime": _round_up(now).isoformat(timespec="milliseconds")})


def _round_up(moment: datetime) -> datetime:
    """To the next millisecond: after whatever the record wrote in this one."""
    return moment + timedelta(microseconds=-moment.microsecond % 1000)


async def _read_note(practice: Practice, patient: str, note_id: str, version: str) -> Resource:
    try:
        note = await practice.record.read("DocumentReference", note_id)
    except FhirRefused as refused:
        if refused.status in (404, 410):
            raise ChartRefusal("This note is no longer in the record.") from refused
        raise
    if (note.get("subject") or {}).get("reference") != f"Patient/{patient}":
        raise ChartRefusal("This note is not in this patient's chart.")
    if (note.get("meta") or {}).get("versionId") != version:
        raise ChartRefusal("This note has changed since it was shown. Read it again.")
    return note
