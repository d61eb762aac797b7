"""The ledger against real PostgreSQL and Redis: once each, whatever is repeated or broken."""

import asyncio
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import SystemClock
from plugins.core.errors import NotFound
from plugins.cost.drain import BATCH, GROUP, Drain
from plugins.cost.entry import encode
from plugins.cost.rules import Price
from plugins.cost.spool import Spool, claimed
from plugins.cost.stage import LedgerStage
from plugins.cost.store import STREAM, LedgerStore, SettlementLog
from plugins.store.redis import RedisLink
from plugins.store.tables import ledger, ledger_rejects
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
from tests.making import NOON, SEALS, a_call
from tests.stores.conftest import empty


async def _rows(engine: AsyncEngine) -> dict[str, Decimal]:
    async with engine.connect() as connection:
        found = await connection.execute(select(ledger.c.call_id, ledger.c.cost_usd))
        return {row.call_id: row.cost_usd for row in found}


def _drain(link: RedisLink, folder: Path, engine: AsyncEngine) -> Drain:
    return Drain(link, Spool(folder), LedgerStore(engine, SEALS), engine, SystemClock())


async def _drained(drain: Drain) -> int:
    """Step until nothing moves; the first step may only make the consumer group."""
    moved = await drain.step()
    while True:
        now = await drain.step()
        moved += now
        if not now:
            return moved


@pytest.mark.spec("11.2")
async def test_a_settled_call_becomes_one_row_with_every_figure(
    engine: AsyncEngine, link: RedisLink, spool_folder: Path
) -> None:
    call = a_call()
    stage = LedgerStage(
        {"openai-gpt-4o": Price(Decimal("0.0000025"), Decimal("0.00001"))},
        SettlementLog(link, Spool(spool_folder)),
    )
    assert await stage.settle(call) is None
    await _drained(_drain(link, spool_folder, engine))
    row = await LedgerStore(engine, SEALS).call("acme", call.id)
    assert row["cost_usd"] == Decimal("0.002125")
    assert (row["input_tokens"], row["output_tokens"]) == (250, 150)
    assert (row["tenant_id"], row["model_served"], row["started_at"]) == ("acme", "gpt-4o", NOON)


async def test_a_replayed_settlement_meets_its_own_row(
    engine: AsyncEngine, link: RedisLink, spool_folder: Path
) -> None:
    entry = encode(a_call())
    log = SettlementLog(link, Spool(spool_folder))
    for _ in range(3):
        assert await log.append(entry) == "redis"
    await LedgerStore(engine, SEALS).record([entry, entry])
    await _drained(_drain(link, spool_folder, engine))
    assert len(await _rows(engine)) == 1


async def test_a_drained_stream_is_empty(
    engine: AsyncEngine, link: RedisLink, redis: Redis, spool_folder: Path
) -> None:
    log = SettlementLog(link, Spool(spool_folder))
    for _ in range(BATCH + 7):
        await log.append(encode(a_call()))
    assert await _drained(_drain(link, spool_folder, engine)) == BATCH + 7
    assert await redis.xlen(STREAM) == 0
    assert (await redis.xpending(STREAM, GROUP))["pending"] == 0


async def test_what_waits_in_the_stream_is_told_until_it_is_recorded(
    engine: AsyncEngine,
    link: RedisLink,
    redis: Redis,
    spool_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plugins.cost.drain.CLAIM_AFTER_MS", 0)
    drain = _drain(link, spool_folder, engine)
    assert await drain.waiting() == 0
    log = SettlementLog(link, Spool(spool_folder))
    for _ in range(3):
        await log.append(encode(a_call()))
    assert await drain.waiting() == 3
    await redis.xgroup_create(STREAM, GROUP, id="0")
    await redis.xreadgroup(GROUP, "died", {STREAM: ">"})
    assert await drain.waiting() == 3  # taken is not recorded
    assert await _drained(drain) == 3
    assert await drain.waiting() == 0


async def test_what_a_dead_worker_took_is_taken_over(
    engine: AsyncEngine,
    link: RedisLink,
    redis: Redis,
    spool_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plugins.cost.drain.CLAIM_AFTER_MS", 0)
    await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    call = a_call()
    await SettlementLog(link, Spool(spool_folder)).append(encode(call))
    await redis.xreadgroup(GROUP, "died", {STREAM: ">"})
    await _drained(_drain(link, spool_folder, engine))
    assert list(await _rows(engine)) == [call.id]


async def test_two_drains_share_the_stream(
    engine: AsyncEngine, link: RedisLink, spool_folder: Path
) -> None:
    log = SettlementLog(link, Spool(spool_folder))
    calls = [a_call() for _ in range(300)]
    for call in calls:
        await log.append(encode(call))
    drains = [_drain(link, spool_folder, engine) for _ in range(2)]
    await asyncio.gather(*(_drained(drain) for drain in drains))
    assert set(await _rows(engine)) == {call.id for call in calls}


async def test_an_entry_that_fits_no_row_is_set_aside_and_the_others_recorded(
    engine: AsyncEngine,
) -> None:
    good = [a_call() for _ in range(5)]
    bad = encode(a_call(started_at=NOON)).replace(b'"input_tokens":250', b'"input_tokens":-1')
    await LedgerStore(engine, SEALS).record([*map(encode, good[:2]), bad, *map(encode, good[2:])])
    assert set(await _rows(engine)) == {call.id for call in good}
    async with engine.connect() as connection:
        kept = (await connection.execute(select(ledger_rejects))).one()
    assert kept.entry.encode() == bad
    assert "check" in kept.error.lower()


async def test_a_tenant_reads_its_own_calls_only(engine: AsyncEngine) -> None:
    call = a_call("acme")
    store = LedgerStore(engine, SEALS)
    await store.record([encode(call)])
    assert (await store.call(None, call.id))["tenant_id"] == "acme"
    with pytest.raises(NotFound):
        await store.call("globex", call.id)


async def test_a_row_outside_of_all_partitions_is_kept(engine: AsyncEngine) -> None:
    call = a_call(started_at=NOON.replace(year=2031))
    await LedgerStore(engine, SEALS).record([encode(call)])
    assert list(await _rows(engine)) == [call.id]


async def test_while_redis_is_away_settlements_go_to_the_spool_and_then_to_the_ledger(
    engine: AsyncEngine, redis_server: EmbeddedRedis, link: RedisLink, spool_folder: Path
) -> None:
    spool = Spool(spool_folder)
    log = SettlementLog(link, spool)
    calls = [a_call() for _ in range(20)]
    redis_server.stop(hard=True)
    try:
        where = await asyncio.gather(*(log.append(encode(call)) for call in calls))
    finally:
        redis_server.start()
    assert set(where) == {"spool"}
    drain = Drain(link, spool, LedgerStore(engine, SEALS), engine, SystemClock())
    await drain.step()
    assert set(await _rows(engine)) == {call.id for call in calls}
    assert not list(spool_folder.iterdir())


async def test_while_postgresql_is_away_settlements_wait_in_the_stream(
    engine: AsyncEngine,
    postgres: EmbeddedPostgres,
    link: RedisLink,
    spool_folder: Path,
) -> None:
    call = a_call()
    drain = _drain(link, spool_folder, engine)
    await drain.step()
    postgres.stop(hard=True)
    try:
        assert await SettlementLog(link, Spool(spool_folder)).append(encode(call)) == "redis"
        with pytest.raises(Exception, match=r".*"):
            await drain.step()
    finally:
        postgres.start()
    await _drained(drain)
    assert list(await _rows(engine)) == [call.id]


async def test_the_file_of_a_living_worker_is_left_alone(spool_folder: Path) -> None:
    spool = Spool(spool_folder)
    await spool.append(b"{}")
    [path] = spool_folder.iterdir()
    with claimed(path) as lines:
        assert lines is None
    spool.close_file()
    with claimed(path) as lines:
        assert lines == [b"{}"]


async def test_a_line_cut_off_by_a_crash_is_left_out(
    engine: AsyncEngine, link: RedisLink, spool_folder: Path
) -> None:
    spool_folder.mkdir()
    call = a_call()
    (spool_folder / "1-dead.jsonl").write_bytes(encode(call) + b"\n" + encode(a_call())[:50])
    await _drain(link, spool_folder, engine).step()
    assert list(await _rows(engine)) == [call.id]
    assert not list(spool_folder.iterdir())


async def test_an_answer_that_cannot_be_recorded_is_refused(
    redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    link = RedisLink("unix:///nowhere/redis.sock", SystemClock())
    spool = Spool(tmp_path / "spool")
    (tmp_path / "spool").rmdir()
    refusal = await LedgerStage({}, SettlementLog(link, spool)).settle(a_call())
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, "ledger_unavailable")


_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 11),  # which call
        st.sampled_from(["redis", "spool", "direct", "drain"]),
    ),
    max_size=40,
)


@pytest.mark.spec("11.2")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    events=_EVENTS,
    costs=st.lists(
        st.decimals(0, 1000, places=12, allow_nan=False, allow_infinity=False),
        min_size=12,
        max_size=12,
    ),
    tenants=st.lists(st.sampled_from(["acme", "globex", "initech"]), min_size=12, max_size=12),
)
async def test_sums_equal_the_decimal_sum_of_rows_for_any_interleaving(
    engine: AsyncEngine,
    link: RedisLink,
    redis: Redis,
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[int, str]],
    costs: list[Decimal],
    tenants: list[str],
) -> None:
    """Retries, replays through either way and drains in between never change a sum."""
    await empty(engine)
    await redis.flushall()
    folder = tmp_path_factory.mktemp("spool")
    calls = [a_call(t, cost_usd=c) for t, c in zip(tenants, costs, strict=True)]
    spool, store = Spool(folder), LedgerStore(engine, SEALS)
    log = SettlementLog(link, spool)
    drain = Drain(link, spool, store, engine, SystemClock())
    for index, event in events:
        entry = encode(calls[index])
        if event == "redis":
            await log.append(entry)
        elif event == "spool":
            await spool.append(entry)
        elif event == "direct":
            await store.record([entry])
        else:
            await drain.step()
    await _drained(drain)
    settled = [calls[i] for i in {i for i, event in events if event != "drain"}]
    day = NOON.date()
    for tenant in ("acme", "globex", "initech"):
        expected = [c.cost_usd for c in settled if c.principal.tenant_id == tenant]
        [total] = await store.spend(tenant, day, day, [])
        assert (total["calls"], total["cost_usd"] or 0) == (len(expected), sum(expected))
    [everyone] = await store.spend(None, day, day, [])
    assert (everyone["cost_usd"] or 0) == sum(c.cost_usd for c in settled)


async def test_the_spool_shares_one_fsync_among_concurrent_calls(
    spool_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd))[1])
    spool = Spool(spool_folder)
    await asyncio.gather(*(spool.append(b"{}") for _ in range(100)))
    assert len(synced) <= 4


async def test_partitions_are_made_ahead_of_time(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger'::regclass")
        )
        assert found.scalar_one() >= 5
        kept = await connection.execute(select(func.count()).select_from(text("ledger_default")))
        assert kept.scalar_one() == 0
