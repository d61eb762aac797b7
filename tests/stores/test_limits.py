"""The counters in a real Redis against a list of takes, by two workers, through outages."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from plugins.core.clock import SystemClock
from plugins.core.limit import RateLimit
from plugins.limits.rules import (
    KEY,
    PROVIDER,
    SLOTS,
    STEPS,
    TENANT,
    Correction,
    Counter,
    Limited,
    Reservation,
)
from plugins.limits.scripts import Scripts
from plugins.limits.store import EPOCH, Limiter, key_of
from plugins.store.redis import RedisAway, RedisLink
from selfhosted.engines import EmbeddedRedis
from tests.making import PATIENT_S
from tests.stores.hammering import hammered

NOW = "test:now"
TEST_CLOCK = f"local now = tonumber(redis.call('GET', '{NOW}'))\n"
SLOT_US = 300_000
START_US = 6_000_000 * SLOT_US
OPENAI, ANTHROPIC = Counter(PROVIDER, "openai"), Counter(PROVIDER, "anthropic")
LIMITS = {
    Counter(KEY, "k1"): RateLimit(4, 900),
    Counter(KEY, "k2"): RateLimit(None, 500),
    Counter(KEY, "k3"): RateLimit(9, None),
    Counter(TENANT, "a"): RateLimit(6, 1200),
    Counter(TENANT, "b"): RateLimit(50, 2000),
    OPENAI: RateLimit(5, 1000),
    ANTHROPIC: RateLimit(8, None),
}
OWNERS = {"k1": "a", "k2": "a", "k3": "b"}


def _patient(url: str) -> RedisLink:
    return RedisLink(url, SystemClock(), timeout_s=PATIENT_S)


class FakeClock(SystemClock):
    """The time of a worker and, through a key, of Redis."""

    def __init__(self) -> None:
        self.now_us = START_US

    def monotonic_s(self) -> float:
        return self.now_us / 1e6


class Take:
    """One call as the reference keeps it, for ever."""

    def __init__(self, at_us: int, tokens: int, made: Reservation) -> None:
        self.at_us, self.made = at_us, made
        self.requests = {hold.counter: 1 for hold in made.holds}
        self.tokens = {hold.counter: tokens for hold in made.holds}


class CountersMachine(RuleBasedStateMachine):
    """Any order of calls, settlements, refunds, hops and time, by two workers or one alone."""

    redis_url = ""
    shared = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.takes: list[Take] = []
        self.blocking = BlockingRedis.from_url(self.redis_url)
        self.blocking.flushall()
        self.links = [_patient(self.redis_url) for _ in range(2)]
        self.workers = [
            Limiter(link, self.clock, scripts=Scripts(TEST_CLOCK)) for link in self.links
        ]
        self.tell_time()
        if self.shared:
            for worker in self.workers:
                self.runner.run(worker.refresh())

    def teardown(self) -> None:
        for link in self.links:
            if self.shared:
                self.runner.run(link.run(lambda client: client.aclose()))
        self.blocking.close()
        self.runner.close()

    def tell_time(self) -> None:
        self.blocking.set(NOW, self.clock.now_us)

    def worker(self, number: int) -> Limiter:
        return self.workers[number if self.shared else 0]

    def counted(self, counter: Counter) -> tuple[int, int]:
        first = self.clock.now_us // SLOT_US - SLOTS
        found = [t for t in self.takes if t.at_us // SLOT_US > first and counter in t.requests]
        return sum(t.requests[counter] for t in found), sum(t.tokens[counter] for t in found)

    def has_room(self, counter: Counter, tokens: int) -> bool:
        requests, used = self.counted(counter)
        limit = LIMITS[counter]
        return requests < (limit.requests_per_minute or 10**9) and used + tokens <= (
            limit.tokens_per_minute or 10**9
        )

    @rule(
        slots=st.sampled_from([0, 0, 1, 1, 2, 7, 50, 67, 99, 100, 101, SLOTS - 2, SLOTS - 1])
        | st.sampled_from([SLOTS, SLOTS + 1, 2 * SLOTS]),
        more_us=st.sampled_from([0, 1, SLOT_US // 2, SLOT_US - 1]),
    )
    def time_passes(self, slots: int, more_us: int) -> None:
        self.clock.now_us += slots * SLOT_US + more_us
        self.tell_time()

    @rule(
        number=st.integers(0, 1),
        key=st.sampled_from(sorted(OWNERS)),
        providers=st.lists(st.sampled_from([OPENAI, ANTHROPIC]), unique=True),
        tokens=st.integers(0, 500),
    )
    def a_call(self, number: int, key: str, providers: list[Counter], tokens: int) -> None:
        callers = [Counter(KEY, key), Counter(TENANT, OWNERS[key])]
        admitted = all(self.has_room(counter, tokens) for counter in callers)
        open_to = [p for p in providers if self.has_room(p, tokens)][:1] if admitted else []
        made = self.runner.run(
            self.worker(number).reserve(
                [Limited(c, LIMITS[c]) for c in callers],
                [Limited(c, LIMITS[c]) for c in providers],
                tokens,
            )
        )
        assert made.admitted == admitted
        assert [standing.limited.counter for standing in made.callers] == callers
        assert {h.counter for h in made.holds} == ({*callers, *open_to} if admitted else set())
        self.takes.append(Take(self.clock.now_us, tokens, made))
        for standing in made.callers:
            counter = standing.limited.counter
            requests, used = self.counted(counter)
            limit = LIMITS[counter]
            if limit.requests_per_minute:
                assert standing.requests_left == max(limit.requests_per_minute - requests, 0)
            if limit.tokens_per_minute:
                assert standing.tokens_left == max(limit.tokens_per_minute - used, 0)
            assert (standing.wait_s > 0) == (not admitted and not self.has_room(counter, tokens))

    @rule(
        number=st.integers(0, 1),
        which=st.integers(0),
        tokens=st.integers(0, 800),
        refund=st.booleans(),
    )
    def a_call_settles(self, number: int, which: int, tokens: int, refund: bool) -> None:
        if not self.takes:
            return
        take = self.takes.pop(which % len(self.takes))
        corrections = []
        for hold in take.made.holds:
            requests, used = (0, 0) if refund else (take.requests[hold.counter], tokens)
            corrections.append(
                Correction(
                    hold, requests - take.requests[hold.counter], used - take.tokens[hold.counter]
                )
            )
            take.requests[hold.counter], take.tokens[hold.counter] = requests, used
        self.runner.run(self.worker(number).correct(corrections))
        self.takes.append(take)

    @rule(which=st.integers(0), tokens=st.integers(0, 500))
    def a_failed_call_hops(self, which: int, tokens: int) -> None:
        failed = [t for t in self.takes if t.tokens.get(OPENAI)]
        if not failed:
            return
        take = failed[which % len(failed)]
        hold = next(h for h in take.made.holds if h.counter == OPENAI)
        back = Correction(hold, 0, -take.tokens[OPENAI])
        take.tokens[OPENAI] = 0
        room = self.has_room(ANTHROPIC, tokens)
        made = self.runner.run(
            self.worker(0).reserve(
                (), [Limited(ANTHROPIC, LIMITS[ANTHROPIC])], tokens, give_back=[back]
            )
        )
        assert bool(made.holds) == room
        self.takes.append(Take(self.clock.now_us, tokens, made))

    @invariant()
    def all_counters_hold_what_the_list_holds(self) -> None:
        counters = list(LIMITS)
        shown = self.runner.run(self.worker(1).used(counters))
        assert [tuple(s[:2]) for s in shown] == [self.counted(c) for c in counters]

    @invariant()
    def no_true_minute_holds_more_requests_than_a_limit(self) -> None:
        for counter, limit in LIMITS.items():
            since = self.clock.now_us - STEPS * SLOT_US
            requests = sum(t.requests.get(counter, 0) for t in self.takes if t.at_us > since)
            assert requests <= (limit.requests_per_minute or 10**9)


@pytest.mark.spec("8.2")
@pytest.mark.parametrize("shared", [True, False], ids=["redis", "one worker alone"])
def test_the_counters_agree_with_a_list_of_takes_whatever_happens(
    redis_server: EmbeddedRedis, shared: bool
) -> None:
    class Machine(CountersMachine):
        pass

    Machine.redis_url, Machine.shared = redis_server.url, shared
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=120, stateful_step_count=40, deadline=None)
    )


class World:
    """Two workers on one Redis, by the real clock."""

    def __init__(self, links: list[RedisLink]) -> None:
        self.workers = [Limiter(link, SystemClock()) for link in links]

    async def refreshed(self) -> "World":
        for _ in range(2):  # the second time each knows of the other
            for worker in self.workers:
                while True:
                    try:
                        await worker.refresh()
                        break
                    except RedisAway:
                        await asyncio.sleep(0.05)
        return self


@pytest_asyncio.fixture
async def world(redis: Redis, redis_server: EmbeddedRedis) -> AsyncIterator[World]:
    links = [_patient(redis_server.url) for _ in range(2)]
    yield await World(links).refreshed()
    for link in links:
        while link.is_quiet:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        await link.run(lambda client: client.aclose())


def _tenant(name: str, requests: int | None = None, tokens: int | None = None) -> list[Limited]:
    return [Limited(Counter(TENANT, name), RateLimit(requests, tokens))]


async def _admitted(worker: Limiter, limited: list[Limited], calls: int, tokens: int = 10) -> int:
    made = await asyncio.gather(*(worker.reserve(limited, (), tokens) for _ in range(calls)))
    return sum(one.admitted for one in made)


@pytest.mark.spec("8.2")
async def test_two_workers_together_never_admit_more_than_the_limit(world: World) -> None:
    limited = _tenant("acme", 101)
    a, b = await asyncio.gather(*(_admitted(w, limited, 300) for w in world.workers))
    assert a + b == 101
    assert min(a, b) > 0


@pytest.mark.spec("8.2")
async def test_tokens_are_pooled_likewise(world: World) -> None:
    limited = _tenant("acme", None, 1005)
    a, b = await asyncio.gather(*(_admitted(w, limited, 100) for w in world.workers))
    assert a + b == 100


async def test_concurrent_calls_share_a_round_trip(world: World, redis: Redis) -> None:
    worker, limited = world.workers[0], _tenant("acme", 1000)
    await _admitted(worker, limited, 1)
    packets = (await redis.info("stats"))["total_reads_processed"]
    await _admitted(worker, limited, 100)
    assert (await redis.info("stats"))["total_reads_processed"] - packets <= 5


async def test_workers_learn_of_one_another(world: World) -> None:
    assert [worker.workers for worker in world.workers] == [2, 2]


async def test_all_names_share_one_hash_slot_and_expire(world: World, redis: Redis) -> None:
    await _admitted(world.workers[0], _tenant("acme", 1000), 3)
    names = [name.decode() for name in await redis.keys("sluice:*")]
    assert len(names) == 3
    assert all("{limits}" in name for name in names)
    assert 0 < await redis.pttl(key_of(Counter(TENANT, "acme"))) <= 61_300
    assert await redis.strlen(key_of(Counter(TENANT, "acme"))) <= 32 + 16 * SLOTS


@pytest.mark.spec("8.2")
async def test_while_redis_is_away_each_worker_goes_on_with_its_share_and_is_back_afterwards(
    world: World, redis_server: EmbeddedRedis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "sluice.limits")
    limited = _tenant("acme", 40)
    first, second = world.workers
    assert await _admitted(first, limited, 6) == 6
    redis_server.stop(hard=True)
    try:
        assert await _admitted(first, limited, 100) == 14, "half of 40, less the 6 it had"
        assert await _admitted(second, limited, 100) == 20
        assert not first.shared
        assert first.degraded == 100
    finally:
        redis_server.start()
    await world.refreshed()
    assert first.shared
    assert second.shared
    assert await _admitted(second, limited, 10) == 0, "what was let through meanwhile is counted"
    assert [r.message for r in caplog.records if "alone" in r.message] == [
        "rate limits are kept by each worker alone, at 1/2 of each, until Redis answers"
    ] * 2
    assert caplog.messages[-1] == "rate limits are counted for all workers together again"


@pytest.mark.spec("8.2")
async def test_an_emptied_redis_is_told_what_the_workers_let_through(
    world: World, redis: Redis
) -> None:
    limited = _tenant("acme", 20)
    first, second = world.workers
    assert await _admitted(first, limited, 7) == 7
    assert await _admitted(second, limited, 5) == 5
    await redis.flushall()
    assert await _admitted(first, limited, 1) == 1
    assert not first.shared
    await world.refreshed()
    shown = await first.used([limited[0].counter])
    assert shown[0][:2] == (13, 130)
    assert await _admitted(second, limited, 100) == 7


async def test_a_worker_that_never_saw_redis_starts_with_the_share_it_was_told() -> None:
    link = RedisLink("unix:///nowhere/redis.sock", SystemClock())
    worker = Limiter(link, SystemClock(), workers=4)
    assert await _admitted(worker, _tenant("acme", 40), 100) == 10
    with pytest.raises(RedisAway):
        await worker.refresh()


async def test_alone_a_call_larger_than_the_share_is_let_through_when_nothing_else_counts() -> None:
    link = RedisLink("unix:///nowhere/redis.sock", SystemClock())
    worker = Limiter(link, SystemClock(), workers=4)
    limited = _tenant("acme", None, 1000)
    assert await _admitted(worker, limited, 5, tokens=600) == 1


async def test_a_settlement_of_before_an_emptied_redis_takes_nothing_from_others(
    world: World, redis: Redis
) -> None:
    limited = _tenant("acme", 20, 10_000)
    made = await world.workers[0].reserve(limited, (), 500)
    await redis.delete(key_of(limited[0].counter))
    await world.workers[0].correct([Correction(h, -1, -500) for h in made.holds])
    assert (await world.workers[1].used([limited[0].counter]))[0][:2] == (0, 0)


async def test_run_comes_back_by_itself(world: World, redis: Redis) -> None:
    worker = world.workers[0]
    running = asyncio.create_task(worker.run())
    try:
        await redis.flushall()
        await _admitted(worker, _tenant("acme", 5), 1)
        async with asyncio.timeout(2):
            while not worker.shared:  # noqa: ASYNC110 - what is measured
                await asyncio.sleep(0.01)
        assert await redis.exists(EPOCH)
        assert (await worker.used([Counter(TENANT, "acme")]))[0][:2] == (1, 10)
    finally:
        running.cancel()


@pytest.mark.spec("8.2")
async def test_two_processes_at_full_speed_get_the_limit_and_nothing_above_it(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    found = await hammered(redis_server.url, window_s=2.0, limit=400, for_s=9.0)
    assert found.most == 400
    assert found.share >= 0.99, found


@pytest.mark.spec("8.2")
@pytest.mark.torture
async def test_openais_limit_for_minutes_by_two_processes_at_full_speed(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    found = await hammered(redis_server.url, window_s=60.0, limit=10_000, for_s=190.0)
    print(found)
    assert found.most == 10_000
    assert found.share >= 0.99, found
