"""Carries settlements from the Redis stream and from spool files into PostgreSQL.

Every worker of every replica runs one; a consumer group deals the stream out among them, and what
a dead worker left unacknowledged is taken over. Only after PostgreSQL has committed is a
settlement removed, so each is recorded at least once, and its identifier makes that exactly once.
"""

import asyncio
import logging
import os
import uuid
from datetime import timedelta
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import Clock
from plugins.cost.spool import Spool, claimed
from plugins.cost.store import STREAM, LedgerStore
from plugins.store.partitions import ensure_partitions
from plugins.store.redis import RedisAway, RedisLink

GROUP: Final = "ledger"
BATCH: Final = 500
IDLE_S: Final = 0.25
"""Pause between batches: long enough to make them large, short enough for a fresh `/spend`."""
CLAIM_AFTER_MS: Final = 5_000
PARTITIONS_EVERY: Final = timedelta(hours=6)

_log: Final = logging.getLogger("sluice.ledger")


class Drain:
    """One worker's part in moving settlements into PostgreSQL.

    Args:
        link: this worker's Redis.
        spool: this worker's file.
        store: the ledger.
        engine: PostgreSQL, to make partitions ahead of time.
        clock: tells when partitions are due.
    """

    def __init__(
        self, link: RedisLink, spool: Spool, store: LedgerStore, engine: AsyncEngine, clock: Clock
    ) -> None:
        self._link: Final = link
        self._spool: Final = spool
        self._store: Final = store
        self._engine: Final = engine
        self._clock: Final = clock
        self._consumer: Final = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._held: list[tuple[bytes, bytes]] = []
        self._claim_due_s = 0.0
        self._partitions_due_s = 0.0

    async def run(self) -> None:
        """Drain for ever; an outage is said once when it begins and once when it ends."""
        away = False
        while True:
            try:
                moved = await self.step()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                if not away:
                    _log.warning("the ledger waits: %s: %s", type(error).__name__, error)
                away, moved = True, 0
            else:
                if away:
                    _log.warning("the ledger is written again")
                away = False
            if moved < BATCH:
                await asyncio.sleep(IDLE_S)

    async def step(self) -> int:
        """Move one batch of the stream and whatever spool files are free.

        Returns:
            How many settlements were moved.

        Raises:
            Exception: when PostgreSQL is away; what was taken is kept and tried again.
        """
        await self._make_partitions()
        moved = await self._drain_spool()
        try:
            if not self._held:
                self._held = await self._take()
        except RedisAway:
            return moved
        if not self._held:
            return moved
        await self._store.record([entry for _, entry in self._held])
        identifiers = [identifier for identifier, _ in self._held]
        try:
            await self._link.run(lambda redis: _remove(redis, identifiers))
        except RedisAway:
            # They come again through the claim below and meet their own rows.
            _log.info("%d recorded settlements stay in the stream for now", len(identifiers))
        moved += len(self._held)
        self._held = []
        return moved

    async def _take(self) -> list[tuple[bytes, bytes]]:
        now_s = self._clock.monotonic_s()
        if now_s >= self._claim_due_s:
            claimed_entries = await self._link.run(self._claim)
            # A full batch means that there is more: claim again at once.
            pause_s = 0 if len(claimed_entries) >= BATCH else CLAIM_AFTER_MS / 1000
            self._claim_due_s = now_s + pause_s
            if claimed_entries:
                return claimed_entries
        return await self._link.run(self._read)

    async def _read(self, redis: Redis) -> list[tuple[bytes, bytes]]:
        try:
            reply = await redis.xreadgroup(GROUP, self._consumer, {STREAM: ">"}, count=BATCH)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            return []
        return _entries(_messages(reply))

    async def _claim(self, redis: Redis) -> list[tuple[bytes, bytes]]:
        try:
            reply = await redis.xautoclaim(
                STREAM, GROUP, self._consumer, CLAIM_AFTER_MS, start_id="0-0", count=BATCH
            )
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            return []
        return _entries(cast("Any", reply)[1])

    async def _drain_spool(self) -> int:
        self._spool.close_file()
        moved = 0
        for path in self._spool.abandoned():
            with claimed(path) as lines:
                if lines is None:
                    continue
                for start in range(0, len(lines), BATCH):
                    await self._store.record(lines[start : start + BATCH])
                path.unlink()
                moved += len(lines)
        return moved

    async def _make_partitions(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._partitions_due_s:
            return
        async with self._engine.begin() as connection:
            await ensure_partitions(connection, self._clock.now())
        self._partitions_due_s = now_s + PARTITIONS_EVERY.total_seconds()


async def _remove(redis: Redis, identifiers: list[bytes]) -> None:
    pipeline = redis.pipeline(transaction=True)
    pipeline.xack(STREAM, GROUP, *identifiers)
    pipeline.xdel(STREAM, *identifiers)
    await pipeline.execute()


def _messages(reply: object) -> Any:
    """Give the messages of the one stream asked for: RESP2 answers in lists, RESP3 in a mapping."""
    if not reply:
        return []
    if isinstance(reply, dict):
        pages = next(iter(cast("dict[bytes, list[Any]]", reply).values()))
        return pages[0] if pages else []
    return cast("list[Any]", reply)[0][1]


def _entries(messages: Any) -> list[tuple[bytes, bytes]]:
    """Give (identifier, settlement) pairs; an entry deleted meanwhile has no fields."""
    return [(identifier, fields[b"e"]) for identifier, fields in messages if fields]
