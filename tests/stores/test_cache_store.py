"""The cache on a real Redis: leases, shares, bounds of memory, and entries that were touched."""

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from plugins.cache.copies import Copies
from plugins.cache.entry import Entry, pack
from plugins.cache.rules import CachePolicy, Sealer, Wish
from plugins.cache.sharing import Sharing
from plugins.cache.store import TENANTS, CacheStore, Held, Slot
from plugins.core.clock import SystemClock
from plugins.store.redis import RedisAway, RedisLink
from selfhosted.engines import EmbeddedRedis
from tests.making import PATIENT_S

SEALER = Sealer("s" * 32)
TAG = SEALER.tag("acme")
OTHER_TAG = SEALER.tag("globex")
CLOCK = SystemClock()
POLICY = CachePolicy(tenant_bytes=10_000, redis_memory_bytes=2**30)


def slot(n: int = 0, tag: str = TAG) -> Slot:
    return Slot(tag, n.to_bytes(16, "big"))


def entry(size: int = 100, ttl_s: int = 3600) -> Entry:
    at_s = CLOCK.now().timestamp()
    return Entry("application/json", (b"x" * size,), "gpt-4o", "d", "openai", "0.1", at_s, ttl_s)


@pytest.fixture
def store(link: RedisLink) -> CacheStore:
    return CacheStore(link, SEALER, POLICY, CLOCK)


@pytest_asyncio.fixture
async def other_link(redis_server: EmbeddedRedis, redis: Redis) -> AsyncIterator[RedisLink]:
    made = RedisLink(redis_server.url, CLOCK, timeout_s=PATIENT_S)
    yield made
    await made.run(lambda client: client.aclose())


def a_worker(link: RedisLink) -> Sharing:
    return Sharing(CacheStore(link, SEALER, POLICY, CLOCK), Copies(CLOCK), CLOCK)


@pytest.mark.spec("8.1")
async def test_an_entry_is_found_until_its_time_is_over(store: CacheStore, redis: Redis) -> None:
    assert await store.look(slot(), "a") == "lead"
    kept = entry()
    assert await store.keep(slot(), kept, "a")
    assert await store.look(slot(), "b") == kept
    assert 3595 < await redis.ttl(slot().entry) <= 3600
    assert not await redis.exists(slot().lease)
    await redis.delete(slot().entry)
    assert await store.look(slot(), "b") == "lead"


async def test_one_leads_and_the_others_wait_until_it_gives_up(store: CacheStore) -> None:
    words = await asyncio.gather(*(store.look(slot(), f"t{n}") for n in range(10)))
    assert words == ["lead", *["wait"] * 9]
    await store.give_up(slot(), "t5", alone=False)  # not its to give up
    assert await store.look(slot(), "x", lead=False) == "wait"
    await store.give_up(slot(), "t0", alone=False)
    assert await store.look(slot(), "x", lead=False) == "lead"
    assert await store.look(slot(), "x") == "lead"


async def test_only_looking_takes_no_lease(store: CacheStore, redis: Redis) -> None:
    assert await store.look(slot(), "", lead=False) == "lead"
    assert not await redis.exists(slot().lease)


async def test_a_key_that_cannot_be_shared_is_said_so_for_a_while(
    store: CacheStore, redis: Redis
) -> None:
    await store.look(slot(), "a")
    await store.give_up(slot(), "a", alone=True)
    assert await store.look(slot(), "b") == "alone"
    assert 29_000 < await redis.pttl(slot().lease) <= 30_000
    kept = entry()
    assert await store.keep(slot(), kept, "")  # by whoever can all the same
    assert await store.look(slot(), "b") == kept


async def test_a_lease_is_renewed_by_its_leader_alone_and_ends_by_itself(
    store: CacheStore, redis: Redis
) -> None:
    await store.look(slot(), "a")
    assert 14_000 < await redis.pttl(slot().lease) <= 15_000
    await redis.pexpire(slot().lease, 5000)
    await store.renew(slot(), "b")
    assert await redis.pttl(slot().lease) <= 5000
    await store.renew(slot(), "a")
    assert await redis.pttl(slot().lease) > 14_000
    await redis.pexpire(slot().lease, 1)  # its worker was killed
    await asyncio.sleep(0.01)
    assert await store.look(slot(), "b") == "lead"


@pytest.mark.spec("2.14")
async def test_workers_share_one_call_and_a_leader_that_dies_frees_the_others(
    link: RedisLink, other_link: RedisLink, redis: Redis
) -> None:
    one, two = a_worker(link), a_worker(other_link)
    wish = Wish()
    leader = await one.find(slot(), wish, coalesce=True, wait_s=5)
    assert leader.leads
    following = await two.find(slot(), wish, coalesce=True, wait_s=5)
    assert following.follows
    waiting = asyncio.create_task(two.wait(following, wish, 5))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await redis.delete(slot().lease)  # as its expiry would, 15 s after the worker was killed
    found = await waiting
    assert found.leads
    two.land(found.leads, entry(), alone=False)
    again = await one.wait(await one.find(slot(), wish, coalesce=True, wait_s=5), wish, 0.5)
    assert again.entry is None  # its own flight still stands: it was not killed after all
    one.land(leader.leads, None, alone=False)
    again = await one.find(slot(), wish, coalesce=True, wait_s=5)
    assert again.entry


@pytest.mark.spec("8.1")
async def test_a_tenants_share_is_made_room_for_by_its_own_entries(store: CacheStore) -> None:
    assert await store.keep(slot(0, OTHER_TAG), entry(), "")
    for n in range(40):
        assert await store.keep(slot(n), entry(700, ttl_s=1000 + n), "")
        (held,) = await store.count([TAG])
        assert held.bytes <= POLICY.tenant_bytes
    assert held.entries == 9
    # Soonest to expire went first.
    assert [await store.look(slot(n), "", lead=False) == "lead" for n in (30, 31)] == [True, False]
    assert isinstance(await store.look(slot(0, OTHER_TAG), ""), Entry)


async def test_an_entry_that_is_replaced_counts_once(store: CacheStore) -> None:
    for _ in range(5):
        await store.keep(slot(), entry(1000), "")
    (once,) = await store.count([TAG])
    assert once.entries == 1
    assert 1000 < once.bytes < 1600


async def test_an_entry_over_its_tenants_share_is_not_kept_and_ends_its_lease(
    store: CacheStore, redis: Redis
) -> None:
    await store.keep(slot(1), entry(), "")
    await store.look(slot(), "a")
    assert not await store.keep(slot(), entry(20_000), "a")
    assert not await redis.exists(slot().lease)
    assert isinstance(await store.look(slot(1), ""), Entry)


async def test_what_has_expired_by_itself_is_no_longer_counted(
    store: CacheStore, redis: Redis
) -> None:
    for n in range(5):
        await store.keep(slot(n), entry(ttl_s=1), "")
    await store.keep(slot(9), entry(), "")
    await redis.zadd(f"sluice:{{cache:{TAG}}}:index", {slot(n).id: 1 for n in range(5)})
    (held,) = await store.count([TAG])
    assert held.entries == 1


async def test_clearing_removes_one_tenants_entries_alone(store: CacheStore, redis: Redis) -> None:
    wide = CacheStore(store._link, SEALER, CachePolicy(), CLOCK)
    await asyncio.gather(*(wide.keep(slot(n), entry(10), "") for n in range(1200)))
    await wide.keep(slot(0, OTHER_TAG), entry(), "")
    assert await wide.clear(TAG) == 1200
    assert await wide.count([TAG]) == [Held(0, 0)]
    assert not [key async for key in redis.scan_iter(f"sluice:{{cache:{TAG}}}:*")]
    assert isinstance(await wide.look(slot(0, OTHER_TAG), ""), Entry)


async def test_a_large_entry_travels_by_itself(store: CacheStore) -> None:
    wide = CacheStore(store._link, SEALER, CachePolicy(), CLOCK)
    large = entry(500_000)
    assert await wide.keep(slot(), large, "")
    assert await wide.look(slot(), "") == large


@pytest.mark.spec("8.1", "13.2")
@pytest.mark.parametrize("harm", ["noise", "cut", "other key", "other secret", "number", "empty"])
async def test_a_damaged_or_foreign_entry_is_a_miss_and_is_written_over(
    store: CacheStore, redis: Redis, harm: str
) -> None:
    sound = pack(entry(), slot().key, SEALER)
    harmed = {
        "noise": b"\x00" * 200,
        "cut": sound[:-1],
        "other key": pack(entry(), slot(1).key, SEALER),
        "other secret": pack(entry(), slot().key, Sealer("t" * 32)),
        "number": b"1",
        "empty": b"",
    }[harm]
    await redis.set(slot().entry, harmed)
    assert await store.look(slot(), "a") == "alone"
    kept = entry()
    assert await store.keep(slot(), kept, "")
    assert await store.look(slot(), "a") == kept


async def test_an_entry_of_another_type_is_an_absent_redis_for_that_key_alone(
    store: CacheStore, redis: Redis
) -> None:
    await redis.hset(slot().entry, "a", "b")
    with pytest.raises(RedisAway):
        await store.look(slot(), "a")
    assert await store.look(slot(1), "a") == "lead"


@pytest.mark.spec("8.1")
async def test_over_its_memory_redis_is_given_nothing_more(link: RedisLink, redis: Redis) -> None:
    small = CacheStore(link, SEALER, CachePolicy(redis_memory_bytes=2**20), CLOCK)
    await redis.set("ballast", b"x" * 2**21)
    await small.measure()
    assert small.is_full
    await redis.delete("ballast")
    roomy = CacheStore(link, SEALER, CachePolicy(), CLOCK)
    await roomy.measure()
    assert not roomy.is_full


async def test_a_limit_of_redis_itself_leaves_a_fifth_for_settlements(
    link: RedisLink, redis: Redis
) -> None:
    store = CacheStore(link, SEALER, CachePolicy(), CLOCK)
    used = (await redis.info("memory"))["used_memory"]
    try:
        for share, full in ((1.1, True), (2.0, False)):
            await redis.config_set("maxmemory", int(used * share))
            await store.measure()
            assert store.is_full is full
    finally:
        await redis.config_set("maxmemory", 0)


async def test_many_tenants_get_smaller_shares(link: RedisLink, redis: Redis) -> None:
    policy = CachePolicy(tenant_bytes=2**20, redis_memory_bytes=2**21)
    store = CacheStore(link, SEALER, policy, CLOCK)
    for n in range(8):
        await store.keep(slot(0, SEALER.tag(f"t{n}")), entry(), "")
    await store.measure()
    assert store.share_bytes == 2**18
    await redis.zadd(TENANTS, {SEALER.tag(f"t{n}"): 1.0 for n in range(7)})  # long ago
    await store.measure()
    assert store.share_bytes == 2**20


async def test_names_and_values_in_redis_tell_no_tenant_and_no_key(
    store: CacheStore, redis: Redis
) -> None:
    await store.look(slot(1), "a")
    await store.keep(slot(), entry(), "")
    names = [key.decode() async for key in redis.scan_iter("*")]
    assert names
    assert not [name for name in names if "acme" in name or "gpt" in name]


async def test_entries_are_small_beside_what_they_are_counted_for(
    store: CacheStore, redis: Redis
) -> None:
    """The share counts Redis' own overhead, within a third of what Redis itself says."""
    wide = CacheStore(store._link, SEALER, CachePolicy(), CLOCK)
    before = (await redis.info("memory"))["used_memory"]
    await asyncio.gather(*(wide.keep(slot(n), entry(800), "") for n in range(2000)))
    used = (await redis.info("memory"))["used_memory"] - before
    (held,) = await wide.count([TAG])
    assert held.entries == 2000
    assert 0.67 < held.bytes / used < 1.5


async def test_a_store_that_is_away_says_so(store: CacheStore) -> None:
    absent = CacheStore(RedisLink("unix:///nowhere/redis.sock", CLOCK), SEALER, POLICY, CLOCK)
    with pytest.raises(RedisAway):
        await absent.look(slot(), "a")
    sharing = Sharing(absent, Copies(CLOCK), CLOCK)
    found = await sharing.find(slot(), Wish(), coalesce=True, wait_s=1)
    assert found.leads
    sharing.land(found.leads, msgspec.structs.replace(entry()), alone=False)
    again = await sharing.find(slot(), Wish(), coalesce=True, wait_s=1)
    assert again.entry  # this worker's copy


_LEADER = """
import asyncio, sys
from plugins.cache.copies import Copies
from plugins.cache.rules import CachePolicy, Sealer, Wish
from plugins.cache.sharing import Sharing
from plugins.cache.store import CacheStore, Slot
from plugins.core.clock import SystemClock
from plugins.store.redis import RedisLink

async def lead():
    clock = SystemClock()
    link = RedisLink(sys.argv[1], clock, timeout_s=float(sys.argv[3]))
    store = CacheStore(link, Sealer("s" * 32), CachePolicy(), clock, lease_s=1.0)
    worker = Sharing(store, Copies(clock), clock)
    slot = Slot(sys.argv[2], bytes(16))
    found = await worker.find(slot, Wish(), coalesce=True, wait_s=5)
    print("leads" if found.leads else "no", flush=True)
    await asyncio.sleep(60)

asyncio.run(lead())
"""


@pytest.mark.spec("2.14")
async def test_a_worker_that_is_killed_frees_those_who_wait_for_it(
    link: RedisLink, redis_server: EmbeddedRedis
) -> None:
    leading = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _LEADER,
        redis_server.url,
        TAG,
        str(PATIENT_S),
        stdout=asyncio.subprocess.PIPE,
    )
    assert leading.stdout
    assert (await leading.stdout.readline()).strip() == b"leads"
    worker = a_worker(link)
    following = await worker.find(slot(), Wish(), coalesce=True, wait_s=10)
    assert following.follows
    leading.kill()
    await leading.wait()
    found = await worker.wait(following, Wish(), 10)
    assert found.leads
    worker.land(found.leads, None, alone=False)
