"""Measures ingestion and queries through the gateway's own code."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.figures import percentile
from bench.store.filling import Filled
from plugins.cache.report import CacheReport
from plugins.core.call import Attempt, Call, Context, Endpoint, Outcome, Usage, UsageSource
from plugins.core.chain import Seals
from plugins.core.identifiers import new_call_id
from plugins.core.tenant import Principal
from plugins.cost.drain import BATCH
from plugins.cost.entry import encode
from plugins.cost.store import LedgerStore
from plugins.lineage.trees import LineageStore

TIMES: Final = 60
"""How often each query is asked, with other tenants, days and calls each time."""
Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Ingested:
    """How fast rows came in.

    Args:
        rounds: rows a second of each round.
        drains: batches under way at once.
    """

    rounds: Sequence[float]
    drains: int

    @property
    def rows_per_s(self) -> float:
        """Give the middle round's."""
        return percentile(list(self.rounds), 0.5)


def entries(tenants: Sequence[str], count: int, draw: random.Random) -> list[bytes]:
    """Write settlements as the gateway's workers do, with digests, cases and retries."""
    digest = "\\x" + "ab" * 32
    evidence = {"salt": "cd" * 16, "input_digest": digest, "output_digest": digest}
    return [encode(_call(draw.choice(tenants), draw), evidence) for _ in range(count)]


def _call(tenant: str, draw: random.Random) -> Call:
    case = draw.randrange(10**6)
    call = Call(
        id=new_call_id(),
        endpoint=Endpoint.CHAT,
        principal=Principal("key0000001", tenant),
        model_asked="gpt-4o",
        body={},
        started_at=datetime.now(UTC),
        started_s=100.0,
        context=Context(f"candidate-{case}", f"session-{case}", "resume", f"resume-{case}"),
        attempts=[Attempt("openai-gpt-4o", "openai", "gpt-4o", 100.0, 100.5)],
        outcome=Outcome.ANSWERED,
        status=200,
        deployment="openai-gpt-4o",
        usage=Usage(draw.randrange(4000), draw.randrange(900), source=UsageSource.PROVIDER),
        cost_usd=Decimal(draw.randrange(10**9)).scaleb(-12),
        ended_s=100.6,
        variants={"prompt": "parse@3", "arm": "b"},
    )
    parent = new_call_id() if case % 5 else None
    call.context = replace(call.context, parent_call_id=parent)
    return call


async def ingest(
    engine: AsyncEngine,
    seals: Seals,
    filled: Filled,
    *,
    rounds: int,
    seconds: float,
    drains: int,
) -> Ingested:
    """Record batches as the drain makes them, for some seconds each round."""
    store = LedgerStore(engine, seals)
    draw = random.Random(5)  # noqa: S311 - the same calls in every run
    return Ingested(
        [await _round(store, filled, draw, seconds, drains) for _ in range(rounds)], drains
    )


async def _round(
    store: LedgerStore, filled: Filled, draw: random.Random, seconds: float, drains: int
) -> float:
    """Give the rows a second of one round; making the calls is not counted."""
    recorded, making_s = 0, 0.0
    began_s = time.perf_counter()

    async def drain() -> None:
        nonlocal recorded, making_s
        while time.perf_counter() - began_s - making_s < seconds:
            before_s = time.perf_counter()
            batch = entries(filled.tenants, BATCH, draw)
            making_s += time.perf_counter() - before_s
            await store.record(batch)
            recorded += len(batch)

    await asyncio.gather(*(drain() for _ in range(drains)))
    return recorded / (time.perf_counter() - began_s - making_s)


def questions(
    engine: AsyncEngine,
    seals: Seals,
    filled: Filled,
    picked: Sequence[tuple[str, str, str, datetime]],
    draw: random.Random,
) -> Mapping[str, Ask]:
    """Give what the gateway's routes and dashboards ask, each with random arguments."""
    ledger, lineage, report = LedgerStore(engine, seals), LineageStore(engine), CacheReport(engine)
    today = filled.last.date()
    month = today.replace(day=1)
    year = max(filled.first.date(), today - timedelta(days=399))

    def tenant() -> str:
        return draw.choice(filled.tenants)

    def row() -> tuple[str, str, str, datetime]:
        return draw.choice(picked)

    async def of_call() -> Any:
        one = row()
        return await lineage.of_call(one[0], one[1])

    async def of_entity() -> Any:
        one = row()
        return await lineage.of_entity(one[0], "resume", one[2])

    async def of_entity_anywhere() -> Any:
        return await lineage.of_entity(None, "resume", row()[2])

    async def call() -> Any:
        one = row()
        return await ledger.call(one[0], one[1])

    asked: dict[str, Ask] = {
        "spend: a tenant's month by day, agent, model": lambda: ledger.spend(
            tenant(), month, today, ["day", "agent", "model"]
        ),
        "spend: everybody's month by day, agent, model": lambda: ledger.spend(
            None, month, today, ["day", "agent", "model"]
        ),
        "spend: a tenant's year by model": lambda: ledger.spend(tenant(), year, today, ["model"]),
        "spend: everybody's year by agent": lambda: ledger.spend(None, year, today, ["agent"]),
        "call": call,
        "lineage: a call's tree": of_call,
        "lineage: a record's tree": of_entity,
        "lineage: a record's tree, any tenant": of_entity_anywhere,
        "cache: a tenant's day": lambda: report.since(filled.last - timedelta(hours=24), tenant()),
        "cache: everybody's day": lambda: report.since(filled.last - timedelta(hours=24), None),
    }
    return asked | {name: _sql(engine, query, filled, tenant) for name, query in DASHBOARDS.items()}


DASHBOARDS: Final = {
    "dashboard: cost by day, 30 days": "SELECT day, sum(cost_usd) FROM ledger_daily"
    " WHERE day > CAST(:day AS date) - 30 GROUP BY 1 ORDER BY 1",
    "dashboard: dearest tenants, 30 days": "SELECT tenant_id, sum(cost_usd) AS cost"
    " FROM ledger_daily WHERE day > CAST(:day AS date) - 30 GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    "dashboard: cost and saving by agent, 90 days": "SELECT agent, sum(calls), sum(cost_usd),"
    " sum(saved_usd) FROM ledger_daily WHERE day > CAST(:day AS date) - 90 GROUP BY 1",
    "dashboard: a tenant's tokens by model and week": "SELECT date_trunc('week', day), model,"
    " sum(input_tokens), sum(output_tokens) FROM ledger_daily WHERE tenant_id = :tenant"
    " AND day > CAST(:day AS date) - 180 GROUP BY 1, 2",
    "dashboard: a tenant's latest 100 calls": "SELECT call_id, started_at, agent, outcome,"
    " cost_usd, latency_ms FROM ledger WHERE tenant_id = :tenant"
    " ORDER BY started_at DESC LIMIT 100",
    "dashboard: a tenant's failures of a day": "SELECT error_class, count(*) FROM ledger"
    " WHERE tenant_id = :tenant AND started_at > :moment AND outcome = 'failed' GROUP BY 1",
}


def _sql(engine: AsyncEngine, query: str, filled: Filled, tenant: Callable[[], str]) -> Ask:
    bound: dict[str, Callable[[], object]] = {
        "day": lambda: filled.last.date(),
        "tenant": tenant,
        "moment": lambda: filled.last - timedelta(days=1),
    }

    async def ask() -> Any:
        values = {name: make() for name, make in bound.items() if f":{name}" in query}
        async with engine.connect() as connection:
            return (await connection.execute(text(query), values)).all()

    return ask


async def asked(questions: Mapping[str, Ask], times: int = TIMES) -> dict[str, tuple[float, float]]:
    """Ask each question again and again, in turn.

    Returns:
        By question its median and its 95th percentile, milliseconds.
    """
    took: dict[str, list[float]] = {name: [] for name in questions}
    for number in range(times + 1):
        for name, ask in questions.items():
            began_s = time.perf_counter()
            await ask()
            if number:  # the first time the statement is planned and the pages come from the disk
                took[name].append((time.perf_counter() - began_s) * 1000)
    return {n: (percentile(ms, 0.5), percentile(ms, 0.95)) for n, ms in took.items()}
