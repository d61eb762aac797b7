"""What a settlement brings into the review queue: read, sealed anew, and entered with its row."""

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from plugins.core.review import Reason
from plugins.core.vault import Transfer
from plugins.store.tables import review_items

_log: Final = logging.getLogger("sluice.ledger")


class Item(msgspec.Struct, frozen=True):
    """An item as a settlement carries it (`core.docket.Docket`)."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    reasons: Annotated[list[Reason], Meta(min_length=1)]
    holds: bool
    created_at: datetime
    due_at: datetime
    findings: list[dict[str, Any]] = []
    payload: str | None = None


@dataclass(slots=True)
class Entering:
    """An item on its way into the queue.

    Args:
        item: as it came.
        call_id: whose.
        tenant_id: whose.
        agent: that made the call, or None.
        payload: what a reviewer reads, sealed; None once it cannot be read any more.
    """

    item: Item
    call_id: str
    tenant_id: str
    agent: str | None
    payload: bytes | None = None

    async def seal(self, transfer: Transfer) -> None:
        """Put the payload under its tenant's own key.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        if self.payload is None:
            return
        try:
            self.payload = await transfer.reseal(self.tenant_id, self.call_id, self.payload)
        except (ValueError, OverflowError):  # what can never be sealed keeps no other row waiting
            self.payload = None
        if self.payload is None:
            _log.warning("the texts of review item %s cannot be kept: no key", self.item.id)


def entering(row: Mapping[str, Any], found: object) -> Entering | None:
    """Read the item that comes with a ledger row; None when there is none that can be read.

    Args:
        row: the ledger's, by column.
        found: its settlement's `review`.
    """
    if found is None:
        return None
    try:
        item = msgspec.convert(found, Item)
        payload = base64.b64decode(item.payload, validate=True) if item.payload else None
    except (msgspec.ValidationError, ValueError) as error:
        # Of another release, perhaps. The row counts all the same.
        _log.error("call %s has a review item that cannot be read: %s", row.get("call_id"), error)
        return None
    return Entering(item, row["call_id"], row["tenant_id"], row["agent"], payload)


async def enter(connection: AsyncConnection, items: Sequence[Entering]) -> None:
    """Insert items in the transaction of their rows; a call that has one keeps it."""
    if not items:
        return
    rows = [
        {
            "id": one.item.id,
            "call_id": one.call_id,
            "tenant_id": one.tenant_id,
            "agent": one.agent,
            "reasons": [reason.value for reason in one.item.reasons],
            "holds": one.item.holds,
            "findings": list(map(_storable, one.item.findings)),
            "payload": one.payload,
            "created_at": one.item.created_at,
            "due_at": one.item.due_at,
        }
        for one in items
    ]
    await connection.execute(insert(review_items).values(rows).on_conflict_do_nothing())


def _storable(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Take NUL out, which PostgreSQL's JSON cannot hold; the docket has done so already."""
    return {
        name: value.replace("\x00", "") if isinstance(value, str) else value
        for name, value in finding.items()
    }
