"""Real PostgreSQL and Redis, started once; each test gets tenants and streams of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import SystemClock
from plugins.store import migrate
from plugins.store.database import create_engine
from plugins.store.redis import RedisLink
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
from tests.making import PATIENT_S

EMPTIED = (
    *("ledger", "ledger_rejects", "ledger_daily", "keys", "tenants"),
    *("lineage_heads", "lineage_texts", "tenant_keys", "key_destructions", "erasures"),
    *("ai_feedback", "ai_conversions", "review_items", "review_deliveries", "quota_notices"),
)


@pytest.fixture(scope="session")
def postgres(new_folder: Callable[[str], Path]) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(new_folder("postgres")) as server:
        migrate.upgrade(server.url)
        yield server


@pytest.fixture(scope="session")
def redis_server(new_folder: Callable[[str], Path]) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(new_folder("redis")) as server:
        yield server


@pytest_asyncio.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    made = create_engine(postgres.url)
    await empty(made)
    yield made
    await made.dispose()


async def empty(engine: AsyncEngine) -> None:
    """Empty all tables that tests write to, also those that only grow for everybody else."""
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(f"TRUNCATE {', '.join(EMPTIED)}"))


@pytest_asyncio.fixture
async def redis(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def link(redis: Redis, redis_server: EmbeddedRedis) -> AsyncIterator[RedisLink]:
    made = RedisLink(redis_server.url, SystemClock(), timeout_s=PATIENT_S)
    yield made
    while made.is_quiet:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    await made.run(lambda client: client.aclose())


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"
