"""The view of a visit whose process is gone: the front answers for it, with the receipt and the signature.

It has the keys of the visit's own view (``docs/architecture.md``), all of them empty: there is nothing left to show.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gateway.front.visits import HeldVisit

LAST_VERSION = 1_000_000_000  # above every version that the visit itself had
STILL_HERE = b": still here\n\n"


def show_ended(held: HeldVisit) -> dict[str, Any]:
    report, receipt, news = held.report, held.receipt, held.news
    code_and_words = report.problem if report else None
    lost = report is None or report.outcome == "lost"
    problem = {"code": code_and_words[0], "message": code_and_words[1]} if code_and_words else None
    if lost and problem is None:
        sentence = "The visit was lost and everything in it destroyed. Open Countersign again from the EHR."
        problem = {"code": "visit.lost", "message": sentence}
    return {
        "version": LAST_VERSION + (news.version if news else 0),
        "phase": "ended",
        "ehr": {"name": held.site.name, "unsigned_notes": held.site.note.unsigned == "yes"},
        "show_banner": False,
        "clinician": None,
        "patient": None,
        "encounter": None,
        "encounter_choices": [],
        "may_have_no_encounter": False,
        "encounter_settled": False,
        "telehealth": "unknown",
        "read": [],
        "consents": [],
        "ways": [],
        "way": None,
        "format": None,
        "formats": [],
        "drafter": {"kind": "none", "label": ""},
        "speech": {"ready": False, "label": ""},
        "working": None,
        "segments": [],
        "typed": {"text": "", "observations": ""},
        "sections": [],
        "withheld": [],
        "open_decisions": 0,
        "head": [],
        "made": "",
        "attestation": "",
        "problem": problem,
        "handover_text": None,
        "outcome": report.outcome if report else "lost",
        "receipt": receipt.to_view() if receipt else None,
        "signature": news.to_view() if news else None,
    }


async def follow_ended(held: HeldVisit, keep_alive_seconds: float) -> AsyncIterator[bytes]:
    """Server-sent events after the end: one at once, one at each news of the signature."""
    while True:
        version = LAST_VERSION + (held.news.version if held.news else 0)
        yield b'event: changed\ndata: {"version": %d}\n\n' % version
        if held.news is None:
            await asyncio.sleep(keep_alive_seconds)
            continue
        changed = held.news.changed
        while not changed.is_set():
            try:
                await asyncio.wait_for(changed.wait(), keep_alive_seconds)
            except TimeoutError:
                yield STILL_HERE
