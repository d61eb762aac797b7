"""Finds the calls that statements are about, also those that the ledger is about to have.

A call's row comes to PostgreSQL through a stream (or a file, while Redis is away) that is drained a
quarter of a second after its answer. Who states something at once is kept waiting for up to
`PATIENCE_S`. What is unknown then: while settlements wait to be recorded, the client is asked to
come again (503); otherwise there is no such call (404). Only identifiers that are minutes old at
most are waited for, and only by a few requests at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plugins.core.clock import Clock
from plugins.core.errors import NotFound, Unavailable
from plugins.core.identifiers import may_be_under_way

PATIENCE_S: Final = 3.0
PAUSE_S: Final = 0.15
MOST_WAITING: Final = 32
"""Requests of a worker that wait at once; they hold no connection meanwhile."""
AGAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class FoundCall:
    """What a statement needs to know of its call."""

    call_id: str
    tenant_id: str
    started_at: datetime
    agent: str | None
    model: str | None


Look = Callable[[str | None, Collection[str]], Awaitable[Mapping[str, FoundCall]]]


class Finder:
    """Looks calls up.

    Args:
        look: reads the calls of a tenant (None for any) that the ledger has.
        backlog: tells whether settlements wait to be recorded.
        clock: tells how old an identifier is, and when patience ends.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        look: Look,
        backlog: Callable[[], Awaitable[bool]],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._look: Final = look
        self._backlog: Final = backlog
        self._clock: Final = clock
        self._sleep: Final = sleep
        self._waiting = 0

    async def find(
        self, tenant_id: str | None, call_ids: Collection[str]
    ) -> Mapping[str, FoundCall]:
        """Give every one of these calls.

        Args:
            tenant_id: whose they must be; None for an administrator.
            call_ids: UUIDs in small letters.

        Raises:
            NotFound: when one of them is no call of that tenant.
            Unavailable: when that cannot be told yet, or PostgreSQL is away.
        """
        if not call_ids:
            return {}
        found = await self._look(tenant_id, call_ids)
        missing = [call_id for call_id in call_ids if call_id not in found]
        if not missing:
            return found
        now = self._clock.now()
        strange = [call_id for call_id in missing if not may_be_under_way(call_id, now)]
        if strange:
            raise _unknown(strange[0])
        if self._waiting < MOST_WAITING:
            found, missing = await self._wait(tenant_id, call_ids)
        if not missing:
            return found
        if await self._backlog():
            raise Unavailable(
                f"call {missing[0]!r} is not recorded yet; state this again shortly",
                code="call_not_recorded_yet",
                retry_after_s=AGAIN_S,
            )
        raise _unknown(missing[0])

    async def _wait(
        self, tenant_id: str | None, call_ids: Collection[str]
    ) -> tuple[Mapping[str, FoundCall], list[str]]:
        self._waiting += 1
        try:
            until_s = self._clock.monotonic_s() + PATIENCE_S
            while True:
                await self._sleep(PAUSE_S)
                found = await self._look(tenant_id, call_ids)
                missing = [call_id for call_id in call_ids if call_id not in found]
                if not missing or self._clock.monotonic_s() >= until_s:
                    return found, missing
        finally:
            self._waiting -= 1


def _unknown(call_id: str) -> NotFound:
    return NotFound(
        f"no call {call_id!r} of yours; send the `x-sluice-call-id` of an answer",
        code="call_not_found",
        param="call_id",
    )
