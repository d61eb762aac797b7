"""Counts every call and every try once, after the client has its answer."""

from collections.abc import Collection
from typing import Final

from typing_extensions import override

from plugins.core.call import Attempt, Call, Outcome
from plugins.core.metrics import NONE, Metrics, among
from plugins.core.stage import Stage
from plugins.metrics.families import (
    ATTEMPTS,
    CACHE_WORDS,
    CALLS,
    DURATION,
    ERROR_CLASSES,
    FIRST_BYTE,
    REFUSAL_KINDS,
    REFUSALS,
    SKIP_REASONS,
    SKIPS,
    TIERS,
)


class MetricsStage(Stage):
    """The metrics' part in every call.

    `observe` runs exactly once for every call that the door has taken in, also for one that was
    refused or whose client went away, and nothing of the call changes any more.

    Args:
        metrics: where samples go.
        agents: names that may stand in a label.
        providers: likewise.
    """

    name: str = "metrics"

    def __init__(
        self, metrics: Metrics, agents: Collection[str], providers: Collection[str]
    ) -> None:
        self._metrics: Final = metrics
        self._agents: Final = frozenset(agents)
        self._providers: Final = frozenset(providers)

    @override
    async def observe(self, call: Call) -> None:
        """Count the call and its tries; costs microseconds."""
        agent = among(call.agent_name, self._agents)
        self._metrics.add(
            CALLS,
            agent,
            call.endpoint.value,
            call.outcome.value if call.outcome else NONE,
            among(call.tier, TIERS),
            among(call.cache, CACHE_WORDS),
        )
        if call.ended_s is not None:
            self._metrics.observe(
                DURATION, call.ended_s - call.started_s, agent, call.endpoint.value
            )
        if call.first_byte_s is not None:
            waited_s = call.first_byte_s - call.started_s
            self._metrics.observe(FIRST_BYTE, waited_s, agent, call.endpoint.value)
        if call.outcome is Outcome.REFUSED:
            self._metrics.add(REFUSALS, agent, among(call.error_class, REFUSAL_KINDS))
        for skip in call.skipped:
            self._metrics.add(SKIPS, _tier(call, skip.group), among(skip.code, SKIP_REASONS))
        for attempt in call.attempts:
            self._count_attempt(call, attempt)

    def _count_attempt(self, call: Call, attempt: Attempt) -> None:
        self._metrics.add(
            ATTEMPTS,
            among(attempt.provider, self._providers),
            _tier(call, attempt.group),
            _ending(attempt),
            among(attempt.error_class, ERROR_CLASSES),
        )


def _tier(call: Call, group: str) -> str:
    return among(call.agent.tier_of(group) if call.agent else "primary", TIERS)


def _ending(attempt: Attempt) -> str:
    """Say how a try ended, as seen from the provider."""
    if attempt.error_class == "ClientDisconnected":
        return "abandoned"
    return "failed" if attempt.error_class else "answered"
