"""The material as the check has read it: kept while a visit goes on, so that nothing is read twice.

In: the segments of a material and the risk rules; then what comes to it, is taken away or changes. Out:
``MaterialReading``: its passages and its mentions of risk, which the checkers of every format share. It proves nothing:
it is no ``Material`` and makes none, and a checker takes it only beside the very material that was read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from gateway.capture.material import Segment
from gateway.note.passages import Passages
from gateway.note.risk import RiskMention, RiskRules, find_risk


class MaterialReading:
    """What was read of a material. Made by ``read_material``; not for two threads.

    Attributes:
        passages: what each segment says.
        mentions: of risk, in each segment.
        rules: by which these were found.
        revision: grows with each change, so that who uses the reading notices.
    """

    def __init__(self, rules: RiskRules) -> None:
        self.passages = Passages()
        self.mentions: list[tuple[RiskMention, ...]] = []
        self.rules = rules
        self.revision = 0

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Is it the reading of exactly these segments?"""
        items = self.passages.items
        return len(items) == len(segments) and all(
            item.segment == segment for item, segment in zip(items, segments, strict=True)
        )

    def extend(self, segments: Iterable[Segment]) -> None:
        """Read what came to the material; about the cost of the new segments alone."""
        given = tuple(segments)
        self.passages.extend(given)
        self.mentions += (find_risk((segment,), self.rules) for segment in given)
        self.revision += 1

    def cut(self, count: int) -> None:
        """Keep the first ``count`` segments."""
        self.passages.cut(count)
        del self.mentions[count:]
        self.revision += 1

    def replace(self, segments: Iterable[Segment]) -> None:
        """Read these segments in place of the ones before: after a correction, a strike, or when what was said now
        stands before what was typed. No text that was read is read again."""
        given = tuple(segments)
        same = self._count_same(given)
        left = self.passages.items[same:]
        wordings = {item.segment.text: item.wording for item in left}
        mentions = {_list_hearings(item.segment): found for item, found in zip(left, self.mentions[same:], strict=True)}
        self.cut(same)
        for item, segment in zip(self.passages.items, given, strict=False):
            item.segment = segment  # what was said is the same, what else is known of it need not be
        self.passages.extend(given[same:], wordings)
        for segment in given[same:]:
            found = mentions.get(_list_hearings(segment))
            if found is None:
                found = find_risk((segment,), self.rules)
            self.mentions.append(tuple(replace(mention, segment=segment.number) for mention in found))

    def _count_same(self, given: Sequence[Segment]) -> int:
        """How many segments at the beginning say the same, by the same speaker."""
        pairs = zip(self.passages.items, given, strict=False)
        return sum(1 for _ in takewhile(lambda pair: _says_same(pair[0].segment, pair[1]), pairs))


def read_material(segments: Iterable[Segment], rules: RiskRules) -> MaterialReading:
    """Read the segments of a material."""
    reading = MaterialReading(rules)
    reading.extend(segments)
    return reading


def _says_same(one: Segment, other: Segment) -> bool:
    return (one.number, one.source, one.speaker, one.text, one.heard_also) == (
        other.number,
        other.source,
        other.speaker,
        other.text,
        other.heard_also,
    )


def _list_hearings(segment: Segment) -> tuple[str, str]:
    return segment.text, segment.heard_also
