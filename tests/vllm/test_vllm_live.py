"""The gateway's self-hosted tier on real vLLM. The models are random: protocol, never quality."""

import asyncio
import math
import secrets
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel, ConfigDict, Field

from plugins.core.money import rounded
from tests.gateway.running import Gateway
from tests.vllm.conftest import FIRST, close_circuit, ready, serve
from tests.vllm.tier import Crowd, Tier, VllmServer

GPU_SECOND = Decimal("2.50") / 3600
"""proxy_config.yaml: $2.50 an hour, in which a second reads 8000 tokens or writes 1200."""
# Where an answer must not be empty, it is asked for at temperature 0: chance ends one in 500 of
# these models' answers before they have begun.
MODELS = ("llama-3", "mistral")
ASKED: Any = [{"role": "user", "content": "Is the candidate available on Monday?"}]


class Judged(BaseModel):
    """An answer that random weights can finish: nothing in it is longer than a few tokens."""

    model_config = ConfigDict(extra="forbid")

    fit: bool
    day: Literal["mon", "tue", "wed"]
    score: int = Field(ge=0, le=9)


BOOK: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book an interview.",
        "parameters": Judged.model_json_schema(),
    },
}


@pytest.fixture
def client(gateway: Gateway) -> OpenAI:
    return OpenAI(base_url=f"{gateway.base_url}/v1", api_key=gateway.demo_key, max_retries=0)


def _cost(row: dict[str, Any]) -> Decimal:
    occupied_s = Decimal(row["input_tokens"]) / 8000 + Decimal(row["output_tokens"]) / 1200
    return rounded(occupied_s * GPU_SECOND)


@pytest.mark.spec("2.10", "11.2")
@pytest.mark.parametrize("model", MODELS)
def test_a_chat_is_answered_and_charged_by_the_gpu_hour(
    gateway: Gateway, client: OpenAI, model: str
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=ASKED, max_tokens=12, temperature=0
    )
    answer = raw.parse()
    assert answer.object == "chat.completion"
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert isinstance(answer.choices[0].message.content, str)
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 12
    assert raw.headers["x-sluice-model"] == model
    assert raw.headers.get("x-sluice-practice") is None
    row = gateway.call_row(raw.headers["x-sluice-call-id"])
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        "provider",
    )
    assert Decimal(row["cost_usd"]) == _cost(row) > 0
    assert row["cost_note"] is None
    assert raw.headers["x-sluice-cost-usd"] == row["cost_usd"]


@pytest.mark.spec("2.10", "11.2")
@pytest.mark.parametrize("model", MODELS)
def test_a_stream_comes_in_pieces_and_is_charged_the_same(
    gateway: Gateway, client: OpenAI, model: str
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=model,
        messages=ASKED,
        max_tokens=24,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ) as raw:
        chunks = list(raw.parse())
        call_id = raw.headers["x-sluice-call-id"]
    *pieces, last = chunks
    assert sum(1 for c in pieces if c.choices and c.choices[0].delta.content) >= 2
    assert [c.choices[0].finish_reason for c in pieces if c.choices][-1] in {"stop", "length"}
    assert last.usage is not None
    row = gateway.call_row(call_id)
    assert row["output_tokens"] == last.usage.completion_tokens <= 24
    assert Decimal(row["cost_usd"]) == _cost(row) > 0


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_keeps_to_the_schema_that_was_asked_for(client: OpenAI, model: str) -> None:
    schema: Any = {"name": "judged", "schema": Judged.model_json_schema(), "strict": True}
    for temperature in (0.0, 1.0, 2.0):
        answer = client.chat.completions.create(
            model=model,
            messages=ASKED,
            temperature=temperature,
            max_tokens=200,
            response_format={"type": "json_schema", "json_schema": schema},
        )
        assert answer.choices[0].finish_reason == "stop"
        Judged.model_validate_json(answer.choices[0].message.content or "")


def test_a_stream_keeps_to_the_schema_too(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="llama-3", messages=ASKED, max_tokens=200, response_format=Judged
    ) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Judged)


@pytest.mark.parametrize("model", MODELS)
def test_the_probability_of_every_token_is_told(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=ASKED, max_tokens=8, logprobs=True, top_logprobs=3, temperature=0
    )
    told = answer.choices[0].logprobs
    assert answer.usage is not None
    assert told is not None
    assert told.content is not None
    assert len(told.content) == answer.usage.completion_tokens
    for token in told.content:
        assert -math.inf < token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.logprob == max(each.logprob for each in token.top_logprobs)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("forced", ["by name", "required"])
def test_a_forced_tool_is_called_with_arguments_of_its_schema(
    client: OpenAI, model: str, forced: str
) -> None:
    by_name: Any = {"type": "function", "function": {"name": "book"}}
    answer = client.chat.completions.create(
        model=model,
        messages=ASKED,
        tools=[BOOK],
        tool_choice=by_name if forced == "by name" else "required",
        max_tokens=300,
        temperature=1,
    )
    called = answer.choices[0].message.tool_calls
    assert called
    for each in called:
        assert each.type == "function"
        assert each.function.name == "book"
        Judged.model_validate_json(each.function.arguments)


def test_what_vllm_refuses_reaches_the_client_as_its_own_fault(gateway: Gateway) -> None:
    answer = gateway.chat(
        model="llama-3", messages=[{"role": "user", "content": "word " * 3000}], max_tokens=8
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert len(row["attempts"]) == 1  # no other replica and no circuit is troubled with it
    circuits = gateway.admin("GET", "/sluice/circuits").json()
    assert {c["provider"]: c["failures"] for c in circuits}["vllm"] == 0


@pytest.mark.spec("9.4")
@pytest.mark.parametrize("stream", [False, True])
def test_the_callers_trace_goes_on_inside_vllm(gateway: Gateway, traces: Any, stream: bool) -> None:
    trace_id, span_id = secrets.token_bytes(16), secrets.token_bytes(8)
    answer = gateway.chat(
        model="llama-3",
        max_tokens=4,
        temperature=0,
        stream=stream,
        headers={"traceparent": f"00-{trace_id.hex()}-{span_id.hex()}-01"},
    )
    assert answer.status_code == 200
    assert traces.has(trace_id, b"llm_request")


@pytest.mark.spec("2.10")
async def test_two_replicas_share_the_load(gateway: Gateway, tier: Tier) -> None:
    before = {s.name: _finished(s.metrics()) for s in tier.servers["llama-3"]}
    crowd = Crowd(gateway, "llama-3", size=6)
    started_s = time.monotonic()
    await _for_seconds(crowd, 8)
    took_s = time.monotonic() - started_s
    assert crowd.refused == []
    did = {s.name: _finished(s.metrics()) - before[s.name] for s in tier.servers["llama-3"]}
    print(f"{len(crowd.calls) / took_s:.1f} calls/s by six clients: {did}")
    assert sum(did.values()) >= len(crowd.calls) > 40
    # Not half and half: what answers faster is free sooner and gets more.
    assert all(count > 0.2 * sum(did.values()) for count in did.values())


@pytest.mark.spec("2.10", "8.3")
@pytest.mark.timeout(290)
async def test_one_replica_that_is_killed_under_load_costs_no_call_and_comes_back(
    gateway: Gateway, tier: Tier
) -> None:
    victim, other = tier.servers["llama-3"]
    # A plain model: no other tier could answer for it.
    crowd = Crowd(gateway, "llama-3", pause_s=0.2)
    calling = asyncio.create_task(crowd.run())
    await asyncio.sleep(2)
    victim.kill()
    killed_s = time.monotonic()
    await asyncio.sleep(5)
    answered = len(crowd.calls)
    await asyncio.to_thread(_asked_on_every_endpoint, gateway, other)
    await asyncio.to_thread(victim.until_back)
    back_s = time.monotonic() - killed_s
    assert len(crowd.calls) > answered > 0
    crowd.stopping = True
    await calling
    print(
        f"one of two killed: {len(crowd.calls)} answered, {len(crowd.refused)} refused, slowest"
        f" {crowd.slowest[0]:.2f} s, back after {back_s:.1f} s"
    )
    print(gateway.call_row(crowd.slowest[1])["attempts"])
    assert crowd.refused == []
    assert crowd.retried, "nothing was in flight when it was killed: this proves nothing"
    for call_id in crowd.retried:
        (first, error), second = crowd.attempts_of(call_id)
        assert first == victim.name
        assert error is not None
        assert second == (other.name, None)
    assert len(crowd.retried) <= 4 * crowd.size, "it was tried although it was known to be away"
    circuits = gateway.admin("GET", "/sluice/circuits").json()
    assert {c["provider"]: c["state"] for c in circuits}["vllm"] == "closed"
    await _until_both_serve(gateway, tier)


@pytest.mark.spec("2.10", "8.3")
@pytest.mark.timeout(290)
async def test_with_every_replica_killed_under_load_another_tier_answers_until_they_are_back(
    gateway: Gateway, tier: Tier
) -> None:
    crowd = Crowd(gateway, FIRST, pause_s=0.2)
    calling = asyncio.create_task(crowd.run())
    await asyncio.sleep(2)
    for server in tier.servers["llama-3"]:
        server.kill()
    killed_s = time.monotonic()
    await asyncio.sleep(2)
    assert crowd.served["llama-3"] > 0
    without = crowd.served["llama-3"]
    for server in tier.servers["llama-3"]:
        await asyncio.to_thread(server.until_back)
    back_s = time.monotonic() - killed_s
    async with asyncio.timeout(60):  # the circuit's cool-off has grown meanwhile
        while crowd.served["llama-3"] <= without + 5:  # noqa: ASYNC110 - the crowd counts
            await asyncio.sleep(0.1)
    serving_s = time.monotonic() - killed_s
    crowd.stopping = True
    await calling
    print(
        f"both killed: {dict(crowd.served)} answered, {len(crowd.refused)} refused, slowest"
        f" {crowd.slowest[0]:.2f} s, up after {back_s:.1f} s, serving after {serving_s:.1f} s"
    )
    assert crowd.refused == []
    assert crowd.served["gpt-4o"] > 0
    close_circuit(gateway)
    await _until_both_serve(gateway, tier)


@pytest.mark.timeout(290)
def test_texts_are_embedded_by_a_model_of_ones_own(
    gateway: Gateway, client: OpenAI, vllm_folder: Path
) -> None:
    started_s = time.monotonic()
    process = serve(vllm_folder, "embedder", "llama")
    try:
        ready(vllm_folder, "embedder", process, started_s)
        raw = client.embeddings.with_raw_response.create(
            model="embedder", input=["ten years", "of Python"], encoding_format="float"
        )
        answer = raw.parse()
        assert [len(each.embedding) for each in answer.data] == [128, 128]
        assert math.isclose(math.hypot(*answer.data[0].embedding), 1.0, rel_tol=1e-3)
        row = gateway.call_row(raw.headers["x-sluice-call-id"])
        assert row["input_tokens"] == answer.usage.prompt_tokens > 0
        assert Decimal(row["cost_usd"]) == _cost(row) > 0
    finally:
        process.terminate()
        process.wait(60)


def test_what_it_takes(tier: Tier) -> None:
    memory = {s.name: s.memory_mb for servers in tier.servers.values() for s in servers}
    print(f"three servers warm after {tier.start_s:.1f} s; resident MB: {memory}")
    assert all(100 < megabytes < 6000 for megabytes in memory.values())


def _asked_on_every_endpoint(gateway: Gateway, only: VllmServer) -> None:
    """Call while one replica is known to be away: none of these may go there first."""
    text = "Is the candidate available?"
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": ASKED, "max_tokens": 4},
        "/v1/completions": {"prompt": text, "max_tokens": 4},
        "/v1/responses": {"input": text, "max_output_tokens": 16},
        "/v1/messages": {"messages": ASKED, "max_tokens": 4},
    }
    for path, body in bodies.items():
        for turn in range(5):
            asked = {"model": "llama-3", "stream": turn % 2 == 1, "temperature": 0, **body}
            answer = gateway.request("POST", path, gateway.demo_key, json=asked)
            assert answer.status_code == 200, (path, answer.text)
            assert answer.headers["x-sluice-attempts"] == "1", path
            row = gateway.call_row(answer.headers["x-sluice-call-id"])
            assert row["deployment"] == only.name, path


def _finished(page: str) -> int:
    """How many requests a server has finished since it started."""
    lines = [line for line in page.splitlines() if line.startswith("vllm:request_success_total")]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))


async def _for_seconds(crowd: Crowd, seconds: float) -> None:
    calling = asyncio.create_task(crowd.run())
    await asyncio.sleep(seconds)
    crowd.stopping = True
    await calling


async def _until_both_serve(gateway: Gateway, tier: Tier) -> None:
    """Call until both replicas have answered: each worker notices within a second or so."""
    served: Counter[str] = Counter()
    deadline_s = time.monotonic() + 60
    while len(served) < len(tier.servers["llama-3"]):
        assert time.monotonic() < deadline_s, f"only {dict(served)} answer"
        crowd = Crowd(gateway, "llama-3", pause_s=0.2)
        await _for_seconds(crowd, 1.5)
        served.update(crowd.attempts_of(call_id)[-1][0] for call_id in crowd.calls)
