"""The port through which texts are kept so that only their tenant's key opens them."""

from typing import Protocol


class Vault(Protocol):
    """Seals and opens texts."""

    async def seal(self, tenant_id: str, call_id: str, text: bytes) -> bytes | None:
        """Seal a text; None when the tenant has no key any more.

        Raises:
            Unavailable: when the key cannot be had now.
        """
        ...

    async def open(self, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Open a text; None when it cannot be, because its key was destroyed.

        Raises:
            Unavailable: when the key cannot be had now.
        """
        ...


class Envelope(Protocol):
    """Seals texts on their way to where their tenant's key is at hand; needs no store."""

    def seal(self, tenant_id: str, call_id: str, text: bytes) -> bytes:
        """Seal a text; it opens for this tenant and call alone."""
        ...


class Transfer(Protocol):
    """Takes texts out of their envelope and seals them with their tenant's own key."""

    async def reseal(self, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Seal with the tenant's key what came in an envelope.

        Returns:
            None when the envelope does not open, or the tenant's key was destroyed.

        Raises:
            Unavailable: when the key cannot be had now.
        """
        ...


class NoTransfer:
    """Nobody has keys: no text is kept."""

    async def reseal(self, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
        """Give nothing."""
        return None
