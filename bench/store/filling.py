"""Fills the ledger with rows as months of traffic leave them, a month to a partition."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from plugins.core.chain import Seals

MONTHS: Final = 12
STEPS: Final = 5
"""Calls of one case: parse, embed, match, explain, decide, each the parent of the next."""
SHARES: Final = (16, 8, 8, 4, 4, 4, 4, *(1,) * 16)
"""How many of 64 cases are each tenant's: few large ones, many small ones."""
SLOTS: Final = sum(SHARES)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in.

    Args:
        tenants: their names, the largest first.
        first: the oldest row's time.
        last: the newest row's.
        rows: how many there are.
        took_s: seconds.
    """

    tenants: Sequence[str]
    first: datetime
    last: datetime
    rows: int
    took_s: float


_TOOLS: Final = (
    """CREATE FUNCTION bench_id(n bigint, at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid""",
    "CREATE TABLE bench_tenants (slot int PRIMARY KEY, tenant text, share int, rank int)",
)
_ROWS: Final = """INSERT INTO {table}
    (call_id, started_at, tenant_id, key_id, agent, endpoint, model_asked, model_served,
     deployment, provider, tier, outcome, status, error_class, stream, cache, input_tokens,
     output_tokens, cached_input_tokens, cache_write_tokens, characters, audio_s, usage_source,
     cost_usd, saved_usd, practice, latency_ms, first_byte_ms, attempts, subject, session,
     entity_type, entity_id, parent_call_id, recorded_at, seq, layout, prev_hash, hash, trace_id,
     findings, variants, verdict, confidence, input_digest, output_digest, context_digest, salt)
    SELECT bench_id(n, at), at, tenant, 'key0000001', agent, 'chat', agent, model,
        'openai-' || model, 'openai', 'primary', outcome,
        CASE outcome WHEN 'answered' THEN 200 ELSE 502 END,
        CASE outcome WHEN 'answered' THEN NULL ELSE 'ProviderTimeout' END, n % 3 = 0,
        CASE n % 10 WHEN 0 THEN 'hit' ELSE 'miss' END,
        200 + n % 3000, 50 + n % 700, 0, 0, 0, 0, 'provider', (n % 90000) * 0.000000125,
        CASE n % 10 WHEN 0 THEN 0.0021 ELSE 0 END, false, 300 + n % 4000,
        CASE n % 3 WHEN 0 THEN 90 + n % 300 END,
        '[{{"group": "gpt-4o", "status": 200, "took_ms": 812, "provider": "openai", "deployment":'
        ' "openai-gpt-4o", "started_ms": 3, "error_class": null}}]',
        'candidate-' || n / {steps} % 400000, 'session-' || n / {steps}, 'resume',
        'resume-' || n / {steps}, CASE WHEN n % {steps} > 0 THEN
            bench_id(n - 1, at - CAST(:gap AS interval))::text
        END, at + interval '1 second',
        (n / {steps} / {slots} * share + rank) * {steps} + n % {steps} + 1,
        1, sha256(int8send(n - 1)), hash, replace(bench_id(n, at)::text, '-', ''),
        '[]', '{{"prompt": "parse@3", "arm": "b"}}', 'allow', 0.9, hash, hash, hash,
        substr(hash, 1, 16)
    FROM (SELECT n, CAST(:first AS timestamptz) + (n - :low) * CAST(:gap AS interval) AS at,
            sha256(int8send(n)) AS hash,
            (ARRAY['resume_parsing', 'embedding', 'matching', 'explanation', 'decision'])[n % 5 + 1]
                AS agent,
            (ARRAY['gpt-4o-mini', 'text-embedding-ada-002', 'gpt-4o', 'claude-3-5-sonnet',
                'claude-3-5-sonnet'])[n % 5 + 1] AS model,
            CASE WHEN n % 97 = 0 THEN 'failed' ELSE 'answered' END AS outcome
        FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n) AS made
    JOIN bench_tenants ON slot = n / {steps} % {slots}"""
_DAILY: Final = """INSERT INTO ledger_daily
    SELECT tenant_id, (started_at AT TIME ZONE 'UTC')::date, agent, model_served, count(*),
        count(*) FILTER (WHERE outcome = 'answered'), count(*) FILTER (WHERE outcome = 'failed'),
        0, 0, count(*) FILTER (WHERE cache = 'hit'), sum(input_tokens), sum(output_tokens),
        sum(cached_input_tokens), sum(cost_usd), sum(saved_usd)
    FROM {table} GROUP BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, day, agent, model) DO UPDATE SET calls = ledger_daily.calls"""


@asynccontextmanager
async def patient(url: str) -> AsyncGenerator[AsyncEngine]:
    """Give an engine whose statements may take minutes."""
    engine = create_async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


async def fill(url: str, rows: int, seals: Seals, now: datetime) -> Filled:
    """Fill the ledger.

    Args:
        url: PostgreSQL, migrated, with an empty ledger.
        rows: how many; a multiple of `STEPS` is made of it.
        seals: seal the heads.
        now: the newest row's time, about.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    tenants = [f"tenant-{number:02d}" for number in range(len(SHARES))]
    async with patient(url) as engine:
        async with engine.begin() as connection:
            for statement in _TOOLS:
                await connection.execute(text(statement))
            await connection.execute(
                text("INSERT INTO bench_tenants VALUES (:slot, :tenant, :share, :rank)"),
                list(_slots(tenants)),
            )
        months = list(months_until(now))
        each = max(rows // len(months) // STEPS, 1) * STEPS
        low = 0
        for begin, end, to in months:
            async with engine.begin() as connection:
                await _month(connection, (begin, end, to), low, each)
            low += each
            print(f"  {low:>12,} rows, {loop.time() - began_s:6.0f} s", flush=True)
        async with engine.begin() as connection:
            await _heads(connection, seals)
        async with engine.connect() as connection:
            auto = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await auto.execute(text("VACUUM ANALYZE"))
            await auto.execute(text("CHECKPOINT"))
    return Filled(tenants, months[0][0], months[-1][2], low, loop.time() - began_s)


def months_until(now: datetime) -> Iterator[tuple[datetime, datetime, datetime]]:
    """Give each month's beginning, its end, and until when it has rows: the last one until now."""
    last = now.year * 12 + now.month - 1
    for number in range(last - MONTHS + 1, last + 1):
        begin = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        end = datetime((number + 1) // 12, (number + 1) % 12 + 1, 1, tzinfo=UTC)
        yield begin, end, min(end, now)


def _slots(tenants: Sequence[str]) -> Iterator[dict[str, object]]:
    slot = 0
    for tenant, share in zip(tenants, SHARES, strict=True):
        for rank in range(share):
            yield {"slot": slot, "tenant": tenant, "share": share, "rank": rank}
            slot += 1


async def _month(
    connection: AsyncConnection, month: tuple[datetime, datetime, datetime], low: int, rows: int
) -> None:
    """Fill a table of its own and let it join the ledger, which then indexes it: no log."""
    begin, end, to = month
    name = f"ledger_{begin:%Y_%m}"
    await connection.execute(text(f"DROP TABLE IF EXISTS {name}"))  # an empty one made ahead
    likeness = "LIKE ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
    await connection.execute(text(f"CREATE TABLE {name} ({likeness})"))
    statement = _ROWS.format(table=name, steps=STEPS, slots=SLOTS)
    gap = (to - begin) / (rows + 1)
    bound = {"first": begin, "low": low, "high": low + rows - 1, "gap": gap}
    await connection.execute(text(statement), bound)
    await connection.execute(text(_DAILY.format(table=name)))
    bounds = f"started_at >= '{begin:%Y-%m-%d}Z' AND started_at < '{end:%Y-%m-%d}Z'"
    await connection.execute(text(f"ALTER TABLE {name} ADD CHECK ({bounds})"))
    await connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
    await connection.execute(
        text(
            f"ALTER TABLE ledger ATTACH PARTITION {name} FOR VALUES"
            f" FROM ('{begin:%Y-%m-%d}Z') TO ('{end:%Y-%m-%d}Z')"
        )
    )


async def _heads(connection: AsyncConnection, seals: Seals) -> None:
    ends = await connection.execute(
        text(
            "SELECT t.tenant, e.seq, e.hash FROM (SELECT DISTINCT tenant FROM bench_tenants) t"
            " CROSS JOIN LATERAL (SELECT seq, hash FROM ledger WHERE tenant_id = t.tenant"
            " ORDER BY seq DESC LIMIT 1) e"
        )
    )
    made = text(
        "INSERT INTO lineage_heads (tenant_id, seq, hash, seal) VALUES (:t, :seq, :hash, :seal)"
    )
    for tenant, seq, end in ends.all():
        seal = seals.head(tenant, seq, bytes(end), 0)
        await connection.execute(made, {"t": tenant, "seq": seq, "hash": bytes(end), "seal": seal})


async def pick(
    url: str, tenants: Sequence[str], count: int
) -> list[tuple[str, str, str, datetime]]:
    """Give (tenant, call, entity, time) of random rows, tenants in turn."""
    found: list[tuple[str, str, str, datetime]] = []
    query = text(
        "SELECT call_id::text, entity_id, started_at FROM ledger WHERE tenant_id = :tenant"
        " AND seq = (SELECT 1 + floor(random() * seq)::bigint FROM lineage_heads"
        " WHERE tenant_id = :tenant)"
    )
    async with patient(url) as engine, engine.connect() as connection:
        for number in range(count):
            tenant = tenants[number % len(tenants)]
            row = (await connection.execute(query, {"tenant": tenant})).first()
            if row is not None:
                found.append((tenant, row.call_id, row.entity_id, row.started_at))
    return found
