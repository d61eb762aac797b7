"""Carries settlements from the Redis stream and from spool files into PostgreSQL.

Every worker of every replica runs one; a consumer group deals the stream out among them, and what
a dead worker left unacknowledged is taken over. Only after PostgreSQL has committed is a
settlement removed, so each is recorded at least once, and its identifier makes that exactly once.
"""

import asyncio
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import Clock
from plugins.core.errors import Unavailable
from plugins.cost.spool import Spool, claimed
from plugins.cost.store import STREAM, LedgerStore
from plugins.store.database import described
from plugins.store.partitions import ensure_partitions
from plugins.store.redis import RedisAway, RedisLink

GROUP: Final = "ledger"
BATCH: Final = 500
IDLE_S: Final = 0.25
"""Pause between batches: long enough to make them large, short enough for a fresh `/spend`."""
CLAIM_AFTER_MS: Final = 5_000
PARTITIONS_EVERY: Final = timedelta(hours=6)
PARTITIONS_AGAIN: Final = timedelta(minutes=1)
"""After they could not be made; until then their rows go to the default partition."""

_PARTITIONS: Final = "the partitions of months to come"
_STREAM: Final = "the stream"

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
        self._stuck: dict[str, str] = {}

    async def run(self) -> None:
        """Drain for ever; an outage is said once when it begins and once when it ends."""
        away = False
        while True:
            try:
                moved = await self.step()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                if not away:
                    _log.warning("the ledger waits: %s", described(error))
                away, moved = True, 0
            else:
                if away:
                    _log.warning("the ledger is written again")
                away = False
            if moved < BATCH:
                await asyncio.sleep(IDLE_S)

    async def step(self) -> int:
        """Move one batch of the stream and whatever spool files are free.

        What is wrong with one of them is said once and keeps none of the others waiting.

        Returns:
            How many settlements were moved.

        Raises:
            Unavailable: when PostgreSQL is away or cannot just now; what was taken is kept and
                tried again.
        """
        moved = 0
        away: Unavailable | None = None
        parts = self._parts()
        for name, part in parts.items():
            try:
                moved += await part()
            except Unavailable as error:
                away = away or error
            except Exception as error:  # noqa: BLE001 - the other parts must go on
                self._say(name, described(error))
            else:
                self._say(name, None)
        for gone in self._stuck.keys() - parts.keys() - {_PARTITIONS}:
            del self._stuck[gone]
        if away is not None:
            raise away
        return moved

    async def waiting(self) -> int:
        """Tell how many settlements are in the stream: each is deleted once it is recorded.

        Raises:
            RedisAway: when Redis is.
        """
        return int(await self._link.send("XLEN", STREAM))

    def _parts(self) -> dict[str, Callable[[], Awaitable[int]]]:
        parts: dict[str, Callable[[], Awaitable[int]]] = {}
        if self._clock.monotonic_s() >= self._partitions_due_s:
            parts[_PARTITIONS] = self._make_partitions
        self._spool.close_file()
        for path in self._spool.abandoned():
            parts[f"spool file {path.name}"] = partial(self._replay, path)
        parts[_STREAM] = self._drain_stream
        return parts

    def _say(self, part: str, fault: str | None) -> None:
        """Log when a part's fault begins, becomes another, or ends."""
        before = self._stuck.pop(part, None)
        if fault is not None:
            self._stuck[part] = fault
            if fault != before:
                _log.error("the ledger goes on without %s: %s", part, fault)
        elif before is not None:
            _log.warning("the ledger goes on with %s again", part)

    async def _drain_stream(self) -> int:
        try:
            if not self._held:
                self._held = await self._take()
        except RedisAway:
            return 0
        if not self._held:
            return 0
        await self._store.record([entry for _, entry in self._held])
        moved = len(self._held)
        identifiers = [identifier for identifier, _ in self._held]
        try:
            await self._link.run(lambda redis: _remove(redis, identifiers))
        except RedisAway:
            # They come again through the claim below and meet their own rows.
            _log.info("%d recorded settlements stay in the stream for now", moved)
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

    async def _replay(self, path: Path) -> int:
        with claimed(path) as lines:
            if lines is None:
                return 0
            for start in range(0, len(lines), BATCH):
                await self._store.record(lines[start : start + BATCH])
            await asyncio.to_thread(path.unlink)
            return len(lines)

    async def _make_partitions(self) -> int:
        # Its own transaction, so that PostgreSQL being away is told by what then waits.
        now_s = self._clock.monotonic_s()
        self._partitions_due_s = now_s + PARTITIONS_AGAIN.total_seconds()
        async with self._engine.begin() as connection:
            refused = await ensure_partitions(connection, self._clock.now())
        if refused:
            raise RuntimeError(f"PostgreSQL refuses {', '.join(refused)}; rows go to the default")
        self._partitions_due_s = now_s + PARTITIONS_EVERY.total_seconds()
        return 0


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
    """Give (identifier, settlement) pairs; an entry deleted meanwhile has no fields.

    What is not of the ledger's making is given as it is read, and the store sets it aside.
    """
    return [
        (identifier, fields.get(b"e") or repr(fields).encode())
        for identifier, fields in messages
        if fields
    ]
