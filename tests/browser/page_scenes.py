"""What the scripted visits begin with: one plain view, and the scenes that differ from it.

Everything in it is invented. Nothing here changes while a visit runs; that is ``scripted_visit.py``.
"""

from collections.abc import Callable
from typing import Any

View = dict[str, Any]
HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\x00"\'&amp;{{7*7}}'


def plain_view() -> View:
    """The view at the start of an ordinary visit."""
    return {
        "version": 1,
        "phase": "choosing",
        "ehr": {"name": "Birchwood Clinic EHR", "unsigned_notes": True},
        "show_banner": True,
        "clinician": {"name": "Dr. Mara Lindqvist"},
        "patient": {
            "name": "Rosalind Achterberg",
            "birth_date": "1987-03-09",
            "gender": "female",
            "identifiers": [{"label": "MRN", "value": "BW-004417"}],
        },
        "encounter": {
            "id": "e1",
            "period": "23 Nov 2026, 09:00–09:50",
            "kind": "Psychotherapy follow-up",
            "location": "Room 4",
            "participants": ["Dr. Mara Lindqvist"],
        },
        "encounter_choices": [],
        "may_have_no_encounter": False,
        "encounter_settled": True,
        "telehealth": "no",
        "read": [
            {"reference": "Patient/p1", "what": "Patient"},
            {"reference": "Encounter/e1", "what": "Encounter"},
            {"reference": "Practitioner/d1", "what": "Clinician"},
            {"reference": "Consent/c7", "what": "Consent"},
            {"reference": "Consent/c8", "what": "Consent"},
        ],
        "consents": [
            consent("telehealth", "Telehealth", True, "Given on 2 Nov 2026, in force.", "Consent/c8/_history/1"),
            consent(
                "recording", "Recording", False, "Refused on 2 Nov 2026.", "Consent/c7/_history/2", "deny", "refused"
            ),
            consent("ai-drafting", "AI drafting", True, "Given on 2 Nov 2026, in force.", "Consent/c7/_history/2"),
        ],
        "asking": {
            "how": "write",
            "words": "",
            "languages": [{"id": "en", "label": "English"}, {"id": "es", "label": "Español"}],
            "performers": [{"id": "Patient/p1", "label": "The patient"}],
        },
        "people": {
            "list": [],
            "roles": [
                {"id": "partner", "label": "Partner"},
                {"id": "parent", "label": "Parent"},
                {"id": "interpreter", "label": "Interpreter"},
            ],
            "needed": ["recording"],
        },
        "ways": ways(dictate=True, type=True),
        "capture": {"state": "off", "words": "", "checked_at": None},
        "taken_back": None,
        "way": None,
        "format": "soap",
        "formats": [
            {"id": "soap", "title": "SOAP"},
            {"id": "dap", "title": "DAP"},
            {"id": "birp", "title": "BIRP"},
        ],
        "drafter": {"kind": "model", "label": "Qwen2.5 1.5B, on this machine"},
        "speech": {"ready": True, "label": "Whisper base.en, on this machine"},
        "working": None,
        "segments": [],
        "marks": [],
        "sound_until": None,
        "language": {"code": "en", "heard": None, "drafting": True, "words": ""},
        "typed": {"text": "", "observations": ""},
        "sections": [],
        "withheld": [],
        "open_decisions": 0,
        "head": [],
        "made": "",
        "attestation": "",
        "problem": None,
        "handover_text": None,
        "outcome": None,
        "receipt": None,
        "signature": None,
    }


def consent(
    activity: str, label: str, permitted: bool, words: str, reference: str, effect: str = "permit", code: str = ""
) -> View:
    grounds = [{"reference": reference, "effect": effect, "words": words}] if reference else []
    return {
        "activity": activity,
        "label": label,
        "permitted": permitted,
        "code": code,
        "words": words,
        "grounds": grounds,
        "until": "2027-11-02T23:59:59Z" if permitted else None,
    }


LABELS = {
    "record": "Record the session",
    "dictate": "Dictate",
    "type": "Type notes",
    "tidy": "Tidy my note",
    "write": "Write it yourself",
}
NEEDS = {"record": ["ai-drafting", "recording"], "write": []}


def ways(dictate: bool, type: bool, why: str = "", write: bool = True, record: bool = False) -> list[View]:
    """All five; a note is tidied where one may be typed."""
    offered = {"record": record, "dictate": dictate, "type": type, "tidy": type, "write": write}
    otherwise = {"record": why or "Not permitted: there is no consent in force for Recording."}
    return [
        {
            "id": way,
            "label": label,
            "offered": offered[way],
            "why": "" if offered[way] else otherwise.get(way, why),
            "needs": NEEDS.get(way, ["ai-drafting"]),
        }
        for way, label in LABELS.items()
    ]


# Scenes: what differs from the plain view --------------------------------------------------------------------------


def _refuse_all(view: View) -> None:
    nothing = "No Consent in the record answers this. Ask the patient, and put the answer into the record."
    view["consents"] = [consent(item["activity"], item["label"], False, nothing, "") for item in view["consents"]]
    view["ways"] = ways(False, False, "AI drafting is not permitted for this patient.")


def _miss_answers(view: View) -> None:
    """Nobody was asked about recording, the yes to drafting is over, and a parent may answer too."""
    missing, over = "No consent to recording is on file.", "Consent/c7 permitted AI drafting and is over."
    telehealth, *_ = view["consents"]
    view["consents"] = [
        telehealth,
        consent("recording", "Recording", False, missing, "", code="missing"),
        consent("ai-drafting", "AI drafting", False, over, "Consent/c7/_history/2", "ignored", "expired"),
    ]
    view["asking"]["performers"].append({"id": "RelatedPerson/r1", "label": "Parent: Ilse Achterberg"})
    view["ways"] = ways(False, False, "Not permitted: there is no consent in force for AI drafting.")


def _attest_answers(view: View) -> None:
    _miss_answers(view)
    view["asking"]["how"] = "attest"
    view["asking"]["performers"].pop()


def _ask_nobody(view: View) -> None:
    _miss_answers(view)
    words = "This EHR takes no Consent, so the patient is asked in the EHR itself. Open Countersign again after that."
    view["asking"] |= {"how": "refuse", "words": words}


def _permit_recording(view: View) -> None:
    view["consents"][1] = consent(
        "recording", "Recording", True, "Given on 2 Nov 2026, in force.", "Consent/c7/_history/2"
    )
    view["ways"] = ways(True, True, record=True)


def _know_no_language(view: View) -> None:
    _permit_recording(view)
    words = (
        "What was said or typed seems to be in Spanish. There is no reviewed risk and evidence data for it here, so "
        "there is no AI draft: choose “Write without AI”."
    )
    view["language"] = {"code": "es", "heard": "es", "drafting": False, "words": words}


def _fill_room(view: View) -> None:
    _permit_recording(view)
    view["people"] |= {
        "list": [
            {"id": "p1", "role": "Partner", "name": "Tobias Achterberg", "added": False, "answers": {}},
            {"id": "p2", "role": "Interpreter", "name": "", "added": True, "answers": {"recording": "yes"}},
        ],
        "needed": ["recording", "ai-drafting"],
    }


def _ask_telehealth(view: View) -> None:
    view["telehealth"] = "unknown"
    view["ways"] = ways(False, False, "Say first whether this is a telehealth visit.")


def _ask_encounter(view: View) -> None:
    view["encounter"] = None
    view["encounter_choices"] = [
        {"id": "e1", "label": "Psychotherapy follow-up, 23 Nov 2026, 09:00–09:50, Room 4"},
        {"id": "e2", "label": "Medication check, 23 Nov 2026, 14:00–14:20, Room 2"},
    ]
    view["may_have_no_encounter"] = True
    view["encounter_settled"] = False
    view["ways"] = ways(False, False, "Choose the visit first.", write=False)


def _hide_banner(view: View) -> None:
    view["show_banner"] = False


def _hold_no_unsigned(view: View) -> None:
    view["ehr"]["unsigned_notes"] = False


def _outline(view: View) -> None:
    view["drafter"] = {
        "kind": "outline",
        "label": "No text model is installed: your own lines are arranged",
    }
    view["speech"] = {"ready": False, "label": "No speech model is installed"}


def _turn_right_to_left(view: View) -> None:
    view["patient"]["name"] = "רות אבן־צור 🌿"
    view["encounter"]["participants"] = ["ד״ר מאיה לין", "أحمد الخطيب"]


def _be_hostile(view: View) -> None:
    view["patient"] = {
        "name": HOSTILE,
        "birth_date": HOSTILE,
        "gender": HOSTILE,
        "identifiers": [{"label": HOSTILE, "value": HOSTILE}],
    }
    view["encounter"] = {
        "id": "e1",
        "period": HOSTILE,
        "kind": HOSTILE,
        "location": HOSTILE,
        "participants": [HOSTILE],
    }
    view["ehr"]["name"] = view["clinician"]["name"] = HOSTILE
    view["read"] = [{"reference": HOSTILE, "what": HOSTILE}]
    for item in view["consents"]:
        item["label"] = item["words"] = HOSTILE
        item["grounds"] = [{"reference": HOSTILE, "effect": HOSTILE, "words": HOSTILE}]
    for way in view["ways"]:
        way["label"] = way["why"] = HOSTILE
    view["asking"]["languages"][1]["label"] = view["asking"]["performers"][0]["label"] = HOSTILE
    view["people"]["roles"][0]["label"] = HOSTILE
    view["people"]["list"] = [{"id": "p1", "role": HOSTILE, "name": HOSTILE, "added": True, "answers": {}}]
    view["taken_back"] = {"labels": [HOSTILE], "words": HOSTILE}
    view["formats"][0]["title"] = HOSTILE
    view["language"] = {"code": HOSTILE, "heard": "es", "drafting": True, "words": HOSTILE}
    view["drafter"]["label"] = view["speech"]["label"] = HOSTILE
    view["problem"] = {"code": "scripted", "message": HOSTILE}


SCENES: dict[str, Callable[[View], None]] = {
    "plain": lambda view: None,
    "long": lambda view: None,
    "refused": _refuse_all,
    "asking": _miss_answers,
    "attest": _attest_answers,
    "noasking": _ask_nobody,
    "recording": _permit_recording,
    "listening": _permit_recording,
    "language": _know_no_language,
    "room": _fill_room,
    "telehealth": _ask_telehealth,
    "encounters": _ask_encounter,
    "nobanner": _hide_banner,
    "handover": _hold_no_unsigned,
    "outline": _outline,
    "righttoleft": _turn_right_to_left,
    "hostile": _be_hostile,
}
