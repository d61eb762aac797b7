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
    async with made.begin() as connection:
        await connection.execute(
            text("TRUNCATE ledger, ledger_rejects, keys, tenants, review_items")
        )
    yield made
    await made.dispose()


@pytest_asyncio.fixture
async def redis(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def link(redis: Redis, redis_server: EmbeddedRedis) -> AsyncIterator[RedisLink]:
    made = RedisLink(redis_server.url, SystemClock())
    yield made
    while made.is_quiet:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    await made.run(lambda client: client.aclose())


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"
