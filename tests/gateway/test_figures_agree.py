"""Metrics, ledger, traces and the clients' own count say the same of the same calls."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bench.metrics_reader import Page, read
from plugins.core.metrics import LATENCIES_S
from plugins.store.database import create_engine
from plugins.store.tables import ledger
from plugins.tracing import names
from tests.gateway.mixed_load import Count, MixedLoad
from tests.gateway.running import Gateway, eventually, running
from tests.receiving import Receiver, SpanSeen, over_http

pytestmark = pytest.mark.proxy
SEED = 20261124
SHARES = (0.5, 0.95, 0.99)
FLAKY = {"kind": "status", "status": 503, "probability": 0.03, "seed": 122, "path": "completions"}
"""Some calls of openai's fail, so that some fall back; with this seed never three of 12 in a row,
which would open its circuit."""


@dataclass
class Told:
    """What each of the four says of one load.

    Args:
        tenant_id: of the clients that stayed until the end.
        count: the clients' own.
        rows: the ledger's.
        page: the metrics'.
        roots: the traces'.
    """

    tenant_id: str
    count: Count
    rows: list[dict[str, Any]]
    page: Page
    roots: list[SpanSeen]


@dataclass
class Watched:
    """A gateway with two workers that measures and traces everything."""

    gateway: Gateway
    receiver: Receiver

    def page(self) -> Page:
        return read(self.gateway.admin("GET", "/metrics").text)

    def rows(self) -> list[dict[str, Any]]:
        return asyncio.run(_rows(self.gateway.ready["database_url"]))

    def roots(self) -> list[SpanSeen]:
        return [span for span in self.receiver.spans() if span.kind == "server"]


@pytest.fixture(scope="module")
def watched(new_folder: Callable[[str], Path]) -> Iterator[Watched]:
    with over_http() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with running(new_folder("figures"), workers=2, **variables) as gateway:
            yield Watched(gateway, receiver)


async def _rows(url: str) -> list[dict[str, Any]]:
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(select(ledger))).mappings()]
    finally:
        await engine.dispose()


def _told(watched: Watched, calls: int, clients: int) -> Told:
    """Make the calls; gives what each says once all have heard of all of them."""
    rows, roots, page = watched.rows(), watched.roots(), watched.page()
    with watched.gateway.faulty("openai", FLAKY):
        gateway, tenant_id = watched.gateway, watched.gateway.new_tenant()
        keys = gateway.new_key(tenant_id), gateway.new_key()
        load = MixedLoad(gateway.base_url, *keys, calls=calls, clients=clients, seed=SEED)
        count = asyncio.run(load.run())
    known = {row["call_id"] for row in rows}
    new = lambda: [r for r in watched.rows() if r["call_id"] not in known]  # noqa: E731 - in place
    later = eventually(new, lambda found: len(found) >= count.calls, limit_s=30)
    eventually(
        lambda: watched.page().since(page).total("sluice_calls_total"),
        lambda total: total >= count.calls,
        limit_s=30,
    )
    spans = eventually(
        lambda: watched.roots()[len(roots) :],
        lambda found: len(found) >= count.calls,
        limit_s=60,
    )
    return Told(tenant_id, count, later, watched.page().since(page), spans)


def _all_say_the_same(told: Told) -> None:
    count, rows, page, roots = told.count, told.rows, told.page, told.roots
    assert count.odd == []
    assert count.cached > 0
    assert count.fell_back > 0
    assert count.left > 0
    assert count.unserved > 0
    assert len(rows) == page.total("sluice_calls_total") == len(roots) == count.calls
    _outcomes_agree(told)
    _tokens_agree(told)
    _dollars_agree(told)
    _latencies_agree(told)


def _outcomes_agree(told: Told) -> None:
    of_rows = Counter(row["outcome"] for row in told.rows)
    by_outcome = told.page.by("sluice_calls_total", "outcome")
    of_metrics = {outcome: int(n) for (outcome,), n in by_outcome.items()}
    of_traces = Counter(root.attributes[names.OUTCOME] for root in told.roots)
    assert of_rows == of_metrics == of_traces
    stayed = Counter(row["outcome"] for row in _of_those_who_stayed(told))
    assert stayed["answered"] == told.count.answered
    assert stayed["refused"] + stayed["failed"] == told.count.unserved
    of_models = Counter(row["model_served"] for row in _of_those_who_stayed(told))
    del of_models[None]
    assert of_models == told.count.models


def _of_those_who_stayed(told: Told) -> list[dict[str, Any]]:
    return [row for row in told.rows if row["tenant_id"] == told.tenant_id]


def _tokens_agree(told: Told) -> None:
    for column, kind, name in (
        ("input_tokens", "input", names.CALL_INPUT_TOKENS),
        ("output_tokens", "output", names.CALL_OUTPUT_TOKENS),
    ):
        of_rows = sum(row[column] for row in told.rows)
        assert of_rows == told.page.total("sluice_tokens_total", kind=kind)
        assert of_rows == sum(root.attributes.get(name, 0) for root in told.roots)
        told_clients = {"input": told.count.tokens_in, "output": told.count.tokens_out}[kind]
        assert sum(row[column] for row in _of_those_who_stayed(told)) == told_clients


def _dollars_agree(told: Told) -> None:
    of_rows = sum((row["cost_usd"] for row in told.rows), Decimal(0))
    assert told.page.total("sluice_cost_usd_total") == pytest.approx(float(of_rows), abs=1e-9)
    of_traces = sum(Decimal(str(r.attributes.get(names.COST_USD, 0))) for r in told.roots)
    assert of_traces == of_rows
    of_clients = sum((row["cost_usd"] for row in _of_those_who_stayed(told)), Decimal(0))
    assert of_clients == told.count.usd


def _latencies_agree(told: Told) -> None:
    """Hold the percentiles of metrics against those of ledger, traces and clients, by bucket."""
    of_rows = [row["latency_ms"] / 1000 for row in told.rows]
    of_traces = [(root.ended_ns - root.started_ns) / 1e9 for root in told.roots]
    for share in SHARES:
        lower, upper = told.page.bounds_of("sluice_call_duration_seconds", share)
        for whose in (of_rows, of_traces, told.count.latencies_s):
            assert _within_one(_percentile(whose, share), lower, upper), (share, lower, upper)


def _percentile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def _within_one(value: float, lower: float, upper: float) -> bool:
    """Tell whether a value lies in a bucket or in one beside it."""
    bounds = [0.0, *LATENCIES_S, float("inf")]
    low, high = bounds.index(lower), bounds.index(upper)
    return bounds[max(low - 1, 0)] <= value <= bounds[min(high + 1, len(bounds) - 1)]


@pytest.mark.spec("9.1", "9.4", "11.2")
def test_four_ways_of_counting_500_mixed_calls_agree(watched: Watched) -> None:
    _all_say_the_same(_told(watched, calls=500, clients=6))


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.spec("9.1", "9.4", "11.2")
def test_four_ways_of_counting_5000_mixed_calls_agree(watched: Watched) -> None:
    _all_say_the_same(_told(watched, calls=5_000, clients=8))
