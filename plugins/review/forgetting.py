"""Forgets what reviewers were shown and wrote of a subject's calls."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.store.database import transaction
from plugins.store.tables import review_items


class ReviewForgetting:
    """The review queue behind `core.forgetting.Forgetful`.

    Args:
        engine: PostgreSQL.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine: Final = engine

    async def forget(
        self, tenant_id: str, subject: str, calls: Sequence[str], *, dry_run: bool
    ) -> int:
        """Take all texts out of the calls' items; that and how they were decided stays."""
        of_calls = (
            review_items.c.tenant_id == tenant_id,
            review_items.c.call_id.in_(calls),
            review_items.c.erased_at.is_(None),
        )
        async with transaction(self._engine) as connection:
            if dry_run:
                count = select(func.count()).select_from(review_items).where(*of_calls)
                return int((await connection.execute(count)).scalar_one())
            emptied = review_items.c.decision.concat(cast({"reason": ""}, JSONB))
            erased = await connection.execute(
                update(review_items)
                .where(*of_calls)
                .values(
                    payload=None,
                    answer=None,
                    findings=[],
                    decision=emptied,
                    erased_at=func.now(),
                    # Who has read the texts does not decide about them any more.
                    version=review_items.c.version + 1,
                )
            )
            return erased.rowcount
