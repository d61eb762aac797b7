"""Deletes the texts of items that were decided long ago; that and how they were decided stays."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import func, or_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.store.database import described, transaction
from plugins.store.tables import review_items

EVERY_S: Final = 600.0

_log: Final = logging.getLogger("sluice.review")


class ReviewRetention:
    """Every worker runs one: what another has deleted already costs nothing.

    Args:
        engine: PostgreSQL; its clock is the one that counts.
        keep_days: days after the decision.
    """

    def __init__(self, engine: AsyncEngine, keep_days: int) -> None:
        self._engine: Final = engine
        self._keep: Final = timedelta(days=keep_days)

    async def sweep(self) -> int:
        """Delete what is past its time; give of how many items that was.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        over = (
            review_items.c.decided_at <= func.now() - self._keep,
            or_(review_items.c.payload.is_not(None), review_items.c.answer.is_not(None)),
        )
        async with transaction(self._engine) as connection:
            gone = update(review_items).where(*over).values(payload=None, answer=None)
            return (await connection.execute(gone)).rowcount

    async def run(self) -> None:
        """Sweep for ever; while PostgreSQL is away nothing can be read either."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                _log.warning("texts of decided items past their time wait: %s", described(error))
