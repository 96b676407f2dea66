"""Who takes part in a visit besides the patient and the staff: related people, and the members of a group.

In: a raw Encounter, the RelatedPersons of the patient that could be read, and the Group where it is one's visit. Out:
``Attendee`` values. Of another patient nothing is read and nothing is shown but that she is there: this is not her
chart. Whom the record names without saying what they are is an attendee too: unknown is not nobody.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.ehr.client import FhirClient, Resource
from gateway.ehr.context import LaunchContext
from gateway.ehr.naming import choose_name, clean_text, describe_concept, describe_reference, list_objects
from gateway.ehr.reference import Reference, parse_reference, points_to, reference_of
from gateway.ehr.scopes import covers
from gateway.errors import EhrError, EhrGarbled, EhrRefused

MAX_RELATED = 20
STAFF = frozenset({"Practitioner", "PractitionerRole"})
THINGS = frozenset({"Device", "Medication", "Substance"})  # R4 lets a Group hold these too
# v3-ParticipationType: what only staff are to a visit (R4, Encounter.participant.type).
STAFF_PARTS = frozenset({"ADM", "ATND", "CALLBCK", "CON", "DIS", "ESC", "REF", "PPRF", "SPRF"})
GROUP_MEMBER, RELATED, NOT_DESCRIBED = "Member of the group", "Related person", "Somebody whom the record only names"
GROUP_UNREAD = (
    "This visit is a group's, and the EHR does not say here who is in it, so nothing is shown. "
    "Open Countersign from the patient's own visit, or ask the operator to add user/Group.r to its scopes."
)
OTHER_GROUP = (
    "This visit is of a group that the patient is not in, so nothing is shown. "
    "Close Countersign and open it again from this patient's chart."
)


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody in the room as the record has it.

    Attributes:
        reference: relative; empty where the record has none.
        role: in words ("Partner").
        name: as this patient's record has it; empty for another patient, whose name has no place here.
    """

    reference: str
    role: str
    name: str = ""


async def read_related(client: FhirClient, context: LaunchContext, issuer: str) -> tuple[Resource, ...]:
    """All RelatedPersons of the patient where the scopes allow the search; an EHR that refuses it has none to give."""
    if not covers(context.scopes, "patient/RelatedPerson.s"):
        return ()
    try:
        found = await client.search("RelatedPerson", {"patient": context.patient_id})
    except EhrError:
        return ()
    return tuple(one for one in found.matches if points_to(one.get("patient"), "Patient", context.patient_id, issuer))


async def read_named(
    client: FhirClient, wanted: Iterable[str], known: Sequence[Resource], patient_id: str, issuer: str
) -> tuple[Resource, ...]:
    """``known``, and the RelatedPersons of this patient with these ids; one that can't be read is left out."""
    ids = sorted(set(wanted) - {str(one["id"]) for one in known})[:MAX_RELATED]
    found = await asyncio.gather(*(client.read("RelatedPerson", id_) for id_ in ids), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, EhrError):
            raise one
    own = (
        one
        for one in found
        if not isinstance(one, BaseException) and points_to(one.get("patient"), "Patient", patient_id, issuer)
    )
    return (*known, *own)


async def read_group(client: FhirClient, encounter: Resource, patient_id: str, issuer: str) -> Resource | None:
    """The Group whose visit it is; None where it is not a group's.

    Raises:
        EhrGarbled: the group can't be read, or this patient is not in it.
    """
    subject = _point(encounter.get("subject"), issuer)
    if subject is None or subject.type != "Group":
        return None
    try:
        group = await client.read("Group", subject.id)
    except EhrRefused as error:
        raise EhrGarbled("chart.group-unread", GROUP_UNREAD, error.code) from None
    members = (one.get("entity") for one in list_objects(group.get("member")) if one.get("inactive") is not True)
    if not any(points_to(one, "Patient", patient_id, issuer) for one in members):
        raise EhrGarbled("chart.other-group", OTHER_GROUP, "the patient is not a member")
    return group


def list_named(encounter: Resource, issuer: str) -> tuple[str, ...]:
    """The ids of the RelatedPersons who take part."""
    pointed = (_point(one.get("individual"), issuer) for one in list_objects(encounter.get("participant")))
    return tuple(one.id for one in pointed if one is not None and one.type == "RelatedPerson")


def list_attendees(
    encounter: Resource,
    group: Resource | None,
    related: Sequence[Resource],
    context: LaunchContext,
    issuer: str,
    now: datetime,
) -> tuple[Attendee, ...]:
    """Everybody in the room besides the patient and the staff, each once."""
    people = {str(one["id"]): one for one in related}
    found = [_read_participant(one, people, issuer, now) for one in list_objects(encounter.get("participant"))]
    for member in list_objects(group.get("member")) if group else []:
        found.append(_read_member(member, people, context.patient_id, issuer, now))
    unnamed = [one for one in found if one is not None and not one.reference]
    named: dict[str, Attendee] = {}
    for one in found:
        if one is not None and one.reference:
            named.setdefault(one.reference, one)
    return (*named.values(), *unnamed)


def _read_participant(
    participant: Mapping[str, Any], people: Mapping[str, Resource], issuer: str, now: datetime
) -> Attendee | None:
    individual = participant.get("individual")
    pointed = _point(individual, issuer)
    if pointed is not None and pointed.type == "RelatedPerson":
        return _describe_related(pointed, people, describe_reference(individual), now)
    kind = individual.get("type") if isinstance(individual, Mapping) else None
    if (pointed is not None and pointed.type in STAFF) or kind in STAFF or _is_staff_part(participant):
        return None
    if pointed is None and not describe_reference(individual) and not isinstance(individual, Mapping):
        return None  # a role that nobody fills
    return Attendee(str(pointed or ""), NOT_DESCRIBED, describe_reference(individual))


def _read_member(
    member: Mapping[str, Any], people: Mapping[str, Resource], patient_id: str, issuer: str, now: datetime
) -> Attendee | None:
    if member.get("inactive") is True:
        return None
    pointed = _point(member.get("entity"), issuer)
    if pointed is not None and pointed.type == "RelatedPerson":
        return _describe_related(pointed, people, "", now)
    if pointed is not None and (
        pointed.type in STAFF | THINGS or (pointed.type, pointed.id) == ("Patient", patient_id)
    ):
        return None
    return Attendee(str(pointed or ""), GROUP_MEMBER)


def _describe_related(pointed: Reference, people: Mapping[str, Resource], display: str, now: datetime) -> Attendee:
    person = people.get(pointed.id, {})
    roles = [describe_concept(one) for one in list_objects(person.get("relationship"))]
    role = next((one for one in roles if one), RELATED)
    return Attendee(str(pointed), role[:1].upper() + role[1:], choose_name(person.get("name"), now) or display)


def _is_staff_part(participant: Mapping[str, Any]) -> bool:
    codings = [one for kind in list_objects(participant.get("type")) for one in list_objects(kind.get("coding"))]
    return any(clean_text(one.get("code")) in STAFF_PARTS for one in codings)


def _point(value: object, issuer: str) -> Reference | None:
    return parse_reference(value.get("reference"), issuer) if isinstance(value, Mapping) else None


def name_read(related: Iterable[Resource]) -> list[tuple[str, str]]:
    """Rows for the list of what was read."""
    return [(reference_of(one), "Related person") for one in related]
