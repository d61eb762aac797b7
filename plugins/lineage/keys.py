"""Each tenant's own key for its texts, random, kept wrapped under the installation's secret."""

import asyncio
import hmac
import os
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.core.clock import Clock
from plugins.core.errors import Unavailable
from plugins.lineage.texts import KEY_BYTES
from plugins.store.database import transaction
from plugins.store.tables import key_destructions, tenant_keys

FRESH_S: Final = 60.0
"""How long a key is used from memory after it was destroyed in the database."""
QUIET_S: Final = 5.0
"""For so long after a failure nobody waits for a key: not every call pays for an outage."""
_NONCE_BYTES: Final = 12


class KeyBox:
    """Wraps and unwraps keys; what is wrapped tells nothing without the secret.

    Args:
        secret: the installation's.
    """

    def __init__(self, secret: str) -> None:
        own = hmac.digest(secret.encode(), b"sluice lineage tenant keys v1", "sha256")
        self._own: Final = AESGCM(own)

    def wrap(self, tenant_id: str, key: bytes) -> bytes:
        """Encrypt a tenant's key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._own.encrypt(nonce, key, tenant_id.encode())

    def unwrap(self, tenant_id: str, wrapped: bytes) -> bytes | None:
        """Decrypt a tenant's key; None when it is not this tenant's, or of another secret."""
        nonce, rest = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return self._own.decrypt(nonce, rest, tenant_id.encode())
        except (InvalidTag, ValueError):  # the latter for what is too short, such as an emptied key
            return None


class TenantKeys:
    """The tenants' keys, made at first use.

    Args:
        engine: where they are kept.
        box: wraps them.
        clock: tells when a key in memory is looked up again.
    """

    def __init__(self, engine: AsyncEngine, box: KeyBox, clock: Clock) -> None:
        self._engine: Final = engine
        self._box: Final = box
        self._clock: Final = clock
        self._known: Final[dict[str, tuple[bytes, float]]] = {}
        self._quiet_until_s = 0.0
        self._sought: Final[dict[str, asyncio.Task[bytes | None]]] = {}

    def at_hand(self, tenant_id: str) -> bytes | None:
        """Give a key from memory, while it is fresh."""
        found = self._known.get(tenant_id)
        return found[0] if found and found[1] > self._clock.monotonic_s() else None

    async def find(self, tenant_id: str) -> bytes | None:
        """Give a tenant's key, or None when it has none, or one that this secret does not open.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        async with transaction(self._engine) as connection:
            query = select(tenant_keys.c.wrapped).where(tenant_keys.c.tenant_id == tenant_id)
            wrapped = (await connection.execute(query)).scalar()
        key = self._box.unwrap(tenant_id, bytes(wrapped)) if wrapped is not None else None
        if key is not None:
            self._known[tenant_id] = (key, self._clock.monotonic_s() + FRESH_S)
        return key

    async def of(self, tenant_id: str, wait_s: float | None = None) -> bytes | None:
        """Give a tenant's key; makes one where there is none.

        All that ask at once share one look-up. It goes on when they wait no longer, so that the
        next one finds the key at hand.

        Args:
            tenant_id: whose.
            wait_s: the longest wait; None for as long as PostgreSQL takes.

        Raises:
            Unavailable: when PostgreSQL is away, was a moment ago, or takes longer.
        """
        found = self.at_hand(tenant_id)
        if found is not None:
            return found
        if self._clock.monotonic_s() < self._quiet_until_s:
            raise Unavailable("the tenants' keys could not be read a moment ago")
        sought = self._sought.get(tenant_id)
        if sought is None:
            sought = self._sought[tenant_id] = asyncio.create_task(self._found_or_made(tenant_id))
            sought.add_done_callback(lambda done: self._ended(tenant_id, done))
        if not (await asyncio.wait({sought}, timeout=wait_s))[0]:
            self._be_quiet()
            raise Unavailable(f"the tenant's key was not read within {wait_s} s")
        return sought.result()

    async def _found_or_made(self, tenant_id: str) -> bytes | None:
        return await self.find(tenant_id) or await self._make(tenant_id)

    def _ended(self, tenant_id: str, sought: "asyncio.Task[bytes | None]") -> None:
        del self._sought[tenant_id]
        if sought.cancelled() or sought.exception() is not None:
            self._be_quiet()
        else:
            self._quiet_until_s = 0.0  # it answers, if late

    def _be_quiet(self) -> None:
        self._quiet_until_s = self._clock.monotonic_s() + QUIET_S

    async def destroyed_at(self, tenant_id: str) -> datetime | None:
        """Tell when a tenant's key was last deleted; None for never.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        found = select(key_destructions.c.at).where(key_destructions.c.tenant_id == tenant_id)
        async with transaction(self._engine) as connection:
            return (await connection.execute(found)).scalar()

    async def _make(self, tenant_id: str) -> bytes | None:
        wrapped = self._box.wrap(tenant_id, os.urandom(KEY_BYTES))
        async with transaction(self._engine) as connection:
            made = insert(tenant_keys).values(tenant_id=tenant_id, wrapped=wrapped)
            await connection.execute(made.on_conflict_do_nothing())
        return await self.find(tenant_id)
