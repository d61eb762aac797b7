"""Texts on their way from a call to PostgreSQL, under a key that no store has to be asked for.

Between a call's end and its record a text is in Redis or in a file. There it is sealed with a key
that the installation's secret alone gives, and as it is recorded it is sealed again with its
tenant's own key, so that destroying that key destroys it.
"""

import hmac
from typing import Final

from plugins.core.identifiers import begun_at
from plugins.lineage.keys import TenantKeys
from plugins.lineage.texts import Text, resealed, seal


class TransitBox:
    """The envelope behind `core.vault.Envelope`.

    Args:
        secret: the installation's.
    """

    def __init__(self, secret: str) -> None:
        self._key: Final = hmac.digest(secret.encode(), b"sluice lineage transit v1", "sha256")

    def seal(self, tenant_id: str, call_id: str, text: bytes) -> bytes:
        """Seal a text; it opens for this tenant and call alone."""
        return seal(self._key, tenant_id, call_id, Text(b"", text, 0, len(text)))

    def reseal(self, key: bytes, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Seal with a tenant's key what this has sealed; None for what it has not."""
        return resealed(self._key, key, tenant_id, call_id, sealed)


class KeyTransfer:
    """The tenants' keys behind `core.vault.Transfer`.

    Args:
        box: what texts come in.
        keys: the tenants'.
    """

    def __init__(self, box: TransitBox, keys: TenantKeys) -> None:
        self._box: Final = box
        self._keys: Final = keys

    async def reseal(self, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Seal with the tenant's key what came in an envelope.

        What was said before the tenant's key was destroyed is not kept under its next one.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        destroyed_at = await self._keys.destroyed_at(tenant_id)
        if destroyed_at is not None and begun_at(call_id) <= destroyed_at:
            return None
        # `find` before `of`: it does not share in the pause that calls take after an outage.
        key = self._keys.at_hand(tenant_id) or await self._keys.find(tenant_id)
        key = key or await self._keys.of(tenant_id)
        return None if key is None else self._box.reseal(key, tenant_id, call_id, sealed)
