"""A provider fails, and the one on duty is told; it is well again, and so are they."""

import pytest

from tests.gateway.running import eventually
from tests.otel.stack import Stack, faster
from tests.otel.traffic import Traffic, flowing, wait_for_rounds

PROVIDERS = ("openai", "anthropic", "vllm", "cohere")
pytestmark = [pytest.mark.otel, pytest.mark.timeout(240)]


def test_only_spans_of_time_are_made_faster() -> None:
    assert faster("for: 2m\nexpr: increase(x[5m]) > 0.05 and x offset 1d >= 20") == (
        "for: 6s\nexpr: increase(x[15s]) > 0.05 and x offset 10s >= 20"
    )


@pytest.mark.spec("9.3")
def test_an_outage_reaches_the_engineer_on_call_and_its_end_does_too(stack: Stack) -> None:
    gateway, team = stack.gateway, "on-call-engineer"
    narrow = gateway.new_key(requests_per_minute=1)
    with flowing(Traffic(gateway, narrow)) as traffic:
        wait_for_rounds(traffic, 2, 60)
        assert "HighLLMErrorRate" not in stack.all_told()
        for provider in PROVIDERS:
            gateway.faults(provider, {"kind": "status", "status": 503})
        wanted = {"HighLLMErrorRate", "CircuitBreakerOpen"}
        eventually(lambda: stack.told(team, "firing"), lambda names: wanted <= names, 60)
        assert stack.value("sluice:errors:ratio5m") > 0.05
        gateway.mend()
        eventually(lambda: stack.told(team, "resolved"), lambda names: wanted <= names, 90)
    for other in ("platform-team", "ai-team"):
        assert not wanted & stack.told(other, "firing"), "another team was called"


def test_a_page_says_what_how_much_and_where_to_look(stack: Stack) -> None:
    """Reads what the outage above has sent."""
    pages = [
        alert
        for came in stack.receivers["on-call-engineer"].came
        for alert in came.json["alerts"]
        if alert["labels"]["alertname"] == "HighLLMErrorRate"
    ]
    assert pages
    assert pages[0]["labels"]["severity"] == "critical"
    assert "%" in pages[0]["annotations"]["description"]
    assert pages[0]["annotations"]["runbook_url"].startswith("docs/runbooks.md#")
