"""A visit's models beside the others on the machine: what it hears with, and its turn to draft.

One transcriber, two hearings of each piece of a session, with the risk phrases of its language and the chart's
medications: the capture's parts know neither, so the visit hands them what finds them. Speech goes before drafts, and
drafts stand in line.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from gateway.capture.audio import Samples
from gateway.capture.differences import compare_hearings, find_names
from gateway.capture.hearer import PieceHearer
from gateway.capture.hotwords import fit_hotwords, group_medications
from gateway.capture.language import hear_language
from gateway.capture.material import Segment
from gateway.capture.transcriber import Transcriber
from gateway.models.slots import ComputeSlots, Work
from gateway.note.risk import RiskRules, find_risk_words
from gateway.note.statement import Statement


def make_hearer(
    transcriber: Transcriber,
    rules: RiskRules,
    medications: Iterable[str],
    slots: ComputeSlots | None,
    cancel: threading.Event,
) -> PieceHearer:
    """Hears each piece plainly, and once more for the phrases that the model has room for: risk, then medications.

    ``cancel`` ends the wait for a compute slot. Runs in the models' thread: the first count of tokens opens the model.
    """
    named = group_medications(medications)
    hotwords = fit_hotwords((*rules.hotwords, named), transcriber.count_tokens)
    find_medications = find_names(named.phrases)

    def find_categories(text: str) -> list[str]:
        return [category for category, _ in find_risk_words(text, rules)]

    def differ(first: str, second: str) -> bool:
        return bool(compare_hearings(first, second, find_categories, find_medications))

    def hold_slot() -> AbstractContextManager[object]:
        return slots.hold(Work.SPEECH, cancel) if slots else nullcontext()

    return PieceHearer(transcriber, hotwords, differ, hold_slot)


def hear_in_turn(segments: Iterator[Segment], slots: ComputeSlots | None, cancel: threading.Event) -> Iterator[Segment]:
    """A dictation's segments, heard while a compute slot is held; none where ``cancel`` came first."""
    with slots.hold(Work.SPEECH, cancel) if slots else nullcontext(True) as is_held:
        if is_held:
            yield from segments


def guess_language(
    samples: Samples, transcriber: Transcriber, slots: ComputeSlots | None, cancel: threading.Event
) -> str | None:
    """The language of a dictation; None where it is not clear, the model knows one alone, or ``cancel`` came first."""
    with slots.hold(Work.SPEECH, cancel) if slots else nullcontext(True) as is_held:
        return hear_language(samples, transcriber.detect_language) if is_held else None


def draft_in_turn(
    statements: Iterator[Statement],
    slots: ComputeSlots | None,
    cancel: threading.Event,
    on_place: Callable[[int], None],
) -> Generator[Statement]:
    """A draft's statements, each written while a compute slot is held; speech that waits is let in between two.

    Args:
        on_place: hears of each new place in line, 0 once it is this draft's turn; called from the models' thread.
    """
    if slots is None:
        yield from statements
        return
    while True:
        with slots.hold(Work.DRAFT, cancel, on_place) as is_held:
            if not is_held:
                return
            for statement in statements:
                yield statement
                if slots.speech_waits():
                    break
            else:
                return
