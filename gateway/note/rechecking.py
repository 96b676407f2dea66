"""A draft checked again, because a line of its material says something else by now.

In: the review, the line as it was, the material as it is, the risk rules. Out: the review of the same statements,
judged by the new words, with what the clinician decided as far as it still holds. Deterministic and without a model:
nothing is drafted, so what the new words add comes into the note only as a quoted risk line, or by her own hand.
"""

from dataclasses import replace

from gateway.capture.material import Material, Segment
from gateway.note.checking import DraftChecker
from gateway.note.evidence import CheckedDraft, close_draft
from gateway.note.reading import MaterialReading
from gateway.note.review import Review, reopen_review
from gateway.note.risk import RiskRules
from gateway.note.statement import Origin, Statement, finish_draft


def recheck_review(
    review: Review, before: Segment, material: Material, rules: RiskRules, reading: MaterialReading | None = None
) -> Review:
    """Check a review's statements again, and quote the lines that speak of risk anew.

    Args:
        review: of a draft that was checked against the material as it was.
        before: the line that changed, numbered as in ``material``.
        reading: of the material by these rules, where there is one.
    """
    after = material.segments[before.number - 1]
    taken = {item.number for item in review.taken}  # her own words stand for these, whatever would carry them now
    left = [item for item in review.draft.withheld if item.statement.number in taken]
    statements = tuple(
        _follow(statement, before, after)
        for statement in _list_statements(review.draft)
        if statement.number not in taken
    )
    checker = DraftChecker(material, review.note_format, rules, reading)
    checked = [item for statement in statements if (item := checker.check(statement)) is not None]
    written = finish_draft(review.draft.format_id, statements, review.draft.drafter)
    draft = close_draft(written, review.note_format, [*left, *checked], checker.quotes())
    return reopen_review(review, draft, review.note_format, material)


def _list_statements(draft: CheckedDraft) -> list[Statement]:
    """All that the drafter wrote, in its order: which of two doubles was the first decides which is shown."""
    written = [item.statement for item in (*draft.shown, *draft.withheld) if not item.risk]
    return sorted([*written, *draft.doubles], key=lambda statement: statement.number)


def _follow(statement: Statement, before: Segment, after: Segment) -> Statement:
    """A statement that was the line's own words (but for the heading that the line began with) stays its words."""
    if statement.origin is not Origin.MATERIAL or statement.hints != (before.number,):
        return statement
    heading, found, rest = before.text.rpartition(statement.text)
    if not found or rest or not after.text.startswith(heading):
        return statement
    text = after.text.removeprefix(heading)
    return replace(statement, text=text) if text else statement
