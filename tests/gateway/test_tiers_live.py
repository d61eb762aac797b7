"""Which tier answers, through a running gateway: what falls back, what never does."""

from typing import Any

import httpx
import pytest

from tests.gateway.running import Gateway

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
    "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
        ],
    }
]


def _asked(gateway: Gateway, since: int) -> list[str]:
    return [seen["provider"] for seen in gateway.practice_requests(since)]


def _last(gateway: Gateway) -> int:
    seen = gateway.practice_requests()
    return int(seen[-1]["seq"]) if seen else 0


@pytest.mark.spec("2.10")
def test_a_refusal_of_the_request_goes_to_no_other_tier(gateway: Gateway) -> None:
    since = _last(gateway)
    with gateway.faulty("openai", {"kind": "status", "status": 400, "message": "too hot"}):
        answer = gateway.chat(model="matching")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "provider_refused_request"
    assert _asked(gateway, since) == ["openai"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_fault_of_the_operators_is_not_the_clients_to_bear(gateway: Gateway, status: int) -> None:
    with gateway.faulty("openai", {"kind": "status", "status": status}):
        answers = [gateway.chat(model="matching") for _ in range(5)]
        circuits = gateway.admin("GET", "/sluice/circuits").json()
    assert {a.headers["x-sluice-tier"] for a in answers} == {"secondary"}
    assert next(c for c in circuits if c["provider"] == "openai")["state"] == "closed"


def test_what_a_later_tier_refuses_is_not_told_as_the_clients_fault(gateway: Gateway) -> None:
    with (
        gateway.faulty("openai", {"kind": "status", "status": 503}),
        gateway.faulty("anthropic", {"kind": "status", "status": 400}),
        gateway.faulty("vllm", {"kind": "status", "status": 400}),
    ):
        answer = gateway.chat(model="matching")
    assert answer.status_code == 502
    assert answer.headers["x-sluice-attempts"] == "3"


@pytest.mark.spec("2.10")
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_content_is_followed_by_the_next_tiers_and_charged(
    gateway: Gateway, stream: bool
) -> None:
    with gateway.faulty("openai", {"kind": "empty"}):
        answers = [gateway.chat(model="matching", stream=stream) for _ in range(4)]
        circuits = gateway.admin("GET", "/sluice/circuits").json()
    assert {a.headers["x-sluice-tier"] for a in answers} == {"secondary"}
    # A tenant may provoke it: no circuit opens.
    assert next(c for c in circuits if c["provider"] == "openai")["state"] == "closed"
    row = gateway.call_row(answers[0].headers["x-sluice-call-id"])
    assert row["attempts"][0]["error_class"] == "EmptyAnswer"
    tokens_usd = (row["input_tokens"] * 3 + row["output_tokens"] * 15) / 1_000_000
    assert float(row["cost_usd"]) > tokens_usd


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_better_one_the_answer_without_content_is_given(
    gateway: Gateway, stream: bool
) -> None:
    with gateway.faulty("openai", {"kind": "empty"}):
        answer = gateway.chat(model="gpt-4o", stream=stream)
    assert answer.status_code == 200
    assert (answer.headers["x-sluice-tier"], answer.headers["x-sluice-attempts"]) == (
        "primary",
        "1",
    )
    assert not stream or answer.text.rstrip().endswith("data: [DONE]")
    assert gateway.call_row(answer.headers["x-sluice-call-id"])["outcome"] == "answered"


@pytest.mark.spec("2.10")
def test_a_tier_that_cannot_take_a_picture_is_left_out_and_named(gateway: Gateway) -> None:
    with (
        gateway.faulty("openai", {"kind": "status", "status": 503}),
        gateway.faulty("anthropic", {"kind": "status", "status": 503}),
    ):
        answer = gateway.chat(model="matching", messages=PICTURE)
    assert answer.status_code == 502
    assert answer.headers["x-sluice-skipped"] == "llama-3=model_lacks_images"
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert row["attempts"][-1] == {"group": "llama-3", "skipped": "model_lacks_images"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messages": PICTURE}, "model_lacks_images"),
        (
            {"messages": [{"role": "user", "content": "word " * 9_500}]},
            "context_length_exceeded",
        ),
    ],
)
def test_a_model_asked_for_what_it_cannot_take_is_refused_before_it_is_asked(
    gateway: Gateway, body: dict[str, Any], code: str
) -> None:
    since = _last(gateway)
    answer = gateway.chat(model="llama-3", **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["error"]["param"] == "model"
    assert _asked(gateway, since) == []


def test_a_stream_that_dies_before_its_first_word_is_another_tiers_from_the_start(
    gateway: Gateway,
) -> None:
    with gateway.faulty("openai", {"kind": "stream_cut", "after_chunks": 0}):
        answer = gateway.chat(model="matching", stream=True)
    assert answer.headers["x-sluice-tier"] == "secondary"
    assert answer.text.count('"role":"assistant"') == 1
    assert '"error"' not in answer.text


def test_a_stream_that_dies_after_its_first_word_ends_with_an_error_and_is_charged(
    gateway: Gateway,
) -> None:
    long = {"kind": "answer", "text": "word " * 60, "chunks": 60}
    # What was read before the end came is passed on; a pause makes sure that it was.
    pause = {"kind": "stream_stall", "after_chunks": 30, "for_s": 0.5}
    with gateway.faulty("openai", long, pause, {"kind": "stream_cut", "after_chunks": 30}):
        answer = gateway.chat(model="matching", stream=True)
    assert answer.headers["x-sluice-tier"] == "primary"
    assert "stream_broken" in answer.text
    assert answer.text.rstrip().endswith("data: [DONE]")
    row = gateway.call_row(answer.headers["x-sluice-call-id"])
    assert row["outcome"] == "failed"
    assert float(row["cost_usd"]) > 0


def test_headers_say_how_many_tries_it_took(gateway: Gateway) -> None:
    answer: httpx.Response = gateway.chat(model="matching")
    assert answer.headers["x-sluice-attempts"] == "1"
    assert "x-sluice-skipped" not in answer.headers
    with gateway.faulty("openai", {"kind": "cut"}):
        assert gateway.chat(model="matching").headers["x-sluice-attempts"] == "2"
