"""Follows all tenants' chains through the ledger, in one consistent view, a page at a time."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.chain import Row, Seals
from plugins.lineage.rules import (
    DailySums,
    Erasure,
    Fault,
    Head,
    Verifier,
    Wrong,
    erasure_faults,
)
from plugins.store.tables import erasures, ledger, lineage_heads

PAGE: Final = 2000
MOST_FAULTS: Final = 1000
_TENANTS: Final = text(
    """WITH RECURSIVE found AS (
        SELECT min(tenant_id) AS tenant_id FROM ledger
        UNION ALL
        SELECT (SELECT min(tenant_id) FROM ledger WHERE tenant_id > found.tenant_id)
        FROM found WHERE found.tenant_id IS NOT NULL)
    SELECT tenant_id FROM found WHERE tenant_id IS NOT NULL"""
)
"""Steps from one tenant to the next in the index, rather than through all rows."""


_OLD_SUMS: Final = text(
    "SELECT (started_at AT TIME ZONE 'UTC')::date, coalesce(agent, ''), coalesce(model_served, ''),"
    " count(*), sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cost_usd),"
    " sum(saved_usd) FROM ledger WHERE tenant_id = :tenant AND seq = 0 GROUP BY 1, 2, 3"
)
_KEPT_SUMS: Final = text(
    "SELECT day, agent, model, calls, input_tokens, output_tokens, cost_usd, saved_usd"
    " FROM ledger_daily WHERE tenant_id = :tenant"
)


@dataclass(slots=True)
class Report:
    """What was found.

    Args:
        tenants: chains that were followed.
        rows: rows that were hashed.
        unchained: rows from before the chain, which are counted and not covered.
        erased: rows whose personal columns are gone, with a record of it.
        faults: what is wrong, at most `MOST_FAULTS`.
        heads: the ends of the chains.
    """

    tenants: int = 0
    rows: int = 0
    unchained: int = 0
    erased: int = 0
    faults: list[Fault] = field(default_factory=list[Fault])
    heads: dict[str, Head] = field(default_factory=dict[str, Head])


async def verify(
    engine: AsyncEngine,
    seals: Seals,
    *,
    against: Sequence[Head] = (),
    only: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """Follow every chain.

    Args:
        engine: PostgreSQL.
        seals: the installation's.
        against: ends of chains as they were once; each must still be in its chain.
        only: one tenant; None for all.
        progress: told of the rows done, and how many there are.

    Returns:
        What was found; the whole of it is one moment's view of the database.
    """
    report = Report()
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        report.heads = await _heads(connection)
        tenants = [only] if only else await _tenants(connection, report.heads)
        total = sum(head.seq for name, head in report.heads.items() if name in tenants)
        for tenant in tenants:
            done = report.rows
            verifier = Verifier(tenant, await _erasures(connection, tenant))
            sums, before = DailySums(), len(report.faults)
            async for page in _pages(connection, tenant):
                report.faults += verifier.feed(page)
                for row in page:
                    sums.add(row)
                progress(done + verifier.rows, total)
                if len(report.faults) >= MOST_FAULTS:
                    break
            report.rows += verifier.rows
            await _finish(connection, verifier, seals, report)
            if len(report.faults) == before:  # else the sums only repeat what is said already
                report.faults += await _sums_wrong(connection, tenant, sums)
            report.tenants += 1
            if len(report.faults) >= MOST_FAULTS:
                break
        for head in against:
            report.faults += await _rolled_back(connection, head, only)
    del report.faults[MOST_FAULTS:]
    return report


async def _finish(
    connection: AsyncConnection, verifier: Verifier, seals: Seals, report: Report
) -> None:
    tenant = verifier.tenant_id
    head = report.heads.get(tenant)
    report.faults += verifier.finish()
    report.faults += verifier.end(head, seals)
    unchained, erased = await _unchained(connection, tenant)
    report.unchained += unchained
    if unchained != (head.unchained if head else 0):
        told = f"has {unchained} rows from before the chain; its head counts" + (
            f" {head.unchained}" if head else " none"
        )
        wrong = Wrong.INSERTED if unchained > (head.unchained if head else 0) else Wrong.MISSING
        report.faults.append(Fault(tenant, wrong, 0, None, told))
    verifier.erased.update(erased)
    del verifier.erased[None]
    report.erased += verifier.erased.total()
    report.faults += erasure_faults(tenant, verifier.erased, verifier.recorded, seals)


async def _heads(connection: AsyncConnection) -> dict[str, Head]:
    found = await connection.execute(select(lineage_heads))
    return {
        row.tenant_id: Head(row.tenant_id, row.seq, bytes(row.hash), bytes(row.seal), row.unchained)
        for row in found
    }


async def _tenants(connection: AsyncConnection, heads: Mapping[str, Head]) -> list[str]:
    found = (await connection.execute(_TENANTS)).scalars()
    return sorted({*found, *heads})


async def _pages(connection: AsyncConnection, tenant: str) -> AsyncIterator[Sequence[Row]]:
    """Give a tenant's rows by place; a page never ends within a place."""
    query = (
        select(ledger)
        .where(ledger.c.tenant_id == tenant, ledger.c.seq != 0)
        .order_by(ledger.c.seq, ledger.c.call_id)
    )
    streamed = await connection.stream(query, execution_options={"yield_per": PAGE})
    kept: list[Row] = []
    async for page in streamed.mappings().partitions(PAGE):
        rows: list[Any] = [*kept, *page]
        last = rows[-1]["seq"]
        kept = [row for row in rows if row["seq"] == last]
        yield rows[: len(rows) - len(kept)]
    yield kept


async def _unchained(connection: AsyncConnection, tenant: str) -> tuple[int, dict[int | None, int]]:
    query = (
        select(ledger.c.erasure_id, func.count().label("count"))
        .where(ledger.c.tenant_id == tenant, ledger.c.seq == 0)
        .group_by(ledger.c.erasure_id)
    )
    rows = (await connection.execute(query)).all()
    found: dict[int | None, int] = {row[0]: row[1] for row in rows}
    return sum(found.values()), found


async def _erasures(connection: AsyncConnection, tenant: str) -> dict[int, Erasure]:
    found = await connection.execute(select(erasures).where(erasures.c.tenant_id == tenant))
    return {
        row.id: Erasure(
            row.id, bytes(row.subject_hash), row.ordered_by, row.at, row.calls, bytes(row.seal)
        )
        for row in found
    }


async def _sums_wrong(connection: AsyncConnection, tenant: str, sums: DailySums) -> list[Fault]:
    """Compare the kept sums by day with those of the rows, also of those from before the chain."""
    for row in await connection.execute(_OLD_SUMS, {"tenant": tenant}):
        sums.add_many((row[0], row[1], row[2]), row[3:])
    kept = await connection.execute(_KEPT_SUMS, {"tenant": tenant})
    return list(sums.faults(tenant, {(row[0], row[1], row[2]): row[3:] for row in kept}))


async def _rolled_back(
    connection: AsyncConnection, head: Head, only: str | None
) -> Sequence[Fault]:
    """See that a chain still holds what it once ended with."""
    if not head.seq or only not in {None, head.tenant_id}:
        return ()
    query = select(ledger.c.hash).where(
        ledger.c.tenant_id == head.tenant_id, ledger.c.seq == head.seq
    )
    found = [bytes(row.hash) for row in await connection.execute(query)]
    if head.hash in found:
        return ()
    text = f"no longer holds the row with which it ended at place {head.seq} when it was exported"
    return [Fault(head.tenant_id, Wrong.ROLLED_BACK, head.seq, None, text)]
