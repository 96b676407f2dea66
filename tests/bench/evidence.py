"""The evidence check of a long session: reading it, checking a draft against it, and checking one statement again.

In the thread's own processor time, on one core; needs no model: the statements are the session's own lines, as a
drafter words them, every third with something in it that was not said.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

from gateway.capture.material import Material, gather_material
from gateway.note.checking import DraftChecker
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import read_formats
from gateway.note.reading import MaterialReading, read_material
from gateway.note.risk import read_risk_rules
from gateway.note.statement import Origin, Statement
from gateway.settings import ROOT
from tests.bench.session import WORDS_A_MINUTE, make_session

SESSION_WORDS, STATEMENTS, TURNS = 10_000, 60, 5
INVENTED = (" and takes lorazepam 2 mg", " for nineteen years", " because of thoughts of suicide", " with his brother")
FORMATS = read_formats(ROOT / "config" / "formats")
RULES = read_risk_rules(ROOT / "config" / "risk")


def measure_evidence() -> dict[str, float]:
    """``index_segment_ms``: one segment of 50 minutes, read as it comes. ``evidence_ms``: all checks of a draft of 60
    statements, once 10,000 words are read. ``recheck_ms``: one of them again, when a line in the middle was corrected.
    """
    spoken, material = make_session(50 * WORDS_A_MINUTE), make_session(SESSION_WORDS)
    statements = make_statements(material)
    reading = read_material(material.segments, RULES)
    shown = sum(not each.withheld for each in check_draft(material, reading, statements) if each is not None)
    assert 10 < shown < STATEMENTS - 10
    index = [time_thread(lambda: read_in_turn(spoken)) for _ in range(TURNS)]
    draft = [time_thread(lambda: check_draft(material, reading, statements)) for _ in range(TURNS)]
    one = []
    for turn in range(STATEMENTS):
        corrected = correct_line(material, len(material.segments) // 2, turn)
        one.append(time_thread(lambda: recheck_statement(corrected, reading, statements[turn])))  # noqa: B023
    return {
        "index_segment_ms": 1000 * statistics.median(index) / len(spoken.segments),
        "evidence_ms": 1000 * statistics.median(draft),
        "recheck_ms": 1000 * statistics.median(one),
    }


def check_draft(
    material: Material, reading: MaterialReading, statements: list[Statement]
) -> list[CheckedStatement | None]:
    checker = DraftChecker(material, FORMATS["soap"], RULES, reading)
    return [checker.check(statement) for statement in statements]


def recheck_statement(material: Material, reading: MaterialReading, statement: Statement) -> None:
    reading.replace(material.segments)
    check_draft(material, reading, [statement])


def correct_line(material: Material, place: int, turn: int) -> Material:
    corrected = list(material.segments)
    corrected[place] = replace(corrected[place], text=f"There were {turn} meetings on Friday, and I stayed for each.")
    return gather_material(corrected)


def read_in_turn(material: Material) -> None:
    reading = read_material((), RULES)
    for segment in material.segments:
        reading.extend((segment,))


def make_statements(material: Material) -> list[Statement]:
    """Lines from all of the session, for every section in turn."""
    sections = FORMATS["soap"].sections
    lines = [segment.text.rstrip(".?") for segment in material.segments if 8 <= len(segment.text.split()) <= 30]
    chosen = lines[:: len(lines) // STATEMENTS][:STATEMENTS]
    return [
        Statement(
            number,
            sections[number % len(sections)].id,
            f"The patient said: {line}{INVENTED[number // 3 % len(INVENTED)] if number % 3 == 0 else ''}.",
            Origin.MODEL,
        )
        for number, line in enumerate(chosen, 1)
    ]


def time_thread(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started
