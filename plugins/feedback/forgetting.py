"""Forgets who said what about a subject's calls."""

from collections.abc import Sequence
from typing import Final

from plugins.feedback.store import FeedbackStore


class FeedbackForgetting:
    """The statements behind `core.forgetting.Forgetful`.

    Args:
        store: the statements.
    """

    def __init__(self, store: FeedbackStore) -> None:
        self._store: Final = store

    async def forget(
        self, tenant_id: str, subject: str, calls: Sequence[str], *, dry_run: bool
    ) -> int:
        """Take words and names out of statements; what was said still counts."""
        return await self._store.erase(tenant_id, calls, [subject], dry_run=dry_run)
