"""What the cache has been worth, as the ledger tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.money import ZERO
from plugins.store.database import transaction
from plugins.store.tables import ledger, tenants

_KNOWN: Final = ("hit", "coalesced")


@dataclass(frozen=True, slots=True)
class Worth:
    """One tenant's calls that the cache had a part in.

    Args:
        calls: answered ones that looked for an answer: misses, hits and shared ones.
        hits: answered from the cache.
        coalesced: answered with another call's answer.
        saved_usd: what the last two would have cost.
    """

    calls: int = 0
    hits: int = 0
    coalesced: int = 0
    saved_usd: Decimal = ZERO

    @property
    def hit_share(self) -> float:
        """Give the share of calls that needed no provider, 0 to 1."""
        return (self.hits + self.coalesced) / self.calls if self.calls else 0.0


class CacheReport:
    """Reads the cache's worth out of the ledger.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def tenants(self) -> list[str]:
        """Name all tenants, sorted."""
        async with transaction(self._engine) as connection:
            found = await connection.execute(select(tenants.c.tenant_id).order_by("tenant_id"))
            return [row.tenant_id for row in found]

    async def since(self, first: datetime, tenant_id: str | None) -> Mapping[str, Worth]:
        """Sum the calls begun since a moment.

        Args:
            first: UTC.
            tenant_id: whose; None for all tenants.

        Returns:
            By tenant; one without such calls is left out.
        """
        query = (
            select(
                ledger.c.tenant_id,
                func.count().label("calls"),
                *(func.count().filter(ledger.c.cache == word).label(word) for word in _KNOWN),
                func.sum(ledger.c.saved_usd).filter(ledger.c.cache.in_(_KNOWN)).label("saved"),
            )
            .where(
                ledger.c.started_at >= first,
                ledger.c.outcome == "answered",
                ledger.c.cache.in_(("miss", *_KNOWN)),
            )
            .group_by(ledger.c.tenant_id)
        )
        if tenant_id is not None:
            query = query.where(ledger.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(query)).mappings()
            return {
                row["tenant_id"]: Worth(
                    row["calls"], row["hit"], row["coalesced"], row["saved"] or ZERO
                )
                for row in rows
            }
