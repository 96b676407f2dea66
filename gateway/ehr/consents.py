"""A patient's Consent resources as this EHR gives them: foreign JSON, with what could not be read said beside it.

In: a client and whose they are. Out: ``FoundConsents``. An unread consent may be a refusal, so nothing is left out
without a sentence in ``problems``; what they permit, ``consent/decision`` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.ehr.client import FhirClient, Resource
from gateway.ehr.naming import list_objects
from gateway.ehr.reference import Reference, make_relative, parse_reference, points_to, reference_of
from gateway.errors import EhrError


@dataclass(frozen=True, slots=True)
class FoundConsents:
    consents: tuple[Resource, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def named(self) -> set[str]:
        """The ids of the RelatedPersons who answered one of them."""
        pointed = (
            parse_reference(one.get("reference"))
            for consent in self.consents
            for one in list_objects(consent.get("performer"))
        )
        return {one.id for one in pointed if one is not None and one.type == "RelatedPerson"}

    def rows(self) -> list[tuple[str, str]]:
        return [(reference_of(one), "Consent") for one in self.consents]


async def search_consents(client: FhirClient, patient_id: str, issuer: str) -> FoundConsents:
    """This patient's Consent resources, and what stood in the way."""
    try:
        found = await client.search("Consent", {"patient": patient_id})
    except EhrError as error:
        return FoundConsents(problems=(f"The consents could not be read from the EHR ({error.code}).",))
    matches = [make_relative(one, issuer) for one in found.matches]
    own = tuple(one for one in matches if points_to(one.get("patient"), "Patient", patient_id))
    problems = list(found.problems)
    if len(own) < len(matches):
        problems.append("Among the consents that the EHR sent is one of another patient, or of none.")
    return FoundConsents(own, tuple(problems))


async def add_written(
    client: FhirClient, found: FoundConsents, written: Sequence[Reference], patient_id: str, issuer: str
) -> FoundConsents:
    """With those that the search did not show; one that can't be read is a problem: it may be a no."""
    shown = {str(one["id"]) for one in found.consents}
    added, problems = list(found.consents), list(found.problems)
    for reference in written:
        if reference.id in shown:
            continue
        try:
            consent = make_relative(await client.read("Consent", reference.id), issuer)
        except EhrError as error:
            problems.append(f"A consent written in this visit could not be read ({error.code}).")
            continue
        if points_to(consent.get("patient"), "Patient", patient_id):
            added.append(consent)
    return FoundConsents(tuple(added), tuple(problems))
