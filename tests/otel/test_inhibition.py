"""What the real Alertmanager keeps to itself when something else has said it already."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.receivers import Receiver
from tests.gateway.running import eventually, free_port
from tests.otel.rules import alerts
from tests.otel.stack import alertmanager_for, names, ready

PAIRS = [
    ("circuit_breaker_opened", "CircuitBreakerOpen", {"provider": "openai"}),
    ("tenant_quota_exceeded", "TenantQuotaExceeded", {"tenant": "acme"}),
    ("tenant_quota_warning", "TenantQuotaNearlyUsed", {"tenant": "beta"}),
    ("model_drift_detected", "ModelDrift", {"model": "gpt-4o", "signal": "latency"}),
    ("StoreAway", "LedgerSpoolGrowing", {}),
    ("StoreAway", "SettlementsWaiting", {}),
    ("HighLLMErrorRate", "HighAgentErrorRate", {}),
    ("GatewayDown", "GatewayAnswersNothing", {}),
]
pytestmark = pytest.mark.otel


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[str, dict[str, Receiver]]]:
    receivers = {team: Receiver() for team in ("on-call-engineer", "platform-team", "ai-team")}
    for receiver in receivers.values():
        receiver.start()
    port = free_port()
    process = alertmanager_for(tmp_path, port, receivers)
    try:
        eventually(lambda: ready(port), bool, limit_s=20)
        yield f"http://127.0.0.1:{port}/api/v2/alerts", receivers
    finally:
        process.terminate()
        process.wait(20)
        for receiver in receivers.values():
            receiver.stop()


def _labels(name: str, more: dict[str, str]) -> dict[str, str]:
    own = alerts()[name]["labels"] if name in alerts() else {"severity": "high"}
    return {"alertname": name, "service": "sluice"} | own | more


def test_what_was_said_is_not_said_again_and_nothing_else_is_kept_back(
    manager: tuple[str, dict[str, Receiver]],
) -> None:
    url, receivers = manager

    def raised(*found: dict[str, str]) -> None:
        httpx.post(url, json=[{"labels": labels} for labels in found]).raise_for_status()

    def told() -> set[str]:
        return set().union(*(names(receiver, "firing") for receiver in receivers.values()))

    sources = {source for source, _, _ in PAIRS}
    raised(*(_labels(source, same) for source, _, same in PAIRS))
    eventually(told, lambda found: sources <= found, 20)
    another = _labels("CircuitBreakerOpen", {"provider": "anthropic"})
    raised(*(_labels(target, same) for _, target, same in PAIRS), another)
    eventually(told, lambda found: "CircuitBreakerOpen" in found, 20)
    raised(_labels("UnpricedCalls", {"model": "marker"}))
    eventually(told, lambda found: "UnpricedCalls" in found, 20)
    kept_back = {target for _, target, _ in PAIRS} - {"CircuitBreakerOpen"}
    assert not kept_back & told()
    providers = {
        alert["labels"].get("provider")
        for came in receivers["on-call-engineer"].came
        for alert in came.json["alerts"]
        if alert["labels"]["alertname"] == "CircuitBreakerOpen"
    }
    assert providers == {"anthropic"}
