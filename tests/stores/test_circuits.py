"""Circuits agreed on through a real Redis by two workers."""

import asyncio

import pytest
from redis.asyncio import Redis

from plugins.alerts.sink import AlertSink
from plugins.breaker.changes import telling
from plugins.breaker.rules import BreakerPolicy, Circuit, Permit, State
from plugins.breaker.signals import alerted
from plugins.breaker.store import CHANGES, Circuits
from plugins.core.clock import SystemClock
from plugins.store.redis import RedisAway, RedisLink
from selfhosted.engines import EmbeddedRedis

POLICY = BreakerPolicy(cool_off_s=0.05, jitter=0.0)


@pytest.fixture
def heard() -> AlertSink:
    return AlertSink()


def _worker(link: RedisLink, heard: AlertSink) -> Circuits:
    return Circuits(
        link,
        SystemClock(),
        POLICY,
        lambda: 0.0,
        telling([alerted(heard)]),
    )


@pytest.mark.spec("8.3")
async def test_failures_of_two_workers_count_together_and_one_alert_is_raised(
    link: RedisLink, heard: AlertSink
) -> None:
    a, b = _worker(link, heard), _worker(link, heard)
    await a.failed("openai")
    await b.failed("openai")
    assert heard.alerts == []
    await a.failed("openai")
    await asyncio.gather(a.refresh(), b.refresh())
    assert {a.permit("openai"), b.permit("openai")} == {Permit.REFUSE}
    assert [alert.summary for alert in heard.alerts] == ["OpenAI circuit breaker opened"]


async def test_concurrent_failures_are_all_counted(link: RedisLink, heard: AlertSink) -> None:
    workers = [_worker(link, heard) for _ in range(3)]
    await asyncio.gather(*(worker.failed("openai") for worker in workers))
    await workers[0].refresh()
    assert workers[0].get("openai").state is State.OPEN
    assert len(heard.alerts) == 1


@pytest.mark.spec("8.3")
async def test_of_two_workers_one_gets_the_probe_and_its_success_closes_for_both(
    link: RedisLink, heard: AlertSink
) -> None:
    a, b = _worker(link, heard), _worker(link, heard)
    for _ in range(3):
        await a.failed("openai")
    await b.refresh()
    await asyncio.sleep(POLICY.cool_off_s)
    assert sorted(await asyncio.gather(a.take_probe("openai"), b.take_probe("openai"))) == [
        False,
        True,
    ]
    await asyncio.gather(a.refresh(), b.refresh())
    await a.succeeded("openai")
    await b.refresh()
    assert b.get("openai") == Circuit()
    assert [alert.resolved for alert in heard.alerts] == [False, True]


async def test_a_change_reaches_a_listening_worker_at_once(
    link: RedisLink, heard: AlertSink, redis: Redis
) -> None:
    a, b = _worker(link, heard), _worker(link, heard)
    listening = asyncio.create_task(b.run())
    try:
        while not (await redis.pubsub_numsub(CHANGES))[0][1]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await a.pin("openai", State.OPEN)
        async with asyncio.timeout(0.9):
            while b.permit("openai") is not Permit.REFUSE:  # noqa: ASYNC110 - what is measured
                await asyncio.sleep(0.005)
    finally:
        listening.cancel()
    assert heard.alerts[-1].summary == "OpenAI circuit breaker opened by hand"


async def test_while_redis_is_away_each_worker_goes_on_with_its_own_copy(
    link: RedisLink, heard: AlertSink, redis_server: EmbeddedRedis
) -> None:
    worker = _worker(link, heard)
    redis_server.stop(hard=True)
    try:
        for _ in range(3):
            await worker.failed("openai")
        assert worker.permit("openai") is Permit.REFUSE
        with pytest.raises(RedisAway):
            await worker.pin("openai", None)
    finally:
        redis_server.start()


async def test_a_healthy_provider_costs_no_round_trip(
    link: RedisLink, heard: AlertSink, redis: Redis
) -> None:
    worker = _worker(link, heard)
    before = (await redis.info("stats"))["total_commands_processed"]
    for _ in range(100):
        assert worker.permit("openai") is Permit.ALLOW
        await worker.succeeded("openai")
    assert (await redis.info("stats"))["total_commands_processed"] - before <= 1
