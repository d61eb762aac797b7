"""Every expression of every panel and rule, asked of a real Prometheus over a real gateway."""

import re
import time
from collections.abc import Iterator
from functools import cache

import httpx
import pytest

from tests.gateway.running import eventually
from tests.otel.boards import expressions
from tests.otel.rules import alerts, groups
from tests.otel.stack import Stack, faster
from tests.otel.traffic import Traffic, flowing, wait_for_rounds

pytestmark = [pytest.mark.otel, pytest.mark.timeout(240)]

MAY_BE_EMPTY = {
    "sluice_drift_changes_total": "a lasting change shows after some hundred calls, not in seconds",
    "sluice_drift_detected": "empty until a model has been watched for long enough",
    "sluice_findings_total": "no check finds anything in ordinary hiring text",
    "sluice_verdicts_total": "the same",
    "sluice_confidence_bucket": "only of answers whose confidence a check has judged",
    "sluice_check_failures_total": "no check fails",
    "sluice_trace_spans_dropped_total": "nothing is dropped while the receiver keeps up",
    "sluice_unpriced_calls_total": "every shipped model has a price",
}
"""Families without data in a healthy minute, and why; their expressions must still be valid."""
MAY_BE_EMPTY_ALERTS = {
    "GatewayMissing": "absent() of what is there is empty",
    "GatewayAnswersNothing": "`unless` takes away everything while calls are answered",
    "LLMCostSpike": "demands two days of history; its parts are asked for below",
    "TenantQuotaNearlyUsed": "a quota cannot be nearly used and exceeded at once",
}
LONG_ENOUGH_S = 65
"""The gateway reads quality, quotas and reviews every 30 s; a month's rules see them after that."""
VARIABLES = {
    "$agent": ".*",
    "$model": ".*",
    "$tenant": ".*",
    "$__rate_interval": "20s",
    "$__range": "60s",
    "$__interval": "5s",
}
_THRESHOLD = re.compile(r"(==|>=|<=|>|<) *(bool )?[\d.]+\b")


def _filled(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return faster(expr) if "[1h]" in expr else expr


def _without_thresholds(expr: str) -> str:
    """Give what an alert looks at, whatever its value."""
    return _THRESHOLD.sub("", expr)


def _excuse(expr: str) -> str | None:
    return next((why for family, why in MAY_BE_EMPTY.items() if family in expr), None)


@cache
def _rules() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for group in groups():
        for number, rule in enumerate(group["rules"]):
            name = rule.get("alert", rule.get("record"))
            found.append((f"{group['name']}: {name} {number}", rule["expr"]))
    return found


@pytest.fixture(scope="module")
def busy(stack: Stack) -> Iterator[Stack]:
    """The same after a minute of calls of every kind, with one provider that fails now and then."""
    gateway = stack.gateway
    gateway.admin("PATCH", "/sluice/tenants/demo", json={"monthly_quota_usd": "0.001"})
    narrow = gateway.new_key(requests_per_minute=1)
    began_s = time.monotonic()
    with flowing(Traffic(gateway, narrow)) as traffic:
        wait_for_rounds(traffic, 1, 60)
        gateway.faults("anthropic", {"kind": "status", "status": 503})
        gateway.faults("vllm", {"kind": "status", "status": 503, "probability": 0.5})
        wait_for_rounds(traffic, 12, 150)
        eventually(lambda: time.monotonic() - began_s, lambda past_s: past_s > LONG_ENOUGH_S, 90)
        yield stack
    gateway.mend()


@pytest.mark.parametrize(("where", "expr"), [pytest.param(w, e, id=w) for w, e in expressions()])
def test_a_panel_shows_something(busy: Stack, where: str, expr: str) -> None:
    _must_have_data(busy, _filled(expr))


@pytest.mark.parametrize(
    ("where", "expr"),
    [pytest.param(w, e, id=w) for w, e in _rules() if w.split()[1] not in alerts()],
)
def test_a_recording_rule_records_something(busy: Stack, where: str, expr: str) -> None:
    _must_have_data(busy, faster(expr))


@pytest.mark.parametrize("name", alerts())
def test_an_alert_looks_at_something(busy: Stack, name: str) -> None:
    expr = faster(alerts()[name]["expr"])
    busy.query(expr)
    if name not in MAY_BE_EMPTY_ALERTS:
        _must_have_data(busy, _without_thresholds(expr))


def test_the_parts_of_what_needs_history_are_there(busy: Stack) -> None:
    assert busy.query("sum(sluice:cost_usd:increase1d)")
    assert busy.query('max_over_time(up{job="sluice"}[1m])')
    assert busy.query('sum(increase(sluice_calls_total{outcome="answered"}[30s]))')
    assert busy.query("sum(increase(sluice_door_refusals_total[30s]))")


def _must_have_data(stack: Stack, expr: str) -> None:
    found = eventually(lambda: stack.query(expr), bool, 3) if not _excuse(expr) else None
    if found is None:
        stack.query(expr)
        return
    assert any(one["value"][1] not in {"NaN", "+Inf"} for one in found), found[:3]


def test_every_excuse_is_needed_by_some_expression() -> None:
    everything = " ".join(expr for _, expr in [*expressions(), *_rules()])
    assert all(family in everything for family in MAY_BE_EMPTY)
    assert set(MAY_BE_EMPTY_ALERTS) <= alerts().keys()


@pytest.mark.parametrize("family", ["call_duration", "overhead", "attempt_duration", "first_byte"])
def test_points_of_latency_panels_lead_to_traces(busy: Stack, family: str) -> None:
    """Grafana shows exemplars of the raw families; each names its trace."""
    asked = {"query": f"sluice_{family}_seconds_bucket", "start": "0", "end": "4102444800"}
    answer = httpx.get(f"{busy.prometheus}/api/v1/query_exemplars", params=asked).json()
    traces = {e["labels"].get("trace_id") for s in answer["data"] for e in s["exemplars"]}
    assert traces - {None}
