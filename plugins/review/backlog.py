"""How many items wait for a person, and for how long."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.metrics import Gauge
from plugins.review.families import OLDEST, OPEN
from plugins.store.database import transaction
from plugins.store.tables import review_items

EVERY_S: Final = 15.0
UNDECIDED: Final = ("open", "claimed")


class Backlog:
    """Reads the queue's gauges.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def read(self) -> Mapping[Gauge, Mapping[tuple[str, ...], float]]:
        """Give number and greatest age, seconds, of the items without a decision.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        age = func.extract("epoch", func.now() - func.min(review_items.c.created_at))
        waiting = review_items.c.state.in_(UNDECIDED)
        async with transaction(self._engine) as connection:
            query = select(func.count(), func.coalesce(age, 0)).where(waiting)
            count, age_s = (await connection.execute(query)).one()
        return {OPEN: {(): float(count)}, OLDEST: {(): float(max(age_s, 0))}}
