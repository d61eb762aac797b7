"""The port through which what people shall look at of a call comes with its ledger row."""

from collections.abc import Mapping
from typing import Any, Protocol

from plugins.core.call import Call


class Docket(Protocol):
    """Says what a settled call brings into the review queue."""

    async def item(self, call: Call) -> Mapping[str, Any] | None:
        """Give the item as the settlement carries it, or None when nobody shall look at the call.

        Waits for no store: the item is entered with the call's row, by whoever records that.

        Returns:
            `id`, `reasons`, `holds`, `created_at` and `due_at` (ISO 8601), `findings`, and
            `payload`: sealed (`core.vault.Envelope`), base64; None when there is none.

        Raises:
            Exception: when the caller waits for a decision and what is to be decided on cannot
                be kept; an answer that would be lost is not held.
        """
        ...


class NoDocket:
    """Nobody looks at calls."""

    async def item(self, call: Call) -> Mapping[str, Any] | None:
        """Give nothing."""
        return None
