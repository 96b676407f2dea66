"""The lines of a conversation as the model reads them: cut into windows, and chosen for the plan.

In: segments, or the lines made of them. Out: lines, where a window ends, which lines the plan is asked of. Pure
functions; the same lines give the same cuts, whether they came one by one or all at once.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.capture.material import Segment
from gateway.note.place import Said
from gateway.note.prompt import Prompt

WINDOW_WORDS = 240
REST_WORDS = 90  # a last window shorter than this joins the one before
END_CHARACTERS = 160  # of a line, before the next window: a question, not a whole report, or it is drafted twice
NEIGHBOURS = 1  # lines on either side of a line that speaks of the plan: its question, its answer


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the prompt, what was said in it, and the segment it comes from."""

    text: str
    said: Said
    segment: int

    @property
    def word_count(self) -> int:
        return max(len(self.text.split()), len(self.text) // 8)  # some scripts have no spaces


def make_lines(segments: Iterable[Segment], prompt: Prompt) -> list[Line]:
    """Each segment as one line, or several if it is very long."""
    return [
        Line(text, Said(each.text, each.speaker, each.source), each.number)
        for each in segments
        for text in prompt.make_lines(each.text, each.speaker)
    ]


def join_lines(lines: Iterable[Line], prompt: Prompt) -> str:
    """The user's turn up to the question."""
    return prompt.make_text([line.text for line in lines])


def list_segments(lines: Iterable[Line]) -> tuple[int, ...]:
    """The numbers of the segments that the lines come from, each once."""
    return tuple(dict.fromkeys(line.segment for line in lines))


def close_window(lines: Sequence[Line], start: int = 0) -> int | None:
    """Where the window that begins at ``start`` ends: after about ``WINDOW_WORDS``, and only if enough comes behind it
    for another one. None: what follows may still belong to it."""
    words = 0
    for end, line in enumerate(lines[start:], start):
        if words >= WINDOW_WORDS:
            rest = 0
            for later in lines[end:]:
                rest += later.word_count
                if rest >= REST_WORDS:
                    return end
            return None
        words += line.word_count
    return None


def keep_end(line: Line, prompt: Prompt) -> Line:
    """The end of a line, from the beginning of a sentence or a word on; a short line as it is."""
    text = line.text.removeprefix(prompt.marks[line.said.speaker])
    if len(text) <= END_CHARACTERS:
        return line
    kept = re.sub(r"^(?:.*?[.?!]\s+(?=.{40})|\S*\s+)", "", text[-END_CHARACTERS:])
    said = replace(line.said, text=kept)
    return Line(prompt.make_lines(kept, said.speaker)[0], said, line.segment)


def cut_windows(lines: Sequence[Line], overlap: int) -> list[Sequence[Line]]:
    """Cut into windows; each begins with the last ``overlap`` lines of the one before, so that an answer keeps its
    question."""
    windows: list[Sequence[Line]] = []
    start = 0
    while start < len(lines):
        end = close_window(lines, start) or len(lines)
        windows.append(lines[max(0, start - overlap) : end])
        start = end
    return windows


def choose_planned(cued: Sequence[bool], sizes: Sequence[int], room: int) -> list[int]:
    """Which lines the plan is asked of: all, if they fit; else those that speak of it, with their neighbours.

    Should these not fit either, the oldest give way: what will be done is said towards the end. They give way to half
    of the room at once, so that a conversation that goes on is seldom read again from the start.

    Args:
        cued: for each line, whether it speaks of what will be done.
        sizes: for each line, its tokens.
        room: tokens that the chosen lines may take together.

    Returns:
        Indices in ascending order.
    """
    if sum(sizes) <= room:
        return list(range(len(sizes)))
    chosen: list[int] = []
    held = 0
    for index, size in enumerate(sizes):
        if not any(cued[max(0, index - NEIGHBOURS) : index + NEIGHBOURS + 1]):
            continue
        chosen.append(index)
        held += size
        if held > room:
            while chosen and held > room // 2:
                held -= sizes[chosen.pop(0)]
    return chosen
