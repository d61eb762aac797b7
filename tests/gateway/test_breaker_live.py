"""The breaker through a running gateway with two workers."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.running import Gateway, eventually

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def _closed_afterwards(gateway: Gateway) -> Iterator[None]:
    yield
    for provider in ("openai", "anthropic", "vllm"):
        gateway.release(provider)


def _circuit(gateway: Gateway, provider: str) -> dict[str, object]:
    found = gateway.admin("GET", "/sluice/circuits").json()
    return next(c for c in found if c["provider"] == provider)


def _attempts(gateway: Gateway, provider: str) -> int:
    return sum(seen["provider"] == provider for seen in gateway.practice_requests())


def _ask(gateway: Gateway, **body: object) -> httpx.Response:
    return gateway.chat(model="matching", **body)


@pytest.mark.spec("8.3", "2.10")
@pytest.mark.parametrize("stream", [False, True])
def test_three_failures_open_the_circuit_and_no_client_notices(
    gateway: Gateway, stream: bool
) -> None:
    before = _attempts(gateway, "openai")
    with gateway.faulty("openai", {"kind": "status", "status": 503}):
        answers = [_ask(gateway, stream=stream) for _ in range(12)]
        assert _circuit(gateway, "openai")["state"] == "open"
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-sluice-tier"] for answer in answers} == {"secondary"}
    assert _attempts(gateway, "openai") - before == 3


@pytest.mark.spec("8.3")
def test_a_probe_brings_the_provider_back(gateway: Gateway) -> None:
    gateway.faults("openai", {"kind": "status", "status": 503})
    for _ in range(4):
        _ask(gateway)
    assert _ask(gateway).headers["x-sluice-tier"] == "secondary"
    gateway.faults("openai")
    eventually(
        lambda: _ask(gateway), lambda answer: answer.headers["x-sluice-tier"] == "primary", 15
    )
    assert _circuit(gateway, "openai")["state"] == "closed"


@pytest.mark.spec("8.3")
def test_a_fault_of_the_clients_never_counts(gateway: Gateway) -> None:
    with gateway.faulty("openai", {"kind": "status", "status": 400}):
        for _ in range(5):
            gateway.chat(model="gpt-4o")
        assert _circuit(gateway, "openai")["state"] == "closed"


@pytest.mark.spec("8.3")
def test_an_operator_opens_and_closes_by_hand(gateway: Gateway) -> None:
    path = "/sluice/circuits/openai"
    opened = gateway.admin("POST", path, json={"state": "open"}).json()
    assert (opened["state"], opened["by_hand"]) == ("open", True)
    eventually(
        lambda: [_ask(gateway).headers["x-sluice-tier"] for _ in range(6)],
        lambda tiers: set(tiers) == {"secondary"},
        3,
    )
    gateway.admin("POST", path, json={"state": "auto"})
    eventually(
        lambda: [_ask(gateway).headers["x-sluice-tier"] for _ in range(6)],
        lambda tiers: set(tiers) == {"primary"},
        3,
    )


def test_with_every_tier_open_the_answer_is_503_at_once_with_retry_after(
    gateway: Gateway,
) -> None:
    for provider in ("openai", "anthropic", "vllm"):
        gateway.admin("POST", f"/sluice/circuits/{provider}", json={"state": "open"})
    answer = eventually(lambda: _ask(gateway), lambda a: a.status_code == 503, 3)
    assert answer.json()["error"]["code"] == "providers_unavailable"
    assert int(answer.headers["retry-after"]) >= 1


def test_circuits_are_an_administrators_and_an_unknown_one_is_named(gateway: Gateway) -> None:
    assert gateway.request("GET", "/sluice/circuits", gateway.demo_key).status_code == 403
    unknown = gateway.admin("POST", "/sluice/circuits/nobody", json={"state": "open"})
    assert unknown.status_code == 404
    assert "openai" in unknown.json()["error"]["message"]
    wrong = gateway.admin("POST", "/sluice/circuits/openai", json={"state": "ajar"})
    assert wrong.status_code == 400


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("stream", [False, True])
def test_clients_that_lose_patience_never_open_a_circuit(gateway: Gateway, stream: bool) -> None:
    before = len(gateway.practice_requests())
    with gateway.faulty("openai", {"kind": "stall", "for_s": 1.5}):
        for _ in range(4):
            with contextlib.suppress(httpx.TimeoutException):
                httpx.post(
                    f"{gateway.base_url}/v1/chat/completions",
                    headers={"authorization": f"Bearer {gateway.demo_key}"},
                    json={"model": "gpt-4o", "messages": MESSAGES, "stream": stream},
                    timeout=0.4,
                )
        eventually(lambda: len(gateway.practice_requests()) - before, lambda n: n >= 4)
        circuit = _circuit(gateway, "openai")
    assert (circuit["state"], circuit["failures"]) == ("closed", 0)
