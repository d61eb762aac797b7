# ruff: noqa: S608, S311 - statements of constants, on a database of the test; seeded draws
"""The chain in PostgreSQL: whatever is done to a row behind the gateway's back is found."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.cli.check_chain import findings_of, read_heads
from plugins.core.call import Call, Context, Outcome
from plugins.core.chain import Seals
from plugins.core.clock import SystemClock
from plugins.core.verdict import Action, Finding
from plugins.cost.drain import Drain
from plugins.cost.entry import encode
from plugins.cost.spool import Spool
from plugins.cost.store import LedgerStore, SettlementLog
from plugins.lineage.rules import Head, Wrong
from plugins.lineage.verify import Report, verify
from plugins.store import erasing
from plugins.store.database import is_outage, sqlstate
from plugins.store.redis import RedisLink
from plugins.store.tables import ledger, ledger_daily, lineage_heads
from tests.making import NOON, SEALS, a_call
from tests.stores.conftest import empty

ROWS = 24
AT = 9
"""The place that is tampered with."""


def a_rich_call(number: int, tenant: str = "acme") -> Call:
    """A call that has something in every column."""
    call = a_call(
        tenant,
        context=Context(
            f"candidate-{number}", f"session-{number}", "resume", f"resume-{number}", a_call().id
        ),
        findings=[Finding("pii", "card", Action.FLAG, "messages[0]:3", f"**{number}", 0.9)],
        variants={"prompt": "parse@3", "arm": "b"},
        confidence=0.75,
        started_at=NOON + timedelta(seconds=number),
        first_byte_s=100.2,
    )
    call.trace = type(call.trace)("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    return call


async def _do(engine: AsyncEngine, *statements: str, **values: Any) -> None:
    """Change what nobody may, as a superuser can."""
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement), values)


@pytest_asyncio.fixture
async def chain(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """A chain of 24 rows with an erased one among them, beside another tenant's."""
    store = LedgerStore(engine, SEALS)
    for start in range(0, ROWS, 8):
        await store.record([encode(a_rich_call(n)) for n in range(start, start + 8)])
    await store.record([encode(a_rich_call(n, "globex")) for n in range(5)])
    async with engine.begin() as connection:
        await erasing.lock(connection, "acme")
        found = await erasing.of_subject(connection, "acme", "candidate-3")
        order = erasing.Order("acme", SEALS.subject("acme", "candidate-3"), "test", NOON)
        await erasing.erase(connection, SEALS, order, found)
    await _do(engine, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT * FROM ledger")
    yield engine
    await _do(engine, "DROP TABLE kept")


@asynccontextmanager
async def _tampered(engine: AsyncEngine, *statements: str) -> AsyncIterator[Report]:
    heads = (await _all(engine, select(lineage_heads)))[:]
    await _do(engine, *statements)
    yield await verify(engine, SEALS)
    await _do(engine, "DELETE FROM ledger", "INSERT INTO ledger SELECT * FROM kept")
    async with engine.begin() as connection:
        await connection.execute(lineage_heads.delete())
        await connection.execute(lineage_heads.insert(), [dict(h) for h in heads])


async def _all(engine: AsyncEngine, query: Any) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(query)).mappings())


def _found(report: Report) -> set[tuple[str, Wrong, int | None]]:
    return {(fault.tenant_id, fault.wrong, fault.seq) for fault in report.faults}


OTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "uuid": "gen_random_uuid()",
    "int4": "coalesce({0}, 0) + 1",
    "int2": "{0} + 1",
    "int8": "coalesce({0}, 0) + 1",
    "bool": "NOT {0}",
    "numeric": "{0} + 0.001",
    "float8": "0.123",
    "jsonb": "'[{{\"x\": 1}}]'",
    "bytea": "coalesce({0}, '') || '\\x01'",
    "timestamptz": "coalesce({0}, now()) + interval '1 second'",
}


async def test_a_sound_chain_verifies_with_an_erased_row_in_it(chain: AsyncEngine) -> None:
    report = await verify(chain, SEALS)
    assert report.faults == []
    assert (report.rows, report.tenants, report.erased) == (ROWS + 5, 2, 1)


@pytest.mark.parametrize("column", [column.name for column in ledger.columns])
@pytest.mark.spec("14.2")
async def test_another_value_in_any_column_is_found_with_its_place(
    chain: AsyncEngine, column: str
) -> None:
    kinds = await _all(
        chain,
        text(
            "SELECT column_name, udt_name FROM information_schema.columns"
            " WHERE table_name = 'ledger'"
        ),
    )
    kind = next(row["udt_name"] for row in kinds if row["column_name"] == column)
    change = f"UPDATE ledger SET {column} = {OTHER[kind].format(column)}"
    async with _tampered(chain, f"{change} WHERE tenant_id = 'acme' AND seq = {AT}") as report:
        places = {fault.seq for fault in report.faults}
        assert AT in places, report.faults
        call_ids = {row["seq"]: row["call_id"] for row in await _all(chain, select(ledger))}
        assert column in {"seq", "tenant_id"} or call_ids[AT]
    assert (await verify(chain, SEALS)).faults == []


@pytest.mark.parametrize("column", ["subject", "session", "entity_id", "excerpts", "salt"])
async def test_a_personal_column_that_is_emptied_without_an_erasure_is_found(
    chain: AsyncEngine, column: str
) -> None:
    where = f"WHERE tenant_id = 'acme' AND seq = {AT}"
    async with _tampered(chain, f"UPDATE ledger SET {column} = NULL {where}") as report:
        assert {fault.seq for fault in report.faults} == {AT}


async def test_a_row_that_hides_behind_another_rows_erasure_is_found(chain: AsyncEngine) -> None:
    erased = (
        "UPDATE ledger SET subject = NULL, session = NULL, entity_id = NULL, excerpts = NULL,"
        " salt = NULL, (erased_at, erasure_id) = (SELECT erased_at, erasure_id FROM kept"
        f" WHERE erased_at IS NOT NULL) WHERE tenant_id = 'acme' AND seq = {AT}"
    )
    async with _tampered(chain, erased) as report:
        assert _found(report) == {("acme", Wrong.UNERASED, None)}


async def test_the_time_of_an_erasure_and_its_record_cannot_be_changed(chain: AsyncEngine) -> None:
    later = "UPDATE ledger SET erased_at = erased_at + interval '1 s' WHERE erased_at IS NOT NULL"
    async with _tampered(chain, later) as report:
        assert _found(report) == {("acme", Wrong.UNERASED, 4)}
    await _do(chain, "UPDATE erasures SET ordered_by = 'somebody else'")
    assert Wrong.CHANGED in {fault.wrong for fault in (await verify(chain, SEALS)).faults}


DELETED = [(1, Wrong.MISSING), (AT, Wrong.MISSING), (ROWS - 1, Wrong.MISSING), (ROWS, Wrong.CUT)]


@pytest.mark.parametrize(("place", "wrong"), DELETED)
@pytest.mark.spec("14.2")
async def test_a_deleted_row_is_found_also_the_last(
    chain: AsyncEngine, place: int, wrong: Wrong
) -> None:
    delete = f"DELETE FROM ledger WHERE tenant_id = 'acme' AND seq = {place}"
    async with _tampered(chain, delete) as report:
        assert _found(report) == {("acme", wrong, place)}


async def test_a_cut_tail_is_found_although_the_head_is_moved_back(chain: AsyncEngine) -> None:
    async with _tampered(
        chain,
        f"DELETE FROM ledger WHERE tenant_id = 'acme' AND seq > {AT}",
        f"UPDATE lineage_heads SET seq = {AT}, hash = (SELECT hash FROM kept"
        f" WHERE tenant_id = 'acme' AND seq = {AT}) WHERE tenant_id = 'acme'",
    ) as report:
        assert _found(report) == {("acme", Wrong.UNSEALED, AT)}


async def test_a_head_that_is_gone_is_found(chain: AsyncEngine) -> None:
    gone = "DELETE FROM lineage_heads WHERE tenant_id = 'acme'"
    async with _tampered(chain, gone) as report:
        assert ("acme", Wrong.UNSEALED, ROWS) in _found(report)


async def test_rows_that_changed_places_are_found_at_both(chain: AsyncEngine) -> None:
    swap = (
        f"UPDATE ledger SET seq = CASE seq WHEN {AT} THEN 17 ELSE {AT} END"
        f" WHERE tenant_id = 'acme' AND seq IN ({AT}, 17)"
    )
    async with _tampered(chain, swap) as report:
        assert _found(report) == {
            ("acme", Wrong.REORDERED, AT),
            ("acme", Wrong.REORDERED, 17),
        }


_COPY = (
    "INSERT INTO ledger SELECT (jsonb_populate_record(NULL::ledger, to_jsonb(kept)"
    ' || \'{{"call_id": "01890000-0000-7000-8000-000000000000", "seq": {seq}}}\')).*'
    " FROM kept WHERE tenant_id = 'acme' AND seq = {like}"
)


@pytest.mark.parametrize("seq", [-1, 0, AT, ROWS, ROWS + 1, ROWS + 10])
async def test_an_inserted_row_is_found_wherever_it_stands(chain: AsyncEngine, seq: int) -> None:
    async with _tampered(chain, _COPY.format(seq=seq, like=AT)) as report:
        assert ("acme", Wrong.INSERTED, seq) in _found(report)


async def test_a_row_moved_to_another_tenant_is_missing_there_and_inserted_here(
    chain: AsyncEngine,
) -> None:
    move = f"UPDATE ledger SET tenant_id = 'globex' WHERE tenant_id = 'acme' AND seq = {AT}"
    async with _tampered(chain, move) as report:
        found = _found(report)
        assert ("acme", Wrong.MISSING, AT) in found
        assert ("globex", Wrong.INSERTED, AT) in found


async def test_a_rolled_back_ledger_is_sound_by_itself_and_found_against_a_manifest(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    store = LedgerStore(engine, SEALS)
    await store.record([encode(a_rich_call(n)) for n in range(5)])
    await _do(
        engine,
        "DROP TABLE IF EXISTS old_rows, old_heads, old_daily",
        "CREATE TABLE old_rows AS SELECT * FROM ledger",
        "CREATE TABLE old_heads AS SELECT * FROM lineage_heads",
        "CREATE TABLE old_daily AS SELECT * FROM ledger_daily",
    )
    await store.record([encode(a_rich_call(n)) for n in range(5, 9)])
    head = (await verify(engine, SEALS)).heads["acme"]
    await _do(
        engine,
        "DELETE FROM ledger",
        "INSERT INTO ledger SELECT * FROM old_rows",
        "DELETE FROM lineage_heads",
        "INSERT INTO lineage_heads SELECT * FROM old_heads",
        "DELETE FROM ledger_daily",
        "INSERT INTO ledger_daily SELECT * FROM old_daily",
        "DROP TABLE old_rows, old_heads, old_daily",
    )
    assert (await verify(engine, SEALS)).faults == []
    manifest = {
        "heads": {
            "acme": {
                "seq": head.seq,
                "hash": head.hash.hex(),
                "seal": head.seal.hex(),
                "unchained": 0,
            }
        }
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    [against] = read_heads(tmp_path)
    assert against == head
    report = await verify(engine, SEALS, against=[against])
    assert _found(report) == {("acme", Wrong.ROLLED_BACK, 9)}


async def test_another_secret_finds_every_head_unsealed(chain: AsyncEngine) -> None:
    report = await verify(chain, Seals("another secret of thirty-two characters"))
    assert {f.wrong for f in report.faults} == {Wrong.UNSEALED, Wrong.CHANGED}


async def test_findings_name_tenant_place_call_and_what_is_wrong(chain: AsyncEngine) -> None:
    cut = f"UPDATE ledger SET cost_usd = 0 WHERE tenant_id = 'acme' AND seq = {AT}"
    async with _tampered(chain, cut) as report:
        [fault] = report.faults
        [finding] = findings_of(report)
        said = f"changed: tenant acme, row {AT}, call {fault.call_id}: is not what was recorded"
        assert finding.message == said


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET cost_usd = 0",
        "UPDATE ledger SET subject = 'x'",
        "UPDATE ledger SET subject = NULL",
        "UPDATE ledger SET erased_at = now(), erasure_id = 1, cost_usd = 0, subject = NULL,"
        " session = NULL, entity_id = NULL, excerpts = NULL, salt = NULL",
        "DELETE FROM ledger",
        "DELETE FROM ledger_2026_11",
        "TRUNCATE ledger",
        "UPDATE erasures SET calls = 0",
        "DELETE FROM erasures",
        "TRUNCATE erasures",
    ],
)
async def test_the_database_itself_refuses_what_is_no_erasure(
    chain: AsyncEngine, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="only grow"):
        async with chain.begin() as connection:
            await connection.execute(text(statement))


async def test_a_worker_of_an_older_release_waits_and_loses_nothing(engine: AsyncEngine) -> None:
    """Its INSERT does not know the chain; the code of the refusal is one that waiting cures."""
    old = [c.name for c in ledger.columns][:37]
    assert old[-1] == "recorded_at"
    names = ", ".join(old[:-1])
    await LedgerStore(engine, SEALS).record([encode(a_call())])
    again = f"INSERT INTO ledger ({names}) SELECT {names} FROM ledger ON CONFLICT DO NOTHING"
    with pytest.raises(DBAPIError, match="does not chain the ledger") as caught:
        async with engine.begin() as connection:
            await connection.execute(text(again))
    assert sqlstate(caught.value) == "55000"
    assert is_outage(caught.value)


async def test_rows_from_before_the_chain_are_counted_and_one_more_or_less_is_found(
    engine: AsyncEngine,
) -> None:
    await LedgerStore(engine, SEALS).record([encode(a_rich_call(n)) for n in range(3)])
    # As the migration leaves what an older installation had.
    await _do(
        engine,
        "UPDATE ledger SET seq = 0, layout = 0, prev_hash = '', hash = '', salt = NULL,"
        " context_digest = ''",
        "UPDATE lineage_heads SET seq = 0, hash = '', seal = '', unchained = 3",
    )
    report = await verify(engine, SEALS)
    assert (report.faults, report.unchained) == ([], 3)
    await LedgerStore(engine, SEALS).record([encode(a_rich_call(n)) for n in range(3, 6)])
    report = await verify(engine, SEALS)
    assert (report.faults, report.unchained, report.rows) == ([], 3, 3)
    await _do(engine, "DELETE FROM ledger WHERE subject = 'candidate-1'")
    assert _found(await verify(engine, SEALS)) == {("acme", Wrong.MISSING, 0)}


async def test_many_drains_at_once_make_one_chain_and_exact_sums(
    engine: AsyncEngine, link: RedisLink, tmp_path: Path
) -> None:
    draw = random.Random(4)
    log = SettlementLog(link, Spool(tmp_path / "own"))
    calls = [
        a_call(
            draw.choice(["acme", "globex", "initech"]),
            cost_usd=Decimal(draw.randrange(10**9)).scaleb(-9),
            outcome=draw.choice(list(Outcome)),
            cache=draw.choice(["miss", "hit", "off", "coalesced"]),
            started_at=NOON + timedelta(hours=draw.randrange(-60, 60)),
        )
        for _ in range(1200)
    ]
    entries = [encode(call) for call in calls]
    for entry in [*entries, *draw.sample(entries, 300)]:
        await log.append(entry)
    store = LedgerStore(engine, SEALS)
    drains = [Drain(link, Spool(tmp_path / str(n)), store, engine, SystemClock()) for n in range(4)]

    async def drain(one: Drain) -> None:
        while await one.step() or await link.send("XLEN", "sluice:{ledger}:settlements"):
            pass

    straight = [draw.sample(entries, 200) for _ in range(4)]
    await asyncio.gather(*map(drain, drains), *map(store.record, straight))
    report = await verify(engine, SEALS)
    assert (report.faults, report.rows) == ([], 1200)
    await _sums_are_exact(engine)


async def _sums_are_exact(engine: AsyncEngine) -> None:
    """Compare what is kept by day with the sum of all rows, to the last digit."""
    async with engine.connect() as connection:
        kept = await _sums(connection, "SELECT {0} FROM ledger_daily")
        counted = await _sums(
            connection,
            "SELECT tenant_id, (started_at AT TIME ZONE 'UTC')::date AS day,"
            " coalesce(agent, '') AS agent, coalesce(model_served, '') AS model,"
            " count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered,"
            " count(*) FILTER (WHERE outcome = 'failed') AS failed,"
            " count(*) FILTER (WHERE outcome = 'refused') AS refused,"
            " count(*) FILTER (WHERE outcome = 'disconnected') AS disconnected,"
            " count(*) FILTER (WHERE cache IN ('hit', 'coalesced')) AS hits,"
            " sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,"
            " sum(cached_input_tokens) AS cached_input_tokens, sum(cost_usd) AS cost_usd,"
            " sum(saved_usd) AS saved_usd FROM ledger GROUP BY 1, 2, 3, 4",
        )
    assert kept == counted
    assert len(kept) > 1


async def _sums(connection: AsyncConnection, query: str) -> dict[Any, Any]:
    names = [column.name for column in ledger_daily.columns]
    found = await connection.execute(text(query.format(", ".join(names))))
    rows = [row._asdict() for row in found]
    return {tuple(r[n] for n in names[:4]): {n: r[n] for n in names[4:]} for r in rows}


async def test_a_batch_that_is_split_for_a_misfit_keeps_chain_and_sums_whole(
    engine: AsyncEngine,
) -> None:
    entries = [encode(a_call(t)) for t in ("acme", "globex") * 20]
    entries[13] = entries[13].replace(b'"input_tokens":250', b'"input_tokens":-1')
    await LedgerStore(engine, SEALS).record(entries)
    report = await verify(engine, SEALS)
    assert (report.faults, report.rows) == ([], 39)
    await _sums_are_exact(engine)


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.spec("14.2")
async def test_any_single_tampering_among_100_000_rows_is_found(engine: AsyncEngine) -> None:
    rows, draw = 100_000, random.Random(11)
    store = LedgerStore(engine, SEALS)
    for start in range(0, rows, 1000):
        await store.record([encode(a_rich_call(n)) for n in range(start, start + 1000)])
    await _do(engine, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT * FROM ledger")
    assert (await verify(engine, SEALS)).faults == []
    place = draw.randrange(2, rows)
    one = f"WHERE tenant_id = 'acme' AND seq = {place}"
    other = draw.randrange(2, rows)
    tamperings = {
        Wrong.CHANGED: f"UPDATE ledger SET output_tokens = output_tokens + 1 {one}",
        Wrong.MISSING: f"DELETE FROM ledger {one}",
        Wrong.INSERTED: _COPY.format(seq=place, like=other),
        Wrong.REORDERED: f"UPDATE ledger SET seq = {place} + {other} - seq"
        f" WHERE tenant_id = 'acme' AND seq IN ({place}, {other})",
        Wrong.CUT: f"DELETE FROM ledger WHERE tenant_id = 'acme' AND seq = {rows}",
    }
    for wrong, statement in tamperings.items():
        await _do(engine, statement)
        found = {(f.wrong, f.seq) for f in (await verify(engine, SEALS)).faults}
        assert (wrong, rows if wrong is Wrong.CUT else place) in found
        assert {seen for seen, _ in found} == {wrong}
        places = [place, other, rows]
        ids = "(" + ", ".join(map(str, places)) + ")"
        await _do(
            engine,
            f"DELETE FROM ledger WHERE seq IN {ids}",
            f"INSERT INTO ledger SELECT * FROM kept WHERE seq IN {ids}",
        )
    assert (await verify(engine, SEALS)).faults == []
    await _do(engine, "DROP TABLE kept")
    await empty(engine)


@pytest.mark.parametrize(
    "change",
    ["SET cost_usd = cost_usd + 0.000000000001", "SET calls = calls - 1", "SET day = day + 1"],
)
async def test_sums_by_day_that_are_not_those_of_the_rows_are_found(
    chain: AsyncEngine, change: str
) -> None:
    await _do(chain, f"UPDATE ledger_daily {change} WHERE tenant_id = 'acme'")
    report = await verify(chain, SEALS)
    assert {(f.tenant_id, f.wrong) for f in report.faults} == {("acme", Wrong.SUMS)}
    assert "2026-11-23 for -, gpt-4o" in report.faults[0].text


async def test_a_tenant_of_its_own_can_be_followed_alone(chain: AsyncEngine) -> None:
    told: list[tuple[int, int]] = []
    report = await verify(
        chain, SEALS, only="globex", progress=lambda done, total: told.append((done, total))
    )
    assert (report.rows, report.tenants, report.faults) == (5, 1, [])
    assert told[-1] == (5, 5)
    assert await _count(chain) == ROWS + 5


async def _count(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(ledger))).scalar_one()


def test_a_manifest_that_is_none_is_named(tmp_path: Path) -> None:
    from plugins.cli.output import CommandError

    with pytest.raises(CommandError, match="No such file"):
        read_heads(tmp_path / "none.json")
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(CommandError, match="is no manifest"):
        read_heads(tmp_path)
    assert Head("a", 0, b"", SEALS.head("a", 0, b"", 0)).is_sealed(SEALS)
