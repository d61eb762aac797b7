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
