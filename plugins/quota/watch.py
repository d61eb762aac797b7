"""Reads the tenants' use of their quotas every half minute, in one worker at a time."""

import contextlib
import uuid
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from plugins.core.alerts import AlertPort
from plugins.core.clock import Clock
from plugins.core.metrics import Gauge
from plugins.quota.families import USED_RATIO
from plugins.quota.rules import alert_of, month_of
from plugins.quota.store import QuotaStore
from plugins.store.redis import RedisAway, RedisLink, Script

EVERY_S: Final = 30.0
LEASE: Final = "sluice:{quota}:reader"
LEASE_S: Final = 75.0
"""A reader that has died is followed by another after this; it must be more than two rounds."""

# Gives 1 when the lease is, or has become, this reader's.
_TAKE: Final = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")

_GIVE: Final = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
""")


class QuotaWatch:
    """One worker's part; only who holds the lease reads and states the gauge.

    A reader that fails steps back. While Redis is away the last reader goes on and nobody takes its
    place.

    Args:
        store: the sums.
        link: this worker's Redis, for the lease.
        alerts: where people are told.
        clock: tells which month it is.
    """

    def __init__(self, store: QuotaStore, link: RedisLink, alerts: AlertPort, clock: Clock) -> None:
        self._store: Final = store
        self._link: Final = link
        self._alerts: Final = alerts
        self._clock: Final = clock
        self._name: Final = uuid.uuid4().hex
        self._is_reader = False

    async def read(self) -> Mapping[Gauge, Mapping[tuple[str, ...], float]]:
        """Give the share that each tenant has used; nothing in a worker that is not the reader.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        if not await self._reads():
            return {}
        done = False
        try:
            uses = await self._store.uses(month_of(self._clock.now().astimezone(UTC)))
            for use in uses:
                level = use.level
                if level is not None and await self._store.claim(use, level):
                    self._alerts.send(alert_of(use, level))
            done = True
        finally:
            if not done:  # given up by the poller as well, which cancels
                await self._step_back()
        return {USED_RATIO: {(use.tenant_id,): use.ratio for use in uses}}

    async def _step_back(self) -> None:
        """Let another worker try, which may reach what this one cannot."""
        self._is_reader = False
        with contextlib.suppress(RedisAway):
            await self._link.call(_GIVE, (LEASE,), (self._name,))

    async def _reads(self) -> bool:
        try:
            taken = await self._link.call(_TAKE, (LEASE,), (self._name, int(LEASE_S * 1000)))
        except RedisAway:
            return self._is_reader
        self._is_reader = bool(taken)
        return self._is_reader
