"""The ledger: appended to through Redis or the spool, drained into PostgreSQL, read by day."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Date, String, Text, bindparam, func, insert, literal, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.errors import NotFound
from plugins.cost.spool import Spool
from plugins.store.database import described, is_misfit, transaction
from plugins.store.redis import RedisAway, RedisLink
from plugins.store.tables import ledger, ledger_rejects

STREAM: Final = "sluice:{ledger}:settlements"
USUAL_WAIT: Final = timedelta(seconds=2)
SpendKey = Literal["day", "agent", "model"]

_log: Final = logging.getLogger("sluice.ledger")

_COLUMNS: Final = [c for c in ledger.columns if c.name != "recorded_at"]
_INSERT: Final = text(
    "INSERT INTO ledger ({names})"  # noqa: S608 - our own columns' names; the entries are bound
    " SELECT {names} FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS entry ({typed})"
    " ON CONFLICT DO NOTHING".format(
        names=", ".join(c.name for c in _COLUMNS),
        typed=", ".join(
            f"{c.name} {c.type.compile(dialect=postgresql.dialect())}" for c in _COLUMNS
        ),
    )
).bindparams(bindparam("entries", type_=String))


class SettlementLog:
    """Where a settlement becomes durable before the client's last byte.

    Args:
        link: this worker's Redis.
        spool: this worker's file, for when Redis is away.
    """

    def __init__(self, link: RedisLink, spool: Spool) -> None:
        self._link: Final = link
        self._spool: Final = spool

    async def append(self, entry: bytes) -> Literal["redis", "spool"]:
        """Keep one settlement.

        Returns:
            Where it is. After a time-out of Redis it may be in both: the call's identifier makes
            it one row all the same.

        Raises:
            OSError: when Redis is away and the disk refuses it too.
        """
        try:
            await self._link.send("XADD", STREAM, "*", "e", entry)
        except RedisAway:
            await self._spool.append(entry)
            return "spool"
        return "redis"


async def is_behind(link: RedisLink, now: datetime) -> bool:
    """Tell whether settlements have waited for longer than usual to be recorded.

    While Redis is away they are in files, and nobody knows how many: then they have.
    """
    try:
        oldest = await link.send("XRANGE", STREAM, "-", "+", "COUNT", 1)
    except RedisAway:
        return True
    if not oldest:
        return False
    since = datetime.fromtimestamp(int(oldest[0][0].split(b"-")[0]) / 1000, UTC)
    return now - since > USUAL_WAIT


class LedgerStore:
    """The ledger's table.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def record(self, entries: Sequence[bytes]) -> None:
        """Insert settlements; one that is there already is left as it is.

        An entry that can never be a row goes to `ledger_rejects` as it came.

        Args:
            entries: JSON objects as `entry.encode` writes them.

        Raises:
            Unavailable: when PostgreSQL is away or cannot just now. The whole batch may be given
                again: what was recorded of it meets its own rows.
        """
        whole: list[bytes] = []
        for entry in entries:
            if _is_object(entry):
                whole.append(entry)
            else:
                await self._reject(entry, "not a JSON object in UTF-8")
        if whole:
            await self._record_whole(whole)

    async def _record_whole(self, entries: Sequence[bytes]) -> None:
        try:
            async with transaction(self._engine) as connection:
                await _insert(connection, entries)
        except DBAPIError as error:
            if not is_misfit(error):
                raise
            if len(entries) == 1:
                await self._reject(entries[0], described(error))
                return
            middle = len(entries) // 2
            await self._record_whole(entries[:middle])
            await self._record_whole(entries[middle:])

    async def spend(
        self, tenant_id: str | None, first: date, last: date, by: Sequence[SpendKey]
    ) -> list[Mapping[str, Any]]:
        """Sum the ledger.

        Args:
            tenant_id: whose; None for all tenants.
            first: first day, UTC, included.
            last: last day, UTC, included.
            by: what to group by, at least one.

        Returns:
            One mapping a group: its keys, `calls`, `answered`, `input_tokens`, `output_tokens`,
            `cost_usd` and `saved_usd` (Decimal).
        """
        groups = [_GROUPS[key].label(key) for key in by]
        query = (
            select(
                *groups,
                func.count().label("calls"),
                func.count().filter(ledger.c.outcome == "answered").label("answered"),
                func.sum(ledger.c.input_tokens).label("input_tokens"),
                func.sum(ledger.c.output_tokens).label("output_tokens"),
                func.sum(ledger.c.cost_usd).label("cost_usd"),
                func.sum(ledger.c.saved_usd).label("saved_usd"),
            )
            .where(
                ledger.c.started_at >= datetime.combine(first, time(), UTC),
                ledger.c.started_at < datetime.combine(last + timedelta(days=1), time(), UTC),
            )
            .group_by(*groups)
            .order_by(*groups)
        )
        if tenant_id is not None:
            query = query.where(ledger.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def call(self, tenant_id: str | None, call_id: str) -> Mapping[str, Any]:
        """Read one call.

        Args:
            tenant_id: whose it must be; None for an administrator.
            call_id: as in `x-sluice-call-id`.

        Raises:
            NotFound: when there is no such call of that tenant (yet).
        """
        query = select(ledger).where(ledger.c.call_id == call_id)
        if tenant_id is not None:
            query = query.where(ledger.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(
                f"no call {call_id!r}; a call shows here within a second of its answer",
                code="call_not_found",
            )
        return dict(row)

    async def _reject(self, entry: bytes, reason: str) -> None:
        _log.error("a settlement does not fit the ledger and was set aside: %s", reason)
        kept = entry.decode(errors="replace").replace("\x00", "\\u0000")
        # Once only, though its batch may be given again.
        known = select(ledger_rejects.c.id).where(ledger_rejects.c.entry == kept).exists()
        row = select(literal(kept, Text), literal(reason, Text)).where(~known)
        async with transaction(self._engine) as connection:
            await connection.execute(insert(ledger_rejects).from_select(["entry", "error"], row))


def _is_object(entry: bytes) -> bool:
    """Tell whether it is one JSON object; anything else would break up the batch around it."""
    try:
        entry.decode()
        return isinstance(msgspec.json.decode(entry), dict)
    except (ValueError, RecursionError):  # msgspec's and UTF-8's errors are of the former
        return False


async def _insert(connection: AsyncConnection, entries: Sequence[bytes]) -> None:
    batch = "[" + ",".join(entry.decode() for entry in entries) + "]"
    await connection.execute(_INSERT, {"entries": batch})


_GROUPS: Final[Mapping[str, Any]] = {
    "day": sql_cast(func.timezone("UTC", ledger.c.started_at), Date),
    "agent": func.coalesce(ledger.c.agent, ""),
    "model": func.coalesce(ledger.c.model_served, ""),
}
