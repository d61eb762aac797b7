"""Nothing is lost and nothing counted twice, whatever dies under load (SPEC 11.2)."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from plugins.store.database import create_engine
from plugins.store.tables import ledger
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
from tests.gateway.load import Crowd
from tests.gateway.running import Gateway, running

SEED = 20261123


@dataclass
class Breakable:
    """A gateway whose engines the test holds in its own hands."""

    gateway: Gateway
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis

    def proxy_pids(self) -> list[int]:
        """The proxy's process and its workers, as they are now."""
        ready = httpx.Response(200, content=self.ready_file.read_bytes()).json()
        parent = int(ready["pids"]["proxy"])
        children = Path(f"/proc/{parent}/task/{parent}/children")
        return [parent, *map(int, children.read_text().split())] if children.exists() else []

    @property
    def ready_file(self) -> Path:
        return self.gateway.data_dir.parent / "ready.json"


@pytest.fixture(scope="module")
def breakable(new_folder: Callable[[str], Path]) -> Iterator[Breakable]:
    folder = new_folder("breakable")
    with (
        EmbeddedPostgres(folder / "engines") as postgres,
        EmbeddedRedis(folder / "engines") as redis,
        running(folder, DATABASE_URL=postgres.plain_url, REDIS_URL=redis.url) as gateway,
    ):
        yield Breakable(gateway, postgres, redis)


async def _under_load(
    subject: Breakable, breaking: Callable[[Crowd], Awaitable[None]]
) -> tuple[Crowd, dict[str, list[Decimal]]]:
    """Break things under load; gives the crowd and its tenant's ledger rows once all are there."""
    tenant_id = subject.gateway.new_tenant()
    crowd = Crowd(subject.gateway.base_url, subject.gateway.new_key(tenant_id))
    calling = asyncio.create_task(crowd.run())
    try:
        await asyncio.sleep(1.0)
        await breaking(crowd)
        await asyncio.sleep(1.0)
    finally:
        crowd.stopping = True
        await calling
    return crowd, await _settled_rows(subject, tenant_id, set(crowd.answered))


async def _settled_rows(
    subject: Breakable, tenant_id: str, expected: set[str]
) -> dict[str, list[Decimal]]:
    engine = create_engine(subject.postgres.url)
    rows: dict[str, list[Decimal]] = {}
    try:
        for _ in range(300):
            async with engine.connect() as connection:
                found = await connection.execute(
                    select(ledger.c.call_id, ledger.c.cost_usd).where(
                        ledger.c.tenant_id == tenant_id
                    )
                )
                rows = {}
                for row in found:
                    rows.setdefault(row.call_id, []).append(row.cost_usd)
            if expected <= set(rows):
                break
            await asyncio.sleep(0.1)
    finally:
        await engine.dispose()
    return rows


def _assert_exact(crowd: Crowd, rows: dict[str, list[Decimal]]) -> None:
    missing = set(crowd.answered) - set(rows)
    assert not missing, f"{len(missing)} of {len(crowd.answered)} answers have no row"
    assert all(len(costs) == 1 for costs in rows.values()), "a call has two rows"
    wrong = {c: (cost, rows[c]) for c, cost in crowd.answered.items() if rows[c] != [cost]}
    assert not wrong
    assert sum(rows[c][0] for c in crowd.answered) == sum(crowd.answered.values())


async def _until_answering(crowd: Crowd, limit_s: float = 90.0) -> None:
    before = len(crowd.answered)
    async with asyncio.timeout(limit_s):
        while len(crowd.answered) == before:  # noqa: ASYNC110 - the crowd counts, it does not tell
            await asyncio.sleep(0.05)


async def _kill_proxy(subject: Breakable, times: int) -> None:
    rng = random.Random(SEED)  # noqa: S311 - moments of a test

    async def breaking(crowd: Crowd) -> None:
        for _ in range(times):
            await asyncio.sleep(rng.uniform(0.2, 2.0))
            for pid in subject.proxy_pids():
                os.kill(pid, signal.SIGKILL)
            await _until_answering(crowd)

    crowd, rows = await _under_load(subject, breaking)
    print(f"{times} kills: {len(crowd.answered)} whole answers, {crowd.broken} broken off")
    assert crowd.broken
    assert len(crowd.answered) > 10 * times
    _assert_exact(crowd, rows)


async def _stop(
    subject: Breakable, engine: EmbeddedPostgres | EmbeddedRedis, seconds: float
) -> None:
    async def breaking(crowd: Crowd) -> None:
        before = len(crowd.answered)
        await asyncio.to_thread(engine.stop, hard=True)
        try:
            await asyncio.sleep(seconds)
            assert len(crowd.answered) > before + 5 * seconds, "calls did not go on"
        finally:
            # From this thread: an engine ends with the thread that started it.
            engine.start()

    crowd, rows = await _under_load(subject, breaking)
    print(f"{type(engine).__name__} stopped {seconds} s: {len(crowd.answered)} whole answers")
    assert crowd.refused == []
    assert crowd.broken == 0
    _assert_exact(crowd, rows)


async def _freeze(
    subject: Breakable, engine: EmbeddedPostgres | EmbeddedRedis, seconds: float
) -> None:
    """A server that hangs is worse than one that is gone: its connections stay open."""

    async def breaking(crowd: Crowd) -> None:
        before = len(crowd.answered)
        pids = _tree(engine.pid or 0)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
            assert len(crowd.answered) > before + 2 * seconds, "calls did not go on"
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    crowd, rows = await _under_load(subject, breaking)
    print(f"{type(engine).__name__} frozen {seconds} s: {len(crowd.answered)} whole answers")
    assert crowd.refused == []
    _assert_exact(crowd, rows)


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@pytest.mark.spec("11.2")
async def test_every_whole_answer_has_one_row_though_the_proxy_is_killed(
    breakable: Breakable,
) -> None:
    await _kill_proxy(breakable, 3)


@pytest.mark.spec("11.2")
async def test_nothing_is_lost_or_refused_while_redis_is_stopped(breakable: Breakable) -> None:
    await _stop(breakable, breakable.redis, 3)


@pytest.mark.spec("11.2")
async def test_nothing_is_lost_or_refused_while_postgresql_is_stopped(
    breakable: Breakable,
) -> None:
    await _stop(breakable, breakable.postgres, 3)


async def test_nothing_is_lost_or_refused_while_redis_hangs(breakable: Breakable) -> None:
    await _freeze(breakable, breakable.redis, 3)


async def test_nothing_is_lost_or_refused_while_postgresql_hangs(breakable: Breakable) -> None:
    await _freeze(breakable, breakable.postgres, 3)


@pytest.mark.torture
@pytest.mark.timeout(1500)
@pytest.mark.spec("11.2")
async def test_thirty_kills(breakable: Breakable) -> None:
    await _kill_proxy(breakable, 30)


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.spec("11.2")
async def test_ten_seconds_without_each_engine(breakable: Breakable) -> None:
    for engine in (breakable.redis, breakable.postgres):
        await _stop(breakable, engine, 10)
        await _freeze(breakable, engine, 10)
