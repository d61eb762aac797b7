"""Decided items as JSON lines: ground truth for evaluation, and examples for fine-tuning.

Texts are given only of tenants that keep the text of their calls, and only for as many days as they
keep it: who has said that texts go after 30 days has said it of these too. They are masked
(`core.masking`): nothing that identifies a person or opens a door is needed to learn from them.
Names stay, since answers are about them; whoever trains on the file decides about those.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.masking import masked
from plugins.review.dossier import Dossier, Part
from plugins.review.rules import State
from plugins.review.work import Work
from plugins.store.database import transaction
from plugins.store.tables import ledger, review_items, tenants

PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported.

    Args:
        first: first day of the decisions, UTC, included.
        last: last day, UTC, included.
        tenant_id: whose items; None for all tenants'.
    """

    first: date
    last: date
    tenant_id: str | None = None


class ReviewExport:
    """Writes decided items.

    Args:
        engine: PostgreSQL.
        work: opens texts.
        keep_days: days for which text is kept of tenants that say nothing themselves; 0: not.
    """

    def __init__(self, engine: AsyncEngine, work: Work, keep_days: int) -> None:
        self._engine: Final = engine
        self._work: Final = work
        self._keep_days: Final = keep_days

    async def lines(self, wanted: Wanted) -> AsyncIterator[bytes]:
        """Give one JSON object a line, in the order of the decisions.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        after: tuple[datetime, str] | None = None
        while True:
            query = _page(wanted, after)
            async with transaction(self._engine) as connection:
                rows = [dict(row) for row in (await connection.execute(query)).mappings()]
            for row in rows:
                yield orjson.dumps(await self._line(row), option=orjson.OPT_UTC_Z) + b"\n"
            if len(rows) < PAGE:
                return
            after = (rows[-1]["decided_at"], rows[-1]["id"])

    async def _line(self, row: Mapping[str, Any]) -> dict[str, Any]:
        state = State(row["state"])
        found: dict[str, Any] = {
            "review_id": row["id"],
            "call_id": row["call_id"],
            "tenant_id": row["tenant_id"],
            "agent": row["agent"],
            "model": row["model"],
            "confidence": row["confidence"],
            "variants": row["variants"],
            "reasons": row["reasons"],
            "findings": [
                {name: value for name, value in one.items() if name != "excerpt"}
                for one in row["findings"]
            ],
            "state": state.value,
            "right": state is State.APPROVED,
            "reviewer": row["claimed_by"],
            "created_at": row["created_at"],
            "decided_at": row["decided_at"],
        }
        found["texts"] = self._texts(row)
        if found["texts"] != "masked":
            return found
        dossier = await self._work.read(row)
        if dossier is None:
            found["texts"] = "gone"
            return found
        return found | await self._said(row, dossier)

    def _texts(self, row: Mapping[str, Any]) -> str:
        if row["erased_at"] is not None:
            return "erased"
        own: int | None = row["keep_text_days"]
        days = self._keep_days if own is None else own
        kept_until = row["created_at"] + timedelta(days=days)
        return "masked" if days and kept_until > row["now"] else "not_kept"

    async def _said(self, row: Mapping[str, Any], dossier: Dossier) -> dict[str, Any]:
        target = await self._work.released(row)
        return {
            "prompt": _masked(dossier.prompt),
            "sources": _masked(dossier.sources),
            "output": masked(dossier.output),
            "others": _masked(dossier.others),
            "reason": masked(row["decision"].get("reason") or "") or None,
            # What the model should have said; nothing when it should not have said anything.
            "target": None if target is None else masked(target),
        }


def _masked(parts: tuple[Part, ...]) -> list[dict[str, str]]:
    return [{"name": part.name, "text": masked(part.text)} for part in parts]


def _page(wanted: Wanted, after: tuple[datetime, str] | None) -> "Select[Any]":
    items = review_items.c
    begin = datetime.combine(wanted.first, time(), UTC)
    end = datetime.combine(wanted.last + timedelta(days=1), time(), UTC)
    query = (
        select(
            review_items,
            ledger.c.model_served.label("model"),
            ledger.c.confidence,
            ledger.c.variants,
            tenants.c.keep_text_days,
            func.now().label("now"),
        )
        .join(ledger, ledger.c.call_id == items.call_id, isouter=True)
        .join(tenants, tenants.c.tenant_id == items.tenant_id, isouter=True)
        .where(items.decided_at >= begin, items.decided_at < end)
        .order_by(items.decided_at, items.id)
        .limit(PAGE)
    )
    if wanted.tenant_id is not None:
        query = query.where(items.tenant_id == wanted.tenant_id)
    if after is not None:
        last = tuple_(literal(after[0]), literal(after[1], items.id.type))
        query = query.where(tuple_(items.decided_at, items.id) > last)
    return query
