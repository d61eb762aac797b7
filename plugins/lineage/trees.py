"""Reads whole trees of calls, each in one query, and the texts that are kept of them."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.errors import NotFound
from plugins.store.database import transaction
from plugins.store.tables import ledger, lineage_texts

MOST_CALLS: Final = 1000
"""Calls of one tree that are given; a larger one is cut and says so."""
_EARLY: Final = timedelta(hours=1)
_LATE: Final = timedelta(days=1)
"""How far a call's start may lie from the moment in its identifier: clocks are set, bodies slow.
One that is further away is still found, by a second look at all months."""

_LAST_S: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""Python's dates end with the year 9999, those of 48 bits of milliseconds with 10889."""

# `up` climbs to the roots, `down` gathers all that came of them. UNION takes each call once, so
# that parents named in a circle end; LIMIT ends the climb itself, since PostgreSQL makes no more
# rows of a recursive query than are fetched. Both keep to the tenant: a parent is a caller's claim.
_TREE: Final = """WITH RECURSIVE
    start AS (
        SELECT tenant_id, call_id, started_at, parent_call_id FROM ledger WHERE {} LIMIT :most),
    up AS (
        SELECT * FROM start
        UNION
        SELECT parent.tenant_id, parent.call_id, parent.started_at, parent.parent_call_id
        FROM up JOIN ledger parent ON parent.tenant_id = up.tenant_id
            AND parent.call_id = CASE WHEN up.parent_call_id
                ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                THEN up.parent_call_id::uuid END),
    above AS (SELECT tenant_id, call_id, started_at FROM up LIMIT :most),
    down AS (
        SELECT * FROM above
        UNION
        SELECT child.tenant_id, child.call_id, child.started_at
        FROM down JOIN ledger child ON child.tenant_id = down.tenant_id
            AND child.parent_call_id = down.call_id::text),
    found AS (SELECT call_id, started_at FROM down LIMIT :most)
    SELECT ledger.* FROM found JOIN ledger
        ON ledger.call_id = found.call_id AND ledger.started_at = found.started_at
    ORDER BY ledger.started_at, ledger.call_id"""
_ANY: Final = "tenant_id = ANY(ARRAY(SELECT tenant_id FROM lineage_heads))"
"""Lets an administrator's query use the indices, which begin with the tenant."""
_OWN: Final = "tenant_id = :tenant"
_BETWEEN: Final = " AND started_at BETWEEN :early AND :late"
_OF_CALL: Final = "call_id = CAST(:call AS uuid) AND "
_OF_ENTITY: Final = " AND entity_type = :type AND entity_id = :id"


class LineageStore:
    """Trees of calls, and their texts as they are kept.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def of_call(self, tenant_id: str | None, call_id: str) -> list[Mapping[str, Any]]:
        """Give the tree that a call belongs to, oldest call first.

        Args:
            tenant_id: whose the call must be; None for an administrator.
            call_id: a UUID.

        Returns:
            At most `MOST_CALLS` + 1 rows of the ledger: one too many tells that there are more.

        Raises:
            NotFound: when there is no such call of that tenant (yet).
        """
        where = _OF_CALL + (_OWN if tenant_id else _ANY)
        known: dict[str, Any] = {"call": call_id} | ({"tenant": tenant_id} if tenant_id else {})
        about = moment_of(call_id)
        async with transaction(self._engine) as connection:
            rows: list[Mapping[str, Any]] = []
            if about is not None:
                near = {"early": about - _EARLY, "late": about + _LATE}
                rows = await _tree(connection, where + _BETWEEN, known | near)
            rows = rows or await _tree(connection, where, known)
        if not rows:
            raise NotFound(
                f"no call {call_id!r}; a call shows here within a second of its answer",
                code="call_not_found",
            )
        return rows

    async def of_entity(
        self, tenant_id: str | None, entity_type: str, entity_id: str
    ) -> list[Mapping[str, Any]]:
        """Give the trees of all calls about one record, such as a resume; as `of_call`.

        Raises:
            NotFound: when no call was about it.
        """
        known = {"type": entity_type, "id": entity_id}
        known |= {"tenant": tenant_id} if tenant_id else {}
        where = (_OWN if tenant_id else _ANY) + _OF_ENTITY
        async with transaction(self._engine) as connection:
            rows = await _tree(connection, where, known)
        if not rows:
            raise NotFound(
                f"no call is about {entity_type}/{entity_id}: none was, or it was erased",
                code="entity_not_found",
            )
        return rows

    async def texts(self, calls: Sequence[str]) -> dict[str, bytes]:
        """Give the sealed texts of calls, as far as they are kept."""
        query = select(lineage_texts.c.call_id, lineage_texts.c.sealed).where(
            lineage_texts.c.call_id.in_(calls)
        )
        async with transaction(self._engine) as connection:
            return {row.call_id: bytes(row.sealed) for row in await connection.execute(query)}


async def _tree(
    connection: AsyncConnection, where: str, known: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    statement = text(_TREE.format(where)).columns(*ledger.columns)
    found = await connection.execute(statement, {"most": MOST_CALLS + 1, **known})
    return [dict(row) for row in found.mappings()]


def moment_of(call_id: str) -> datetime | None:
    """Give the moment in a UUIDv7; None for any other identifier, or one of the far future."""
    found = uuid.UUID(call_id)
    seconds = (found.int >> 80) / 1000
    if found.version != 7 or seconds > _LAST_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)
