"""The port through which a call's lineage reaches its ledger row."""

from collections.abc import Mapping
from typing import Any, Protocol

from plugins.core.call import Call


class Witness(Protocol):
    """Says what a settled call's row needs beside the call itself."""

    async def evidence(self, call: Call) -> Mapping[str, Any]:
        """Give, by name, what the ledger's entry takes over.

        Returns:
            `salt`, `input_digest` and `output_digest` in hexadecimal (the digests as PostgreSQL
            writes `bytea`), and where text is kept `text` (sealed, base64) and `text_expires_at`.
        """
        ...


class NoWitness:
    """Lineage is off: the ledger chains rows without digests of what was said."""

    async def evidence(self, call: Call) -> Mapping[str, Any]:
        """Give nothing."""
        return {}
