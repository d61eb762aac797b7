"""The link to Redis: quick to give up on one that is away, patient with one that is busy."""

import asyncio

import pytest
from redis.asyncio import Redis

from plugins.core.clock import SystemClock
from plugins.store.redis import MAX_CONNECTIONS, RedisAway, RedisLink
from selfhosted.engines import EmbeddedRedis


async def test_a_burst_beyond_the_connections_waits_and_is_no_outage(
    link: RedisLink, redis: Redis
) -> None:
    burst = 10 * MAX_CONNECTIONS
    await asyncio.gather(*(link.run(lambda redis: redis.incr("n")) for _ in range(burst)))
    assert int(await redis.get("n")) == burst
    assert not link.is_quiet


async def test_with_all_connections_busy_for_long_a_command_is_refused_and_the_next_runs(
    link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.store.redis.TIMEOUT_S", 0.05)
    ended = asyncio.Event()

    async def busy(_: Redis) -> bool:
        return await ended.wait()

    working = [asyncio.create_task(link.run(busy)) for _ in range(MAX_CONNECTIONS)]
    await asyncio.sleep(0)
    with pytest.raises(RedisAway, match="are waiting"):
        await link.run(lambda redis: redis.ping())
    assert not link.is_quiet
    ended.set()
    await asyncio.gather(*working)
    assert await link.run(lambda redis: redis.ping())


async def test_going_and_coming_back_are_said_once_without_the_address(
    link: RedisLink, redis_server: EmbeddedRedis, caplog: pytest.LogCaptureFixture
) -> None:
    async def ping() -> bool:
        try:
            return bool(await link.run(lambda redis: redis.ping()))
        except RedisAway:
            return False

    assert await ping()
    redis_server.stop(hard=True)
    try:
        until_s = SystemClock().monotonic_s() + 1.2
        while SystemClock().monotonic_s() < until_s:
            assert not any(await asyncio.gather(*(ping() for _ in range(5))))
            await asyncio.sleep(0.05)
    finally:
        redis_server.start()
    while not await ping():  # noqa: ASYNC110 - what is measured
        await asyncio.sleep(0.05)
    assert await ping()
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("Redis is away: ")
    assert caplog.messages[1] == "Redis answers again"
    assert "redis.sock" not in caplog.text
    assert "unix:" not in caplog.text
