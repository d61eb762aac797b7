"""Deletes texts whose time is over."""

import asyncio
import logging
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import Clock
from plugins.store.database import described, transaction
from plugins.store.tables import lineage_texts

EVERY_S: Final = 600.0

_log: Final = logging.getLogger("sluice.lineage")


class Retention:
    """Every worker runs one: what another has deleted already costs nothing.

    Args:
        engine: PostgreSQL.
        clock: tells now.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine: Final = engine
        self._clock: Final = clock

    async def sweep(self) -> int:
        """Delete what is past its time; give how many texts that were."""
        async with transaction(self._engine) as connection:
            over = lineage_texts.c.expires_at <= self._clock.now()
            return (await connection.execute(delete(lineage_texts).where(over))).rowcount

    async def run(self) -> None:
        """Sweep for ever; while PostgreSQL is away nothing can be read either."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                _log.warning("texts past their time wait: %s", described(error))
