"""Forgets the answers that were kept for a subject, and for what came of its calls."""

from collections.abc import Sequence
from typing import Final

from plugins.cache.rules import Sealer
from plugins.cache.store import CacheStore


class CacheForgetting:
    """The cache behind `core.forgetting.Forgetful`.

    Args:
        store: the entries.
        sealer: names tenants and subjects as Redis has them.
    """

    def __init__(self, store: CacheStore, sealer: Sealer) -> None:
        self._store: Final = store
        self._sealer: Final = sealer

    async def forget(
        self, tenant_id: str, subject: str, calls: Sequence[str], *, dry_run: bool
    ) -> int:
        """Remove a subject's answers; workers' copies are gone a second later.

        Raises:
            RedisAway: when some may be left.
        """
        names = [self._sealer.of_subject(tenant_id, subject)]
        names += [self._sealer.of_children(tenant_id, call_id) for call_id in calls]
        return await self._store.forget(self._sealer.tag(tenant_id), names, dry_run=dry_run)
