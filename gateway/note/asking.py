"""Reads lines into a text model and takes the sentences of one section out of it, in pieces of a second or two.

In: a model, lines, a section. Out: sentences. What a small model needs watching for is here: it repeats itself, it
says that there is nothing, it goes on when it has nothing new to say. Nothing is checked against the material.
"""

from collections.abc import Callable, Iterator, Sequence

from gateway.note.formats import Section, SectionKind
from gateway.note.lines import Line, join_lines
from gateway.note.overlap import is_same
from gateway.note.prompt import Prompt
from gateway.note.statement import Statement
from gateway.note.textmodel import Bound, TextModel

PIECE_WORDS = 80  # read at once: most of a second of a 1.5B model on 2 cores
MOST_REPEATS = 2  # in a row: the model has nothing new to say

# Exactly one sentence in Latin letters: a full stop inside only in a number, a time, a title. A multilingual model that
# is unsure slips into other scripts.
SENTENCE = r"([^.\n\[\]?:\u0370-\u1fff\u2e80-\U0010ffff]|[0-9][.:][0-9]|[ap]\.m\.|(Dr|Mr|Mrs|Ms)\. ){8,160}\."
ANY_OPENING = "[A-Z0-9]"


class Reader:
    """Knows which lines a model holds, and reads those that it lacks. One for each model and prompt."""

    def __init__(self, model: TextModel, prompt: Prompt) -> None:
        self.model = model
        self._prompt = prompt
        self._held: list[Line] = []

    def lacks(self, lines: Sequence[Line]) -> int:
        """How many words of the lines are still to be read."""
        return sum(line.word_count for line in lines[self._count_same(lines) :])

    def holds(self, lines: Sequence[Line]) -> bool:
        """These lines, and no others?"""
        return bool(lines) and self._held == list(lines)

    def read(self, lines: Sequence[Line], bound: Callable[[], Bound]) -> Iterator[None]:
        """Read until the model holds these lines and no others; stops after each piece."""
        done = self._count_same(lines)
        words = 0
        for count in range(done + 1, len(lines) + 1):
            words += lines[count - 1].word_count
            if words >= PIECE_WORDS or count == len(lines):
                self._read_once(lines[:count], bound())
                words = 0
                yield
        if not self.holds(lines):
            self._read_once(lines, bound())

    def forget(self) -> None:
        """The model was used for something else."""
        self._held = []

    def wipe(self) -> None:
        """Have the model overwrite what it holds."""
        self.forget()
        self.model.forget()

    def _read_once(self, lines: Sequence[Line], bound: Bound) -> None:
        self.forget()
        self.model.read(self._prompt.system, join_lines(lines, self._prompt), bound)
        self._held = list(lines)

    def _count_same(self, lines: Sequence[Line]) -> int:
        pairs = enumerate(zip(self._held, lines, strict=False))
        return next((place for place, (held, line) in pairs if held != line), min(len(self._held), len(lines)))


def write_sentences(
    model: TextModel,
    section: Section,
    opening: str,
    prompt: Prompt,
    given: Sequence[Statement],
    bound: Callable[[], Bound],
) -> Iterator[str | None]:
    """Ask for a section; its sentences until the model ends it or has nothing new to say, None for each repeat.

    A plan is new even if another section has told of it; elsewhere what was told before is not.
    """
    model.ask(prompt.make_question(section), f"{section.title}:\n", bound())
    planned = section.kind is SectionKind.PLANNED
    pattern = (opening or ANY_OPENING) + SENTENCE
    may_end, repeats = False, 0
    while repeats < MOST_REPEATS:
        text = model.write_sentence(pattern, may_end, bound())
        may_end = True
        if text is None or prompt.none.match(text.removeprefix(opening)):
            return
        earlier = (other.text for other in given if not planned or other.section == section.id)
        if not text or any(is_same(text, other) for other in earlier):
            repeats += 1
            yield None
            continue
        repeats = 0
        yield text
