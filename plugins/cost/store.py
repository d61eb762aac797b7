"""The ledger: appended to through Redis or the spool, drained into PostgreSQL, read by day."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, cast

import msgspec
from sqlalchemy import BigInteger, Text, func, insert, literal, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.chain import Misfit, Seals
from plugins.core.errors import NotFound
from plugins.core.vault import NoTransfer, Transfer
from plugins.cost import chaining
from plugins.cost.chaining import HeadsMissing, Prepared
from plugins.cost.spool import Spool
from plugins.store import erasing
from plugins.store.database import described, is_misfit, transaction
from plugins.store.redis import RedisAway, RedisLink
from plugins.store.tables import ledger, ledger_daily, ledger_rejects

STREAM: Final = "sluice:{ledger}:settlements"
USUAL_WAIT: Final = timedelta(seconds=2)
SpendKey = Literal["day", "agent", "model"]

_log: Final = logging.getLogger("sluice.ledger")


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
        seals: seal the ends of the tenants' chains.
        transfer: seals with the tenants' own keys what reviewers will read.
    """

    def __init__(self, engine: AsyncEngine, seals: Seals, transfer: Transfer | None = None) -> None:
        self._engine: Final = engine
        self._seals: Final = seals
        self._transfer: Final = transfer or NoTransfer()

    async def record(self, entries: Sequence[bytes]) -> None:
        """Insert settlements into their tenants' chains; one that is there is left as it is.

        An entry that can never be a row goes to `ledger_rejects` as it came.

        Args:
            entries: JSON objects as `entry.encode` writes them.

        Raises:
            Unavailable: when PostgreSQL is away or cannot just now. The whole batch may be given
                again: what was recorded of it meets its own rows.
        """
        read = [_object(entry) for entry in entries]
        sound = [(e, found) for e, found in zip(entries, read, strict=True) if found is not None]
        made = await chaining.prepare([found for _, found in sound])
        for entry, found in zip(entries, read, strict=True):
            if found is None:
                await self._reject(entry, "not a JSON object in UTF-8")
        whole: list[tuple[bytes, Prepared]] = []
        for (entry, _), one in zip(sound, made, strict=True):
            if isinstance(one, Misfit):
                await self._reject(entry, f"no column of the ledger can hold its {one}")
            else:
                whole.append((entry, one))
                if one.review is not None:
                    await one.review.seal(self._transfer)
        if whole:
            await self._record_whole(whole)

    async def _record_whole(self, batch: Sequence[tuple[bytes, Prepared]]) -> None:
        try:
            await self._record([prepared for _, prepared in batch])
        except DBAPIError as error:
            if not is_misfit(error):
                raise
            if len(batch) == 1:
                await self._reject(batch[0][0], described(error))
                return
            middle = len(batch) // 2
            await self._record_whole(batch[:middle])
            await self._record_whole(batch[middle:])

    async def _record(self, batch: Sequence[Prepared]) -> None:
        try:
            async with transaction(self._engine) as connection:
                await chaining.record(connection, self._seals, batch)
        except HeadsMissing:
            tenants = sorted({one.tenant_id for one in batch})
            async with transaction(self._engine) as connection:
                await chaining.make_heads(connection, self._seals, tenants)
            async with transaction(self._engine) as connection:
                await chaining.record(connection, self._seals, batch)

    async def spend(
        self, tenant_id: str | None, first: date, last: date, by: Sequence[SpendKey]
    ) -> list[Mapping[str, Any]]:
        """Sum the ledger, by what is kept of each day.

        Args:
            tenant_id: whose; None for all tenants.
            first: first day, UTC, included.
            last: last day, UTC, included.
            by: what to group by; nothing for one sum of all.

        Returns:
            One mapping a group: its keys, `calls`, `answered`, `input_tokens`, `output_tokens`,
            `cost_usd` and `saved_usd` (Decimal).
        """
        groups = [_GROUPS[key].label(key) for key in by]
        query = (
            select(*groups, *_SUMS)
            .where(ledger_daily.c.day >= first, ledger_daily.c.day <= last)
            .group_by(*groups)
            .order_by(*groups)
        )
        if tenant_id is not None:
            query = query.where(ledger_daily.c.tenant_id == tenant_id)
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
        async with transaction(self._engine) as connection:
            kept = entry.decode(errors="replace").replace("\x00", "\\u0000")
            found = _object(entry)
            if found and await chaining.is_ordered_erased(connection, self._seals, found):
                kept = msgspec.json.encode(erasing.impersonal(found)).decode()
            # Once only, though its batch may be given again.
            known = select(ledger_rejects.c.id).where(ledger_rejects.c.entry == kept).exists()
            row = select(literal(kept, Text), literal(reason, Text)).where(~known)
            await connection.execute(insert(ledger_rejects).from_select(["entry", "error"], row))


def _object(entry: bytes) -> dict[str, Any] | None:
    """Read one JSON object; None for anything else, which would break up the batch around it."""
    try:
        entry.decode()
        found: object = msgspec.json.decode(entry)
    except (ValueError, RecursionError):  # msgspec's and UTF-8's errors are of the former
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


_COUNTS: Final = ("calls", "answered", "input_tokens", "output_tokens")
_AMOUNTS: Final = ("cost_usd", "saved_usd")
_SUMS: Final = (
    # PostgreSQL's sum of integers is `numeric`; of nothing it is null.
    *(
        sql_cast(func.coalesce(func.sum(ledger_daily.c[name]), 0), BigInteger).label(name)
        for name in _COUNTS
    ),
    *(func.coalesce(func.sum(ledger_daily.c[name]), 0).label(name) for name in _AMOUNTS),
)
_GROUPS: Final[Mapping[str, Any]] = {
    name: ledger_daily.c[name] for name in ("day", "agent", "model")
}
