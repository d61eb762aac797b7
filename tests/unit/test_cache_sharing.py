"""Who leads, who waits and who goes alone, against a Redis that remembers and can fail."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from plugins.cache.copies import FRESH_S, Copies
from plugins.cache.entry import Entry
from plugins.cache.rules import About, CachePolicy, Sealer, Wish
from plugins.cache.sharing import MOST_LEADERS, Finding, Sharing
from plugins.cache.stage import CacheStage
from plugins.cache.store import CacheStore, Slot, Word
from plugins.core.call import Attempt, Call, Endpoint, Outcome, Usage
from plugins.core.errors import Forbidden
from plugins.store.redis import RedisAway
from tests.making import NOON, a_call

SLOT = Slot("tag", b"k" * 16)
ANY = Wish()
WAIT_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.s)

    def monotonic_s(self) -> float:
        return self.s


class Kept(CacheStore):
    """One Redis for several workers."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.leases: dict[bytes, str] = {}
        self.looks = 0
        self.renewed: list[str] = []
        self.away = False
        self.full = False
        self.slow = asyncio.Event()
        self.slow.set()

    @property
    def is_full(self) -> bool:
        return self.full

    async def look(self, slot: Slot, token: str, *, lead: bool = True) -> Entry | Word:
        self.looks += 1
        await self.slow.wait()
        await asyncio.sleep(0)
        self._answer()
        if slot.key in self.entries:
            return self.entries[slot.key]
        holder = self.leases.get(slot.key)
        if holder is None:
            if lead:
                self.leases[slot.key] = token
            return "lead"
        return "alone" if holder == "-" else "wait"

    def keep(
        self, slot: Slot, entry: Entry, token: str, about: About | None = None
    ) -> Coroutine[Any, Any, bool]:
        self._answer()
        self.entries[slot.key] = entry
        if self.leases.get(slot.key) == token:
            del self.leases[slot.key]

        async def kept() -> bool:
            return True

        return kept()

    async def give_up(self, slot: Slot, token: str, *, alone: bool) -> None:
        self._answer()
        if self.leases.get(slot.key) == token:
            del self.leases[slot.key]
            if alone:
                self.leases[slot.key] = "-"

    async def renew(self, slot: Slot, token: str) -> None:
        self.renewed.append(token)

    async def measure(self) -> None: ...

    def _answer(self) -> None:
        if self.away:
            raise RedisAway("away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def worker(clock: Clock, kept: Kept) -> Sharing:
    return Sharing(kept, Copies(clock), clock)


def an_entry(clock: Clock, text: bytes = b"{}") -> Entry:
    at_s = clock.now().timestamp()
    return Entry("application/json", (text,), "gpt-4o", "d", "openai", "0.1", at_s, 3600)


async def find(worker: Sharing, wish: Wish = ANY) -> Finding:
    return await worker.find(SLOT, wish, coalesce=True, wait_s=WAIT_S)


async def follow(worker: Sharing, wish: Wish = ANY) -> Finding:
    """Do as a call does: look up, and wait for whoever leads."""
    return await worker.wait(await find(worker, wish), wish, WAIT_S)


async def begun(task: "asyncio.Task[Any]") -> None:
    """Let tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()


@pytest.mark.spec("2.14")
async def test_identical_calls_in_one_worker_share_one_leader(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    leader = await find(worker)
    assert leader.leads
    followers = [asyncio.create_task(follow(worker)) for _ in range(50)]
    await begun(followers[0])
    entry = an_entry(clock)
    worker.land(leader.leads, entry, alone=False)
    found = await asyncio.gather(*followers)
    assert {(f.entry, f.how) for f in found} == {(entry, "coalesced")}
    assert kept.looks == 1
    assert kept.entries == {SLOT.key: entry}
    assert not kept.leases


@pytest.mark.spec("2.14")
async def test_identical_calls_in_two_workers_share_one_leader(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    other = Sharing(kept, Copies(clock), clock)
    leader = await find(worker)
    assert leader.leads
    followers = [asyncio.create_task(follow(other)) for _ in range(10)]
    await begun(followers[0])
    worker.land(leader.leads, an_entry(clock), alone=False)
    found = await asyncio.gather(*followers)
    assert [f.how for f in found] == ["coalesced"] * 10
    assert all(f.entry for f in found)


async def test_who_comes_while_an_entry_is_being_looked_up_gets_a_hit(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    kept.entries[SLOT.key] = an_entry(clock)
    found = await asyncio.gather(*(follow(worker) for _ in range(5)))
    assert [f.how for f in found] == ["hit"] * 5
    assert kept.looks == 1


@pytest.mark.spec("2.14")
async def test_after_a_leader_that_failed_one_follower_leads_and_the_others_wait_on(
    worker: Sharing, clock: Clock
) -> None:
    leader = await find(worker)
    assert leader.leads
    followers = [asyncio.create_task(follow(worker)) for _ in range(5)]
    await begun(followers[0])
    worker.land(leader.leads, None, alone=False)
    done, waiting = await asyncio.wait(followers, return_when=asyncio.FIRST_COMPLETED)
    (chosen,) = done
    next_leader = await chosen
    assert next_leader.leads
    assert len(waiting) == 4
    worker.land(next_leader.leads, an_entry(clock), alone=False)
    assert all(found.entry for found in await asyncio.gather(*waiting))


async def test_after_a_leader_elsewhere_that_failed_one_follower_leads(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    other = Sharing(kept, Copies(clock), clock)
    leader = await find(worker)
    assert leader.leads
    followers = [asyncio.create_task(follow(other)) for _ in range(3)]
    await begun(followers[0])
    worker.land(leader.leads, None, alone=False)
    done, waiting = await asyncio.wait(followers, return_when=asyncio.FIRST_COMPLETED)
    (chosen,) = done
    next_leader = await chosen
    assert next_leader.leads
    other.land(next_leader.leads, an_entry(clock), alone=False)
    assert all(found.entry for found in await asyncio.gather(*waiting))


async def test_when_leader_after_leader_fails_the_followers_go_alone(worker: Sharing) -> None:
    finding = await find(worker)
    follower = asyncio.create_task(follow(worker))
    for _ in range(MOST_LEADERS):
        await begun(follower)
        assert finding.leads
        # The next one takes the lead before the follower wakes.
        flight, finding = finding.leads, None
        worker.land(flight, None, alone=False)
        finding = await find(worker)
    found = await follower
    assert (found.entry, found.leads) == (None, None)


async def test_when_the_answer_may_not_be_kept_all_followers_go_alone_at_once(
    worker: Sharing, kept: Kept
) -> None:
    leader = await find(worker)
    assert leader.leads
    followers = [asyncio.create_task(follow(worker)) for _ in range(5)]
    await begun(followers[0])
    worker.land(leader.leads, None, alone=True)
    found = await asyncio.gather(*followers)
    assert all(f == Finding() for f in found)
    assert kept.leases == {SLOT.key: "-"}
    later = await find(worker)
    assert later == Finding()  # nobody waits for this key for a while


async def test_nobody_waits_longer_than_the_policy_says(worker: Sharing, clock: Clock) -> None:
    leader = await find(worker)
    following = await find(worker)
    assert following.follows is leader.leads
    found = await worker.wait(following, ANY, 0.0)
    assert found == Finding()
    assert leader.leads
    assert not leader.leads.end.done()  # the leader's own call goes on
    clock.s += 1


async def test_a_follower_that_leaves_disturbs_nobody(worker: Sharing, clock: Clock) -> None:
    leader = await find(worker)
    assert leader.leads
    leaving, staying = (asyncio.create_task(follow(worker)) for _ in range(2))
    await begun(leaving)
    leaving.cancel()
    await asyncio.wait((leaving,))
    worker.land(leader.leads, an_entry(clock), alone=False)
    assert (await staying).entry


async def test_without_redis_calls_go_on_and_share_within_their_worker(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    kept.away = True
    leader = await find(worker)
    assert leader.leads
    follower = asyncio.create_task(follow(worker))
    await begun(follower)
    worker.land(leader.leads, an_entry(clock), alone=False)
    assert (await follower).entry
    assert not kept.entries


async def test_redis_that_goes_while_followers_wait_lets_one_of_them_lead(
    worker: Sharing, kept: Kept
) -> None:
    kept.leases[SLOT.key] = "a leader elsewhere"
    follower = asyncio.create_task(follow(worker))
    await begun(follower)
    kept.away = True
    found = await follower
    assert found.leads


async def test_a_call_cancelled_while_it_looks_up_leaves_no_flight(
    worker: Sharing, kept: Kept
) -> None:
    kept.slow.clear()
    looking = asyncio.create_task(find(worker))
    follower = asyncio.create_task(follow(worker))
    await begun(follower)
    looking.cancel()
    kept.slow.set()
    assert (await follower).leads


@pytest.mark.parametrize(("age_s", "entry"), [(10.0, True), (11.0, False)])
async def test_an_answer_older_than_asked_for_is_a_miss(
    worker: Sharing, kept: Kept, clock: Clock, age_s: float, entry: bool
) -> None:
    kept.entries[SLOT.key] = an_entry(clock)
    clock.s += age_s
    found = await find(worker, Wish(max_age_s=10))
    assert (found.entry is not None) is entry
    assert found.leads is None


async def test_who_follows_a_look_up_takes_no_older_answer_than_asked_for(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    kept.entries[SLOT.key] = an_entry(clock)
    clock.s += 60
    first, second = await asyncio.gather(follow(worker), follow(worker, Wish(max_age_s=5)))
    assert first.entry
    assert second == Finding(how="hit")


async def test_without_coalescing_nobody_leads_or_waits(worker: Sharing, kept: Kept) -> None:
    for _ in range(2):
        found = await worker.find(SLOT, ANY, coalesce=False, wait_s=WAIT_S)
        assert found == Finding()
    assert not kept.leases


async def test_leases_of_long_calls_are_renewed_and_those_of_lost_calls_ended(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    leader = await find(worker)
    assert leader.leads
    await worker.renew()
    assert not kept.renewed
    clock.s += 5
    await worker.renew()
    await worker.renew()
    assert kept.renewed == [leader.leads.token]

    class Gone: ...

    import weakref

    gone = Gone()
    leader.leads.owner = weakref.ref(gone)
    await worker.renew()
    assert not leader.leads.end.done()
    del gone
    gc.collect()
    await worker.renew()
    await asyncio.sleep(0)
    assert leader.leads.end.done()
    await asyncio.sleep(0)
    assert not kept.leases


async def test_a_full_redis_takes_nothing_but_followers_have_their_answer(
    worker: Sharing, kept: Kept, clock: Clock
) -> None:
    kept.full = True
    leader = await find(worker)
    assert leader.leads
    follower = asyncio.create_task(follow(worker))
    await begun(follower)
    worker.land(leader.leads, an_entry(clock), alone=False)
    assert (await follower).entry
    await asyncio.sleep(0)
    assert not kept.entries
    assert not kept.leases


def test_copies_are_good_for_a_moment_and_bounded(clock: Clock) -> None:
    copies = Copies(clock, most_bytes=10_000)
    for n in range(10):
        copies.put(bytes([n]), an_entry(clock, b"x" * 1000))
        assert copies.bytes <= 10_000
    assert copies.get(b"\x00") is None
    assert copies.get(b"\x09")
    copies.put(b"large", an_entry(clock, b"x" * 5000))
    assert copies.get(b"large") is None
    clock.s += FRESH_S
    assert copies.get(b"\x09")
    clock.s += 0.001
    assert copies.get(b"\x09") is None


def test_the_copy_used_longest_ago_makes_room(clock: Clock) -> None:
    copies = Copies(clock, most_bytes=3 * 1512)
    for key in (b"a", b"b", b"c"):
        copies.put(key, an_entry(clock, b"x" * 600))
    copies.get(b"a")
    copies.put(b"d", an_entry(clock, b"x" * 600))
    copies.put(b"e", an_entry(clock, b"x" * 600))
    assert copies.get(b"a")
    assert copies.bytes == sum(1112 for key in (b"a", b"b", b"c", b"d", b"e") if copies.get(key))


BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
ANSWER = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{}}'


@pytest.fixture
def stage(worker: Sharing, clock: Clock) -> CacheStage:
    policies = {"": CachePolicy(largest_entry_bytes=2000), "off": CachePolicy(enabled=False)}
    return CacheStage(worker, Sealer("s" * 32), policies, {}, lambda _: Decimal("0.5"), clock)


async def through(
    stage: CacheStage, call: Call, answer: bytes = ANSWER, change: Callable[[Call], None] = id
) -> bool:
    """Take a call through the stage; tells whether it was answered without a provider."""
    assert await stage.prepare(call) is None
    assert await stage.reserve(call) is None
    recalled = await stage.recall(call)
    if recalled is not None:
        call.recalled = recalled
        assert await stage.settle(call) is None
        return True
    if call.stream:
        for frame in answer.split(b"|"):
            assert stage.check_chunk(call, frame) is None
    else:
        assert await stage.check_output(call, answer) is None
    change(call)
    assert await stage.settle(call) is None
    await asyncio.sleep(0)
    return False


@pytest.mark.spec("8.1")
async def test_the_second_of_two_equal_calls_is_answered_from_the_first(
    stage: CacheStage, clock: Clock
) -> None:
    assert not await through(stage, a_call(body=BODY))
    clock.s += 3
    call = a_call(body={**BODY, "user": "someone else"})
    assert await through(stage, call)
    assert call.recalled
    assert call.recalled.frames == (ANSWER,)
    assert call.recalled.saved_usd == Decimal("0.5")
    assert (call.recalled.how, call.recalled.age_s) == ("hit", 3.0)
    assert (call.recalled.group, call.recalled.provider) == ("gpt-4o", "openai")


@pytest.mark.spec("8.1", "13.2")
async def test_another_tenant_never_gets_the_answer(stage: CacheStage) -> None:
    assert not await through(stage, a_call("acme", body=BODY))
    call = a_call("globex", body=BODY)
    assert not await through(stage, call)
    assert call.cache == "miss"


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(
    ("header", "stored", "read", "word"),
    [
        ("", True, True, "miss"),
        ("no-cache", True, False, "bypass"),
        ("no-store", False, False, "bypass"),
        ("max-age=0", True, False, "bypass"),
        ("max-age=10", True, True, "miss"),
    ],
)
async def test_a_client_can_bypass_the_cache_or_refuse_storage(
    stage: CacheStage, header: str, stored: bool, read: bool, word: str
) -> None:
    call = a_call(body=BODY, cache_control=header)
    assert not await through(stage, call)
    assert call.cache == word
    assert await through(stage, a_call(body=BODY, cache_control=header)) is (stored and read)
    assert await through(stage, a_call(body=BODY)) is stored


def _set(**changes: Any) -> Callable[[Call], None]:
    def change(call: Call) -> None:
        for name, value in changes.items():
            setattr(call, name, value)

    return change


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(
    "change",
    [
        _set(outcome=Outcome.FAILED),
        _set(outcome=Outcome.REFUSED, refusal=Forbidden("no")),
        _set(outcome=Outcome.DISCONNECTED),
        _set(refusal=Forbidden("no")),
        _set(status=206),
        _set(shareable=False),
        _set(usage=Usage()),
        _set(deployment=None),
    ],
    ids=["failed", "refused", "disconnected", "refusal", "status", "soft", "unknown", "nobody"],
)
async def test_what_did_not_end_well_is_never_kept(
    stage: CacheStage, kept: Kept, change: Callable[[Call], None]
) -> None:
    assert not await through(stage, a_call(body=BODY), change=change)
    assert not kept.entries


async def test_an_answer_over_the_bound_is_not_kept_nor_held_in_memory(
    stage: CacheStage, kept: Kept
) -> None:
    call = a_call(body=BODY, stream=True)
    await stage.prepare(call)
    await stage.reserve(call)
    for _ in range(100):
        stage.check_chunk(call, b"data: " + b"x" * 1000 + b"\n\n")
        assert len(call.notes["cache"].frames) <= 2
    await stage.settle(call)
    assert not kept.entries


async def test_a_stream_is_kept_event_by_event(stage: CacheStage) -> None:
    events = (
        b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n|'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n|'
        b"data: [DONE]\n\n"
    )
    body = {**BODY, "stream": True}
    first = a_call(body=body, stream=True, content_type="text/event-stream")
    assert not await through(stage, first, events)
    again = a_call(body=body, stream=True)
    assert await through(stage, again)
    assert again.recalled
    assert again.recalled.frames == tuple(events.split(b"|"))
    assert again.recalled.content_type == "text/event-stream"
    assert not await through(stage, a_call(body=BODY))


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": Endpoint.TRANSCRIPTIONS},
        {"endpoint": Endpoint.MODERATIONS},
        {"body": {**BODY, "audio": {"voice": "alloy", "format": "wav"}}},
        {"body": {**BODY, "seed": 2**70}},
    ],
)
async def test_calls_that_cannot_share_stay_out_of_it(
    stage: CacheStage, kept: Kept, changes: dict[str, Any]
) -> None:
    for _ in range(2):
        call = a_call(**{"body": BODY, **changes})
        assert not await through(stage, call)
        assert call.cache == "off"
    assert not kept.looks


async def test_an_agent_can_be_left_out(stage: CacheStage, kept: Kept) -> None:
    from plugins.core.agent import Agent

    call = a_call(body=BODY, agent=Agent("off", ("gpt-4o",)))
    assert not await through(stage, call)
    assert (call.cache, kept.looks) == ("off", 0)


async def test_a_call_refused_after_its_look_up_lets_the_next_one_lead(
    stage: CacheStage, kept: Kept
) -> None:
    refused = a_call(body=BODY, outcome=Outcome.REFUSED, attempts=list[Attempt]())
    await stage.prepare(refused)
    await stage.reserve(refused)
    assert kept.leases
    await stage.settle(refused)
    await asyncio.sleep(0)
    assert not kept.leases
    assert not await through(stage, a_call(body=BODY))
    assert await through(stage, a_call(body=BODY))


async def test_what_the_worker_has_at_hand_is_known_before_anything_is_reserved(
    stage: CacheStage, kept: Kept
) -> None:
    assert not await through(stage, a_call(body=BODY))
    looks = kept.looks
    call = a_call(body=BODY)
    assert await through(stage, call)
    assert call.known
    assert kept.looks == looks
