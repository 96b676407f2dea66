"""What the page shows of consent: the three lights, who can be asked, who is in the room, what each way needs.

Parts of the view (its shape is in ``docs/architecture.md``).
"""

from collections.abc import Mapping
from typing import Any

from gateway.consent.decision import Activity, Permit, Refusal
from gateway.consent.room import ROLES
from gateway.consent.wording import LANGUAGES, Wording
from gateway.visit.consenting import NOT_ASKED
from gateway.visit.events import Telehealth, Way
from gateway.visit.state import CAPTURING, needed_consents
from gateway.visit.workflow import Visit

WAY_LABELS = {
    Way.RECORD: "Record session",
    Way.DICTATE: "Dictate",
    Way.TYPE: "Type",
    Way.TIDY: "Tidy my note",
    Way.WRITE: "Write without AI",
}
ACTIVITY_LABELS = {
    Activity.TELEHEALTH: "Telehealth",
    Activity.RECORDING: "Recording the session",
    Activity.AI_DRAFTING: "AI drafting",
}


def show_consents(visit: Visit) -> dict[str, Any]:
    """Every field of the view that is about consent."""
    contents, desk = visit.contents, visit.consent
    taken = desk.taken_back
    return {
        "consents": [_show_answer(activity, answer) for activity, answer in contents.consents.items()],
        "asking": _show_asking(visit),
        "people": _show_people(visit),
        "ways": [_show_way(visit, way) for way in Way],
        "capture": {
            "state": "asking" if visit.state.asking in ("capture", "opening") else visit.state.capture,
            "words": desk.paused_words,
            "checked_at": desk.read_at.isoformat() if desk.read_at else None,
        },
        "taken_back": {"labels": [ACTIVITY_LABELS[one] for one in taken.activities], "words": taken.words}
        if taken
        else None,
    }


def show_wording(wording: Wording) -> dict[str, Any]:
    """The page to read with the patient, in one language."""
    return {
        "language": wording.language,
        "title": wording.title,
        "lead": wording.lead,
        "questions": [
            {"activity": activity.value, "parts": [{"heading": part.heading, "text": part.text} for part in parts]}
            for activity, parts in wording.questions.items()
        ],
    }


def _show_answer(activity: Activity, answer: Permit | Refusal) -> dict[str, Any]:
    until = answer.until if isinstance(answer, Permit) else None
    return {
        "activity": activity.value,
        "label": ACTIVITY_LABELS[activity],
        "permitted": isinstance(answer, Permit),
        "code": answer.code if isinstance(answer, Refusal) else "",
        "words": answer.words,
        "grounds": [
            {"reference": ground.reference, "effect": ground.effect, "words": ground.words} for ground in answer.grounds
        ],
        "until": until.isoformat() if until else None,
    }


def _show_asking(visit: Visit) -> dict[str, Any]:
    how = visit.tools.site.consent.answers
    return {
        "how": how,
        "words": NOT_ASKED if how == "refuse" else "",
        "languages": [{"id": one, "label": LANGUAGES.get(one, one)} for one in visit.tools.wordings],
        "performers": [{"id": one.reference, "label": one.label} for one in visit.consent.list_performers()],
    }


def _show_people(visit: Visit) -> dict[str, Any]:
    rules = visit.tools.consent_rules
    asked = [one for one in Activity if one is not Activity.TELEHEALTH or visit.state.telehealth is not Telehealth.NO]
    return {
        "list": [
            {
                "id": one.id,
                "role": one.role,
                "name": one.name,
                "added": one.added,
                "answers": {activity.value: one.said(activity).value for activity in Activity},
            }
            for one in visit.contents.people
        ],
        "roles": [{"id": kind, "label": words} for kind, words in ROLES.items()],
        "needed": [activity.value for activity in asked if rules.parties.needs_everyone(activity)],
    }


def _show_way(visit: Visit, way: Way) -> dict[str, Any]:
    needs = needed_consents(way, visit.state.telehealth)
    lacks_speech = way in CAPTURING and visit.tools.transcriber is None
    return {
        "id": way.value,
        "label": WAY_LABELS[way],
        "needs": sorted(one.value for one in needs),
        "offered": visit.state.offers(way) and not lacks_speech,
        "why": _explain_way(visit, way, lacks_speech),
    }


def _explain_way(visit: Visit, way: Way, lacks_speech: bool) -> str:
    """Why a way of working is not offered, or what it needs; one sentence."""
    state = visit.state
    missing = needed_consents(way, state.telehealth) - state.permitted
    if not state.encounter_settled:
        return "Choose the encounter first."
    if way is not Way.WRITE and state.telehealth is Telehealth.UNKNOWN:
        return "Say first whether this visit is telehealth."
    if missing:
        return f"Not permitted: {_name_missing(missing, visit.contents.consents)}."
    if lacks_speech:
        return "No speech model is installed here."
    if way is Way.WRITE:
        return "You write every word; no model is used."
    return "Permitted by the patient's consent."


def _name_missing(missing: frozenset[Activity], answers: Mapping[Activity, Permit | Refusal]) -> str:
    """There is no consent, or somebody else in the room keeps it from counting."""
    names = " and ".join(sorted(ACTIVITY_LABELS[one] for one in missing))
    codes = {answer.code for one in missing if isinstance(answer := answers.get(one), Refusal)}
    if codes == {"refused-by-other"}:
        return f"somebody in the room said no to {names}"
    if codes == {"others-unanswered"}:
        return f"not everyone in the room has been asked about {names}"
    return f"there is no consent in force for {names}"
