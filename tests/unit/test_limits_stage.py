"""What the limits do with one call; the windows are a worker's own, so that no Redis is needed."""

from typing import Any, cast

import pytest

from plugins.core.call import Attempt, Call, Recalled, Usage
from plugins.core.errors import GatewayError, RateLimited
from plugins.core.limit import NOT_SET, UNLIMITED, RateLimit
from plugins.core.money import ZERO
from plugins.core.tenant import Principal
from plugins.limits.readings import used_ratios
from plugins.limits.rules import KEY, PROVIDER, TENANT, Counter
from plugins.limits.stage import NOTE, LimitPolicy, LimitsStage
from plugins.limits.store import Limiter
from plugins.store.redis import RedisLink
from tests.making import a_call

GROUPS = {"gpt-4o": "openai", "mini": "openai", "claude": "anthropic", "llama": "vllm"}
HELLO = {"messages": [{"role": "user", "content": "x" * 396}], "max_tokens": 100}
"""Estimated at 200 tokens: 1 for the role, 99 of text, 100 of answer."""
ESTIMATE = 200


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s


class World:
    """A stage and its counters."""

    def __init__(self, **policy: Any) -> None:
        self.clock = Clock()
        link = cast("RedisLink", None)  # never looked at before the first refresh
        self.limiter = Limiter(link, cast("Any", self.clock))
        stated = LimitPolicy(
            providers=policy.get("providers", {}),
            tenant=policy.get("tenant", NOT_SET),
            key=policy.get("key", NOT_SET),
            usual_answer_tokens=500,
            answer_tokens={"matching": 900},
        )
        self.stage = LimitsStage(self.limiter, stated, GROUPS, cast("Any", self.clock))

    async def used(self, kind: str, name: str) -> tuple[int, int]:
        requests, tokens, _ = (await self.limiter.used([Counter(kind, name)]))[0]
        return requests, tokens

    async def reserved(self, call: Call) -> GatewayError | None:
        return await self.stage.reserve(call)

    async def answered(self, call: Call, group: str, usage: Usage) -> None:
        """Take the way of a call that a group answers."""
        assert await self.stage.route(call, group) is None
        self.tried(call, group)
        call.usage = usage
        await self.stage.settle(call)

    @staticmethod
    def tried(call: Call, group: str, usage: Usage | None = None) -> None:
        call.attempts.append(Attempt(group, GROUPS[group], group, 100.0, 101.0, usage=usage))
        call.deployment = group


def _call(*tiers: str, **changes: Any) -> Call:
    fresh = {"attempts": [], "usage": Usage(), "deployment": None, "body": HELLO}
    return a_call(**{**fresh, "tiers": tiers or ("gpt-4o",), **changes})


@pytest.mark.spec("8.2")
async def test_the_estimate_is_reserved_everywhere_and_corrected_to_what_was_used() -> None:
    world = World(
        providers={"openai": RateLimit(10, 10_000)},
        tenant=RateLimit(10, 10_000),
        key=RateLimit(10, 10_000),
    )
    call = _call()
    assert await world.reserved(call) is None
    whose = ((KEY, "key0000001"), (TENANT, "acme"), (PROVIDER, "openai"))
    for kind, name in whose:
        assert await world.used(kind, name) == (1, ESTIMATE)
    await world.answered(call, "gpt-4o", Usage(250, 150))
    for kind, name in whose:
        assert await world.used(kind, name) == (1, 400)


@pytest.mark.spec("8.2")
async def test_a_cache_hit_is_refunded() -> None:
    world = World(providers={"openai": RateLimit(10, 10_000)}, tenant=RateLimit(1))
    for _ in range(3):
        call = _call()
        assert await world.reserved(call) is None
        call.recalled = Recalled("x", (b"",), "gpt-4o", "d", "openai", ZERO, 1.0, "hit")
        call.usage = Usage(250, 150)
        await world.stage.settle(call)
    assert await world.used(TENANT, "acme") == (0, 0)
    assert await world.used(PROVIDER, "openai") == (0, 0)


async def test_an_answer_that_is_at_hand_takes_nothing_of_a_provider() -> None:
    world = World(providers={"openai": RateLimit(1, 10_000)}, tenant=RateLimit(10))
    for _ in range(3):
        assert await world.reserved(_call(known=True)) is None
    assert await world.used(PROVIDER, "openai") == (0, 0)
    assert await world.used(TENANT, "acme") == (3, 3 * ESTIMATE)


async def test_a_call_that_was_refused_before_any_attempt_is_refunded() -> None:
    world = World(providers={"openai": RateLimit(10, 10_000)}, tenant=RateLimit(1))
    call = _call()
    await world.reserved(call)
    await world.stage.settle(call)
    assert await world.used(TENANT, "acme") == (0, 0)
    assert await world.used(PROVIDER, "openai") == (0, 0)


@pytest.mark.spec("8.2")
async def test_over_the_tenants_limit_is_429_with_retry_after_and_headers_and_takes_nothing() -> (
    None
):
    world = World(
        providers={"openai": RateLimit(10)}, tenant=RateLimit(1, 10_000), key=RateLimit(5)
    )
    await world.reserved(_call())
    world.clock.now_s += 20
    call = _call()
    refusal = await world.reserved(call)
    assert isinstance(refusal, RateLimited)
    assert refusal.code == "rate_limited"
    assert 40.0 <= (refusal.retry_after_s or 0) <= 40.3
    assert call.headers["x-ratelimit-remaining-requests"] == "0"
    assert call.headers["x-ratelimit-limit-requests"] == "1"
    assert call.headers["x-ratelimit-remaining-tokens"] == str(10_000 - ESTIMATE)
    await world.stage.settle(call)
    assert await world.used(KEY, "key0000001") == (1, ESTIMATE)
    assert await world.used(PROVIDER, "openai") == (1, ESTIMATE)
    world.clock.now_s += refusal.retry_after_s or 0
    assert await world.reserved(_call()) is None


@pytest.mark.spec("8.2")
async def test_over_the_providers_limit_the_tier_is_skipped_and_the_next_pays() -> None:
    world = World(providers={"openai": RateLimit(1), "anthropic": RateLimit(5, 10_000)})
    await world.reserved(_call("gpt-4o"))
    call = _call("gpt-4o", "claude", "llama")
    assert await world.reserved(call) is None
    skipped = await world.stage.route(call, "gpt-4o")
    assert skipped is not None
    assert (skipped.code, skipped.status) == ("provider_limit_reached", 429)
    assert 59 < (skipped.retry_after_s or 0) <= 60.3
    await world.answered(call, "claude", Usage(10, 5))
    assert await world.used(PROVIDER, "anthropic") == (1, 15)
    assert await world.used(PROVIDER, "openai") == (1, ESTIMATE)


async def test_a_hop_gives_back_the_failed_providers_tokens_and_keeps_its_request() -> None:
    world = World(
        providers={"openai": RateLimit(10, 10_000), "anthropic": RateLimit(10, 10_000)},
        tenant=RateLimit(10, 10_000),
    )
    call = _call("gpt-4o", "claude")
    await world.reserved(call)
    assert await world.stage.route(call, "gpt-4o") is None
    world.tried(call, "gpt-4o")
    assert await world.stage.route(call, "claude") is None
    assert await world.used(PROVIDER, "openai") == (1, 0)
    assert await world.used(PROVIDER, "anthropic") == (1, ESTIMATE)
    world.tried(call, "claude")
    call.usage = Usage(30, 20)
    await world.stage.settle(call)
    assert await world.used(PROVIDER, "anthropic") == (1, 50)
    assert await world.used(TENANT, "acme") == (1, 50)


async def test_a_tier_that_another_stage_skips_gives_everything_back() -> None:
    world = World(providers={"openai": RateLimit(10, 10_000), "anthropic": RateLimit(10, 10_000)})
    call = _call("gpt-4o", "claude")
    await world.reserved(call)
    assert await world.stage.route(call, "gpt-4o") is None
    await world.answered(call, "claude", Usage(30, 20))
    assert await world.used(PROVIDER, "openai") == (0, 0)
    assert await world.used(PROVIDER, "anthropic") == (1, 50)


async def test_a_second_try_at_the_same_provider_is_a_second_request() -> None:
    world = World(providers={"openai": RateLimit(2, 10_000)})
    call = _call("gpt-4o", "mini", "gpt-4o")
    await world.reserved(call)
    for group in ("gpt-4o", "mini"):
        assert await world.stage.route(call, group) is None
        world.tried(call, group)
    third = await world.stage.route(call, "gpt-4o")
    assert isinstance(third, RateLimited)
    await world.stage.settle(call)
    assert await world.used(PROVIDER, "openai") == (2, 0)


async def test_an_answer_that_was_not_given_counts_where_it_was_made() -> None:
    world = World(
        providers={"openai": RateLimit(10, 10_000), "anthropic": RateLimit(10, 10_000)},
        tenant=RateLimit(10, 10_000),
    )
    call = _call("gpt-4o", "claude")
    await world.reserved(call)
    await world.stage.route(call, "gpt-4o")
    world.tried(call, "gpt-4o", Usage(100, 11))
    await world.answered(call, "claude", Usage(30, 20))
    assert await world.used(PROVIDER, "openai") == (1, 111)
    assert await world.used(PROVIDER, "anthropic") == (1, 50)
    assert await world.used(TENANT, "acme") == (1, 161)


async def test_a_provider_without_a_limit_is_never_full_and_nothing_is_counted() -> None:
    world = World(providers={"openai": RateLimit(1)})
    for _ in range(5):
        call = _call("llama", "gpt-4o")
        assert await world.reserved(call) is None
        assert NOTE not in call.notes
        await world.answered(call, "llama", Usage(30, 20))
    assert await world.used(PROVIDER, "vllm") == (0, 0)
    assert await world.used(PROVIDER, "openai") == (0, 0)


async def test_a_limited_tier_behind_one_without_a_limit_is_reserved_when_it_is_tried() -> None:
    world = World(providers={"openai": RateLimit(1, 10_000)})
    call = _call("llama", "gpt-4o")
    await world.reserved(call)
    assert await world.stage.route(call, "llama") is None
    world.tried(call, "llama")
    await world.answered(call, "gpt-4o", Usage(30, 20))
    assert await world.used(PROVIDER, "openai") == (1, 50)
    other = _call("llama", "gpt-4o")
    await world.reserved(other)
    assert isinstance(await world.stage.route(other, "gpt-4o"), RateLimited)


async def test_a_call_larger_than_a_minutes_limit_is_told_so_at_once_and_not_to_retry() -> None:
    world = World(tenant=RateLimit(None, ESTIMATE - 1))
    call = _call()
    refusal = await world.reserved(call)
    assert refusal is not None
    assert (refusal.code, refusal.retry_after_s) == ("tokens_over_limit", None)
    assert call.headers["x-should-retry"] == "false"


async def test_a_call_larger_than_a_providers_limit_goes_to_the_next_tier() -> None:
    world = World(providers={"openai": RateLimit(5, ESTIMATE - 1), "anthropic": RateLimit(5)})
    call = _call("gpt-4o", "claude")
    assert await world.reserved(call) is None
    skipped = await world.stage.route(call, "gpt-4o")
    assert skipped is not None
    assert skipped.retry_after_s is None
    assert await world.stage.route(call, "claude") is None


async def test_tokens_a_minute_bind_where_requests_do_not() -> None:
    world = World(tenant=RateLimit(None, 2 * ESTIMATE))
    assert [await world.reserved(_call()) is None for _ in range(3)] == [True, True, False]


async def test_an_agents_usual_answer_is_its_own() -> None:
    from plugins.core.agent import Agent

    world = World(tenant=RateLimit(None, 100_000))
    call = _call(agent=Agent("matching", ("gpt-4o",)), body={"messages": HELLO["messages"]})
    await world.reserved(call)
    assert await world.used(TENANT, "acme") == (1, 100 + 900)


async def test_a_tenant_fills_no_other_tenants_counters_whatever_it_writes() -> None:
    world = World(tenant=RateLimit(1), key=RateLimit(1))
    claim = {"user": "globex", "metadata": {"tenant_id": "globex", "team_id": "globex"}}
    call = _call(body={**HELLO, **claim})
    await world.reserved(call)
    assert isinstance(await world.reserved(_call(body={**HELLO, **claim})), RateLimited)
    assert await world.used(TENANT, "globex") == (0, 0)
    assert await world.reserved(_call(principal=Principal("key0000002", "globex"))) is None


async def test_two_keys_of_a_tenant_share_its_limit_and_not_each_others() -> None:
    world = World(tenant=RateLimit(2), key=RateLimit(1))

    async def by(key_id: str) -> GatewayError | None:
        return await world.reserved(_call(principal=Principal(key_id, "acme")))

    assert await by("key0000001") is None
    assert "this key" in str(await by("key0000001"))
    assert await by("key0000002") is None
    assert "this tenant" in str(await by("key0000003"))


async def test_own_figures_come_before_the_policys() -> None:
    world = World(tenant=RateLimit(1), key=RateLimit(1))
    generous = Principal("k", "acme", limit=RateLimit(UNLIMITED), tenant_limit=RateLimit(3))
    done = [await world.reserved(_call(principal=generous)) is None for _ in range(4)]
    assert done == [True, True, True, False]


async def test_settling_without_a_reservation_or_twice_does_nothing() -> None:
    world = World(tenant=RateLimit(5, 10_000))
    await world.stage.settle(_call())
    call = _call()
    await world.reserved(call)
    await world.answered(call, "gpt-4o", Usage(1, 1))
    await world.stage.settle(call)
    assert await world.used(TENANT, "acme") == (1, 2)


async def test_the_share_of_a_providers_limit_that_is_used_is_read_for_each_kind_it_has() -> None:
    limits = {
        "openai": RateLimit(10, 1_000),
        "anthropic": RateLimit(20, None),
        "vllm": RateLimit(None, None),
    }
    world = World(providers=limits)
    read = used_ratios(world.limiter, limits)
    assert await read() == {
        ("openai", "requests"): 0,
        ("openai", "tokens"): 0,
        ("anthropic", "requests"): 0,
    }
    for _ in range(2):
        assert await world.reserved(a_call(body=HELLO, tiers=("gpt-4o",))) is None
    assert await read() == {
        ("openai", "requests"): 0.2,
        ("openai", "tokens"): 0.4,
        ("anthropic", "requests"): 0,
    }
    world.limiter.workers = 2  # alone, a worker may have its part of the limit
    assert (await read())["openai", "tokens"] == 0.8
