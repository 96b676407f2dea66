"""What the clinician says was answered, held against the chart and the site's rules. Pure.

In: what the page sent. Out: an answer that may be written to the record, or attested where the EHR takes none. It
writes nothing and decides nothing: whether a permission follows, ``consent/decision`` says from what is then there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gateway.consent.activity import Activity
from gateway.consent.codes import Code
from gateway.consent.question import find_majority
from gateway.consent.rules import ConsentRules
from gateway.ehr.chart import Chart
from gateway.ehr.naming import clean_text, list_objects
from gateway.errors import ConsentNotTaken

Says = Literal["yes", "no"]
How = Literal["spoken", "signed"]
Witness = Literal["clinician", "staff", "nobody"]

PATIENT = "The patient"
UNNAMED = "A related person"
# v3-RoleCode's own words for those who mostly answer for somebody; another relation is shown as the record words it.
_RELATIONS = {
    "MTH": "Mother",
    "FTH": "Father",
    "PRN": "Parent",
    "NMTH": "Mother",
    "NFTH": "Father",
    "STPMTH": "Stepmother",
    "STPFTH": "Stepfather",
    "GRMTH": "Grandmother",
    "GRFTH": "Grandfather",
    "GUARD": "Guardian",
    "HPOWATT": "Holder of a healthcare power of attorney",
    "POWATT": "Holder of a power of attorney",
    "RESPRSN": "Responsible person",
    "SPS": "Spouse",
    "HUSB": "Husband",
    "WIFE": "Wife",
    "DOMPART": "Partner",
    "DAU": "Daughter",
    "SON": "Son",
}
OLDEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AskedAnswers:
    """One sitting: the questions that were answered, all by the same person.

    Attributes:
        language: of the wording that was read.
        performer: who answered: ``Patient/1`` or ``RelatedPerson/2``.
        given_at: None: just now; without a zone it is the practice's.
    """

    language: str
    performer: str
    how: How
    witness: Witness
    given_at: datetime | None
    answers: Mapping[Activity, Says]


@dataclass(frozen=True, slots=True)
class Performer:
    """Somebody who may answer. ``label`` is what they are to the patient, never a name."""

    reference: str
    label: str


@dataclass(frozen=True, slots=True)
class AttestedAnswer:
    """One answer that the clinician attests for this visit, where the EHR takes no Consent."""

    activity: Activity
    says: Says
    performer: Performer
    how: How
    given_at: datetime


def list_performers(chart: Chart, rules: ConsentRules, now: datetime) -> tuple[Performer, ...]:
    """Those whose yes counts here: the patient of age, or whom the site accepts for her."""
    majority = find_majority(chart.patient.birth_date, rules)
    is_minor = majority is not None and now < majority
    accepted = rules.proxies_of_minors if is_minor else rules.proxies_of_adults
    found: list[Performer] = []
    if not is_minor or rules.proxies.minors_answer_themselves:
        found.append(Performer(chart.patient.reference, PATIENT))
    for person in chart.related:
        label = _name_relation(person, accepted) if person.get("active", True) is True else ""
        if label:
            found.append(Performer(f"RelatedPerson/{person['id']}", label))
    return _tell_apart(found)


def check_answers(
    asked: AskedAnswers, chart: Chart, rules: ConsentRules, languages: Collection[str], now: datetime
) -> AskedAnswers:
    """The same, its moment aware and in UTC where one was said.

    Args:
        languages: those in which the page to read with the patient is there.

    Raises:
        ConsentNotTaken: it is no answer, or not one that could count; the sentence says what to mend.
    """
    if not asked.answers:
        raise ConsentNotTaken("consent.nothing-answered", "Nothing was answered. Choose yes or no for a question.")
    if asked.language not in languages:
        raise ConsentNotTaken("consent.language", "The words for the patient are not there in this language.")
    _find_performer(asked, chart, rules, now)
    if asked.given_at is None:
        return asked
    given_at = _read_moment(asked.given_at, rules)
    if given_at > now:
        raise ConsentNotTaken(
            "consent.moment", "The moment of the answer lies in the future. Correct it, or leave it out."
        )
    if now - given_at > OLDEST:
        words = "The answer is more than 24 hours old. Ask again, or have it entered in the EHR."
        raise ConsentNotTaken("consent.moment", words)
    return replace(asked, given_at=given_at)


def attest_answers(
    asked: AskedAnswers, chart: Chart, rules: ConsentRules, languages: Collection[str], now: datetime
) -> tuple[AttestedAnswer, ...]:
    """Each answer by itself, for an EHR that takes no Consent; ``consent/decision`` weighs it.

    Raises:
        ConsentNotTaken: as ``check_answers``.
    """
    checked = check_answers(asked, chart, rules, languages, now)
    performer = _find_performer(checked, chart, rules, now)
    return tuple(
        AttestedAnswer(activity, says, performer, checked.how, checked.given_at or now)
        for activity, says in checked.answers.items()
    )


def _find_performer(asked: AskedAnswers, chart: Chart, rules: ConsentRules, now: datetime) -> Performer:
    """Raises ConsentNotTaken where this person may not answer. The patient may always say no."""
    for one in list_performers(chart, rules, now):
        if one.reference == asked.performer:
            return one
    if asked.performer == chart.patient.reference and set(asked.answers.values()) <= {"no"}:
        return Performer(asked.performer, PATIENT)
    words = "A yes of this person does not count for this patient here. Choose one of the list."
    raise ConsentNotTaken("consent.performer", words)


def _read_moment(moment: datetime, rules: ConsentRules) -> datetime:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if rules.zone is None:
        words = "The practice's time zone is not set, so a moment can't be told. Leave it out."
        raise ConsentNotTaken("consent.moment", words)
    return moment.replace(tzinfo=rules.zone).astimezone(UTC)


def _name_relation(person: Mapping[str, Any], accepted: frozenset[Code]) -> str:
    """What this person is to the patient, of the relations that the site accepts; empty where it accepts none."""
    for concept in list_objects(person.get("relationship")):
        for coding in list_objects(concept.get("coding")):
            code = coding.get("code")
            if isinstance(code, str) and (coding.get("system"), code) in accepted:
                return _RELATIONS.get(code) or clean_text(coding.get("display")) or UNNAMED
    return ""


def _tell_apart(found: list[Performer]) -> tuple[Performer, ...]:
    """``Mother 1``, ``Mother 2`` where two would read the same."""
    labels = [one.label for one in found]
    return tuple(
        one
        if labels.count(one.label) == 1
        else replace(one, label=f"{one.label} {labels[:place].count(one.label) + 1}")
        for place, one in enumerate(found)
    )
