"""Sends calls past providers whose circuit is open, and learns how each attempt ended."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from typing_extensions import override

from plugins.breaker.changes import title
from plugins.breaker.rules import Permit, is_providers_fault
from plugins.breaker.store import Circuits
from plugins.core.call import EMPTY_ANSWER, HOST_REFUSED, NOT_CONFIDENT, Attempt, Call
from plugins.core.errors import GatewayError, Unavailable
from plugins.core.stage import Stage

UNCOUNTED: Final = frozenset({EMPTY_ANSWER, HOST_REFUSED, NOT_CONFIDENT})
"""Failures that one tenant's request can bring about by itself: another tenant's calls must not
lose a provider by them. Neither do they say that the provider is well."""


class BreakerStage(Stage):
    """The breaker's part in every call.

    Args:
        circuits: this worker's copy.
        providers: who runs each model group.
        is_one_of_several: tells whether a deployment's failure is that of one server while another
            one like it is well, and so does not speak against the provider.
        probe_anyway: with all tiers' circuits open, try the one that comes back first instead of
            refusing.
    """

    name: str = "breaker"

    def __init__(
        self,
        circuits: Circuits,
        providers: Mapping[str, str],
        is_one_of_several: Callable[[str], bool] = lambda _: False,
        *,
        probe_anyway: bool = False,
    ) -> None:
        self._is_one_of_several: Final = is_one_of_several
        self._probe_anyway: Final = probe_anyway
        self._circuits: Final = circuits
        self._providers: Final = providers
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    @override
    async def route(self, call: Call, group: str) -> GatewayError | None:
        """Leave out a provider that is to be spared; one call at a time may probe it."""
        provider = self._providers[group]
        permit = self._circuits.permit(provider)
        if permit is Permit.ALLOW:
            return None
        if permit is Permit.PROBE and await self._circuits.take_probe(provider):
            return None
        if self._probe_anyway and provider == self._least_bad(call):
            return None
        return Unavailable(
            f"{title(provider)} has failed lately and is left alone for a while; try again later",
            code="providers_unavailable",
            retry_after_s=max(self._circuits.wait_s([provider]), 1.0),
        )

    def _least_bad(self, call: Call) -> str | None:
        """Name the provider that comes back first, when every tier's circuit refuses."""
        providers = [self._providers[group] for group in call.tiers]
        if any(self._circuits.permit(p) is not Permit.REFUSE for p in providers):
            return None
        unpinned = [p for p in providers if self._circuits.get(p).pinned is None]
        return min(unpinned, key=lambda p: self._circuits.wait_s([p]), default=None)

    @override
    async def attempt_ended(self, call: Call, attempt: Attempt) -> None:
        """Count the attempt; Redis is told in the background, so that a fallback starts at once."""
        if not attempt.provider or attempt.error_class in UNCOUNTED:
            return
        if attempt.error_class is None:
            if self._circuits.is_fresh(attempt.provider):
                return
            self._background(self._circuits.succeeded(attempt.provider))
        elif is_providers_fault(attempt.status) and not self._is_one_of_several(attempt.deployment):
            self._background(self._circuits.failed(attempt.provider, attempt.retry_after_s))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        # Runs up to its first wait before anything else does: this worker's copy changes now.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
