"""What the clinician types becomes segments: notes of a visit, and her own observations.

A line, or each sentence of a longer one, is a segment. Where the notes are a dialogue (lines of both, ``C:`` or
``Clinician:`` and ``P:`` or ``Patient:``, and no ``S:``, ``O:``, ``A:``) the mark says whose words a line holds. Else
they are the clinician's, who wrote them: the ``P:`` of a SOAP note is its plan, not the patient. HTML, emoji and
text from right to left stay the plain text that they are. What no page or record can hold (NUL and other control
characters, halves of surrogate pairs, overrides of the writing direction) is shown as �: changed in plain view,
never dropped.
"""

import re
from collections.abc import Iterator

from gateway.capture.material import Segment, Source, Speaker
from gateway.capture.sentences import split_sentences
from gateway.errors import CaptureError

LONGEST_CHARACTERS = 200_000
"""Of notes and observations together: about thirty thousand words."""

_LINE_ENDS = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNFIT = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\ud800-\udfff\u202d\u202e\ufffe\uffff]")
_PREFIX = re.compile(r"^\s*(c|p|clinician|patient)\s*:\s*", re.IGNORECASE)
_HEADING = re.compile(r"^\s*[soa]\s*:", re.IGNORECASE)


def read_typed(text: str, observations: str = "") -> tuple[Segment, ...]:
    """Read what was typed; numbers count from 1, notes first.

    Returns:
        Segments of source TYPED, then OBSERVATION (always the clinician's); none for an empty or blank text.

    Raises:
        CaptureError: the text is longer than ``LONGEST_CHARACTERS``; nothing of it was taken.
    """
    length = len(text) + len(observations)
    if length > LONGEST_CHARACTERS:
        raise CaptureError(
            "typed.too-long",
            f"The text has {length:,} characters and at most {LONGEST_CHARACTERS:,} are taken: shorten it. "
            "What was typed before is unchanged.",
        )
    pieces = [
        *((Source.TYPED, speaker, sentence) for speaker, sentence in _read_lines(text)),
        *(
            (Source.OBSERVATION, Speaker.CLINICIAN, sentence)
            for line in _split_lines(observations)
            for sentence in split_sentences(line)
        ),
    ]
    return tuple(
        Segment(number, source, speaker, sentence) for number, (source, speaker, sentence) in enumerate(pieces, start=1)
    )


def clean_text(text: str) -> str:
    """The same text as lines ended by ``\\n``, trimmed; characters that no record can hold show as U+FFFD."""
    return "\n".join(_split_lines(text)).strip()


def _read_lines(text: str) -> Iterator[tuple[Speaker, str]]:
    lines = _split_lines(text)
    dialogue = _is_dialogue(lines)
    for line in lines:
        prefix = _PREFIX.match(line) if dialogue else None
        patient = prefix is not None and prefix[1].lower().startswith("p")
        words = line[prefix.end() :] if prefix else line
        for sentence in split_sentences(words):
            yield (Speaker.PATIENT if patient else Speaker.CLINICIAN), sentence


def _is_dialogue(lines: list[str]) -> bool:
    """Whether both are marked, so that a mark can only mean a speaker."""
    marks = {match[1].lower()[0] for line in lines if (match := _PREFIX.match(line))}
    return marks == {"c", "p"} and not any(_HEADING.match(line) for line in lines)


def _split_lines(text: str) -> list[str]:
    return [_UNFIT.sub("\N{REPLACEMENT CHARACTER}", line) for line in _LINE_ENDS.split(text)]
