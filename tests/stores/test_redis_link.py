"""The link to Redis: quick to give up on one that is away, patient with one that is busy."""

import asyncio

import pytest
from redis.asyncio import Redis

from plugins.core.clock import SystemClock
from plugins.store.redis import MAX_CONNECTIONS, RedisAway, RedisLink, Script
from selfhosted.engines import EmbeddedRedis


async def test_a_burst_beyond_the_connections_waits_and_is_no_outage(
    link: RedisLink, redis: Redis
) -> None:
    burst = 10 * MAX_CONNECTIONS
    await asyncio.gather(*(link.run(lambda redis: redis.incr("n")) for _ in range(burst)))
    assert int(await redis.get("n")) == burst
    assert not link.is_quiet


async def test_with_all_connections_busy_for_long_a_command_is_refused_and_the_next_runs(
    redis_server: EmbeddedRedis, redis: Redis
) -> None:
    link = RedisLink(redis_server.url, SystemClock(), timeout_s=0.5)
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
    await link.run(lambda redis: redis.aclose())


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


async def _reads(redis: Redis) -> int:
    return int((await redis.info("stats"))["total_reads_processed"])


async def test_what_is_sent_at_one_moment_travels_together(link: RedisLink, redis: Redis) -> None:
    await link.send("PING")
    before = await _reads(redis)
    answers = await asyncio.gather(*(link.send("INCR", "n") for _ in range(50)))
    assert sorted(answers) == list(range(1, 51))
    assert await _reads(redis) - before <= 3  # a batch, and these two looks


async def test_one_refused_command_fails_alone(link: RedisLink, redis: Redis) -> None:
    await redis.set("text", "x")
    good, bad = await asyncio.gather(
        link.send("GET", "text"), link.send("INCR", "text"), return_exceptions=True
    )
    assert good == b"x"
    assert isinstance(bad, RedisAway)
    assert not link.is_quiet


async def test_a_script_runs_by_its_hash_and_is_made_known_when_it_is_not(
    link: RedisLink, redis: Redis
) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    await redis.script_flush()
    for _ in range(2):
        assert await link.call(script, ["a"], [7]) == [b"a", b"7"]
    assert await redis.script_exists(script.sha) == [True]


async def test_a_script_that_is_started_travels_with_what_is_sent_at_that_moment(
    link: RedisLink, redis: Redis
) -> None:
    script = Script("return redis.call('INCR', KEYS[1])")
    await link.call(script, ["n"], [])
    before = await _reads(redis)
    started = link.start(script, ["n"], [])  # what is awaited first is not sent first
    assert await link.send("INCR", "n") == 3
    assert await started == 2
    assert await _reads(redis) - before == 2  # one batch, and this look


async def test_all_that_is_sent_while_redis_is_away_is_refused_in_time(
    link: RedisLink, redis_server: EmbeddedRedis
) -> None:
    redis_server.stop(hard=True)
    try:
        answers = await asyncio.gather(
            *(link.send("INCR", "n") for _ in range(600)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {RedisAway}
    finally:
        redis_server.start()


async def test_a_caller_that_leaves_takes_nobody_with_it(link: RedisLink) -> None:
    leaving = asyncio.create_task(link.send("INCR", "n"))
    staying = asyncio.create_task(link.send("INCR", "n"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 2
