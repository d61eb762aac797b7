"""The queue in PostgreSQL: one statement a change, so that two reviewers never both succeed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.errors import NotFound
from plugins.core.identifiers import may_be_under_way
from plugins.review.rules import (
    DECISIONS,
    Reason,
    Standing,
    State,
    due_at,
    why_not_claimed,
    why_not_decided,
)
from plugins.store.database import transaction
from plugins.store.tables import ledger, review_deliveries, review_items, tenants

LEASE: Final = timedelta(minutes=15)
"""How long a claim holds without being renewed."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An output to be looked at.

    Args:
        call_id: whose output; a call has one item at most.
        tenant_id: whose call.
        agent: that made it, or None for a plain model.
        reasons: why it is looked at, at least one.
        answered_at: when, UTC.
        holds: its caller waits for the decision.
        findings: of the checks, as JSON.
        payload: prompt, sources and output, sealed.
        id: of the item, where it was told to somebody already.
    """

    call_id: str
    tenant_id: str
    agent: str | None
    reasons: Sequence[Reason]
    answered_at: datetime
    holds: bool = False
    findings: Sequence[Mapping[str, Any]] = ()
    payload: bytes | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who works the queue.

    Args:
        key_id: of the reviewer's key.
        tenant_id: whose items they see; None for all.
    """

    key_id: str
    tenant_id: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision as it is kept.

    Args:
        state: what was decided.
        reason: why.
        answer: what takes the output's place, sealed; None for nothing.
        key: of the reviewer's making; the same one again is the same decision.
    """

    state: State
    reason: str
    answer: bytes | None
    key: str


class ReviewStore:
    """The table `review_items`.

    Args:
        engine: PostgreSQL; its clock is the one that leases go by.
        lease: how long a claim holds.
    """

    def __init__(self, engine: AsyncEngine, lease: timedelta = LEASE) -> None:
        self._engine: Final = engine
        self._lease: Final = lease

    async def add(self, items: Sequence[NewItem]) -> int:
        """Put items into the queue; a call that has one already keeps it.

        Returns:
            How many are new.
        """
        if not items:
            return 0
        async with transaction(self._engine) as connection:
            return await insert_items(connection, items)

    async def items(
        self,
        who: Reviewer,
        states: Sequence[State] = (),
        *,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """List items by when they are due, without their texts.

        Args:
            who: sees only what they may.
            states: which; none for those that wait for somebody.
            limit: at most so many.
            after: identifier of the last item of the page before.

        Raises:
            NotFound: when they may see no such last item.
        """
        query = (
            select(*_SHOWN)
            .where(_seen_by(who), _in_states(states))
            .order_by(review_items.c.due_at, review_items.c.id)
            .limit(limit)
        )
        async with transaction(self._engine) as connection:
            if after is not None:
                last_due = select(review_items.c.due_at).where(review_items.c.id == after)
                due = await connection.scalar(last_due.where(_seen_by(who)))
                if due is None:
                    raise _unknown(after)
                query = query.where(
                    tuple_(review_items.c.due_at, review_items.c.id)
                    > tuple_(literal(due), literal(after, review_items.c.id.type))
                )
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def decided(
        self, who: Reviewer, *, limit: int = 50, before: str | None = None
    ) -> list[Mapping[str, Any]]:
        """List decided items, the newest decision first, without their texts.

        Args:
            who: sees only what they may.
            limit: at most so many.
            before: identifier of the last item of the page before.

        Raises:
            NotFound: when they may see no such last item.
        """
        query = (
            select(*_SHOWN)
            .where(_seen_by(who), review_items.c.decided_at.is_not(None))
            .order_by(review_items.c.decided_at.desc(), review_items.c.id.desc())
            .limit(limit)
        )
        async with transaction(self._engine) as connection:
            if before is not None:
                last = select(review_items.c.decided_at).where(review_items.c.id == before)
                at = await connection.scalar(last.where(_seen_by(who)))
                if at is None:
                    raise _unknown(before)
                query = query.where(
                    tuple_(review_items.c.decided_at, review_items.c.id)
                    < tuple_(literal(at), literal(before, review_items.c.id.type))
                )
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def item(self, who: Reviewer, item_id: str) -> Mapping[str, Any]:
        """Read one item, with its texts.

        Raises:
            NotFound: when there is none that they may see.
        """
        query = select(review_items).where(review_items.c.id == item_id, _seen_by(who))
        async with transaction(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise _unknown(item_id)
        return dict(row)

    async def of_call(self, tenant_id: str | None, call_id: str) -> Mapping[str, Any]:
        """Read the item of a call, with its texts.

        Args:
            tenant_id: whose call it must be; None for an administrator.
            call_id: as in `x-sluice-call-id`.

        Raises:
            NotFound: when there is no such item of that tenant.
        """
        row = await self._one(tenant_id, review_items.c.call_id == call_id)
        if row is None:
            raise NotFound(f"nobody looks at call {call_id!r}", code="review_not_found")
        return row

    async def awaited(self, tenant_id: str | None, call_id: str) -> Mapping[str, Any] | None:
        """Read the item of a call that may have ended a moment ago; as `of_call`.

        Returns:
            None while the call is not recorded, and young enough to be on its way.
        """
        recorded = select(ledger.c.call_id).where(ledger.c.call_id == call_id)
        if tenant_id is not None:
            recorded = recorded.where(ledger.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            # Before the item, which comes in the same transaction as its row.
            is_recorded = (await connection.execute(recorded)).first() is not None
            now = (await connection.execute(select(func.now()))).scalar_one()
        row = await self._one(tenant_id, review_items.c.call_id == call_id)
        if row is None and (is_recorded or not may_be_under_way(call_id, now)):
            raise NotFound(f"nobody looks at call {call_id!r}", code="review_not_found")
        return row

    async def awaited_item(self, tenant_id: str | None, item_id: str) -> Mapping[str, Any] | None:
        """Read an item of a tenant's calls by its own identifier; as `awaited`."""
        row = await self._one(tenant_id, review_items.c.id == item_id)
        if row is None:
            async with transaction(self._engine) as connection:
                now = (await connection.execute(select(func.now()))).scalar_one()
            if not may_be_under_way(item_id, now):
                raise NotFound(f"no review {item_id!r} of yours", code="review_not_found")
        return row

    async def unstated(self, limit: int, older: timedelta) -> list[Mapping[str, Any]]:
        """List decided items whose decision has not become feedback.

        Args:
            limit: at most so many, in no order.
            older: decided at least so long ago.
        """
        query = (
            select(*_SHOWN)
            .where(review_items.c.decided_at.is_not(None), review_items.c.stated_at.is_(None))
            .where(review_items.c.decided_at <= func.now() - older)
            .order_by(func.random())  # one that can never be passed on keeps nobody waiting
            .limit(limit)
        )
        async with transaction(self._engine) as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def mark_stated(self, item_id: str) -> None:
        """Note that a decision is feedback now."""
        mark = update(review_items).where(review_items.c.id == item_id)
        async with transaction(self._engine) as connection:
            await connection.execute(mark.values(stated_at=func.now()))

    async def _one(
        self, tenant_id: str | None, wanted: ColumnElement[bool]
    ) -> Mapping[str, Any] | None:
        query = select(review_items).where(wanted)
        if tenant_id is not None:
            query = query.where(review_items.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else dict(row)

    async def claim(self, who: Reviewer, item_id: str) -> Mapping[str, Any]:
        """Take one item for oneself, or renew one's lease of it.

        Raises:
            NotFound: when there is none that they may see.
            Conflict: when somebody else works on it, or it is decided.
        """
        mine = and_(
            review_items.c.state == State.CLAIMED.value, review_items.c.claimed_by == who.key_id
        )
        async with transaction(self._engine) as connection:
            wanted = and_(review_items.c.id == item_id, _seen_by(who), or_(_is_free(), mine))
            row = await self._claimed(connection, who, wanted)
            if row is None:
                raise why_not_claimed(await _standing(connection, who, item_id))
            return row

    async def claim_next(self, who: Reviewer) -> Mapping[str, Any] | None:
        """Take the item that is due first and that nobody works on; None when there is none."""
        first = (
            select(review_items.c.id)
            .where(_seen_by(who), _is_free())
            .order_by(review_items.c.due_at, review_items.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with transaction(self._engine) as connection:
            item_id = await connection.scalar(first)
            if item_id is None:
                return None
            return await self._claimed(connection, who, review_items.c.id == item_id)

    async def release(self, who: Reviewer, item_id: str) -> Mapping[str, Any]:
        """Give a claimed item back undecided.

        Raises:
            NotFound: when there is none that they may see.
            Conflict: when it is not theirs.
        """
        change = (
            update(review_items)
            .where(
                review_items.c.id == item_id,
                review_items.c.state == State.CLAIMED.value,
                review_items.c.claimed_by == who.key_id,
            )
            .values(
                state=State.OPEN.value,
                claimed_by=None,
                lease_until=None,
                version=review_items.c.version + 1,
            )
            .returning(*_SHOWN)
        )
        async with transaction(self._engine) as connection:
            row = (await connection.execute(change)).mappings().first()
            if row is None:
                standing = await _standing(connection, who, item_id)
                raise why_not_decided(standing, who.key_id, standing.version)
            return dict(row)

    async def decide(
        self, who: Reviewer, item_id: str, version: int, taken: Taken
    ) -> tuple[Mapping[str, Any], bool]:
        """Decide an item that one has claimed.

        A lease that is over does not matter as long as nobody else has claimed the item since.

        Args:
            who: decides.
            item_id: which.
            version: of the item that the reviewer saw.
            taken: the decision.

        Returns:
            The item, and whether this call decided it (False: it repeats the decision).

        Raises:
            NotFound: when there is none that they may see.
            Conflict: when it is not theirs, has changed, or is decided.
        """
        change = (
            update(review_items)
            .where(
                review_items.c.id == item_id,
                _seen_by(who),
                review_items.c.state == State.CLAIMED.value,
                review_items.c.claimed_by == who.key_id,
                review_items.c.version == version,
            )
            .values(
                state=taken.state.value,
                decision={"reason": taken.reason},
                answer=taken.answer,
                decision_key=taken.key,
                decided_at=func.now(),
                lease_until=None,
                version=review_items.c.version + 1,
            )
            .returning(*_SHOWN)
        )
        async with transaction(self._engine) as connection:
            row = (await connection.execute(change)).mappings().first()
            if row is not None:
                decided = dict(row)
                await _announce(connection, decided)
                return decided, True
            standing = await _standing(connection, who, item_id)
            if not standing.repeats(who.key_id, taken.key):
                raise why_not_decided(standing, who.key_id, version)
            again = select(*_SHOWN).where(review_items.c.id == item_id)
            return dict((await connection.execute(again)).mappings().one()), False

    async def _claimed(
        self, connection: AsyncConnection, who: Reviewer, wanted: ColumnElement[bool]
    ) -> Mapping[str, Any] | None:
        change = (
            update(review_items)
            .where(wanted)
            .values(
                state=State.CLAIMED.value,
                claimed_by=who.key_id,
                lease_until=func.now() + self._lease,
                version=review_items.c.version + 1,
            )
            .returning(review_items)
        )
        row = (await connection.execute(change)).mappings().first()
        return None if row is None else dict(row)


async def insert_items(connection: AsyncConnection, items: Sequence[NewItem]) -> int:
    """Insert items in a transaction of the caller's; as `ReviewStore.add`."""
    rows = [
        {
            "call_id": item.call_id,
            "tenant_id": item.tenant_id,
            "agent": item.agent,
            "reasons": [reason.value for reason in item.reasons],
            "created_at": item.answered_at,
            "due_at": due_at(item.reasons, item.answered_at),
            "holds": item.holds,
            "findings": list(item.findings),
            "payload": item.payload,
            "id": item.id or str(uuid4()),
        }
        for item in items
    ]
    statement = insert(review_items).values(rows).on_conflict_do_nothing()
    added = await connection.execute(statement.returning(review_items.c.id))
    return len(added.all())


async def _announce(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Have the tenant's webhook told of a decision that somebody waits for."""
    if not row["holds"]:
        return
    told = select(literal(row["id"], review_items.c.id.type), tenants.c.tenant_id).where(
        tenants.c.tenant_id == row["tenant_id"], tenants.c.review_webhook_url.is_not(None)
    )
    await connection.execute(insert(review_deliveries).from_select(["item_id", "tenant_id"], told))


_SHOWN: Final = [
    column
    for column in review_items.columns
    if column.name not in {"payload", "answer", "stated_at"}
]


def _seen_by(who: Reviewer) -> ColumnElement[bool]:
    if who.tenant_id is None:
        return review_items.c.id.is_not(None)
    return review_items.c.tenant_id == who.tenant_id


def _is_free() -> ColumnElement[bool]:
    """Match what anybody may claim: open, or its lease is over by the database's clock."""
    return or_(
        review_items.c.state == State.OPEN.value,
        and_(review_items.c.state == State.CLAIMED.value, review_items.c.lease_until <= func.now()),
    )


def _in_states(states: Sequence[State]) -> ColumnElement[bool]:
    if states:
        return review_items.c.state.in_([state.value for state in states])
    return review_items.c.state.not_in([state.value for state in DECISIONS])


async def _standing(connection: AsyncConnection, who: Reviewer, item_id: str) -> Standing:
    query = select(
        review_items.c.state,
        review_items.c.version,
        review_items.c.claimed_by,
        review_items.c.lease_until,
        review_items.c.decision_key,
    ).where(review_items.c.id == item_id, _seen_by(who))
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise _unknown(item_id)
    return Standing(
        state=State(row["state"]),
        version=row["version"],
        holder=row["claimed_by"],
        held_until=row["lease_until"],
        decision_key=row["decision_key"],
    )


def _unknown(item_id: str) -> NotFound:
    return NotFound(
        f"no review item {item_id!r}; `GET /sluice/reviews` lists those you may see",
        code="review_not_found",
    )
