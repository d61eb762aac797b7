"""Monthly partitions of the ledger, made ahead of time."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MONTHS_AHEAD: Final = 3
_LOCK_ID: Final = 0x51_0C_E0_01


def months_from(start: datetime, count: int) -> list[tuple[int, int]]:
    """List `count` months as (year, month), the month of `start` first."""
    first = start.year * 12 + start.month - 1
    return [((first + n) // 12, (first + n) % 12 + 1) for n in range(count)]


async def ensure_partitions(connection: AsyncConnection, now: datetime) -> None:
    """Make the partitions of last month, this month and the months ahead, where missing.

    Last month's is there for calls that began before midnight and are settled after it. Rows
    outside of all partitions go to the default partition, so that none is ever refused.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
    last_month = datetime(*months_from(now, 1)[0], 1, tzinfo=now.tzinfo)
    year, month = months_from(last_month, 1)[0]
    before = (year - 1, 12) if month == 1 else (year, month - 1)
    start = datetime(*before, 1, tzinfo=now.tzinfo)
    months = months_from(start, MONTHS_AHEAD + 3)
    for (y, m), (next_y, next_m) in zip(months, months[1:], strict=False):
        # Integers from our own arithmetic: DDL takes no bound parameters.
        await connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS ledger_{y:04d}_{m:02d} PARTITION OF ledger "
                f"FOR VALUES FROM ('{y:04d}-{m:02d}-01Z') TO ('{next_y:04d}-{next_m:02d}-01Z')"
            )
        )
