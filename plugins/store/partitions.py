"""Monthly partitions of the ledger, made ahead of time."""

import itertools
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

MONTHS_AHEAD: Final = 3
_LOCK_ID: Final = 0x51_0C_E0_01


def months_around(now: datetime) -> list[tuple[int, int]]:
    """List (year, month) from last month to one past the months ahead.

    Last month is there for calls that began before midnight and are settled after it.
    """
    last = now.year * 12 + now.month - 2
    return [(n // 12, n % 12 + 1) for n in range(last, last + MONTHS_AHEAD + 3)]


async def ensure_partitions(connection: AsyncConnection, now: datetime) -> list[str]:
    """Make the partitions of last month, this month and the months ahead, where missing.

    Rows outside of all partitions go to the default partition, so that none is ever refused. A
    month that has rows there already cannot get a partition of its own; the others still do.

    Returns:
        The partitions that PostgreSQL would not make.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
    refused: list[str] = []
    for (year, month), (next_year, next_month) in itertools.pairwise(months_around(now)):
        # Integers from our own arithmetic: DDL takes no bound parameters.
        statement = text(
            f"CREATE TABLE IF NOT EXISTS ledger_{year:04d}_{month:02d} PARTITION OF ledger "
            f"FOR VALUES FROM ('{year:04d}-{month:02d}-01Z')"
            f" TO ('{next_year:04d}-{next_month:02d}-01Z')"
        )
        try:
            async with connection.begin_nested():
                await connection.execute(statement)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            refused.append(f"ledger_{year:04d}_{month:02d}")
    return refused
