"""Everyone in the room: their answers, attested by the clinician for this visit, beside the patient's own.

R4's Consent names patients only, and another patient's record is closed to a launch for this one: what the others
answered, the clinician says (role and answer, no name). Unanswered is a no where the site's rule is ``all``; a spoken
no of anybody is a no under either rule. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gateway.consent.activity import Activity
from gateway.consent.decision import Permit, Refusal
from gateway.consent.rules import ConsentRules
from gateway.ehr.attendance import Attendee

# Whom a clinician can add: an id for the page and the ledger, and words. Nobody is named.
ROLES: Mapping[str, str] = {
    "partner": "Partner",
    "parent": "Parent",
    "child": "Child",
    "family": "Family member",
    "friend": "Friend",
    "carer": "Carer",
    "group-member": "Member of the group",
    "interpreter": "Interpreter",
    "observer": "Trainee or observer",
    "other": "Somebody else",
}


class Said(StrEnum):
    YES = "yes"
    NO = "no"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody in the room besides the patient and the clinician.

    Attributes:
        id: of this visit alone.
        role: in words.
        kind: a code for the ledger: one of ``ROLES``, or ``recorded`` for whom the record names.
        name: as this patient's record has it; for the page alone, never written anywhere.
        added: by the clinician; the record does not know.
    """

    id: str
    role: str
    kind: str
    name: str = ""
    added: bool = False
    answers: Mapping[Activity, Said] = field(default_factory=dict)

    def said(self, activity: Activity) -> Said:
        return self.answers.get(activity, Said.OPEN)


def list_present(attendees: Iterable[Attendee]) -> tuple[Present, ...]:
    """Whom the record names, nobody of them asked yet."""
    return tuple(Present(f"p{number}", one.role, "recorded", one.name) for number, one in enumerate(attendees, start=1))


def add_present(people: Sequence[Present], kind: str, answers: Mapping[Activity, Said]) -> tuple[Present, ...]:
    """With one whom the record does not know. ``kind`` is one of ``ROLES``."""
    number = 1 + max((int(one.id[1:]) for one in people), default=0)
    return (*people, Present(f"p{number}", ROLES[kind], kind, added=True, answers=dict(answers)))


def answer_for(people: Sequence[Present], id_: str, answers: Mapping[Activity, Said]) -> tuple[Present, ...]:
    """With new answers of one of them; what is not among them stays as it was."""
    return tuple(replace(one, answers={**one.answers, **answers}) if one.id == id_ else one for one in people)


def decide_together(
    own: Permit | Refusal, people: Sequence[Present], rules: ConsentRules, now: datetime
) -> Permit | Refusal:
    """The patient's own answer, or a refusal because of somebody else's."""
    if isinstance(own, Refusal):
        return own
    activity = own.activity
    refusing = [one for one in people if one.said(activity) is Said.NO]
    if refusing:
        words = f"{refusing[0].role} said no to {activity.words}. One no counts for everyone in the room."
        return Refusal(activity, "refused-by-other", own.grounds, words, now, rules.id)
    silent = [one for one in people if one.said(activity) is Said.OPEN]
    if silent and rules.parties.needs_everyone(activity):
        words = f"Not asked yet about {activity.words}: {_name_roles(silent)}. Here everyone in the room is asked."
        return Refusal(activity, "others-unanswered", own.grounds, words, now, rules.id)
    return own


def describe_answers(people: Sequence[Present]) -> tuple[str, ...]:
    """One line for each who answered anything, for the note: the role and the answers, no name."""
    lines = []
    for one in people:
        said = [
            f"{activity.words} {one.said(activity).value}"
            for activity in Activity
            if one.said(activity) is not Said.OPEN
        ]
        if said:
            lines.append(f"{one.role}: {', '.join(said)}")
    return tuple(lines)


def _name_roles(people: Sequence[Present]) -> str:
    return ", ".join(dict.fromkeys(one.role[:1].lower() + one.role[1:] for one in people))
