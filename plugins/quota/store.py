"""What tenants with a quota have spent this month, and which alerts of it have been raised."""

from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.money import ZERO
from plugins.quota.rules import Level, Use
from plugins.store.database import transaction
from plugins.store.tables import ledger_daily, quota_notices, tenants

MOST: Final = 1_000
"""Tenants with a quota that are looked at; those with the smallest identifiers."""


class QuotaStore:
    """Reads sums and claims alerts.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def uses(self, month: date) -> list[Use]:
        """Give each tenant that has a quota, with what it has spent.

        Args:
            month: first day of a calendar month, UTC.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        spent = func.coalesce(_spent(tenants.c.tenant_id, month), ZERO).label("spent_usd")
        query = (
            select(tenants.c.tenant_id, tenants.c.monthly_quota_usd, spent)
            .where(tenants.c.monthly_quota_usd.is_not(None))
            .order_by(tenants.c.tenant_id)
            .limit(MOST)
        )
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [Use(r.tenant_id, month, r.spent_usd, r.monthly_quota_usd) for r in rows]

    async def claim(self, use: Use, level: Level) -> bool:
        """Take it on to raise an alert; False when it was raised already, by whichever worker.

        A claim of `exceeded` takes the warning along: it would come too late.
        """
        levels = [Level.WARNING] if level is Level.WARNING else [Level.EXCEEDED, Level.WARNING]
        row = {"tenant_id": use.tenant_id, "month": use.month, "quota_usd": use.quota_usd}
        statement = (
            insert(quota_notices)
            .values([row | {"level": each.value} for each in levels])
            .on_conflict_do_nothing()
            .returning(quota_notices.c.level)
        )
        async with transaction(self._engine) as connection:
            claimed = (await connection.execute(statement)).scalars().all()
        return level.value in claimed


def _spent(tenant_id: "ColumnElement[str]", month: date) -> "ScalarSelect[object]":
    """Sum a tenant's month: the one place that knows where from."""
    return (
        select(func.sum(ledger_daily.c.cost_usd))
        .where(
            ledger_daily.c.tenant_id == tenant_id,
            ledger_daily.c.day >= month,
            ledger_daily.c.day < _next(month),
        )
        .scalar_subquery()
    )


def _next(month: date) -> date:
    years, months = divmod(month.month, 12)
    return date(month.year + years, months + 1, 1)
