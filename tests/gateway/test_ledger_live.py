"""One row per call, to the last digit of its price, whatever way the call ends."""

import json
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from plugins.core.money import rounded
from tests.gateway.running import Gateway, eventually

MESSAGE = [{"role": "user", "content": "What is the weather in Oslo?"}]
LONG = "word " * 6000
"""Long enough for the providers to cache it."""
MILLION = Decimal(1_000_000)
_GPU_SECOND = Decimal("2.50") / 3600
"""proxy_config.yaml: $2.50 an hour, in which a second reads 8000 tokens or writes 1200."""
PER_MILLION = {
    "gpt-4o-mini": ("0.15", "0.60", "0.075"),
    "gpt-4o": ("2.50", "10", "1.25"),
    "claude-3-5-sonnet": ("3.00", "15", "0.30"),
    "text-embedding-ada-002": ("0.10", "0", "0.10"),
    "llama-3": (_GPU_SECOND * MILLION / 8000, _GPU_SECOND * MILLION / 1200, "0"),
}
"""US dollars per million tokens: input (SPEC 2.1 to 2.7 and 3.1), output, cached input."""
CACHE_WRITE_PER_MILLION = Decimal("3.75")
"""Anthropic's, for the model behind claude-3-5-sonnet."""


def _price(model: str, row: dict[str, Any]) -> Decimal:
    tokens_in, tokens_out, cached = (Decimal(price) for price in PER_MILLION[model])
    plain = row["input_tokens"] - row["cached_input_tokens"] - row["cache_write_tokens"]
    return rounded(
        (
            plain * tokens_in
            + row["cached_input_tokens"] * cached
            + row["cache_write_tokens"] * CACHE_WRITE_PER_MILLION
            + row["output_tokens"] * tokens_out
        )
        / MILLION
    )


def _post(gateway: Gateway, path: str, key: str | None = None, **body: Any) -> httpx.Response:
    return gateway.request("POST", path, key or gateway.demo_key, json=body)


def _row(gateway: Gateway, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return gateway.call_row(answer.headers["x-sluice-call-id"])


def _total(gateway: Gateway, tenant: str) -> dict[str, Any]:
    """Sum all calls of a tenant."""
    (row,) = gateway.admin("GET", f"/sluice/spend?tenant_id={tenant}&by=model").json()["rows"] or [
        {"calls": 0}
    ]
    return dict(row)


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(
    ("agent", "model"),
    [
        pytest.param("resume_parsing", "gpt-4o-mini", marks=pytest.mark.spec("2.1")),
        pytest.param("jd_enrichment", "gpt-4o", marks=pytest.mark.spec("2.2")),
        pytest.param("matching", "gpt-4o", marks=pytest.mark.spec("2.3")),
        pytest.param("screening", "gpt-4o", marks=pytest.mark.spec("2.4")),
        pytest.param("voice_interview", "gpt-4o", marks=pytest.mark.spec("2.5")),
        pytest.param("decision", "claude-3-5-sonnet", marks=pytest.mark.spec("2.6")),
        pytest.param("explanation", "claude-3-5-sonnet", marks=pytest.mark.spec("2.7")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_agent_is_charged_its_list_price(
    gateway: Gateway, agent: str, model: str, stream: bool
) -> None:
    answer = gateway.chat(model=agent, messages=MESSAGE, stream=stream)
    row = _row(gateway, answer)
    # 3, and 3 for the message, and its 28 bytes at 4 to a token; the answer's 69 bytes likewise.
    assert (row["input_tokens"], row["output_tokens"]) == (13, 18)
    assert Decimal(row["cost_usd"]) == _price(model, row) > 0
    assert (row["agent"], row["model_asked"], row["model_served"]) == (agent, agent, model)
    assert (row["outcome"], row["status"], row["stream"]) == ("answered", 200, stream)
    assert (row["usage_source"], row["tier"]) == ("provider", "primary")
    assert row["practice"] is True
    assert row["tenant_id"] == "demo"
    assert row["started_at"]
    if not stream:
        assert answer.headers["x-sluice-cost-usd"] == row["cost_usd"]
        stated = answer.json()["usage"]
        assert (stated["prompt_tokens"], stated["completion_tokens"]) == (13, 18)


@pytest.mark.spec("11.2", "3.1")
def test_embeddings_are_charged_their_list_price(gateway: Gateway) -> None:
    answer = _post(gateway, "/v1/embeddings", model="embedding", input=["word " * 100, "more"])
    row = _row(gateway, answer)
    assert (row["input_tokens"], row["output_tokens"], row["endpoint"]) == (126, 0, "embeddings")
    assert Decimal(row["cost_usd"]) == Decimal("0.0000126")


CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "completions": ("/v1/completions", "gpt-4o", {"prompt": "hello"}),
    "completions stream": ("/v1/completions", "gpt-4o", {"prompt": "hello", "stream": True}),
    "responses": ("/v1/responses", "gpt-4o", {"input": "hello"}),
    "responses stream": ("/v1/responses", "gpt-4o", {"input": "hello", "stream": True}),
    "responses claude": ("/v1/responses", "claude-3-5-sonnet", {"input": "hello"}),
    "responses claude stream": (
        "/v1/responses",
        "claude-3-5-sonnet",
        {"input": "hello", "stream": True},
    ),
    "messages": ("/v1/messages", "claude-3-5-sonnet", {"messages": MESSAGE, "max_tokens": 9}),
    "messages stream": (
        "/v1/messages",
        "claude-3-5-sonnet",
        {"messages": MESSAGE, "max_tokens": 9, "stream": True},
    ),
    "messages openai": ("/v1/messages", "gpt-4o", {"messages": MESSAGE, "max_tokens": 9}),
    "messages openai stream": (
        "/v1/messages",
        "gpt-4o",
        {"messages": MESSAGE, "max_tokens": 9, "stream": True},
    ),
}


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("name", CALLS)
def test_every_endpoint_is_charged_exactly_and_once(gateway: Gateway, name: str) -> None:
    path, model, body = CALLS[name]
    tenant = gateway.new_tenant()
    row = _row(gateway, _post(gateway, path, gateway.new_key(tenant), model=model, **body))
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert row["usage_source"] == "provider"
    assert Decimal(row["cost_usd"]) == _price(model, row)
    total = _total(gateway, tenant)
    assert (total["calls"], total["cost_usd"]) == (1, row["cost_usd"])


@pytest.mark.spec("11.2")
def test_speech_hearing_and_moderation_have_their_rows(gateway: Gateway) -> None:
    spoken = _post(
        gateway,
        "/v1/audio/speech",
        model="tts-1",
        input="Good morning",
        voice="alloy",
        response_format="wav",
    )
    row = _row(gateway, spoken)
    assert row["characters"] == 12
    assert Decimal(row["cost_usd"]) == 12 * Decimal("15") / MILLION  # $15 per 1M characters
    heard = gateway.request(
        "POST",
        "/v1/audio/transcriptions",
        gateway.demo_key,
        files={"file": ("a.wav", spoken.content)},
        data={"model": "whisper-1"},
    )
    row = _row(gateway, heard)
    assert Decimal(row["audio_s"]) > 0
    assert Decimal(row["cost_usd"]) == Decimal(row["audio_s"]) * Decimal("0.0001")  # $0.006/min
    row = _row(gateway, _post(gateway, "/v1/moderations", input="hello"))
    assert (row["cost_usd"], row["outcome"]) == ("0", "answered")


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(
    ("wanted", "audio_s"), [("json", "18"), ("srt", "18.024"), ("vtt", "18.024"), ("text", "80")]
)
def test_compressed_audio_is_charged_in_every_form_of_its_transcript(
    gateway: Gateway, wanted: str, audio_s: str
) -> None:
    """Only a WAV file tells its length; 200 words are taken for 80 seconds."""
    spoken = _post(
        gateway, "/v1/audio/speech", model="tts-1", input="good day " * 100, voice="alloy"
    )
    heard = gateway.request(
        "POST",
        "/v1/audio/transcriptions",
        gateway.demo_key,
        files={"file": ("a.mp3", spoken.content)},
        data={"model": "whisper-1", "response_format": wanted},
    )
    row = _row(gateway, heard)
    assert Decimal(row["audio_s"]) == pytest.approx(Decimal(audio_s), abs=Decimal("0.05"))
    assert Decimal(row["cost_usd"]) == Decimal(row["audio_s"]) * Decimal("0.0001")


@pytest.mark.spec("2.12")
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_cached_at_openai_are_priced_as_such(gateway: Gateway, stream: bool) -> None:
    messages = [{"role": "system", "content": f"{stream} {LONG}"}, *MESSAGE]
    first, second = (
        _row(gateway, gateway.chat(model="gpt-4o", messages=messages, stream=stream))
        for _ in range(2)
    )
    assert first["cached_input_tokens"] == 0
    assert second["cached_input_tokens"] > 7000
    for row in (first, second):
        assert Decimal(row["cost_usd"]) == _price("gpt-4o", row)
    assert Decimal(second["cost_usd"]) < Decimal(first["cost_usd"])


@pytest.mark.spec("2.12")
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_cached_at_anthropic_are_priced_as_such(gateway: Gateway, stream: bool) -> None:
    system = [{"type": "text", "text": f"{stream} {LONG}", "cache_control": {"type": "ephemeral"}}]
    body = {"model": "decision", "max_tokens": 64, "messages": MESSAGE, "system": system}
    first, second = (
        _row(gateway, _post(gateway, "/v1/messages", stream=stream, **body)) for _ in range(2)
    )
    assert first["cache_write_tokens"] == second["cached_input_tokens"] > 7000
    assert first["input_tokens"] == second["input_tokens"]
    for row in (first, second):
        assert Decimal(row["cost_usd"]) == _price("claude-3-5-sonnet", row)


@pytest.mark.spec("2.10", "11.2")
@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_has_the_price_of_who_served(gateway: Gateway, stream: bool) -> None:
    with gateway.faulty("openai", {"kind": "status", "status": 500}):
        answer = gateway.chat(model="matching", messages=MESSAGE, stream=stream)
    row = _row(gateway, answer)
    assert answer.headers["x-sluice-tier"] == row["tier"] == "secondary"
    assert row["model_served"] == "claude-3-5-sonnet"
    assert Decimal(row["cost_usd"]) == _price("claude-3-5-sonnet", row) > 0
    assert [a["deployment"] for a in row["attempts"]] == [
        "openai-gpt-4o",
        "anthropic-claude-sonnet",
    ]
    assert row["attempts"][0]["error_class"]
    assert row["attempts"][1]["error_class"] is None


@pytest.mark.spec("11.2")
def test_a_self_hosted_answer_costs_the_time_for_which_it_occupies_the_gpu(
    gateway: Gateway,
) -> None:
    row = _row(gateway, gateway.chat(model="llama-3", messages=MESSAGE))
    assert row["input_tokens"] > 0
    assert Decimal(row["cost_usd"]) == _price("llama-3", row) > 0
    assert row["cost_note"] is None


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("stream", [False, True])
def test_a_failed_call_has_a_row_that_costs_nothing(gateway: Gateway, stream: bool) -> None:
    with gateway.faulty("openai", {"kind": "status", "status": 500}):
        answer = gateway.chat(model="gpt-4o", messages=MESSAGE, stream=stream)
    assert answer.status_code == 502
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert (row["outcome"], row["status"], row["cost_usd"]) == ("failed", 502, "0")
    assert row["error_class"] == "InternalServerError"
    assert (row["input_tokens"], row["output_tokens"]) == (0, 0)


@pytest.mark.spec("11.2")
def test_a_call_refused_by_policy_has_a_row_that_costs_nothing(gateway: Gateway) -> None:
    answer = gateway.chat(model="gpt-9")
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert (row["outcome"], row["status"], row["cost_usd"]) == ("refused", 404, "0")


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(
    ("provider", "model", "mode", "stream"),
    [
        ("openai", "gpt-4o", "missing", False),
        ("openai", "gpt-4o", "missing", True),
        ("openai", "gpt-4o", "zero", False),
        ("openai", "gpt-4o", "zero", True),
        ("anthropic", "claude-3-5-sonnet", "missing", True),
        ("anthropic", "claude-3-5-sonnet", "zero", False),
        ("anthropic", "claude-3-5-sonnet", "zero", True),
        ("vllm", "llama-3", "missing", True),
        ("vllm", "llama-3", "zero", False),
    ],
)
def test_usage_that_a_provider_leaves_out_is_counted(
    gateway: Gateway, provider: str, model: str, mode: str, stream: bool
) -> None:
    with gateway.faulty(provider, {"kind": "wrong_usage", "mode": mode}):
        row = _row(gateway, gateway.chat(model=model, messages=MESSAGE, stream=stream))
    assert row["outcome"] == "answered"
    assert row["usage_source"] == "counted"
    # OpenAI's own tokenizer takes 7 tokens for the question and 16 for the answer.
    assert 7 <= row["input_tokens"] <= 15
    assert 12 <= row["output_tokens"] <= 20
    assert Decimal(row["cost_usd"]) == _price(model, row)


@pytest.mark.spec("11.2")
def test_an_answer_of_anthropics_without_usage_is_no_answer(gateway: Gateway) -> None:
    """LiteLLM cannot read one; the client is told, and is not charged."""
    with gateway.faulty("anthropic", {"kind": "wrong_usage", "mode": "missing"}):
        answer = gateway.chat(model="claude-3-5-sonnet", messages=MESSAGE)
    assert answer.status_code == 502
    assert gateway.call_row(answer.headers["x-sluice-call-id"])["cost_usd"] == "0"


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(
    ("path", "model"),
    [("/v1/messages", "claude-3-5-sonnet"), ("/v1/messages", "gpt-4o"), ("/v1/embeddings", "")],
)
def test_usage_left_out_on_other_endpoints_is_counted(
    gateway: Gateway, path: str, model: str
) -> None:
    body: dict[str, Any] = {"model": model, "max_tokens": 64, "messages": MESSAGE}
    if "embeddings" in path:
        body = {"model": "embedding", "input": "What is the weather in Oslo?"}
    provider = "anthropic" if "claude" in model else "openai"
    with gateway.faulty(provider, {"kind": "wrong_usage", "mode": "zero"}):
        row = _row(gateway, _post(gateway, path, **body))
    assert row["usage_source"] == "counted"
    assert row["input_tokens"] >= 7
    assert Decimal(row["cost_usd"]) > 0


@pytest.fixture
def stalling(gateway: Gateway) -> Iterator[None]:
    """Let streams stop after three chunks for longer than any test waits."""
    fault = {"kind": "stream_stall", "after_chunks": 3, "for_s": 60}
    with gateway.faulty("openai", fault), gateway.faulty("anthropic", fault):
        yield


def _leave_early(
    gateway: Gateway, path: str, key: str, body: dict[str, Any], *, after: bytes
) -> str:
    """Send a request, read until these bytes came, then reset the connection."""
    host, port = gateway.base_url.removeprefix("http://").split(":")
    raw = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: sluice\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    link = socket.create_connection((host, int(port)), timeout=30)
    # Closing without lingering resets, as a client that crashes does.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with link:
        link.sendall(head.encode() + raw)
        got = b""
        while after not in got:
            part = link.recv(65536)
            assert part, got
            got += part
    (found,) = [
        line for line in got.split(b"\r\n") if line.lower().startswith(b"x-sluice-call-id:")
    ]
    return found.split(b":", 1)[1].strip().decode()


LEAVING: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", "gpt-4o", {"messages": MESSAGE}),
    "chat claude": ("/v1/chat/completions", "claude-3-5-sonnet", {"messages": MESSAGE}),
    "completions": ("/v1/completions", "gpt-4o", {"prompt": "What is the weather in Oslo?"}),
    "responses": ("/v1/responses", "gpt-4o", {"input": "What is the weather in Oslo?"}),
    "messages": ("/v1/messages", "claude-3-5-sonnet", {"messages": MESSAGE, "max_tokens": 64}),
    "messages openai": ("/v1/messages", "gpt-4o", {"messages": MESSAGE, "max_tokens": 64}),
}


@pytest.mark.spec("11.2")
@pytest.mark.usefixtures("stalling")
@pytest.mark.parametrize("name", LEAVING)
def test_a_client_that_leaves_in_mid_stream_is_charged_once(gateway: Gateway, name: str) -> None:
    path, model, body = LEAVING[name]
    tenant = gateway.new_tenant()
    key = gateway.new_key(tenant)
    call_id = _leave_early(
        gateway, path, key, {"model": model, "stream": True, **body}, after=b"is "
    )
    row = gateway.call_row(call_id, limit_s=5)
    assert row["outcome"] == "disconnected"
    assert row["error_class"] == "ClientDisconnected"
    assert row["usage_source"] == "counted"
    assert row["input_tokens"] > 0
    # More than the one token that Anthropic reports at the start: what was written counts.
    assert row["output_tokens"] > 1
    assert Decimal(row["cost_usd"]) == _price(model, row) > 0
    assert _total(gateway, tenant)["calls"] == 1


@pytest.mark.spec("11.2")
def test_a_client_that_leaves_before_the_first_byte_has_its_row(gateway: Gateway) -> None:
    tenant = gateway.new_tenant()
    key = gateway.new_key(tenant)
    host, port = gateway.base_url.removeprefix("http://").split(":")
    raw = json.dumps({"model": "gpt-4o", "messages": MESSAGE}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: sluice\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    stats = f"{gateway.practice_url}/_practice/stats"
    before = httpx.get(stats).json()["last"]
    with gateway.faulty("openai", {"kind": "stall", "for_s": 2}):
        with socket.create_connection((host, int(port)), timeout=30) as link:
            link.sendall(head.encode() + raw)
            eventually(lambda: httpx.get(stats).json()["last"], lambda last: last > before)
        total = eventually(lambda: _total(gateway, tenant), lambda row: row["calls"], limit_s=8)
    assert total["calls"] == 1


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("kind", ["stream_cut", "malformed"])
def test_a_stream_that_breaks_is_charged_for_what_came(gateway: Gateway, kind: str) -> None:
    faults = [
        {"kind": "stream_stall", "after_chunks": 3, "for_s": 0.3},
        {"kind": kind, "after_chunks": 4},
    ]
    with gateway.faulty("openai", *faults):
        answer = gateway.chat(model="gpt-4o", messages=MESSAGE, stream=True)
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert "stream_broken" in answer.text
    assert row["outcome"] == "failed"
    assert row["error_class"]
    assert row["usage_source"] == "counted"
    assert Decimal(row["cost_usd"]) == _price("gpt-4o", row) > 0


@pytest.mark.spec("11.2")
def test_what_was_spent_sums_exactly_to_the_rows(gateway: Gateway) -> None:
    tenant = gateway.new_tenant()
    key = gateway.new_key(tenant)
    wanted = ["matching", "matching", "decision", "resume_parsing", "gpt-4o", "llama-3"]
    rows = [_row(gateway, gateway.chat(key, model=m, messages=MESSAGE)) for m in wanted]
    rows.append(_row(gateway, _post(gateway, "/v1/embeddings", key, model="embedding", input="x")))
    spend = gateway.request("GET", "/sluice/spend", key).json()
    assert Decimal(spend["cost_usd"]) == sum(Decimal(row["cost_usd"]) for row in rows)
    for by, field in (("agent", "agent"), ("model", "model_served"), ("day", "started_at")):
        told = gateway.request("GET", "/sluice/spend", key, params={"by": by}).json()["rows"]
        sums: dict[str, tuple[int, Decimal, int, int]] = defaultdict(lambda: (0, Decimal(0), 0, 0))
        for row in rows:
            name = (row[field] or "")[:10] if by == "day" else row[field] or ""
            n, cost, tokens_in, tokens_out = sums[name]
            sums[name] = (
                n + 1,
                cost + Decimal(row["cost_usd"]),
                tokens_in + row["input_tokens"],
                tokens_out + row["output_tokens"],
            )
        assert sums == {
            entry[by]: (
                entry["calls"],
                Decimal(entry["cost_usd"]),
                entry["input_tokens"],
                entry["output_tokens"],
            )
            for entry in told
        }


def test_spend_refuses_days_that_make_no_sense(gateway: Gateway) -> None:
    for query, field in (
        ("first=2026-02-02&last=2026-02-01", "first"),
        ("first=2020-01-01&last=2026-01-01", "first"),
        ("first=yesterday", "first"),
        ("by=tenant", "by"),
    ):
        answer = gateway.request("GET", f"/sluice/spend?{query}", gateway.demo_key)
        assert answer.status_code == 400, query
        assert answer.json()["error"]["param"].startswith(field)


@pytest.mark.spec("2.12")
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_instructions_that_come_again_are_cached_by_the_provider_and_priced_so(
    gateway: Gateway, path: str
) -> None:
    rules = f"{path} {os.urandom(8).hex()}. Weigh what the resume says, and nothing else. " * 120
    system = {"role": "system", "content": rules}

    def ask(number: int) -> dict[str, Any]:
        user = {"role": "user", "content": f"candidate {number}"}
        body: dict[str, Any] = {"model": "decision", "max_tokens": 16}
        if path == "/v1/messages":
            body |= {"system": rules, "messages": [user]}
        else:
            body |= {"messages": [system, user]}
        answer = gateway.request("POST", path, gateway.demo_key, json=body)
        assert answer.status_code == 200, answer.text
        return gateway.call_row(answer.headers["x-sluice-call-id"])

    # Each of the two workers has to meet the prefix twice before the third call reads it.
    rows = [ask(number) for number in range(8)]
    assert rows[0]["cached_input_tokens"] == rows[0]["cache_write_tokens"] == 0
    assert any(row["cache_write_tokens"] > 1024 for row in rows)
    cached = next(row for row in rows if row["cached_input_tokens"] > 1024)
    plain = cached["input_tokens"] - cached["cached_input_tokens"] - cached["cache_write_tokens"]
    price_in, price_out, price_cached = map(Decimal, PER_MILLION["claude-3-5-sonnet"])
    assert Decimal(cached["cost_usd"]) * MILLION == (
        plain * price_in
        + cached["cached_input_tokens"] * price_cached
        + cached["cache_write_tokens"] * CACHE_WRITE_PER_MILLION
        + cached["output_tokens"] * price_out
    )
