"""Who delivers an alert, agreed on through a real Redis by two workers."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from plugins.alerts.claims import FIRES_AT_MOST, FIRING, MOST_FIRING, Claims
from plugins.core.alerts import Alert
from plugins.store.redis import RedisLink
from selfhosted.engines import EmbeddedRedis
from tests.remembering import SetClock

OPENED = Alert("circuit_breaker_opened", "openai", "OpenAI circuit breaker opened", "critical")
CLOSED = replace(OPENED, summary="OpenAI circuit breaker closed", resolved=True)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def two(link: RedisLink, clock: SetClock) -> tuple[Claims, Claims]:
    return Claims(link, clock, 300), Claims(link, clock, 300)


async def _both(two: tuple[Claims, Claims], alert: Alert, clock: SetClock) -> int:
    claims = await asyncio.gather(*(worker.claim(alert, clock.now()) for worker in two))
    return sum(claim is not None for claim in claims)


@pytest.mark.spec("8.3")
async def test_one_of_two_workers_delivers_each_state_of_each_episode(
    two: tuple[Claims, Claims], clock: SetClock
) -> None:
    told = [OPENED, OPENED, CLOSED, CLOSED, OPENED, replace(OPENED, subject="vllm")]
    assert [await _both(two, alert, clock) for alert in told] == [1, 0, 1, 0, 1, 1]


async def test_after_the_window_the_same_state_is_told_again(
    link: RedisLink, clock: SetClock
) -> None:
    claims = Claims(link, clock, 0.05)
    assert await claims.claim(OPENED, clock.now())
    assert await claims.claim(OPENED, clock.now()) is None
    await asyncio.sleep(0.06)  # Redis' own clock
    assert await claims.claim(OPENED, clock.now())


async def test_an_end_tells_since_when_it_fired_whoever_had_begun_it(
    two: tuple[Claims, Claims], clock: SetClock
) -> None:
    began = clock.now()
    await two[0].claim(OPENED, began)
    clock.passed_s = 420
    over = await two[1].claim(CLOSED, clock.now())
    assert over is not None
    assert (over.since, over.at - over.since) == (began, timedelta(seconds=420))


async def test_what_fires_is_told_again_by_one_worker_a_round_until_it_ends(
    two: tuple[Claims, Claims], clock: SetClock
) -> None:
    a, b = two
    await a.claim(OPENED, clock.now())
    await a.claim(Alert("once", "x", "it happened", "high", momentary=True), clock.now())
    rounds = [await a.firing("am", 0.1), await b.firing("am", 0.1)]
    assert [[(n.alert.name, n.repeated) for n in told] for told in rounds] == [
        [("circuit_breaker_opened", True)],
        [],
    ]
    await asyncio.sleep(0.1)  # Redis' own clock
    assert len(await b.firing("am", 0.1)) == 1
    await b.claim(CLOSED, clock.now())
    await asyncio.sleep(0.1)
    assert await a.firing("am", 0.1) == []


async def test_each_sender_has_rounds_of_its_own(
    two: tuple[Claims, Claims], clock: SetClock
) -> None:
    await two[0].claim(OPENED, clock.now())
    told = [await two[0].firing(name, 60) for name in ("one", "other", "one")]
    assert [len(notices) for notices in told] == [1, 1, 0]


async def test_an_alert_whose_end_nobody_tells_is_forgotten_after_a_week(
    two: tuple[Claims, Claims], clock: SetClock, redis: Redis
) -> None:
    await two[0].claim(OPENED, clock.now())
    clock.passed_s = FIRES_AT_MOST.total_seconds() + 1
    assert await two[1].firing("am", 60) == []
    assert await redis.hlen(FIRING) == 0


async def test_what_fires_is_bounded(link: RedisLink, clock: SetClock, redis: Redis) -> None:
    claims = Claims(link, clock, 300)
    for number in range(MOST_FIRING + 20):
        assert await claims.claim(replace(OPENED, subject=str(number)), clock.now())
    assert await redis.hlen(FIRING) == MOST_FIRING


async def test_an_entry_that_cannot_be_read_disturbs_no_other(
    two: tuple[Claims, Claims], clock: SetClock, redis: Redis
) -> None:
    await two[0].claim(OPENED, clock.now())
    await redis.hset(FIRING, "another-release", b'{"colour": "red"}')
    assert len(await two[1].firing("am", 60)) == 1


async def test_while_redis_is_away_each_worker_tells_once_and_the_others_hear_of_it_afterwards(
    two: tuple[Claims, Claims], clock: SetClock, redis_server: EmbeddedRedis, link: RedisLink
) -> None:
    a, b = two
    redis_server.stop(hard=True)
    try:
        assert await _both(two, OPENED, clock) == 2
        assert await _both(two, OPENED, clock) == 0
        assert len(await a.firing("am", 60)) == 1
        assert await _both(two, CLOSED, clock) == 2
        assert await a.firing("am", 60) == []
        assert await a.claim(OPENED, clock.now())
        clock.passed_s += 301
        assert await a.claim(OPENED, clock.now())
    finally:
        redis_server.start()
    await _answering(link)
    assert len(await a.firing("am", 0.05)) == 1  # what a owes is told now
    await asyncio.sleep(0.05)
    assert len(await b.firing("am", 0.05)) == 1
    assert await b.claim(CLOSED, clock.now())


async def _answering(link: RedisLink) -> None:
    while link.is_quiet:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
