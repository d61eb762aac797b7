"""The one panel that asks PostgreSQL, with Grafana's macros filled in as Grafana does."""

from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from otel.dashboards.cost import DAILY_SPEND
from plugins.store.database import create_engine
from selfhosted.engines import EmbeddedPostgres

TABLE = """
CREATE TEMPORARY TABLE ledger_daily (
  tenant_id text, day date, agent text, model text, calls bigint, answered bigint,
  input_tokens bigint, output_tokens bigint, cost_usd numeric(24, 12), saved_usd numeric(24, 12))
"""
ROWS = [
    ("acme", date(2026, 11, 23), "matching", "gpt-4o", "1.5"),
    ("beta", date(2026, 11, 23), "matching", "gpt-4o", "0.000000000001"),
    ("acme", date(2026, 11, 23), "", "mistral", "0.25"),
    ("acme", date(2026, 11, 24), "decision", "claude-3-5-sonnet", "2"),
    ("acme", date(2026, 11, 24), "decision", "", "0"),
    ("acme", date(2026, 10, 1), "matching", "gpt-4o", "99"),
]
pytestmark = pytest.mark.otel


@pytest_asyncio.fixture
async def ledger(new_folder: Callable[[str], Path]) -> AsyncIterator[AsyncConnection]:
    with EmbeddedPostgres(new_folder("ledger-sql")) as server:
        engine = create_engine(server.url)
        async with engine.connect() as connection:
            await connection.execute(text(TABLE))
            for tenant, day, agent, model, cost in ROWS:
                await connection.execute(
                    text("INSERT INTO ledger_daily VALUES (:t, :d, :a, :m, 1, 1, 1, 1, :c, 0)"),
                    {"t": tenant, "d": day, "a": agent, "m": model, "c": Decimal(cost)},
                )
            yield connection
        await engine.dispose()


def _filled(agent: str = ".*", model: str = ".*") -> str:
    span = "day BETWEEN '2026-11-17T11:00:00Z' AND '2026-11-24T11:00:00Z'"
    sql = DAILY_SPEND.replace("$__timeFilter(day)", span)
    return sql.replace("${agent:regex}", agent).replace("${model:regex}", model)


async def _ask(ledger: AsyncConnection, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in (await ledger.execute(text(sql.replace(":", r"\:")))).all()]


async def test_daily_spend_is_the_ledgers_own_sum_to_the_last_place(
    ledger: AsyncConnection,
) -> None:
    first, last = datetime(2026, 11, 23), datetime(2026, 11, 24)  # noqa: DTZ001 - as PostgreSQL says
    assert await _ask(ledger, _filled()) == [
        (first, "gpt-4o", Decimal("1.500000000001")),
        (first, "mistral", Decimal("0.25")),
        (last, "claude-3-5-sonnet", Decimal(2)),
        (last, "none", Decimal(0)),
    ]
    chosen = await _ask(ledger, _filled(agent="(matching|none)"))
    assert [row[1] for row in chosen] == ["gpt-4o", "mistral"]
    assert [row[1] for row in await _ask(ledger, _filled(model="mistral"))] == ["mistral"]
