"""What is wrong with one thing stops nothing else; what may fit later is not set aside."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from plugins.core.call import Context
from plugins.core.clock import SystemClock
from plugins.core.errors import Unavailable
from plugins.cost.drain import Drain
from plugins.cost.entry import encode
from plugins.cost.spool import Spool
from plugins.cost.store import STREAM, LedgerStore, SettlementLog
from plugins.store.database import described, is_outage, transaction
from plugins.store.redis import RedisLink
from plugins.store.tables import ledger, ledger_rejects
from selfhosted.engines import EmbeddedPostgres
from tests.making import SEALS, a_call

SECRET = "jane.doe@example.com"


class In2031(SystemClock):
    @override
    def now(self) -> datetime:
        return datetime(2031, 4, 2, tzinfo=UTC)


@pytest.fixture
def drain(engine: AsyncEngine, link: RedisLink, spool_folder: Path) -> Drain:
    return Drain(link, Spool(spool_folder), LedgerStore(engine, SEALS), engine, SystemClock())


@pytest.fixture
def log(link: RedisLink, tmp_path: Path) -> SettlementLog:
    return SettlementLog(link, Spool(tmp_path / "of another worker"))


async def _recorded(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return set((await connection.execute(select(ledger.c.call_id))).scalars())


async def _rejected(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        query = select(ledger_rejects.c.entry).order_by(ledger_rejects.c.id)
        return list((await connection.execute(query)).scalars())


@asynccontextmanager
async def _refusing(engine: AsyncEngine, sqlstate: str) -> AsyncIterator[None]:
    """Let PostgreSQL refuse every insert into the ledger with this code."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON ledger"
                " FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
            )
        )
    try:
        yield
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("DROP FUNCTION refuse CASCADE"))


@pytest.mark.parametrize(
    "sqlstate",
    [
        "25006",  # read only
        "40001",  # serialization failure
        "40P01",  # deadlock
        "42501",  # insufficient privilege
        "53100",  # disk full
        "53200",  # out of memory
        "53300",  # too many connections
        "55P03",  # lock not available
        "57014",  # query cancelled
        "57P03",  # starting up
        "58030",  # input/output error
        "XX001",  # data corrupted
    ],
)
async def test_what_postgresql_cannot_do_just_now_waits_and_is_not_set_aside(
    engine: AsyncEngine, drain: Drain, log: SettlementLog, sqlstate: str
) -> None:
    calls = [a_call() for _ in range(3)]
    for call in calls:
        await log.append(encode(call))
    await drain.step()
    async with _refusing(engine, sqlstate):
        with pytest.raises(Unavailable):
            await drain.step()
    assert await _rejected(engine) == []
    await drain.step()
    assert await _recorded(engine) == {call.id for call in calls}


@pytest.mark.parametrize("sqlstate", ["42703", "P0001", "54000"])
async def test_a_fault_of_ours_waits_too_and_is_said_once(
    engine: AsyncEngine,
    drain: Drain,
    log: SettlementLog,
    caplog: pytest.LogCaptureFixture,
    sqlstate: str,
) -> None:
    call = a_call()
    await log.append(encode(call))
    await drain.step()
    async with _refusing(engine, sqlstate):
        for _ in range(3):
            assert await drain.step() == 0
    assert [r.levelno for r in caplog.records if sqlstate in r.message] == [logging.ERROR]
    assert await drain.step() == 1
    assert caplog.messages[-1] == "the ledger goes on with the stream again"
    assert await _rejected(engine) == []
    assert await _recorded(engine) == {call.id}


async def test_a_route_answers_503_while_postgresql_is_read_only(
    engine: AsyncEngine, postgres: EmbeddedPostgres
) -> None:
    async def write() -> None:
        async with transaction(engine) as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text("DELETE FROM ledger_rejects"))

    with pytest.raises(Unavailable):
        await write()


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT nothing FROM nowhere", None),
        ("SELECT CAST(:value AS integer)", 2**40),
        ("INSERT INTO tenants (tenant_id, name) VALUES (:value, 'x')", ""),
    ],
)
async def test_a_wrong_statement_or_value_is_no_outage(
    engine: AsyncEngine, statement: str, value: object
) -> None:
    async with engine.connect() as connection:
        bound = {} if value is None else {"value": value}
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text(statement), bound)
    assert not is_outage(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b'{"call_id": "cut off',
        b'"text"',
        b"{},{}",
        b'{"call_id": "\x00"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=range(7),
)
async def test_a_line_that_is_no_settlement_is_set_aside_once_and_the_others_recorded(
    engine: AsyncEngine, drain: Drain, spool_folder: Path, line: bytes
) -> None:
    calls = [a_call(), a_call()]
    lines = b"\n".join([encode(calls[0]), line, encode(calls[1]), b""])
    for _ in range(2):  # as after a crash between PostgreSQL's commit and the file's removal
        (spool_folder / "1-dead.jsonl").write_bytes(lines)
        await drain.step()
    assert await _recorded(engine) == {call.id for call in calls}
    assert await _rejected(engine) == [
        line.decode(errors="replace").replace("\x00", "\\u0000"),
    ]
    assert list(spool_folder.iterdir()) == []


async def test_an_entry_of_the_stream_that_is_not_ours_is_set_aside(
    engine: AsyncEngine, drain: Drain, log: SettlementLog, redis: Redis
) -> None:
    await redis.xadd(STREAM, {"other": "thing"})
    call = a_call()
    await log.append(encode(call))
    await drain.step()
    await drain.step()
    assert await _recorded(engine) == {call.id}
    assert await _rejected(engine) == ["{b'other': b'thing'}"]
    assert await redis.xlen(STREAM) == 0


async def test_a_spool_file_that_cannot_be_read_is_said_once_and_stops_nothing_else(
    engine: AsyncEngine,
    drain: Drain,
    log: SettlementLog,
    spool_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (spool_folder / "0-unreadable.jsonl").mkdir()
    calls = [a_call(), a_call()]
    (spool_folder / "1-dead.jsonl").write_bytes(encode(calls[0]) + b"\n")
    await log.append(encode(calls[1]))
    for _ in range(3):
        await drain.step()
    assert await _recorded(engine) == {call.id for call in calls}
    assert [r.levelno for r in caplog.records if "0-unreadable" in r.message] == [logging.ERROR]


async def test_partitions_that_cannot_be_made_are_said_once_and_stop_nothing_else(
    engine: AsyncEngine,
    link: RedisLink,
    log: SettlementLog,
    spool_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = LedgerStore(engine, SEALS)
    # What a clock that ran ahead leaves behind: PostgreSQL makes no partition for rows that the
    # default one holds.
    stray = a_call(started_at=datetime(2031, 5, 2, tzinfo=UTC))
    await store.record([encode(stray)])
    drain = Drain(link, Spool(spool_folder), store, engine, In2031())
    call = a_call()
    await log.append(encode(call))
    for _ in range(3):
        await drain.step()
    assert await _recorded(engine) == {call.id, stray.id}
    assert len([r for r in caplog.records if "partitions" in r.message]) == 1


async def test_no_error_shows_what_a_row_holds(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    bad = encode(a_call(context=Context(subject=SECRET))).replace(
        b'"input_tokens":250', b'"input_tokens":-1'
    )
    await LedgerStore(engine, SEALS).record([bad])
    [message] = caplog.messages
    assert "CheckViolationError 23514" in message
    assert SECRET not in message
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT :secret FROM nowhere"), {"secret": SECRET})
    assert SECRET not in str(caught.value)
    assert described(caught.value) == "UndefinedTableError 42P01"
