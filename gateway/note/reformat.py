"""Another format for a draft that is there: its sentences move at once, and only what is new is asked for.

In: checked statements and the two formats. Out: statements for the new format's sections, and the sections that the
model has still to be asked for. Pure. Moving gives no proof: what comes out is unchecked, as a drafter's is, and goes
through ``note/checking`` again, which also quotes the risk lines anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.note.evidence import CheckedStatement
from gateway.note.formats import NoteFormat, Section
from gateway.note.place import find_home
from gateway.note.statement import Origin, Statement


@dataclass(frozen=True, slots=True)
class Reformatted:
    """``statements`` in the order of the new format, numbered from 1; ``asked`` are the ids of the sections for which
    the drafter has to be asked (its ``only``)."""

    statements: tuple[Statement, ...]
    asked: tuple[str, ...]


def reformat_statements(shown: Iterable[CheckedStatement], old: NoteFormat, new: NoteFormat) -> Reformatted:
    """Move what was shown to the sections of another format.

    A section of the same id and kind takes what stood there; another takes what is of its kind, or what has no better
    home. Asked for anew is each section whose kind the old format did not ask for, and each that shares its kind with
    another that took it all. Quoted risk lines and the clinician's own words are left to the caller.
    """
    homes = {section.id: find_new_home(section, new) for section in old.sections}
    order = {section.id: place for place, section in enumerate(new.sections)}
    moved = [
        replace(each.statement, section=homes[each.section].id)
        for each in shown
        if not each.risk and each.statement.origin is not Origin.CLINICIAN and each.section in homes
    ]
    moved.sort(key=lambda statement: order[statement.section])
    numbered = tuple(replace(statement, number=number) for number, statement in enumerate(moved, 1))
    filled = {home.id for section_id, home in homes.items() if home.kind is old.find_section(section_id).kind}
    return Reformatted(numbered, tuple(section.id for section in new.sections if section.id not in filled))


def find_new_home(section: Section, new: NoteFormat) -> Section:
    """Where a section's lines go: to the one of its id and kind, else where its kind is at home."""
    same = next((each for each in new.sections if (each.id, each.kind) == (section.id, section.kind)), None)
    return same or find_home(section.kind, new)
