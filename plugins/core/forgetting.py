"""The port through which other stores of answers forget a subject."""

from collections.abc import Sequence
from typing import Protocol


class Forgetful(Protocol):
    """Keeps answers that may have to go."""

    async def forget(
        self, tenant_id: str, subject: str, calls: Sequence[str], *, dry_run: bool
    ) -> int:
        """Remove what was kept for a subject, and for the children of its calls.

        Args:
            tenant_id: whose.
            subject: as the caller named it.
            calls: identifiers of its calls.
            dry_run: only count.

        Returns:
            How many answers there were.

        Raises:
            Unavailable: when it cannot be told now.
        """
        ...
