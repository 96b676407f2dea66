"""The rules of the drafting recipe, each of which can be switched off to see what it earns.

In: a rule's name and the note format. Out: while the context lasts, the gateway drafts without that rule; the format
to draft in comes with it. The product knows no such switch: here its parts are exchanged, in this process only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from unittest.mock import patch

from gateway.note import asking, lines, live, place
from gateway.note.formats import NoteFormat, Section
from gateway.note.llama import LlamaTextModel
from gateway.note.prompt import Prompt
from gateway.note.textmodel import Bound

WHOLE = 1_000_000  # words: one window holds any session
EXAMPLE = ' For example: "Likely a knee strain." "Follow up in two weeks."'
SHORT_ASK = "\nWrite the {section} section of the progress note."
SEVERAL_SENTENCES = r"[^\n\[\]]{8,400}\."


@contextmanager
def draft_without(rule: str, note_format: NoteFormat) -> Iterator[NoteFormat]:
    """Switch one rule off; an empty name: none.

    Raises:
        KeyError: there is no such rule.
    """
    with ExitStack() as stack:
        if rule == "openings":
            note_format = replace(
                note_format, sections=tuple(replace(each, opening="") for each in note_format.sections)
            )
        elif rule:
            for each in EXCHANGES[rule]():
                stack.enter_context(each)
        yield note_format


def _write_on(self: LlamaTextModel, pattern: str, may_end: bool, bound: Bound) -> str | None:
    return _WRITE_SENTENCE(self, pattern, False, bound)


def _list_own_lines(self: live.LiveDraft, window: live._Part) -> Sequence[lines.Line]:
    return window.lines


def _ask_with_example(self: Prompt, section: Section) -> str:
    return _MAKE_QUESTION(self, section) + EXAMPLE


def _ask_shortly(self: Prompt, section: Section) -> str:
    return SHORT_ASK.format(section=section.title)


_WRITE_SENTENCE = LlamaTextModel.write_sentence
_MAKE_QUESTION = Prompt.make_question

EXCHANGES: dict[str, Callable[[], list[AbstractContextManager[object]]]] = {
    "windows": lambda: [patch.object(lines, "WINDOW_WORDS", WHOLE)],
    "overlap": lambda: [patch.object(live.LiveDraft, "_list_lines", _list_own_lines)],
    "line's end": lambda: [patch.object(live, "keep_end", lambda line, _: line)],
    "told": lambda: [patch.object(place, "FEWEST_TOLD", 0)],
    "cues": lambda: [patch.object(live, "has_cue", lambda *_: True)],
    "plan of the whole": lambda: [patch.object(live.LiveDraft, "_asks_plan_at_once", False)],
    "one sentence": lambda: [patch.object(asking, "SENTENCE", SEVERAL_SENTENCES)],
    "may end": lambda: [patch.object(LlamaTextModel, "write_sentence", _write_on)],
    "repeats end": lambda: [patch.object(asking, "is_same", lambda *_: False)],
    "no example": lambda: [patch.object(Prompt, "make_question", _ask_with_example)],
    "typed asks": lambda: [patch.object(Prompt, "make_question", _ask_shortly)],
}
RULES = (*EXCHANGES, "openings")
