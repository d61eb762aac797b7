"""What is counted of a call: the stage with metrics that remember."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from plugins.core.agent import Agent
from plugins.core.call import Attempt, Call, Endpoint, Outcome, Skip, Step, Usage
from plugins.core.trace import TraceContext
from plugins.core.verdict import Action, Finding, Verdict
from plugins.metrics.stage import Known, MetricsStage
from tests.making import a_call
from tests.remembering import RememberedMetrics

KNOWN = Known(
    agents=frozenset({"matching"}),
    models=frozenset({"gpt-4o", "claude"}),
    providers=frozenset({"openai", "anthropic"}),
    stages=frozenset({"limits", "cache"}),
)
MATCHING = Agent("matching", ("gpt-4o", "claude", "llama-3"))
TRACE = "0af7651916cd43dd8448eb211c80319c"


def _nothing(call: Call) -> Decimal:
    return Decimal(0)


async def counted(
    known: Known = KNOWN,
    saved: Callable[[Call], Decimal] = _nothing,
    **changes: object,
) -> RememberedMetrics:
    """Count one call; families of which nothing was counted are left out."""
    metrics = RememberedMetrics()
    await MetricsStage(metrics, known, saved).observe(a_call(**changes))
    for key in [key for key, value in metrics.counts.items() if not value]:
        del metrics.counts[key]
    return metrics


def of(metrics: RememberedMetrics, family: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in metrics.counts.items() if key[0] == family}


def times(metrics: RememberedMetrics, family: str) -> list[tuple[float, tuple[str, ...]]]:
    return [(value, labels) for name, value, labels in metrics.observed if name == family]


async def test_a_call_is_counted_once_with_what_it_used_and_cost() -> None:
    metrics = await counted()
    assert metrics.counts == {
        ("sluice_calls_total", "none", "gpt-4o", "chat", "answered", "primary", "off"): 1,
        ("sluice_attempts_total", "openai", "gpt-4o", "primary", "answered", "none"): 1,
        ("sluice_tokens_total", "none", "gpt-4o", "input"): 250,
        ("sluice_tokens_total", "none", "gpt-4o", "output"): 150,
        ("sluice_cost_usd_total", "none", "gpt-4o"): 0.002125,
    }
    assert metrics.observed == [
        ("sluice_call_duration_seconds", pytest.approx(0.6), ("none", "chat")),
        ("sluice_attempt_duration_seconds", pytest.approx(0.5), ("openai", "gpt-4o", "answered")),
    ]


async def test_every_try_is_counted_and_timed_with_its_error() -> None:
    tries = [
        Attempt("a", "openai", "gpt-4o", 100.0, 100.1, "RateLimitError", 429),
        Attempt("b", "anthropic", "claude", 100.1, 100.3, "ClientDisconnected", 499),
        Attempt("c", "someone", "else", 100.2, 100.5, "sk-secret of a client", None),
        Attempt("d", "openai", "gpt-4o", 100.5, None, None, None),
    ]
    metrics = await counted(attempts=tries, deployment=None, outcome=Outcome.FAILED)
    assert of(metrics, "sluice_attempts_total") == {
        ("openai", "gpt-4o", "primary", "failed", "RateLimitError"): 1,
        ("anthropic", "claude", "primary", "abandoned", "ClientDisconnected"): 1,
        ("other", "other", "primary", "failed", "other"): 1,
        ("openai", "gpt-4o", "primary", "answered", "none"): 1,
    }
    assert times(metrics, "sluice_attempt_duration_seconds") == [
        (pytest.approx(0.1), ("openai", "gpt-4o", "failed")),
        (pytest.approx(0.2), ("anthropic", "claude", "abandoned")),
        (pytest.approx(0.3), ("other", "other", "failed")),
    ]
    assert of(metrics, "sluice_calls_total") == {
        ("none", "none", "chat", "failed", "none", "off"): 1
    }


async def test_a_refusal_is_counted_by_its_kind_and_a_skipped_tier_by_its_reason() -> None:
    metrics = await counted(
        agent=MATCHING,
        outcome=Outcome.REFUSED,
        error_class="RateLimited",
        skipped=[Skip("gpt-4o", "provider_limit_reached"), Skip("claude", "said by a client")],
    )
    assert of(metrics, "sluice_refusals_total") == {("matching", "RateLimited"): 1}
    assert of(metrics, "sluice_tiers_skipped_total") == {
        ("primary", "provider_limit_reached"): 1,
        ("secondary", "other"): 1,
    }


@pytest.mark.spec("9.1")
async def test_a_call_without_an_answer_is_counted_by_agent_and_kind_of_error() -> None:
    metrics = await counted(
        agent=MATCHING, outcome=Outcome.FAILED, error_class="ServiceUnavailableError"
    )
    wanted = {("matching", "ServiceUnavailableError"): 1}
    assert of(metrics, "sluice_call_errors_total") == wanted
    assert of(await counted(agent=MATCHING), "sluice_call_errors_total") == {}


async def test_tries_without_an_answer_are_in_the_dollars_and_not_in_the_tokens() -> None:
    wasted = Attempt("a", "openai", "gpt-4o", 100.0, 100.1, "EmptyAnswer", 200)
    wasted.usage = Usage(1_000, 0)
    answered = Attempt("b", "anthropic", "claude", 100.1, 100.5)
    metrics = await counted(
        agent=MATCHING,
        attempts=[wasted, answered],
        deployment="b",
        cost_usd=Decimal("0.005"),
    )
    # As in the ledger's columns: `cost_usd` has them, `input_tokens` is of the answer alone.
    assert of(metrics, "sluice_cost_usd_total") == {("matching", "claude"): 0.005}
    assert of(metrics, "sluice_tokens_total")["matching", "claude", "input"] == 250


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (Usage(10, 2), {"input": 10, "output": 2}),
        (
            Usage(10, 2, cached_input_tokens=6, cache_write_tokens=3),
            {"input": 10, "output": 2, "cached_input": 6, "cache_write": 3},
        ),
        (Usage(), {}),
    ],
)
async def test_tokens_are_counted_by_kind(usage: Usage, tokens: dict[str, int]) -> None:
    metrics = await counted(agent=MATCHING, usage=usage)
    assert of(metrics, "sluice_tokens_total") == {
        ("matching", "gpt-4o", kind): value for kind, value in tokens.items()
    }


async def test_speech_counts_characters_and_a_transcription_seconds() -> None:
    metrics = await counted(
        endpoint=Endpoint.SPEECH, usage=Usage(characters=41, audio_s=Decimal("2.5"))
    )
    assert of(metrics, "sluice_characters_total") == {("none", "gpt-4o"): 41}
    assert of(metrics, "sluice_audio_seconds_total") == {("none", "gpt-4o"): 2.5}
    assert not of(metrics, "sluice_tokens_total")


@pytest.mark.parametrize(
    ("cache", "cause"), [("hit", "cache"), ("coalesced", "coalesced"), ("miss", "cache")]
)
async def test_what_a_known_answer_saved_is_counted_by_its_cause(cache: str, cause: str) -> None:
    metrics = await counted(
        agent=MATCHING,
        cache=cache,
        saved_usd=Decimal("0.25"),
        cost_usd=Decimal(0),
        usage=Usage(),
    )
    assert of(metrics, "sluice_saved_usd_total") == {("matching", cause): 0.25}
    assert not of(metrics, "sluice_cost_usd_total")


@pytest.mark.parametrize(("saved", "expected"), [("0.5", 0.5), ("0", None), ("-0.5", None)])
async def test_what_a_providers_own_cache_saved_is_counted_and_never_taken_back(
    saved: str, expected: float | None
) -> None:
    metrics = await counted(
        usage=Usage(10, 2, cached_input_tokens=6), saved=lambda _: Decimal(saved)
    )
    found = of(metrics, "sluice_saved_usd_total").get(("none", "provider_cache"))
    assert found == expected


@pytest.mark.parametrize(
    ("note", "counts"),
    [(None, {}), ("unpriced", {("gpt-4o",): 1}), ("zero_price", {("gpt-4o",): 1}), ("free", {})],
)
async def test_a_call_that_costs_nothing_without_a_reason_is_counted(
    note: str | None, counts: dict[tuple[str, ...], int]
) -> None:
    assert of(await counted(cost_note=note), "sluice_unpriced_calls_total") == counts


def test_unpriced_calls_are_there_as_zero_before_the_first() -> None:
    metrics = RememberedMetrics()
    MetricsStage(metrics, KNOWN, _nothing)
    name = "sluice_unpriced_calls_total"
    assert metrics.counts == {(name, "gpt-4o"): 0, (name, "claude"): 0}


async def test_tenants_are_counted_by_name_only_where_they_are_listed() -> None:
    assert not any("tenant" in key[0] for key in (await counted(tenant_id="acme")).counts)
    listing = Known(models=frozenset({"gpt-4o"}), tenants=frozenset({"acme"}))
    for tenant_id, label in (("acme", "acme"), ("globex", "other")):
        metrics = await counted(listing, tenant_id=tenant_id)
        assert of(metrics, "sluice_tenant_calls_total") == {(label, "answered"): 1}
        assert of(metrics, "sluice_tenant_cost_usd_total") == {(label,): 0.002125}
        assert of(metrics, "sluice_tenant_tokens_total") == {
            (label, "input"): 250,
            (label, "output"): 150,
        }


async def test_what_checks_found_is_counted_by_check_and_action() -> None:
    metrics = await counted(
        agent=MATCHING,
        findings=[
            Finding("pii", "card_number", Action.MASK),
            Finding("pii", "iban", Action.MASK),
            Finding("a client's own", "x", Action.BLOCK),
        ],
        verdict=Verdict.SOFT_REJECT,
        confidence=0.7,
    )
    assert of(metrics, "sluice_findings_total") == {
        ("matching", "pii", "mask"): 2,
        ("matching", "other", "block"): 1,
    }
    assert of(metrics, "sluice_verdicts_total") == {("matching", "soft_reject"): 1}
    assert times(metrics, "sluice_confidence") == [(0.7, ("matching",))]


async def test_steps_are_timed_by_stage_and_phase() -> None:
    metrics = await counted(
        steps=[
            Step("auth", "", 99.0, 99.25),
            Step("reserve", "limits", 100.0, 100.5),
            Step("check_input", "somebody's own", 100.5, 100.75),
            Step("made_up", "cache", 100.5, 100.75),
        ]
    )
    assert times(metrics, "sluice_stage_seconds") == [
        (0.25, ("door", "auth")),
        (0.5, ("limits", "reserve")),
        (0.25, ("other", "check_input")),
        (0.25, ("cache", "other")),
    ]


async def test_only_a_streams_first_byte_is_timed() -> None:
    name = "sluice_first_byte_seconds"
    whole = await counted(first_byte_s=100.25)
    assert times(whole, name) == []
    stream = await counted(first_byte_s=100.25, stream=True)
    assert times(stream, name) == [(0.25, ("none", "chat"))]


@pytest.mark.parametrize(("sampled", "told"), [(None, True), (True, True), (False, False)])
async def test_latencies_point_at_the_trace_that_shows_them_if_there_will_be_one(
    sampled: bool | None, told: bool
) -> None:
    metrics = await counted(
        trace=TraceContext(TRACE, "b7ad6b7169203331", sampled=sampled),
        stream=True,
        first_byte_s=100.25,
        closed_s=100.7,
        steps=[Step("auth", "", 99.0, 99.25)],
        confidence=0.5,
    )
    families = {
        "sluice_attempt_duration_seconds",
        "sluice_call_duration_seconds",
        "sluice_first_byte_seconds",
        "sluice_overhead_seconds",
    }
    assert {name for name, _ in metrics.traces} == (families if told else set())
    assert {trace for _, trace in metrics.traces} == ({TRACE} if told else set())


async def test_no_text_of_a_clients_becomes_a_label() -> None:
    hostile = 'x"} 1\nsluice_up{a="'
    metrics = await counted(
        tenant_id="acme",
        model_asked=hostile,
        agent=Agent(hostile, (hostile,)),
        attempts=[Attempt(hostile, hostile, hostile, 100.0, 100.5, hostile)],
        deployment=hostile,
        cache=hostile,
        error_class=hostile,
        outcome=Outcome.REFUSED,
        skipped=[Skip(hostile, hostile)],
        steps=[Step(hostile, hostile, 1.0, 2.0)],
        findings=[Finding(hostile, hostile, Action.FLAG)],
        cost_note="unpriced",
    )
    labels = {label for key in metrics.counts for label in key[1:]}
    labels |= {label for _, _, key in metrics.observed for label in key}
    assert "other" in labels
    assert not any(hostile in label or "acme" in label for label in labels)
