"""Sends calls past providers whose circuit is open, and learns how each attempt ended."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from typing_extensions import override

from plugins.breaker.rules import Permit, is_providers_fault
from plugins.breaker.store import Circuits
from plugins.core.call import Attempt, Call
from plugins.core.errors import GatewayError, Unavailable
from plugins.core.stage import Stage


class BreakerStage(Stage):
    """The breaker's part in every call.

    Args:
        circuits: this worker's copy.
        providers: who runs each model group.
        is_one_of_several: tells whether a deployment's failure is that of one server while another
            one like it is well, and so does not speak against the provider.
    """

    name: str = "breaker"

    def __init__(
        self,
        circuits: Circuits,
        providers: Mapping[str, str],
        is_one_of_several: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._is_one_of_several: Final = is_one_of_several
        self._circuits: Final = circuits
        self._providers: Final = providers
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    @override
    async def prepare(self, call: Call) -> GatewayError | None:
        """Leave out the tiers that are to be spared; refuse at once when none is left."""
        open_providers: list[str] = []
        kept: list[str] = []
        for group in call.tiers:
            provider = self._providers[group]
            permit = self._circuits.permit(provider)
            # A probe is worth taking only where the call really goes first.
            probing = permit is Permit.PROBE and not kept
            if permit is Permit.ALLOW or (probing and await self._circuits.take_probe(provider)):
                kept.append(group)
            else:
                open_providers.append(provider)
        if not kept:
            names = ", ".join(dict.fromkeys(open_providers))
            return Unavailable(
                f"every provider of {call.model_asked!r} has failed lately and is left alone for a"
                f" while ({names}); try again later",
                code="providers_unavailable",
                retry_after_s=max(self._circuits.wait_s(open_providers), 1.0),
            )
        call.tiers = tuple(kept)
        return None

    @override
    async def attempt_ended(self, call: Call, attempt: Attempt) -> None:
        """Count the attempt; Redis is told in the background, so that a fallback starts at once."""
        if not attempt.provider:
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
