"""Which traces are kept."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.core.call import Attempt, Call, Outcome
from plugins.core.identifiers import new_call_id
from plugins.core.trace import trace_of
from plugins.core.verdict import Action, Finding, Verdict
from plugins.policy import Tracing
from plugins.tracing.sampling import Sampling
from tests.making import a_call

NONE = Sampling(share=0.0, slower_than_s=2.0, dearer_than_usd=Decimal("0.5"))
ATTEMPT = Attempt("d", "openai", "gpt-4o", 100.0, 100.1, "RateLimitError")


def a_quick_call(traceparent: str | None = None, **changes: Any) -> Call:
    call = a_call(**{"arrived_s": 100.0, "closed_s": 100.7} | changes)
    call.trace = trace_of(call.id, traceparent)
    return call


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"outcome": Outcome.FAILED, "status": 502}, "error"),
        ({"outcome": Outcome.REFUSED, "status": 503}, "error"),
        ({"outcome": Outcome.REFUSED, "status": 429}, None),
        ({"outcome": Outcome.DISCONNECTED, "status": 499}, None),
        ({"attempts": [ATTEMPT]}, "error"),
        ({"attempts": [Attempt("d", "p", "g", 1.0, 2.0, "ClientDisconnected")]}, None),
        ({"verdict": Verdict.FLAG}, "flagged"),
        ({"verdict": Verdict.SOFT_REJECT}, "flagged"),
        ({"verdict": Verdict.BLOCK}, "flagged"),
        ({"findings": [Finding("pii", "card_number", Action.OBSERVE)]}, "flagged"),
        ({"closed_s": 102.0}, None),  # 2 s are not more than 2 s
        ({"closed_s": 102.001}, "slow"),
        ({"cost_usd": Decimal("0.5")}, None),
        ({"cost_usd": Decimal("0.500001")}, "dear"),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "caller"),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}, None),
    ],
)
def test_what_an_operator_would_look_for_is_always_kept(
    changes: dict[str, Any], reason: str | None
) -> None:
    assert NONE.reason(a_quick_call(**changes)) == reason


def test_bounds_that_are_not_set_keep_nothing() -> None:
    call = a_quick_call(closed_s=9e9, cost_usd=Decimal(1000))
    assert Sampling(0.0, None, None).reason(call) is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.9, 1.0])
def test_about_the_share_of_ordinary_calls_is_kept(share: float) -> None:
    calls = [a_quick_call(id=new_call_id()) for _ in range(4000)]
    sampling = Sampling(share)
    kept = sum(sampling.reason(call) is not None for call in calls)
    assert kept / len(calls) == pytest.approx(share, abs=0.03)


@given(st.integers(1, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
def test_the_identifier_alone_decides_and_a_larger_share_keeps_all_of_a_smaller(
    number: int, one: float, other: float
) -> None:
    call = a_quick_call(f"00-{number:032x}-{'b' * 16}-00")
    small, large = sorted((one, other))
    if Sampling(small).reason(call):
        assert Sampling(large).reason(call)
    assert Sampling(1.0).reason(call) == "share"
    again = a_quick_call(f"00-{number:032x}-{'c' * 16}-00")
    assert Sampling(small).reason(again) == Sampling(small).reason(call)


def test_the_configurations_section_becomes_the_rule() -> None:
    stated = Tracing.model_validate(
        {"share": 0.1, "slower_than_s": 3, "dearer_than_usd": "0.50", "capture_content": ["acme"]}
    )
    assert stated.sampling == Sampling(0.1, 3.0, Decimal("0.50"))
    assert stated.capture_content == {"acme"}
    assert not stated.host_spans


@pytest.mark.parametrize(
    "wrong",
    [{"share": 1.1}, {"share": -0.1}, {"slower_than_s": 0}, {"dearer_than_usd": 0}, {"x": 1}],
)
def test_a_section_that_cannot_be_meant_is_a_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Tracing.model_validate(wrong)
