"""Takes a subject's personal columns and texts out of the tables; the chain stays valid.

Whoever erases holds the lock of the tenant's head (`lineage_heads`), and so does whoever records:
a settlement is either there to be erased, or finds the record of the erasure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import LargeBinary, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from plugins.core.chain import PERSONAL, Seals

_GONE: Final = frozenset({*PERSONAL, "salt", "text", "review"})
_FOUND: Final = """WITH RECURSIVE found AS (
    SELECT call_id, started_at, erased_at FROM ledger WHERE tenant_id = :tenant AND {}
    UNION
    SELECT child.call_id, child.started_at, child.erased_at
    FROM found JOIN ledger child
        ON child.tenant_id = :tenant AND child.parent_call_id = found.call_id::text)
    SELECT call_id::text, started_at FROM found WHERE erased_at IS NULL
"""
_OF_SUBJECT: Final = text(_FOUND.format("subject = :subject"))
_OF_CALLS: Final = text(_FOUND.format("call_id = ANY(:calls)")).bindparams(
    bindparam("calls", type_=ARRAY(UUID(as_uuid=False)))
)
_ERASE: Final = text(
    "UPDATE ledger SET subject = NULL, session = NULL, entity_id = NULL, excerpts = NULL,"
    " salt = NULL, erased_at = :at, erasure_id = :id"
    " FROM unnest(:calls, CAST(:started AS timestamptz[])) AS found (call_id, started_at)"
    " WHERE ledger.call_id = found.call_id AND ledger.started_at = found.started_at"
).bindparams(
    bindparam("calls", type_=ARRAY(UUID(as_uuid=False))),
)
_TEXTS: Final = text("DELETE FROM lineage_texts WHERE call_id = ANY(:calls)").bindparams(
    bindparam("calls", type_=ARRAY(UUID(as_uuid=False)))
)
_REVIEWS: Final = text(
    "UPDATE review_items SET payload = NULL, answer = NULL, findings = '[]', erased_at = :at,"
    ' decision = decision || \'{"reason": ""}\', version = version + 1'
    " WHERE call_id = ANY(:calls) AND erased_at IS NULL"
).bindparams(bindparam("calls", type_=ARRAY(UUID(as_uuid=False))))
_COUNT_TEXTS: Final = text(
    "SELECT count(*) FROM lineage_texts WHERE call_id = ANY(:calls)"
).bindparams(bindparam("calls", type_=ARRAY(UUID(as_uuid=False))))
_NEXT: Final = text("SELECT nextval(pg_get_serial_sequence('erasures', 'id'))")
_RECORD: Final = text(
    "INSERT INTO erasures (id, tenant_id, subject_hash, ordered_by, at, calls, texts, late, seal)"
    " VALUES (:id, :tenant, :subject, :by, :at, :calls, :texts, :late, :seal)"
).bindparams(bindparam("subject", type_=LargeBinary), bindparam("seal", type_=LargeBinary))
_LOCK: Final = text("SELECT 1 FROM lineage_heads WHERE tenant_id = :tenant FOR UPDATE")
_SINCE: Final = text(
    "SELECT tenant_id, subject_hash, max(at) AS at FROM erasures"
    " WHERE tenant_id = ANY(:tenants) AND at >= :oldest AND NOT late GROUP BY 1, 2"
).bindparams(bindparam("tenants", type_=ARRAY(Text)))
_ERASED_CALLS: Final = text(
    "SELECT ledger.call_id::text, ledger.erased_at, erasures.subject_hash"
    " FROM ledger JOIN erasures ON erasures.id = ledger.erasure_id"
    " WHERE ledger.call_id = ANY(:calls) AND ledger.tenant_id = ANY(:tenants)"
).bindparams(
    bindparam("calls", type_=ARRAY(UUID(as_uuid=False))), bindparam("tenants", type_=ARRAY(Text))
)


@dataclass(frozen=True, slots=True)
class Order:
    """Who is to be erased, by whose order.

    Args:
        tenant_id: whose calls.
        subject: keyed hash of the subject (`Seals.subject`).
        by: the key or command that ordered it.
        at: UTC.
        late: it was ordered earlier, and this came to the ledger only now.
    """

    tenant_id: str
    subject: bytes
    by: str
    at: datetime
    late: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The calls that an erasure is about, and how many of their texts are kept."""

    calls: Sequence[tuple[str, datetime]]
    texts: int

    @property
    def ids(self) -> list[str]:
        """Give the calls' identifiers."""
        return [call_id for call_id, _ in self.calls]


def impersonal(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give a settlement that is no row yet without what an erasure takes out of one."""
    return {name: None if name in _GONE else value for name, value in entry.items()}


async def lock(connection: AsyncConnection, tenant_id: str) -> None:
    """Keep everybody else from recording or erasing that tenant's calls until the end."""
    await connection.execute(_LOCK, {"tenant": tenant_id})


async def of_subject(connection: AsyncConnection, tenant_id: str, subject: str) -> Found:
    """Find a subject's calls, and all that came of them (`parent_call_id`)."""
    found = await connection.execute(_OF_SUBJECT, {"tenant": tenant_id, "subject": subject})
    return await _with_texts(connection, [(row.call_id, row.started_at) for row in found])


async def of_calls(connection: AsyncConnection, tenant_id: str, calls: Sequence[str]) -> Found:
    """Find these calls, and all that came of them."""
    found = await connection.execute(_OF_CALLS, {"tenant": tenant_id, "calls": list(calls)})
    return await _with_texts(connection, [(row.call_id, row.started_at) for row in found])


async def erase(connection: AsyncConnection, seals: Seals, order: Order, found: Found) -> None:
    """Erase what was found, and record that and by whose order.

    Args:
        connection: in a transaction that holds the tenant's `lock`.
        seals: seal the record.
        order: whose.
        found: may be nothing; the order then holds for what comes late.
    """
    number = (await connection.execute(_NEXT)).scalar_one()
    if found.calls:
        calls = {"calls": found.ids}
        started = [moment for _, moment in found.calls]
        await connection.execute(_ERASE, calls | {"started": started, "at": order.at, "id": number})
        await connection.execute(_TEXTS, calls)
        await connection.execute(_REVIEWS, calls | {"at": order.at})
    count = len(found.calls)
    seal = seals.erasure(order.tenant_id, order.subject, order.at, order.by, count)
    row = {
        "id": number,
        "tenant": order.tenant_id,
        "subject": order.subject,
        "by": order.by,
        "at": order.at,
        "calls": count,
        "texts": found.texts,
        "late": order.late,
        "seal": seal,
    }
    await connection.execute(_RECORD, row)


async def orders_since(
    connection: AsyncConnection, tenants: Sequence[str], oldest: datetime
) -> Mapping[tuple[str, bytes], datetime]:
    """Give the latest order for each subject of these tenants, as far as it is new enough."""
    found = await connection.execute(_SINCE, {"tenants": list(tenants), "oldest": oldest})
    return {(row.tenant_id, bytes(row.subject_hash)): row.at for row in found}


async def erased_among(
    connection: AsyncConnection, tenants: Sequence[str], calls: Sequence[str]
) -> Mapping[str, tuple[bytes, datetime]]:
    """Tell which calls are erased: for whom, and when."""
    found = await connection.execute(
        _ERASED_CALLS, {"calls": list(calls), "tenants": list(tenants)}
    )
    return {row.call_id: (bytes(row.subject_hash), row.erased_at) for row in found}


async def _with_texts(connection: AsyncConnection, calls: list[tuple[str, datetime]]) -> Found:
    if not calls:
        return Found((), 0)
    ids: dict[str, Any] = {"calls": [call_id for call_id, _ in calls]}
    return Found(calls, (await connection.execute(_COUNT_TEXTS, ids)).scalar_one())
