import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.spans import Span, merge_spans, subtract_spans

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: Span(pair[0], sum(pair))), max_size=8
)


def samples(spans: list[Span]) -> set[int]:
    return {sample for span in spans for sample in range(span.start, span.end)}


@given(SPANS)
def test_merging_keeps_every_sample_and_leaves_no_two_that_touch(spans: list[Span]) -> None:
    merged = merge_spans(spans)
    assert samples(merged) == samples(spans)
    assert all(first.end < second.start for first, second in itertools.pairwise(merged))


@given(SPANS, SPANS)
def test_subtracting_leaves_what_lies_in_none_of_the_others(spans: list[Span], others: list[Span]) -> None:
    left = subtract_spans(merge_spans(spans), others)
    assert samples(left) == samples(spans) - samples(others)
    assert left == sorted(left, key=lambda span: span.start)
