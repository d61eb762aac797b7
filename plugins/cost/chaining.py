"""Records settlements in one transaction: rows in their chain, sums by day, texts, erasures."""

import asyncio
import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, String, Text, bindparam, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from plugins.core.chain import (
    GENESIS,
    LAYOUT,
    SALT_BYTES,
    Misfit,
    Seals,
    canonical,
    commitment,
    row_hash,
)
from plugins.cost.reviewing import Entering, enter, entering
from plugins.store import erasing
from plugins.store.tables import ledger, ledger_daily

AT_ONCE: Final = 25
"""Rows that are prepared before other calls of this worker have their turn: 0.4 ms' work."""
_LATER: Final = frozenset({"erased_at", "erasure_id"})
_COLUMNS: Final = tuple(c for c in ledger.columns if c.name not in _LATER)
_KEY: Final = ("tenant_id", "day", "agent", "model")
_SUMS: Final = tuple(c.name for c in ledger_daily.columns if c.name not in _KEY)
_INSERT: Final = text(
    "WITH fresh AS (INSERT INTO ledger ({names})"  # noqa: S608 - our own columns' names; the entries are bound
    " SELECT {names} FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS entry ({typed})"
    " RETURNING *)"
    " INSERT INTO ledger_daily AS daily ({key}, {sums})"
    " SELECT tenant_id, (started_at AT TIME ZONE 'UTC')::date, coalesce(agent, ''),"
    " coalesce(model_served, ''), count(*),"
    " count(*) FILTER (WHERE outcome = 'answered'), count(*) FILTER (WHERE outcome = 'failed'),"
    " count(*) FILTER (WHERE outcome = 'refused'),"
    " count(*) FILTER (WHERE outcome = 'disconnected'),"
    " count(*) FILTER (WHERE cache IN ('hit', 'coalesced')), sum(input_tokens),"
    " sum(output_tokens), sum(cached_input_tokens), sum(cost_usd), sum(saved_usd)"
    " FROM fresh GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    " ON CONFLICT ({key}) DO UPDATE SET {added}".format(
        names=", ".join(c.name for c in _COLUMNS),
        typed=", ".join(
            f"{c.name} {c.type.compile(dialect=postgresql.dialect())}" for c in _COLUMNS
        ),
        key=", ".join(_KEY),
        sums=", ".join(_SUMS),
        added=", ".join(f"{name} = daily.{name} + excluded.{name}" for name in _SUMS),
    )
).bindparams(bindparam("entries", type_=String))
_TENANTS: Final = bindparam("tenants", type_=ARRAY(Text))
_CALLS: Final = bindparam("calls", type_=ARRAY(UUID(as_uuid=False)))
# Sorted, so that two workers with the same tenants never wait for one another in a circle.
_LOCK: Final = text(
    "SELECT tenant_id, seq, hash, unchained, clock_timestamp() AS now FROM lineage_heads"
    " WHERE tenant_id = ANY(:tenants) ORDER BY tenant_id FOR UPDATE"
).bindparams(_TENANTS)
_MAKE_HEADS: Final = text(
    "INSERT INTO lineage_heads (tenant_id, seq, hash, seal)"
    " SELECT tenant_id, 0, '', seal FROM unnest(:tenants, :seals) AS head (tenant_id, seal)"
    " ORDER BY tenant_id ON CONFLICT DO NOTHING"
).bindparams(_TENANTS, bindparam("seals", type_=ARRAY(LargeBinary)))
_KNOWN: Final = text("SELECT call_id::text FROM ledger WHERE call_id = ANY(:calls)").bindparams(
    _CALLS
)
_MOVE_HEADS: Final = text(
    "UPDATE lineage_heads SET seq = head.seq, hash = head.hash, seal = head.seal,"
    " updated_at = now() FROM unnest(:tenants, CAST(:seqs AS bigint[]), :hashes, :seals)"
    " AS head (tenant_id, seq, hash, seal) WHERE lineage_heads.tenant_id = head.tenant_id"
).bindparams(
    _TENANTS,
    bindparam("hashes", type_=ARRAY(LargeBinary)),
    bindparam("seals", type_=ARRAY(LargeBinary)),
)
_KEEP_TEXTS: Final = text(
    "INSERT INTO lineage_texts (call_id, tenant_id, sealed, expires_at)"
    " SELECT * FROM unnest(:calls, :tenants, :sealed, CAST(:expire AS timestamptz[]))"
    " ON CONFLICT DO NOTHING"
).bindparams(_CALLS, _TENANTS, bindparam("sealed", type_=ARRAY(LargeBinary)))
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "trace_id": None,
    "findings": [],
    "variants": {},
    "verdict": "allow",
    "confidence": None,
    "input_digest": None,
    "output_digest": None,
    "excerpts": None,
}
"""Of entries that an older release has written."""


class HeadsMissing(Exception):  # noqa: N818 - named for what is so
    """Some of the batch's tenants have no head yet; `make_heads` makes them."""


@dataclass(slots=True)
class Head:
    """The end of one tenant's chain, as this transaction leaves it."""

    seq: int
    hash: bytes
    unchained: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A settlement that is ready to be given its place.

    Args:
        row: by column.
        written: its immutable columns as the chain hashes them.
        text: what was asked and answered, sealed, or None.
        expires_at: when that text goes.
        review: its item of the review queue, or None.
    """

    row: dict[str, Any]
    written: bytes
    text: bytes | None = None
    expires_at: datetime | None = None
    review: Entering | None = None

    @property
    def call_id(self) -> str:
        """Give the call's identifier."""
        return self.row["call_id"]

    @property
    def tenant_id(self) -> str:
        """Give whose it is."""
        return self.row["tenant_id"]


async def prepare(entries: Sequence[Mapping[str, Any]]) -> list[Prepared | Misfit]:
    """Make rows of entries; the loop is let go of in between.

    Returns:
        One for each entry: ready, or why it can never be a row.
    """
    prepared: list[Prepared | Misfit] = []
    for number, entry in enumerate(entries, 1):
        try:
            prepared.append(prepared_of(entry))
        except Misfit as misfit:
            prepared.append(misfit)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return prepared


def prepared_of(entry: Mapping[str, Any]) -> Prepared:
    """Make the row of an entry; its place in the chain comes later.

    Raises:
        Misfit: when it can never be one.
    """
    row: dict[str, Any] = {**_DEFAULTS, **entry}
    try:
        salt = bytes.fromhex(row.pop("salt")) if "salt" in row else os.urandom(SALT_BYTES)
        text = row.pop("text", None)
        expires_at = datetime.fromisoformat(row.pop("text_expires_at")) if text else None
        sealed = base64.b64decode(text) if text else None
        found = row.pop("review", None)
        context = commitment(salt, row)
        row["context_digest"] = _bytea(context)
        written = canonical(row)
    except (KeyError, TypeError, ValueError) as error:
        raise Misfit(str(error) if isinstance(error, KeyError | Misfit) else "an entry") from None
    row["salt"] = _bytea(salt)
    row["layout"] = LAYOUT
    return Prepared(row, written, sealed, expires_at, entering(row, found))


async def make_heads(connection: AsyncConnection, seals: Seals, tenants: Sequence[str]) -> None:
    """Make the heads that are missing, in a transaction of its own: nothing waits in a circle."""
    sealed = [seals.head(tenant, 0, GENESIS, 0) for tenant in tenants]
    await connection.execute(_MAKE_HEADS, {"tenants": list(tenants), "seals": sealed})


async def record(connection: AsyncConnection, seals: Seals, prepared: Sequence[Prepared]) -> None:
    """Give rows their places and insert them; those that are there already are left as they are.

    Args:
        connection: in a transaction.
        seals: seal the heads.
        prepared: in the order in which they are chained.

    Raises:
        HeadsMissing: before anything is changed.
    """
    tenants = sorted({one.tenant_id for one in prepared})
    heads, now = await _lock(connection, tenants)
    known = await connection.execute(_KNOWN, {"calls": [one.call_id for one in prepared]})
    seen: set[str] = set(known.scalars())
    fresh: list[Prepared] = []
    for one in prepared:
        if one.call_id not in seen:
            seen.add(one.call_id)
            fresh.append(one)
    if not fresh:
        return
    moment = now.isoformat()
    for number, one in enumerate(fresh, 1):
        one.row["recorded_at"] = moment
        _place(heads[one.tenant_id], one, now)
        if number % (4 * AT_ONCE) == 0:
            await asyncio.sleep(0)
    rows = orjson.dumps([one.row for one in fresh]).decode()
    await connection.execute(_INSERT, {"entries": rows})
    await _move(connection, seals, heads, {one.tenant_id for one in fresh})
    await _keep_texts(connection, fresh)
    await enter(connection, [one.review for one in fresh if one.review is not None])
    await _erase_late(connection, seals, fresh, now)


async def _lock(
    connection: AsyncConnection, tenants: Sequence[str]
) -> tuple[dict[str, Head], datetime]:
    locked = (await connection.execute(_LOCK, {"tenants": tenants})).all()
    if len(locked) < len(tenants):
        raise HeadsMissing
    heads = {row.tenant_id: Head(row.seq, bytes(row.hash), row.unchained) for row in locked}
    return heads, max(row.now for row in locked).astimezone(UTC)


def _place(head: Head, one: Prepared, now: datetime) -> None:
    before, head.seq = head.hash, head.seq + 1
    head.hash = row_hash(before, head.seq, now, one.written)
    one.row["seq"] = head.seq
    one.row["prev_hash"], one.row["hash"] = _bytea(before), _bytea(head.hash)


async def _move(
    connection: AsyncConnection, seals: Seals, heads: Mapping[str, Head], tenants: set[str]
) -> None:
    moved = sorted(tenants)
    ends = [heads[tenant] for tenant in moved]
    await connection.execute(
        _MOVE_HEADS,
        {
            "tenants": moved,
            "seqs": [end.seq for end in ends],
            "hashes": [end.hash for end in ends],
            "seals": [
                seals.head(tenant, end.seq, end.hash, end.unchained)
                for tenant, end in zip(moved, ends, strict=True)
            ],
        },
    )


async def _keep_texts(connection: AsyncConnection, fresh: Sequence[Prepared]) -> None:
    kept = [one for one in fresh if one.text is not None]
    if kept:
        await connection.execute(
            _KEEP_TEXTS,
            {
                "calls": [one.call_id for one in kept],
                "tenants": [one.tenant_id for one in kept],
                "sealed": [one.text for one in kept],
                "expire": [one.expires_at for one in kept],
            },
        )


async def _erase_late(
    connection: AsyncConnection, seals: Seals, fresh: Sequence[Prepared], now: datetime
) -> None:
    """Erase what was begun before its subject was erased, and came to be recorded only now."""
    begun = {one.call_id: datetime.fromisoformat(one.row["started_at"]) for one in fresh}
    tenants = sorted({one.tenant_id for one in fresh})
    orders = await erasing.orders_since(connection, tenants, min(begun.values()))
    if not orders:
        return
    parents = [p for one in fresh if _UUID.fullmatch(p := one.row["parent_call_id"] or "")]
    gone = await erasing.erased_among(connection, tenants, parents)
    late: dict[tuple[str, bytes], list[str]] = {}
    for one in fresh:
        for whose, at in _orders_for(one, seals, orders, gone):
            if begun[one.call_id] <= at:
                late.setdefault((one.tenant_id, whose), []).append(one.call_id)
    for (tenant, whose), calls in late.items():
        found = await erasing.of_calls(connection, tenant, calls)
        order = erasing.Order(tenant, whose, "drain", now, late=True)
        await erasing.erase(connection, seals, order, found)


async def is_ordered_erased(
    connection: AsyncConnection, seals: Seals, entry: Mapping[str, Any]
) -> bool:
    """Tell whether an entry that will never be a row is of a subject that was erased since."""
    tenant, subject = entry.get("tenant_id"), entry.get("subject")
    if not isinstance(tenant, str) or not isinstance(subject, str):
        return False
    try:
        begun = datetime.fromisoformat(entry["started_at"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        begun = datetime(1970, 1, 1, tzinfo=UTC)
    orders = await erasing.orders_since(connection, [tenant], begun)
    return (tenant, seals.subject(tenant, subject)) in orders


def _orders_for(
    one: Prepared,
    seals: Seals,
    orders: Mapping[tuple[str, bytes], datetime],
    gone: Mapping[str, tuple[bytes, datetime]],
) -> list[tuple[bytes, datetime]]:
    """List for whom a row may have to go: its own subject, or that of the call it came of."""
    found: list[tuple[bytes, datetime]] = []
    subject = one.row["subject"]
    if subject is not None:
        whose = seals.subject(one.tenant_id, subject)
        if (one.tenant_id, whose) in orders:
            found.append((whose, orders[one.tenant_id, whose]))
    parent = gone.get(one.row["parent_call_id"] or "")
    return [*found, parent] if parent else found


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()
