"""Rate limits through a running gateway with two workers, seen by the official SDK."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from selfhosted.engines import EmbeddedRedis
from tests.gateway.load import Crowd
from tests.gateway.running import Gateway, eventually, running
from tests.gateway.test_cli_live import refused, told

ANTHROPIC_RPM = 12
POLICY = {
    "rate_limits": {
        "providers": {
            "openai": {"rpm": 10_000, "tpm": 2_000_000},
            "anthropic": {"rpm": ANTHROPIC_RPM, "tpm": 400_000},
        }
    }
}
HELLO: Any = [{"role": "user", "content": "When does the interview take place?"}]


@dataclass
class Limited:
    """A gateway whose Redis the test holds in its own hands."""

    gateway: Gateway
    redis: EmbeddedRedis


@pytest.fixture(scope="module")
def limited(new_folder: Callable[[str], Path]) -> Iterator[Limited]:
    folder = new_folder("limits")
    with (
        EmbeddedRedis(folder / "engines") as redis,
        running(folder, workers=2, policy=POLICY, REDIS_URL=redis.url) as gateway,
    ):
        yield Limited(gateway, redis)


@pytest.fixture
def busy(limited: Limited) -> Gateway:
    return limited.gateway


def _shown(gateway: Gateway, kind: str, name: str, **asked: str) -> dict[str, Any]:
    """One limit; a worker that has not met the tenant's key yet lists it within a second."""

    def ask() -> list[dict[str, Any]]:
        found = gateway.admin("GET", "/sluice/limits", params=asked).json()["limits"]
        return [one for one in found if (one["kind"], one["name"]) == (kind, name)]

    return eventually(ask, bool)[0]


def _tenant(gateway: Gateway, **limits: Any) -> str:
    tenant = gateway.new_tenant()
    gateway.admin("PATCH", f"/sluice/tenants/{tenant}", json=limits).raise_for_status()
    return tenant


def _all_at_once(calls: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Ask over fresh connections; the kernel deals them out over both workers."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: ask(), range(calls)))


@pytest.mark.spec("8.2")
def test_over_a_keys_limit_openais_sdk_raises_its_rate_limit_error(busy: Gateway) -> None:
    key = busy.new_key(requests_per_minute=2, tokens_per_minute=50_000)
    with OpenAI(base_url=busy.base_url + "/v1", api_key=key, max_retries=0) as client:
        completions = client.chat.completions.with_raw_response
        first = completions.create(model="gpt-4o", messages=HELLO, max_tokens=100)
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-limit-tokens"] == "50000"
        assert 49_000 < int(first.headers["x-ratelimit-remaining-tokens"]) < 49_900
        assert first.headers["x-ratelimit-reset-requests"].startswith("1m0")
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt-4o", messages=HELLO)
    error = caught.value
    assert (error.code, error.type) == ("rate_limited", "rate_limit_error")
    assert 50 <= int(error.response.headers["retry-after"]) <= 61
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert "2 requests" in error.message


@pytest.mark.spec("8.2")
def test_a_stream_is_limited_likewise_and_says_so_at_its_start(busy: Gateway) -> None:
    key = busy.new_key(requests_per_minute=1)
    with OpenAI(base_url=busy.base_url + "/v1", api_key=key, max_retries=0) as client:
        stream = client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=HELLO, stream=True
        )
        assert stream.headers["x-ratelimit-remaining-requests"] == "0"
        assert "".join(c.choices[0].delta.content or "" for c in stream.parse() if c.choices)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)


@pytest.mark.spec("8.2")
def test_anthropics_shape_of_a_refusal(busy: Gateway) -> None:
    key = busy.new_key(requests_per_minute=1)
    body = {"model": "gpt-4o", "max_tokens": 5, "messages": HELLO}
    answers = [busy.request("POST", "/v1/messages", key, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["error"]["type"] == "rate_limit_error"
    assert int(answers[1].headers["retry-after"]) > 0


@pytest.mark.spec("8.2")
def test_both_workers_together_admit_a_tenants_limit_exactly(busy: Gateway) -> None:
    tenant = _tenant(busy, requests_per_minute=20)
    keys = [busy.new_key(tenant) for _ in range(2)]
    turn = iter(keys * 30)
    answers = _all_at_once(40, lambda: busy.chat(next(turn)))
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 20
    assert _shown(busy, "tenant", tenant)["requests_used"] == 20


@pytest.mark.spec("8.2")
def test_the_estimate_is_corrected_to_what_was_used(busy: Gateway) -> None:
    tenant = _tenant(busy, tokens_per_minute=5000)
    key = busy.new_key(tenant)
    spent = 0
    for _ in range(6):  # six estimates of 4,000 would not fit beside one another
        answer = busy.chat(key, messages=HELLO, max_tokens=4000)
        assert answer.status_code == 200
        spent += answer.json()["usage"]["total_tokens"]
    assert _shown(busy, "tenant", tenant)["tokens_used"] == spent
    stream = busy.chat(
        key, messages=HELLO, stream=True, stream_options={"include_usage": True}, max_tokens=4000
    )
    frames = [json.loads(f[6:]) for f in stream.text.split("\n\n") if f.startswith("data: {")]
    spent += frames[-1]["usage"]["total_tokens"]
    eventually(lambda: _shown(busy, "tenant", tenant)["tokens_used"], lambda used: used == spent)


@pytest.mark.spec("8.2")
def test_a_call_larger_than_the_limit_is_told_at_once_not_to_try_again(busy: Gateway) -> None:
    key = busy.new_key(_tenant(busy, tokens_per_minute=100))
    with (
        OpenAI(base_url=busy.base_url + "/v1", api_key=key) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=200)
    assert caught.value.code == "tokens_over_limit"
    assert "retry-after" not in caught.value.response.headers


@pytest.mark.spec("8.2")
def test_refused_calls_are_in_the_ledger_and_cost_nothing(busy: Gateway) -> None:
    key = busy.new_key(requests_per_minute=1)
    busy.chat(key)
    row = busy.call_row(busy.chat(key).headers["x-sluice-call-id"])
    assert (row["outcome"], row["status"], row["cost_usd"]) == ("refused", 429, "0")


@pytest.mark.spec("8.2", "2.10")
def test_a_full_provider_spills_to_the_next_tier(busy: Gateway) -> None:
    before = len(busy.practice_requests())
    answers = _all_at_once(30, lambda: busy.chat(model="decision"))
    assert {answer.status_code for answer in answers} == {200}
    tiers = [answer.headers["x-sluice-tier"] for answer in answers]
    assert tiers.count("primary") == ANTHROPIC_RPM
    assert tiers.count("secondary") == 30 - ANTHROPIC_RPM
    asked = [seen["provider"] for seen in busy.practice_requests()[before:]]
    assert asked.count("anthropic") == ANTHROPIC_RPM
    assert _shown(busy, "provider", "anthropic")["requests_left"] == 0
    plain = busy.chat(model="claude-3-5-sonnet")
    assert plain.status_code == 429
    assert plain.json()["error"]["code"] == "provider_limit_reached"
    assert 0 < int(plain.headers["retry-after"]) <= 61
    assert not [name for name in plain.headers if name.startswith("x-ratelimit")]


def test_a_failed_attempt_gives_its_tokens_back(busy: Gateway) -> None:
    tokens = _shown(busy, "provider", "openai")["tokens_used"]
    with busy.faulty("openai", {"kind": "status", "status": 503, "times": 1}):
        answer = busy.chat(model="matching", max_tokens=20_000)
    assert answer.headers["x-sluice-model"] != "gpt-4o"
    assert _shown(busy, "provider", "openai")["tokens_used"] <= tokens


@pytest.mark.spec("8.2", "13.2")
def test_a_tenant_sees_its_own_limits_alone_and_an_administrator_all(busy: Gateway) -> None:
    mine, other = (_tenant(busy, requests_per_minute=50) for _ in range(2))
    key = busy.new_key(mine, requests_per_minute=10)
    busy.new_key(other)
    eventually(
        lambda: busy.request("GET", "/sluice/limits", key, params={"tenant_id": other}).json(),
        lambda seen: (
            [(one["kind"], one["name"]) for one in seen["limits"]]
            == [("tenant", mine), ("key", key.split("-")[1])]
        ),
    )
    names = eventually(
        lambda: {one["name"] for one in busy.admin("GET", "/sluice/limits").json()["limits"]},
        lambda names: {"openai", "anthropic", mine, other} <= names,
    )
    assert key.split("-")[1] not in names


@pytest.mark.spec("8.2", "13.2")
def test_nothing_a_client_writes_counts_against_another_tenant(busy: Gateway) -> None:
    victim = _tenant(busy, requests_per_minute=3)
    theirs = busy.new_key(victim)
    attacker = busy.new_key()
    for _ in range(6):
        busy.chat(
            attacker,
            user=victim,
            metadata={"tenant_id": victim, "user_api_key_team_id": victim},
            headers={"x-sluice-tenant": victim, "x-tenant-id": victim},
        )
    assert _shown(busy, "tenant", victim)["requests_used"] == 0
    assert busy.chat(theirs).status_code == 200


def test_limits_are_set_and_shown_from_the_command_line(busy: Gateway) -> None:
    tenant = busy.new_tenant()
    made = told(busy, "tenants", "set", tenant, "--rpm", "2", "--tpm", "none")
    assert (made["requests_per_minute"], made["tokens_per_minute"]) == (2, "none")
    key = told(busy, "keys", "create", "--tenant", tenant, "--tpm", "900")
    assert key["tokens_per_minute"] == 900
    assert busy.chat(key["key"], max_tokens=10).status_code == 200
    # Whichever worker is asked: it knows the new key a second later at most.
    eventually(
        lambda: told(busy, "limits", "--tenant", tenant)["limits"],
        lambda shown: (
            [(one["kind"], one["requests_used"]) for one in shown] == [("tenant", 1), ("key", 1)]
        ),
    )
    assert busy.chat(key["key"], max_tokens=10).status_code == 200
    assert busy.chat(key["key"], max_tokens=10).status_code == 429
    told(busy, "tenants", "set", tenant, "--rpm", "default")
    told(busy, "keys", "set", key["key_id"], "--tpm", "default")
    eventually(
        lambda: [busy.chat(key["key"]).status_code for _ in range(4)],
        lambda seen: set(seen) == {200},
        5,
    )
    assert "no tenant" in refused(busy, "tenants", "set", "nobody", "--rpm", "1")
    assert "no key" in refused(busy, "keys", "set", "nobody0000", "--rpm", "1")


@pytest.mark.spec("8.2")
async def test_with_redis_killed_calls_go_on_within_shares_and_limits_come_back(
    limited: Limited,
) -> None:
    gateway, redis = limited.gateway, limited.redis
    tenant = _tenant(gateway, requests_per_minute=30)
    key, free = gateway.new_key(tenant), gateway.new_key()
    crowd = Crowd(gateway.base_url, free, size=3)
    calling = asyncio.create_task(crowd.run())

    async def statuses(calls: int) -> list[int]:
        asked = await asyncio.to_thread(_all_at_once, calls, lambda: gateway.chat(key))
        return [answer.status_code for answer in asked]

    try:
        await asyncio.sleep(0.5)
        redis.stop(hard=True)
        try:
            seen = await statuses(50)
            assert set(seen) == {200, 429}
            assert 15 <= seen.count(200) <= 30, "each worker has half of it"
            before = len(crowd.answered)
            await asyncio.sleep(1.5)
            assert len(crowd.answered) > before
        finally:
            redis.start()
        await asyncio.sleep(1.5)
        shown = await asyncio.to_thread(
            eventually,
            lambda: gateway.admin("GET", "/sluice/limits").json(),
            lambda told: told["shared"] and told["workers"] == 2,
        )
        used = next(o["requests_used"] for o in shown["limits"] if o["name"] == tenant)
        assert used == seen.count(200), "what was let through meanwhile is counted"
        more = await statuses(40)
        assert seen.count(200) + more.count(200) == 30
    finally:
        crowd.stopping = True
        await calling
    assert crowd.refused == []
    assert crowd.broken == 0
    log = (gateway.data_dir / "logs" / "proxy.log").read_text()
    assert "rate limits are kept by each worker alone, at 1/2 of each" in log
    assert "rate limits are counted for all workers together again" in log
