"""The three questions, each permitted, denied, absent, expired, revoked or unreadable: all 216 records in full.

A yes to one question stands on its own, unless a Consent of the record can't be read at all: it may be a no to
anything.
"""

import itertools

import pytest

from gateway.consent.activity import Activity
from gateway.consent.decision import Permit
from tests.unit.consent.building import build, provision

STATES = ("permit", "deny", "absent", "expired", "revoked", "unreadable")
CODES = {"deny": "refused", "absent": "missing", "expired": "expired", "revoked": "revoked", "unreadable": "unreadable"}
WORDS = {
    "permit": "The patient said yes to {activity} on 3 Nov 2026.",
    "deny": "The patient said no to {activity} on 3 Nov 2026 ({consent}).",
    "absent": "No consent to {activity} is on file.",
    "expired": "{consent} permitted {activity} and is over. Ask the patient again.",
    "revoked": "The patient took back the yes to {activity} ({consent}).",
}


def make(activity: Activity, state: str) -> list[dict]:
    about = activity.value
    changes = {
        "permit": {"provision": provision("permit", about)},
        "deny": {"provision": provision("deny", about)},
        "expired": {"provision": provision("permit", about, period={"end": "2026-11-20"})},
        "revoked": {"provision": provision("permit", about), "status": "inactive"},
        "unreadable": {"provision": provision("permit", about), "dateTime": "3 Nov 2026"},
    }
    return [build(id=about, **changes[state])] if state in changes else []


@pytest.mark.parametrize("states", list(itertools.product(STATES, repeat=3)), ids="-".join)
def test_each_question_is_answered_on_its_own(decide, states):
    record = dict(zip(Activity, states, strict=True))
    consents = [consent for activity, state in record.items() for consent in make(activity, state)]
    unread = next((f"Consent/{activity.value}" for activity, state in record.items() if state == "unreadable"), "")
    for activity, state in record.items():
        answer = decide(*consents, activity=activity)
        assert isinstance(answer, Permit) == (state == "permit" and not unread)
        if state == "deny" or not unread:  # a no that can be read is told before one that can't
            assert getattr(answer, "code", "") == CODES.get(state, "")
            assert answer.words == WORDS[state].format(activity=activity.words, consent=f"Consent/{activity.value}")
        else:
            assert answer.code == "unreadable"
            assert answer.words == f"{unread} has a dateTime that can't be read. That counts as no to {activity.words}."
