"""What tenants' webhooks are to be told of held answers: in PostgreSQL until it has arrived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.store.database import transaction
from plugins.store.tables import review_deliveries, review_items, tenants

LEASE: Final = timedelta(seconds=60)
"""So long nobody else tries what a worker tries; far longer than a try may take."""

# One of each tenant's, so that a receiver that hangs keeps no other tenant's waiting for long.
_CLAIM: Final = text("""
UPDATE review_deliveries SET due_at = now() + :lease, tries = tries + 1
WHERE item_id IN (
  SELECT item_id FROM review_deliveries
  WHERE item_id IN (
      SELECT DISTINCT ON (tenant_id) item_id FROM review_deliveries
      WHERE delivered_at IS NULL AND given_up_at IS NULL AND due_at <= now()
      ORDER BY tenant_id, due_at)
    AND delivered_at IS NULL AND given_up_at IS NULL AND due_at <= now()
  ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING item_id, tenant_id, tries, created_at, now() AS now
""")


@dataclass(frozen=True, slots=True)
class Due:
    """One decision that is to be told of now.

    Args:
        item: the review item, with its texts.
        url: the tenant's webhook; None when it has none any more.
        salt: of that webhook's secret.
        tries: how often it has been tried, this time included.
        age_s: seconds since the decision.
    """

    item: Mapping[str, Any] = field(repr=False)
    url: str | None = field(repr=False)
    salt: bytes | None = field(repr=False)
    tries: int = 1
    age_s: float = 0.0

    @property
    def tenant_id(self) -> str:
        """Give whose it is."""
        return self.item["tenant_id"]


class Outbox:
    """The table `review_deliveries`.

    Args:
        engine: PostgreSQL; its clock is the one that due times go by.
        lease: how long a claim holds.
    """

    def __init__(self, engine: AsyncEngine, lease: timedelta = LEASE) -> None:
        self._engine: Final = engine
        self._lease: Final = lease

    async def claim(self, most: int) -> list[Due]:
        """Take on what is due, one of each tenant's; nobody else does until the lease is over.

        Args:
            most: at most so many.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        async with transaction(self._engine) as connection:
            found = await connection.execute(_CLAIM, {"lease": self._lease, "most": most})
            claimed = {str(row.item_id): row for row in found}
            if not claimed:
                return []
            query = (
                select(review_items, tenants.c.review_webhook_url, tenants.c.review_webhook_salt)
                .join(tenants, tenants.c.tenant_id == review_items.c.tenant_id, isouter=True)
                .where(review_items.c.id.in_(claimed))
            )
            rows = (await connection.execute(query)).mappings().all()
        return [_due(dict(row), claimed[row["id"]]) for row in rows]

    async def delivered(self, due: Due) -> None:
        """Note that it has arrived."""
        await self._end(due, delivered_at=func.now(), last_error=None)

    async def again(self, due: Due, pause_s: float, error: str) -> None:
        """Have it tried again after a pause, seconds."""
        later = func.now() + timedelta(seconds=pause_s)
        await self._end(due, due_at=later, last_error=error)

    async def give_up(self, due: Due, error: str) -> None:
        """Note that it will never arrive."""
        await self._end(due, given_up_at=func.now(), last_error=error)

    async def _end(self, due: Due, **values: Any) -> None:
        """Write down what became of a try, unless another worker has tried since."""
        ours = (
            review_deliveries.c.item_id == due.item["id"],
            review_deliveries.c.tries == due.tries,
        )
        async with transaction(self._engine) as connection:
            await connection.execute(update(review_deliveries).where(*ours).values(**values))


def _due(row: dict[str, Any], claimed: Any) -> Due:
    url, salt = row.pop("review_webhook_url"), row.pop("review_webhook_salt")
    decided_at: datetime = row["decided_at"] or claimed.created_at
    return Due(
        item=row,
        url=url,
        salt=None if salt is None else bytes(salt),
        tries=claimed.tries,
        age_s=(claimed.now - decided_at).total_seconds(),
    )
