"""Seals single texts with their tenant's key, for whoever keeps some beside the ledger."""

from typing import Final

from plugins.lineage.keys import TenantKeys
from plugins.lineage.texts import Text, seal, unseal


class TextVault:
    """The tenants' keys behind `core.vault.Vault`.

    Args:
        keys: the tenants'.
    """

    def __init__(self, keys: TenantKeys) -> None:
        self._keys: Final = keys

    async def seal(self, tenant_id: str, call_id: str, text: bytes) -> bytes | None:
        """Seal a text; it opens for this tenant and call alone.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        key = await self._keys.of(tenant_id)
        if key is None:
            return None
        return seal(key, tenant_id, call_id, Text(b"", text, 0, len(text)))

    async def open(self, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Open a text; None when its key is gone, or it was sealed for another call.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        key = self._keys.at_hand(tenant_id) or await self._keys.find(tenant_id)
        text = unseal(key, tenant_id, call_id, sealed) if key is not None else None
        return None if text is None else text.output
