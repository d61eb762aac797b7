"""`ai_feedback` and `ai_conversions`: stated once, summed, erased."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Executable,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.errors import Conflict
from plugins.feedback.finding import FoundCall
from plugins.feedback.rules import THUMBS, Conversion, Kind, Statement
from plugins.store.database import transaction
from plugins.store.tables import ai_conversions, ai_feedback, ledger

SCORE_DAYS: Final = 30
BEHIND_S: Final = 15
"""Thumbs younger than this are not read yet: a transaction that began earlier may end later."""

# True for a row that this very statement has inserted.
_IS_NEW: Final[ColumnElement[bool]] = literal_column("(xmax = 0)", Boolean).label("is_new")
_OUT: Final = [c for c in ai_feedback.columns if c.name not in {"once", "tenant_id"}]
_CONVERSION_OUT: Final = [c for c in ai_conversions.columns if c.name not in {"once", "tenant_id"}]

# The last thumb of each person on each call: who changes their mind counts once.
_SCORES: Final = text("""
SELECT model, avg(up)::float8 AS score FROM (
  SELECT DISTINCT ON (call_id, reviewer) model, (kind = 'thumbs_up')::int AS up
  FROM ai_feedback
  WHERE kind IN ('thumbs_up', 'thumbs_down') AND model IS NOT NULL
    AND stated_at > now() - make_interval(days => :days)
  ORDER BY call_id, reviewer, stated_at DESC, feedback_id DESC) AS latest
GROUP BY model
""")


_SAYS: Final = {
    ai_feedback.name: ("call_id", "kind"),
    ai_conversions.name: ("stage", "call_id", "subject", "entity_type", "entity_id"),
}
"""What a statement under a client's key must share with the one that is kept under it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement or conversion as it is kept.

    Args:
        row: by column.
        is_new: False when it had been stated before.
    """

    row: Mapping[str, Any]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Thumb:
    """One judgement of quality, for whoever watches them in order."""

    feedback_id: int
    model: str
    score: float
    at: datetime


class FeedbackStore:
    """Reads and writes what people say.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def calls(
        self, tenant_id: str | None, call_ids: Collection[str]
    ) -> Mapping[str, FoundCall]:
        """Give those of these calls that the ledger has.

        Args:
            tenant_id: whose they must be; None for any.
            call_ids: UUIDs in small letters.
        """
        query = select(
            ledger.c.call_id,
            ledger.c.tenant_id,
            ledger.c.started_at,
            ledger.c.agent,
            ledger.c.model_served.label("model"),
        ).where(ledger.c.call_id.in_(call_ids))
        if tenant_id is not None:
            query = query.where(ledger.c.tenant_id == tenant_id)
        return {row["call_id"]: FoundCall(**row) for row in await self._rows(query)}

    async def add(
        self, statements: Sequence[Statement], calls: Mapping[str, FoundCall]
    ) -> list[Kept]:
        """Keep statements, all or none.

        A thumb that is given again is the latest word again; otherwise what is there stays, but for
        a comment that was missing.

        Args:
            statements: of calls that `calls` has.
            calls: by identifier.

        Returns:
            One for each statement, in order.

        Raises:
            Conflict: when a client's key stands for another statement already.
            Unavailable: when PostgreSQL is away.
        """
        rows = [{"tenant_id": calls[s.call_id].tenant_id, "once": s.once} for s in statements]
        for row, said in zip(rows, statements, strict=True):
            row |= _about(calls[said.call_id])
            row |= {"kind": said.kind.value, "comment": said.comment, "reviewer": said.reviewer}
        return await self._keep(ai_feedback, rows, [s.key is None for s in statements])

    async def convert(
        self, tenant_id: str | None, conversions: Sequence[Conversion], calls: Mapping[str, Any]
    ) -> list[Kept]:
        """Keep conversions, all or none.

        Args:
            tenant_id: whose; None for that of the calls, all of which must then be named.
            conversions: those with a call have it in `calls`.
            calls: by identifier.

        Returns:
            One for each conversion, in order.

        Raises:
            Conflict: when a client's key stands for another conversion already.
            Unavailable: when PostgreSQL is away.
        """
        rows: list[dict[str, Any]] = []
        for each in conversions:
            call = calls.get(each.call_id or "")
            row: dict[str, Any] = {"tenant_id": tenant_id, "agent": each.agent}
            if call is not None:
                row |= {"tenant_id": call.tenant_id} | _about(call)
            row |= {"once": each.once, "stage": each.stage.value, "subject": each.subject}
            row |= {"entity_type": each.entity_type, "entity_id": each.entity_id}
            rows.append(row)
        return await self._keep(ai_conversions, rows, [False] * len(rows))

    async def _keep(
        self, table: Table, rows: Sequence[Mapping[str, Any]], renewed: Sequence[bool]
    ) -> list[Kept]:
        kept: dict[int, Kept] = {}
        # In one order everywhere, so that two batches never wait for one another.
        order = sorted(range(len(rows)), key=lambda i: (rows[i]["tenant_id"], rows[i]["once"]))
        async with transaction(self._engine) as connection:
            for index in order:
                kept[index] = await _keep_one(connection, table, rows[index], renewed[index])
        return [kept[index] for index in range(len(rows))]

    async def listed(
        self, tenant_id: str | None, call_id: str | None, limit: int
    ) -> list[Mapping[str, Any]]:
        """List statements, newest first.

        Args:
            tenant_id: whose; None for all tenants'.
            call_id: about which call; None for any.
            limit: at most so many.
        """
        query = select(*_OUT).order_by(ai_feedback.c.stated_at.desc(), ai_feedback.c.feedback_id)
        if tenant_id is not None:
            query = query.where(ai_feedback.c.tenant_id == tenant_id)
        if call_id is not None:
            query = query.where(ai_feedback.c.call_id == call_id)
        return await self._rows(query.limit(limit))

    async def summary(
        self, tenant_id: str | None, first: date, last: date
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """Sum statements by agent and model, and conversions by agent.

        Args:
            tenant_id: whose; None for all tenants'.
            first: first day, UTC, included.
            last: last day, UTC, included.

        Returns:
            Statements with a count for each kind, and conversions with one for each stage.
        """
        f, c = ai_feedback.c, ai_conversions.c
        kinds = [func.count().filter(f.kind == kind.value).label(kind.value) for kind in Kind]
        said = select(f.agent, f.model, *kinds).where(_between(f.stated_at, first, last))
        reached = select(c.agent, c.stage, func.count().label("count")).where(
            _between(c.stated_at, first, last)
        )
        if tenant_id is not None:
            said = said.where(f.tenant_id == tenant_id)
            reached = reached.where(c.tenant_id == tenant_id)
        groups = (f.agent, f.model)
        return (
            await self._rows(said.group_by(*groups).order_by(*groups)),
            await self._rows(reached.group_by(c.agent, c.stage).order_by(c.agent, c.stage)),
        )

    async def erase(
        self,
        tenant_id: str | None,
        call_ids: Collection[str],
        subjects: Collection[str] = (),
        *,
        dry_run: bool = False,
    ) -> int:
        """Forget who said it and in which words, and whom a conversion was about.

        What was said stays and counts as before. Statements of one person on one call stay those of
        one (nameless) person; nothing tells any more who that was.

        Args:
            tenant_id: whose; None for any.
            call_ids: statements and conversions about these calls.
            subjects: conversions of these candidates.
            dry_run: only count.

        Returns:
            How many rows held something.
        """
        f, c = ai_feedback.c, ai_conversions.c
        salt = secrets.token_bytes(32)  # thrown away: nobody can try names against the digests
        nameless = func.encode(
            func.sha256(bindparam("salt", salt).op("||")(func.convert_to(f.reviewer, "UTF8"))),
            "hex",
        )
        said = (
            update(ai_feedback)
            .where(f.call_id.in_(call_ids), f.comment.is_not(None) | f.reviewer.is_not(None))
            .values(
                comment=None,
                reviewer=literal_column("'erased-'").op("||")(func.substr(nameless, 1, 16)),
                once=func.sha256(bindparam("salt", salt).op("||")(f.once)),
            )
        )
        named = c.call_id.in_(call_ids) | c.subject.in_(subjects)
        reached = (
            update(ai_conversions)
            .where(named, c.subject.is_not(None) | c.entity_id.is_not(None))
            .values(
                subject=None,
                entity_type=None,
                entity_id=None,
                once=func.sha256(bindparam("salt", salt).op("||")(c.once)),
            )
        )
        if tenant_id is not None:
            said = said.where(f.tenant_id == tenant_id)
            reached = reached.where(c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            trial = await connection.begin_nested()
            erased = (await connection.execute(said)).rowcount
            erased += (await connection.execute(reached)).rowcount
            await (trial.rollback() if dry_run else trial.commit())
            return erased

    async def scores(self) -> Mapping[str, float]:
        """Give each model's mean score of the last `SCORE_DAYS` days, 0..1; none without a thumb.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_SCORES, {"days": SCORE_DAYS})).all()
        return {row.model: row.score for row in rows}

    async def thumbs(self, after: int, since: datetime, limit: int) -> list[Thumb]:
        """Give judgements of quality in the order in which they were first made.

        Args:
            after: identifier of the last one read.
            since: none older than this.
            limit: at most so many.
        """
        f = ai_feedback.c
        query = (
            select(f.feedback_id, f.model, f.kind, f.created_at)
            .where(f.feedback_id > after, f.kind.in_([kind.value for kind in THUMBS]))
            .where(f.model.is_not(None), f.created_at >= since)
            .where(f.created_at < func.now() - timedelta(seconds=BEHIND_S))
            .order_by(f.feedback_id)
            .limit(limit)
        )
        return [
            Thumb(row["feedback_id"], row["model"], THUMBS[Kind(row["kind"])], row["created_at"])
            for row in await self._rows(query)
        ]

    async def _rows(self, query: Executable) -> list[Mapping[str, Any]]:
        async with transaction(self._engine) as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _keep_one(
    connection: AsyncConnection, table: Table, row: Mapping[str, Any], renewed: bool
) -> Kept:
    out = _OUT if table is ai_feedback else _CONVERSION_OUT
    wanted = insert(table).values(**row)
    # Changing nothing still locks the row and gives it back.
    changes: dict[str, Any] = {"once": wanted.excluded.once}
    if renewed:
        changes["stated_at"] = func.now()
        changes["comment"] = func.coalesce(wanted.excluded.comment, table.c.comment)
    statement = wanted.on_conflict_do_update(
        index_elements=[table.c.tenant_id, table.c.once], set_=changes
    ).returning(*out, _IS_NEW)
    kept = dict((await connection.execute(statement)).mappings().one())
    is_new = bool(kept.pop("is_new"))
    if any(kept[name] != row.get(name) for name in _SAYS[table.name]):
        raise Conflict(
            "this `idempotency_key` stands for another statement already; give each its own",
            code="idempotency_key_reused",
            param="idempotency_key",
        )
    return Kept(kept, is_new)


def _about(call: FoundCall) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "call_started_at": call.started_at,
        "agent": call.agent,
        "model": call.model,
    }


def _between(moment: "ColumnElement[datetime]", first: date, last: date) -> "ColumnElement[bool]":
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    return (moment >= begin) & (moment < end)
