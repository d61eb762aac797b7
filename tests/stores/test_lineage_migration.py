"""An installation from before the chain: its rows are counted, its sums carried over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.cost.entry import encode
from plugins.cost.store import LedgerStore
from plugins.lineage.verify import verify
from plugins.store import erasing, migrate
from plugins.store.database import create_engine
from selfhosted.engines import EmbeddedPostgres
from tests.making import NOON, SEALS, a_call

_OLD_ROW = """INSERT INTO ledger (call_id, started_at, tenant_id, key_id, endpoint, model_asked,
    outcome, status, stream, cache, input_tokens, output_tokens, cached_input_tokens,
    cache_write_tokens, characters, audio_s, usage_source, cost_usd, saved_usd, practice,
    latency_ms, attempts, subject)
    SELECT gen_random_uuid(), CAST(:at AS timestamptz) + n * interval '7 hours', :tenant, 'k',
    'chat', 'gpt-4o',
    'answered', 200, false, 'miss', n, 1, 0, 0, 0, 0, 'provider', n * 0.000000000001, 0, false, 5,
    '[]', 's' || n FROM generate_series(1, 40) AS n"""


def _to_0002(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")


def _with(url: str, work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        engine = create_engine(url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.fixture
def old(postgres: EmbeddedPostgres) -> str:
    name = f"old_{uuid.uuid4().hex[:8]}"

    async def make(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.execute(text(f"CREATE DATABASE {name}"))

    async def fill(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(_to_0002)
            for tenant in ("acme", "globex"):
                await connection.execute(text(_OLD_ROW), {"at": NOON, "tenant": tenant})

    _with(postgres.url, make)
    head, _, tail = postgres.url.partition("?")
    url = f"{head.rpartition('/')[0]}/{name}?{tail}"
    _with(url, fill)
    return url


def test_rows_of_an_older_installation_are_marked_as_before_the_chain(old: str) -> None:
    migrate.upgrade(old)
    migrate.upgrade(old)

    async def look(engine: AsyncEngine) -> None:
        report = await verify(engine, SEALS)
        assert (report.faults, report.unchained, report.rows) == ([], 80, 0)
        await LedgerStore(engine, SEALS).record([encode(a_call())])
        report = await verify(engine, SEALS)
        assert (report.faults, report.unchained, report.rows) == ([], 80, 1)
        day = NOON.date()
        [total] = await LedgerStore(engine, SEALS).spend("globex", day, day.replace(year=2027), [])
        assert (total["calls"], total["input_tokens"]) == (40, 820)
        assert f"{total['cost_usd']:f}" == "0.000000000820"
        async with engine.begin() as connection:
            await erasing.lock(connection, "acme")
            found = await erasing.of_subject(connection, "acme", "s7")
            order = erasing.Order("acme", SEALS.subject("acme", "s7"), "test", NOON)
            await erasing.erase(connection, SEALS, order, found)
        report = await verify(engine, SEALS)
        assert (report.faults, report.erased) == ([], 1)

    _with(old, look)
