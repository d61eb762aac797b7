"""The drivers run every phase of a stage on every endpoint, stream or not, each once."""

import httpx
import pytest

from tests.gateway.running import Gateway, eventually

MESSAGE = [{"role": "user", "content": "hello there"}]
ENDPOINTS = {
    "chat": ("/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGE}),
    "chat stream": (
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": MESSAGE, "stream": True},
    ),
    "completions": ("/v1/completions", {"model": "gpt-4o", "prompt": "hello"}),
    "completions stream": (
        "/v1/completions",
        {"model": "gpt-4o", "prompt": "hello", "stream": True},
    ),
    "embeddings": ("/v1/embeddings", {"model": "embedding", "input": "hello"}),
    "embeddings cohere": ("/v1/embeddings", {"model": "embed-english-v3.0", "input": "hello"}),
    "responses": ("/v1/responses", {"model": "gpt-4o", "input": "hello"}),
    "responses stream": ("/v1/responses", {"model": "gpt-4o", "input": "hello", "stream": True}),
    "messages": (
        "/v1/messages",
        {"model": "decision", "max_tokens": 64, "messages": MESSAGE},
    ),
    "messages stream": (
        "/v1/messages",
        {"model": "decision", "max_tokens": 64, "messages": MESSAGE, "stream": True},
    ),
    "messages on openai": (
        "/v1/messages",
        {"model": "gpt-4o", "max_tokens": 64, "messages": MESSAGE},
    ),
    "messages stream on openai": (
        "/v1/messages",
        {"model": "gpt-4o", "max_tokens": 64, "messages": MESSAGE, "stream": True},
    ),
    "moderations": ("/v1/moderations", {"input": "hello"}),
    "speech": ("/v1/audio/speech", {"model": "tts-1", "input": "hello", "voice": "alloy"}),
}


def _send(gateway: Gateway, name: str, **headers: str) -> httpx.Response:
    path, body = ENDPOINTS[name]
    return gateway.request("POST", path, gateway.demo_key, json=body, headers=headers)


def _seen(gateway: Gateway, answer: httpx.Response) -> list[str]:
    """Phases in order, repeated chunks counted once."""
    call_id = answer.headers["x-sluice-call-id"]
    notes = eventually(
        lambda: gateway.phases(call_id), lambda seen: seen and seen[-1]["phase"] == "observe"
    )
    phases = [f"{note['stage']}.{note['phase']}" for note in notes]
    return [p for i, p in enumerate(phases) if "chunk" not in p or phases[i - 1] != p]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_phase_runs_once_in_order(gateway: Gateway, name: str) -> None:
    answer = _send(gateway, name)
    assert answer.status_code == 200, answer.text
    output = "probe.check_chunk" if "stream" in name else "probe.check_output"
    seen = [p for p in _seen(gateway, answer) if not p.startswith("probe-guard")]
    if "stream" in name:
        seen.sort(key=lambda p: p == "probe.settle" or p == "probe.observe")
        seen = list(dict.fromkeys(seen))
        assert set(seen) == {
            f"probe.{p}"
            for p in (
                "admit", "prepare", "check_input", "attempt", "attempt_ended", "check_chunk",
                "settle", "observe",
            )
        }  # fmt: skip
        return
    assert seen == [
        "probe.admit",
        "probe.prepare",
        "probe.check_input",
        "probe.attempt",
        "probe.attempt_ended",
        output,
        "probe.settle",
        "probe.observe",
    ]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_stage_under_guardrails_checks_the_input_once(gateway: Gateway, name: str) -> None:
    assert _seen(gateway, _send(gateway, name)).count("probe-guard.check_input") == 1


@pytest.mark.parametrize("phase", ["probe.admit", "probe.prepare", "probe.check_input"])
@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_refusal_reaches_the_client_in_its_own_shape(
    gateway: Gateway, name: str, phase: str
) -> None:
    answer = _send(gateway, name, **{"x-sluice-session": f"refuse-in:{phase}"})
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["code"] == "refused_on_cue"
    assert error["type"] == "permission_error"
    assert ("request_id" in answer.json()) == ("messages" in name)
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert (row["outcome"], row["cost_usd"], row["status"]) == ("refused", "0", 403)


@pytest.mark.parametrize("phase", ["admit", "prepare", "check_input"])
def test_a_stage_that_fails_costs_its_call_and_leaves_a_row(gateway: Gateway, phase: str) -> None:
    answer = _send(gateway, "chat", **{"x-sluice-session": f"raise-in:probe.{phase}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "bug" not in answer.text
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert (row["outcome"], row["status"], row["cost_usd"]) == ("failed", 500, "0")
    assert _send(gateway, "chat").status_code == 200


def test_a_guardrails_refusal_reaches_the_client(gateway: Gateway) -> None:
    answer = _send(gateway, "chat", **{"x-sluice-session": "refuse-in:probe-guard.check_input"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "refused_on_cue")


@pytest.mark.parametrize("name", [n for n in ENDPOINTS if "stream" not in n])
def test_a_refused_answer_is_kept_back_and_charged(gateway: Gateway, name: str) -> None:
    answer = _send(gateway, name, **{"x-sluice-session": "refuse-in:probe.check_output"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "refused_on_cue")
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert row["outcome"] == "refused"
    assert (row["cost_usd"] != "0") == (name != "moderations")


@pytest.mark.parametrize("name", [n for n in ENDPOINTS if "stream" in n])
def test_a_refused_stream_ends_with_an_error_frame_and_is_charged(
    gateway: Gateway, name: str
) -> None:
    answer = _send(gateway, name, **{"x-sluice-session": "refuse-in:probe.check_chunk"})
    assert answer.status_code == 200
    assert "refused_on_cue" in answer.text
    assert "hello" not in answer.text
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert row["outcome"] == "refused"
    assert row["cost_usd"] != "0"
    assert row["usage_source"] in {"counted", "provider"}


def test_a_refused_stream_lets_go_of_the_provider(gateway: Gateway) -> None:
    """What nobody will read is neither generated nor paid for."""
    slow = {"kind": "answer", "text": "word " * 400, "chunks": 400}
    pace = {"kind": "stream_stall", "after_chunks": 5, "for_s": 3}
    with gateway.faulty("openai", slow, pace):
        answer = _send(
            gateway, "chat stream", **{"x-sluice-session": "refuse-in:probe.check_chunk"}
        )
        assert "refused_on_cue" in answer.text
        seen = eventually(
            lambda: gateway.practice_requests()[-1], lambda last: last["aborted"], limit_s=10
        )
    assert seen["path"].endswith("/chat/completions")
