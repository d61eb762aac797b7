"""Counts every call and every try once, after the client has its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from typing_extensions import override

from plugins.core.call import Attempt, Call, Outcome, Usage
from plugins.core.metrics import NONE, Metrics, among
from plugins.core.stage import Phase, Stage
from plugins.core.verdict import Verdict
from plugins.metrics.families import (
    ATTEMPTS,
    AUDIO,
    CALLS,
    CHARACTERS,
    CHECK_FAILURES,
    CONFIDENCE,
    COST,
    DURATION,
    ERRORS,
    FINDINGS,
    FIRST_BYTE,
    OVERHEAD,
    REFUSALS,
    SAVED,
    SKIPS,
    STAGE,
    TENANT_CALLS,
    TENANT_COST,
    TENANT_TOKENS,
    TOKENS,
    TRY_DURATION,
    UNPRICED,
    VERDICTS,
)
from plugins.metrics.rules import COALESCED, overhead_s
from plugins.metrics.words import (
    CACHE_WORDS,
    CHECK_FAILURE_REASONS,
    CHECKS,
    DOOR,
    DOOR_PHASES,
    ERROR_CLASSES,
    REFUSAL_KINDS,
    SKIP_REASONS,
    TIERS,
)

_PHASES: Final = frozenset(phase.value for phase in Phase) | DOOR_PHASES
_UNPRICED_NOTES: Final = frozenset({"unpriced", "zero_price"})
"""Notes of the ledger's that say: it consumed something, and nobody said why it costs nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """Names that may stand in a label.

    Args:
        agents: of `sluice.agents`.
        models: model groups.
        providers: who run them.
        stages: of `assembly.STAGES`.
        tenants: of `sluice.metrics.tenants`; with none, nothing is counted by tenant.
    """

    agents: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()


class MetricsStage(Stage):
    """The metrics' part in every call.

    `observe` runs exactly once for every call that the door has taken in, also for one that was
    refused or whose client went away, and nothing of the call changes any more. Calls, tokens and
    dollars are those of its ledger row, so the two sum up alike.

    Args:
        metrics: where samples go.
        known: names that may stand in a label.
        saved_by_provider: tells what a provider's own prompt cache saved in a call, US dollars.
    """

    name: str = "metrics"

    def __init__(
        self, metrics: Metrics, known: Known, saved_by_provider: Callable[[Call], Decimal]
    ) -> None:
        self._metrics: Final = metrics
        self._known: Final = known
        self._saved_by_provider: Final = saved_by_provider
        for model in known.models:
            # There from the start: the first call without a price must show as an increase.
            metrics.add(UNPRICED, model, by=0.0)

    @override
    async def observe(self, call: Call) -> None:
        """Count the call, its tries and its steps."""
        agent = among(call.agent_name, self._known.agents)
        model = among(call.model_served, self._known.models)
        self._count_call(call, agent, model)
        self._time_call(call, agent)
        self._count_use(call, agent, model)
        self._count_money(call, agent, model)
        if self._known.tenants:
            self._count_tenant(call)
        self._count_judgements(call, agent)
        for attempt in call.attempts:
            self._count_attempt(call, attempt)

    def _count_call(self, call: Call, agent: str, model: str) -> None:
        add = self._metrics.add
        cache = among(call.cache, CACHE_WORDS)
        tier = among(call.tier, TIERS)
        add(CALLS, agent, model, call.endpoint.value, _outcome(call), tier, cache)
        if call.outcome is Outcome.REFUSED:
            add(REFUSALS, agent, among(call.error_class, REFUSAL_KINDS))
        if call.outcome is Outcome.FAILED:
            add(ERRORS, agent, among(call.error_class, ERROR_CLASSES))
        for skip in call.skipped:
            add(SKIPS, _tier(call, skip.group), among(skip.code, SKIP_REASONS))

    def _time_call(self, call: Call, agent: str) -> None:
        observe = self._metrics.observe
        endpoint, trace = call.endpoint.value, _exported_trace(call)
        if call.ended_s is not None:
            observe(DURATION, call.ended_s - call.started_s, agent, endpoint, trace_id=trace)
        if call.stream and call.first_byte_s is not None:
            waited_s = call.first_byte_s - call.started_s
            observe(FIRST_BYTE, waited_s, agent, endpoint, trace_id=trace)
        spent_s = overhead_s(call)
        if spent_s is not None:
            observe(OVERHEAD, spent_s, endpoint, trace_id=trace)
        for step in call.steps:
            stage = among(step.stage, self._known.stages) if step.stage else DOOR
            observe(STAGE, step.ended_s - step.started_s, stage, among(step.phase, _PHASES))

    def _count_use(self, call: Call, agent: str, model: str) -> None:
        usage = call.usage
        for kind, tokens in _tokens(usage):
            if tokens:
                self._metrics.add(TOKENS, agent, model, kind, by=tokens)
        if usage.characters:
            self._metrics.add(CHARACTERS, agent, model, by=usage.characters)
        if usage.audio_s:
            self._metrics.add(AUDIO, agent, model, by=float(usage.audio_s))

    def _count_money(self, call: Call, agent: str, model: str) -> None:
        add = self._metrics.add
        if call.cost_usd:
            add(COST, agent, model, by=float(call.cost_usd))
        if call.saved_usd:
            cause = COALESCED if call.cache == COALESCED else "cache"
            add(SAVED, agent, cause, by=float(call.saved_usd))
        if call.usage.cached_input_tokens:
            saved_usd = self._saved_by_provider(call)
            if saved_usd > 0:
                add(SAVED, agent, "provider_cache", by=float(saved_usd))
        if call.cost_note in _UNPRICED_NOTES:
            add(UNPRICED, model)

    def _count_tenant(self, call: Call) -> None:
        add = self._metrics.add
        tenant = among(call.principal.tenant_id, self._known.tenants)
        add(TENANT_CALLS, tenant, _outcome(call))
        for kind, tokens in _tokens(call.usage):
            if tokens:
                add(TENANT_TOKENS, tenant, kind, by=tokens)
        if call.cost_usd:
            add(TENANT_COST, tenant, by=float(call.cost_usd))

    def _count_judgements(self, call: Call, agent: str) -> None:
        for found in call.findings:
            check = among(found.check, CHECKS)
            self._metrics.add(FINDINGS, agent, check, found.action.value)
        for check, reason in call.failed_checks:
            why = among(reason, CHECK_FAILURE_REASONS)
            self._metrics.add(CHECK_FAILURES, among(check, CHECKS), why)
        if call.verdict is not Verdict.ALLOW:
            self._metrics.add(VERDICTS, agent, call.verdict.value)
        if call.confidence is not None:
            self._metrics.observe(CONFIDENCE, call.confidence, agent)

    def _count_attempt(self, call: Call, attempt: Attempt) -> None:
        provider = among(attempt.provider, self._known.providers)
        model = among(attempt.group, self._known.models)
        outcome, error = _ending(attempt), among(attempt.error_class, ERROR_CLASSES)
        self._metrics.add(ATTEMPTS, provider, model, _tier(call, attempt.group), outcome, error)
        if attempt.ended_s is not None:
            took_s = attempt.ended_s - attempt.started_s
            trace = _exported_trace(call)
            self._metrics.observe(TRY_DURATION, took_s, provider, model, outcome, trace_id=trace)


def _outcome(call: Call) -> str:
    """Say how a call ended; `none` for one that was cut off with its worker and has no row."""
    return call.outcome.value if call.outcome else NONE


def _tier(call: Call, group: str) -> str:
    return among(call.agent.tier_of(group) if call.agent else "primary", TIERS)


def _tokens(usage: Usage) -> tuple[tuple[str, int], ...]:
    return (
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cached_input", usage.cached_input_tokens),
        ("cache_write", usage.cache_write_tokens),
    )


def _exported_trace(call: Call) -> str:
    """Give the trace that an exemplar may point at, or nothing when its caller records none."""
    return "" if call.trace.sampled is False else call.trace.trace_id


def _ending(attempt: Attempt) -> str:
    """Say how a try ended, as seen from the provider."""
    if attempt.error_class == "ClientDisconnected":
        return "abandoned"
    return "failed" if attempt.error_class else "answered"
