"""Tenants and keys in PostgreSQL, and each worker's copy of the keys."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.clock import Clock
from plugins.core.errors import Conflict, GatewayError, NotFound, Unavailable
from plugins.core.limit import NOT_SET, RateLimit
from plugins.core.tenant import Principal, Role
from plugins.store.database import is_outage, transaction
from plugins.store.tables import directory, keys, tenants
from plugins.tenancy.rules import (
    KeyHasher,
    KeyRecord,
    judge,
    key_id_of,
    new_token,
    standing,
    unknown_key,
)
from plugins.tenancy.secret import claim

POLL_S: Final = 1.0
"""With the query's own time this keeps revocation under the two seconds promised."""
WARM_KEYS: Final = 100_000
MAX_LOOKUPS: Final = 2
"""Concurrent queries for keys never seen: made-up keys must not use up the pool."""
PLACE_WAIT_S: Final = 1.0
"""How long a lookup may wait for one of these places; with PostgreSQL away each takes seconds."""
MAX_UNKNOWN: Final = 10_000

_log: Final = logging.getLogger("sluice.tenancy")


@dataclass(frozen=True, slots=True)
class NewKey:
    """What to make.

    Args:
        role: what it is for.
        tenant_id: whose; None for an administrator, or a reviewer of all tenants.
        label: a word for people.
        agents: agents allowed; empty means all.
        models: plain model names allowed; empty means all.
        expires_at: UTC, or None.
        limit: its own figures.
    """

    role: Role
    tenant_id: str | None
    label: str = ""
    agents: Sequence[str] = ()
    models: Sequence[str] = ()
    expires_at: datetime | None = None
    limit: RateLimit = NOT_SET


class TenantStore:
    """Reads and changes tenants and keys; every change moves the directory's version on."""

    def __init__(self, engine: AsyncEngine, hasher: KeyHasher) -> None:
        self._engine: Final = engine
        self._hasher: Final = hasher

    async def create_tenant(
        self,
        tenant_id: str,
        name: str,
        limit: RateLimit = NOT_SET,
        monthly_quota_usd: Decimal | None = None,
    ) -> Mapping[str, Any]:
        """Make a tenant.

        Raises:
            Conflict: when the identifier is taken.
        """
        async with transaction(self._engine) as connection:
            statement = insert(tenants).values(
                tenant_id=tenant_id,
                name=name,
                monthly_quota_usd=monthly_quota_usd,
                **asdict(limit),
            )
            inserted = await connection.execute(
                statement.on_conflict_do_nothing().returning(*tenants.columns)
            )
            row = inserted.mappings().first()
            if row is None:
                raise Conflict(f"tenant {tenant_id!r} exists already; choose another identifier")
            return {str(key): value for key, value in row.items()}

    async def list_tenants(self) -> list[Mapping[str, Any]]:
        """List all tenants by identifier."""
        return await self._rows(select(tenants).order_by(tenants.c.tenant_id))

    async def set_active(self, tenant_id: str, *, active: bool) -> None:
        """Suspend a tenant or let it in again; as `change_tenant`."""
        await self.change_tenant(tenant_id, {"active": active})

    async def change_tenant(self, tenant_id: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change a tenant; all its keys follow within two seconds.

        Args:
            tenant_id: which.
            changes: new values by column; at least one.

        Returns:
            The tenant as it is now.

        Raises:
            NotFound: when there is no such tenant.
        """
        async with transaction(self._engine) as connection:
            version = await _next_version(connection)
            changed = await connection.execute(
                update(tenants)
                .where(tenants.c.tenant_id == tenant_id)
                .values(**changes)
                .returning(*tenants.columns)
            )
            row = changed.mappings().first()
            if row is None:
                raise NotFound(f"no tenant {tenant_id!r}; `sluice tenants list` shows them")
            await connection.execute(
                update(keys).where(keys.c.tenant_id == tenant_id).values(version=version)
            )
            return {str(key): value for key, value in row.items()}

    async def create_key(self, wanted: NewKey) -> tuple[str, Mapping[str, Any]]:
        """Make a key.

        Returns:
            The token, which is kept nowhere, and the row without its hash.

        Raises:
            NotFound: when its tenant does not exist.
        """
        async with transaction(self._engine) as connection:
            return await insert_key(connection, self._hasher, wanted)

    async def list_keys(self, tenant_id: str | None = None) -> list[Mapping[str, Any]]:
        """List keys without their hashes, newest first; all of them, or one tenant's."""
        query = select(*_PUBLIC).order_by(keys.c.created_at.desc(), keys.c.key_id)
        if tenant_id is not None:
            query = query.where(keys.c.tenant_id == tenant_id)
        return await self._rows(query)

    async def revoke_key(self, key_id: str) -> None:
        """Refuse a key from now on, for good.

        Raises:
            NotFound: when there is no such key.
        """
        async with transaction(self._engine) as connection:
            version = await _next_version(connection)
            changed = await connection.execute(
                update(keys)
                .where(keys.c.key_id == key_id)
                .values(revoked_at=func.coalesce(keys.c.revoked_at, func.now()), version=version)
            )
            if not changed.rowcount:
                raise NotFound(f"no key {key_id!r}; `sluice keys list` shows them")

    async def change_key(self, key_id: str, limit: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give a key other limits; every worker follows within two seconds.

        Args:
            key_id: which.
            limit: new values by column; at least one.

        Returns:
            The key as it is now, without its hash.

        Raises:
            NotFound: when there is no such key.
        """
        async with transaction(self._engine) as connection:
            version = await _next_version(connection)
            changed = await connection.execute(
                update(keys)
                .where(keys.c.key_id == key_id)
                .values(**limit, version=version)
                .returning(*_PUBLIC)
            )
            row = changed.mappings().first()
            if row is None:
                raise NotFound(f"no key {key_id!r}; `sluice keys list` shows them")
            return {str(key): value for key, value in row.items()}

    async def rotate_key(
        self, key_id: str, grace: timedelta, now: datetime
    ) -> tuple[str, Mapping[str, Any]]:
        """Replace a key by a new one with the same rights.

        Args:
            key_id: the old key; it keeps working for `grace`.
            grace: zero refuses the old key at once.
            now: UTC.

        Raises:
            NotFound: when there is no such key.
            Conflict: when it is revoked, was rotated before or has expired.
        """
        async with transaction(self._engine) as connection:
            version = await _next_version(connection)
            old = (await connection.execute(select(keys).where(keys.c.key_id == key_id))).first()
            if old is None:
                raise NotFound(f"no key {key_id!r}; `sluice keys list` shows them")
            if old.revoked_at is not None or old.rotated_to is not None:
                raise Conflict(f"key {key_id!r} is revoked or rotated already; create a new one")
            if old.expires_at is not None and old.expires_at <= now:
                raise Conflict(
                    f"key {key_id!r} expired at {old.expires_at:%Y-%m-%dT%H:%M:%SZ}, and its"
                    " replacement would too; create a new one"
                )
            token, row = await insert_key(connection, self._hasher, _copy_of(old))
            until = now + grace
            expires_at = min(until, old.expires_at) if old.expires_at else until
            await connection.execute(
                update(keys)
                .where(keys.c.key_id == key_id)
                .values(expires_at=expires_at, rotated_to=row["key_id"], version=version)
            )
            return token, row

    async def _rows(self, query: "Select[Any]") -> list[Mapping[str, Any]]:
        async with transaction(self._engine) as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]


_PUBLIC: Final = tuple(c for c in keys.columns if c.name not in {"hash", "version"})
_SEEN: Final = select(
    keys,
    tenants.c.active,
    tenants.c.requests_per_minute.label("tenant_rpm"),
    tenants.c.tokens_per_minute.label("tenant_tpm"),
    tenants.c.keep_text_days,
)
"""What a worker holds of a key and its tenant."""


async def insert_key(
    connection: AsyncConnection, hasher: KeyHasher, wanted: NewKey
) -> tuple[str, Mapping[str, Any]]:
    """Make a key within a transaction; as `TenantStore.create_key`, which has one of its own.

    Raises:
        NotFound: when its tenant does not exist.
    """
    version = await _next_version(connection)
    if wanted.tenant_id is not None:
        found = await connection.execute(
            select(tenants.c.tenant_id).where(tenants.c.tenant_id == wanted.tenant_id)
        )
        if found.first() is None:
            raise NotFound(f"no tenant {wanted.tenant_id!r}; `sluice tenants create` makes one")
    key_id, token = new_token()
    inserted = await connection.execute(
        insert(keys)
        .values(
            key_id=key_id,
            tenant_id=wanted.tenant_id,
            role=wanted.role.value,
            label=wanted.label,
            hash=hasher.hash(token),
            agents=list(wanted.agents),
            models=list(wanted.models),
            expires_at=wanted.expires_at,
            version=version,
            **asdict(wanted.limit),
        )
        .returning(*_PUBLIC)
    )
    row = inserted.mappings().one()
    return token, {str(key): value for key, value in row.items()}


async def _next_version(connection: AsyncConnection) -> int:
    """Move the directory's version on; its row stays locked until the transaction ends."""
    result = await connection.execute(
        update(directory).values(version=directory.c.version + 1).returning(directory.c.version)
    )
    return result.scalar_one()


def _copy_of(old: "Row[Any]") -> NewKey:
    return NewKey(
        role=Role(old.role),
        tenant_id=old.tenant_id,
        label=old.label,
        agents=old.agents,
        models=old.models,
        expires_at=old.expires_at,
        limit=RateLimit(old.requests_per_minute, old.tokens_per_minute),
    )


class KeyDirectory:
    """One worker's copy of all keys, brought up to date once a second.

    Args:
        engine: where the keys are kept.
        hasher: the installation's.
        clock: tells what has expired.
    """

    def __init__(self, engine: AsyncEngine, hasher: KeyHasher, clock: Clock) -> None:
        self._engine: Final = engine
        self._hasher: Final = hasher
        self._clock: Final = clock
        self._records: Final[dict[str, KeyRecord]] = {}
        self._unknown: Final[dict[str, None]] = {}
        self._version = -1
        self._lookups: Final = asyncio.Semaphore(MAX_LOOKUPS)
        self.away = False
        """The last refresh did not reach PostgreSQL."""

    def known(self, token: str) -> Principal | GatewayError | None:
        """Judge a key from memory; None when its identifier has to be looked up first."""
        key_id = key_id_of(token)
        if key_id is None or key_id in self._unknown:
            return unknown_key()
        record = self._records.get(key_id)
        if record is None:
            return None
        return judge(record, self._hasher.hash(token), self._clock.now())

    def holder(self, key_id: str) -> Principal | GatewayError:
        """Tell who holds a key that was shown before, by its public part, or why it is refused."""
        record = self._records.get(key_id)
        return unknown_key() if record is None else standing(record, self._clock.now())

    def principals(self) -> list[Principal]:
        """List the holders of all keys that this worker knows and that nobody revoked."""
        return [r.principal for r in self._records.values() if r.revoked_at is None]

    async def authenticate(self, token: str) -> Principal | GatewayError:
        """Tell who holds this key, or why it is refused.

        Args:
            token: the whole key as the client sent it.
        """
        verdict = self.known(token)
        if verdict is not None:
            return verdict
        key_id = key_id_of(token)
        assert key_id is not None, "known() has refused a malformed key"  # noqa: S101 - narrowing
        try:
            await self._look_up(key_id)
        except Exception as error:
            if not is_outage(error):
                raise
            return Unavailable(
                "the gateway cannot look this API key up just now; try again", retry_after_s=2
            )
        if key_id not in self._records:
            self._forget_oldest_unknown()
            self._unknown[key_id] = None
        return self.known(token) or unknown_key()

    async def _look_up(self, key_id: str) -> None:
        """Read one key; a place that does not come free in time is an outage's TimeoutError."""
        async with asyncio.timeout(PLACE_WAIT_S):
            await self._lookups.acquire()
        try:
            if key_id not in self._records and key_id not in self._unknown:
                await self._load(_SEEN.where(keys.c.key_id == key_id))
        finally:
            self._lookups.release()

    async def warm(self) -> None:
        """Read the newest keys, so that calls go on when PostgreSQL goes away later.

        Raises:
            Conflict: when the keys were made with another secret than this worker's.
        """
        async with self._engine.begin() as connection:
            await claim(connection, self._hasher)
            version = (await connection.execute(select(directory.c.version))).scalar_one()
        await self._load(
            _SEEN.where(keys.c.revoked_at.is_(None))
            .order_by(keys.c.created_at.desc())
            .limit(WARM_KEYS)
        )
        self._version = version

    async def refresh(self) -> None:
        """Take over what changed since the last time; one short query when nothing did."""
        async with self._engine.connect() as connection:
            version = (await connection.execute(select(directory.c.version))).scalar_one()
        if version == self._version:
            return
        await self._load(_SEEN.where(keys.c.version > self._version).order_by(keys.c.version))
        self._unknown.clear()
        self._version = version

    async def run(self) -> None:
        """Refresh for ever; an outage is said once when it begins and once when it ends."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                if not self.away:
                    _log.warning("keys are not refreshed: %s", type(error).__name__)
                self.away = True
            else:
                if self.away:
                    _log.warning("keys are refreshed again")
                self.away = False

    async def _load(self, query: "Select[Any]") -> None:
        joined = query.select_from(keys.outerjoin(tenants, keys.c.tenant_id == tenants.c.tenant_id))
        async with self._engine.connect() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = '5s'"))
            rows: Iterable[Row[Any]] = (await connection.execute(joined)).all()
        for row in rows:
            # What was read before a change may arrive after it: a lookup overtaken by a refresh.
            known = self._records.get(row.key_id)
            if known is None or known.version <= row.version:
                self._records[row.key_id] = _record(row)

    def _forget_oldest_unknown(self) -> None:
        if len(self._unknown) >= MAX_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]


def _record(row: "Row[Any]") -> KeyRecord:
    principal = Principal(
        key_id=row.key_id,
        tenant_id=row.tenant_id or "",
        role=Role(row.role),
        agents=frozenset(row.agents),
        models=frozenset(row.models),
        expires_at=row.expires_at,
        limit=RateLimit(row.requests_per_minute, row.tokens_per_minute),
        tenant_limit=RateLimit(row.tenant_rpm, row.tenant_tpm),
        keep_text_days=row.keep_text_days,
    )
    return KeyRecord(
        principal=principal,
        hash=bytes(row.hash),
        revoked_at=row.revoked_at,
        tenant_active=row.tenant_id is None or bool(row.active),
        version=row.version,
    )
