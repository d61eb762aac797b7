"""The gateway's own part of a call's time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.call import Attempt
from plugins.metrics.rules import covered_s, overhead_s
from tests.making import a_call


def tries(*spans: tuple[float, float | None]) -> list[Attempt]:
    return [Attempt("d", "openai", "gpt-4o", start, end) for start, end in spans]


@pytest.mark.parametrize(
    ("arrived_s", "closed_s", "spans", "expected"),
    [
        pytest.param(10.0, 11.0, [], 1.0, id="no try: all of it is the gateway's"),
        pytest.param(10.0, 11.0, [(10.2, 10.9)], 0.3, id="before and after one try"),
        pytest.param(10.0, 11.0, [(10.1, 10.4), (10.5, 10.9)], 0.3, id="between two as well"),
        pytest.param(10.0, 11.0, [(10.1, 10.6), (10.4, 10.9)], 0.2, id="overlapping tries, once"),
        pytest.param(10.0, 11.0, [(10.1, 10.9), (10.3, 10.5)], 0.2, id="one within the other"),
        pytest.param(10.0, 11.0, [(10.5, 10.9), (10.1, 10.4)], 0.3, id="in any order"),
        pytest.param(10.0, 11.0, [(10.2, None)], 0.2, id="a try without an end lasts"),
        pytest.param(10.0, 11.0, [(10.2, 11.5)], 0.2, id="a try that outlives the call"),
        pytest.param(10.0, 11.0, [(9.5, 10.5)], 0.5, id="a try from before it (no such thing)"),
        pytest.param(10.0, 11.0, [(10.0, 11.0)], 0.0, id="nothing but the try"),
        pytest.param(10.0, 9.0, [], 0.0, id="never below nothing"),
    ],
)
def test_overhead_is_the_time_that_no_try_covers(
    arrived_s: float, closed_s: float, spans: list[tuple[float, float | None]], expected: float
) -> None:
    call = a_call(arrived_s=arrived_s, closed_s=closed_s, attempts=tries(*spans))
    assert overhead_s(call) == pytest.approx(expected)


def test_a_call_that_has_not_ended_or_waited_for_another_says_nothing_of_it() -> None:
    assert overhead_s(a_call(closed_s=None)) is None
    assert overhead_s(a_call(closed_s=101.0, cache="coalesced", attempts=[])) is None
    assert overhead_s(a_call(closed_s=101.0, cache="hit", attempts=[])) == 1.0


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted), max_size=8)


@given(SPANS)
def test_what_tries_cover_is_what_a_ruler_says(spans: list[list[int]]) -> None:
    seconds = {s for first, last in spans for s in range(first, last) if 10 <= s < 40}
    assert covered_s(tries(*((a, b) for a, b in spans)), 10.0, 40.0) == len(seconds)
