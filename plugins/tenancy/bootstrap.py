"""The first keys: an administrator's and a demo tenant's, made once and shown once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from plugins.core.tenant import Role
from plugins.store.database import CONNECT_TIMEOUT_S, async_url
from plugins.store.tables import keys, tenants
from plugins.tenancy.rules import KeyHasher
from plugins.tenancy.secret import claim
from plugins.tenancy.store import NewKey, insert_key

DEMO_TENANT: Final = "demo"
_LOCK_ID: Final = 0x51_0C_E0_03
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Keys made just now; None where one had been made before."""

    admin_key: str | None
    demo_key: str | None


def ensure(database_url: str, secret: str) -> Bootstrap:
    """Make the administrator's key and the demo tenant with its key, unless they exist.

    Replicas that start together take turns; what one of them makes, it makes as a whole. A demo
    tenant that is suspended gets no new key.

    Raises:
        Conflict: when the database's keys were made with another secret.
        OSError, sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached or changed.
    """
    return asyncio.run(_in_transaction(database_url, secret, _ensure))


def new_admin_key(database_url: str, secret: str) -> str:
    """Make one more administrator's key, for an operator who lost theirs.

    Raises:
        Conflict: when the database's keys were made with another secret.
        OSError, sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached or changed.
    """
    return asyncio.run(_in_transaction(database_url, secret, _admin_key))


async def _in_transaction(
    database_url: str,
    secret: str,
    action: Callable[[AsyncConnection, KeyHasher], Awaitable[_T]],
) -> _T:
    hasher = KeyHasher(secret)
    engine: AsyncEngine = create_async_engine(
        async_url(database_url),
        poolclass=NullPool,
        connect_args={"timeout": CONNECT_TIMEOUT_S},
    )
    try:
        async with engine.begin() as connection:
            # Held until commit: a second replica waits here and then finds nothing to do.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
            await claim(connection, hasher)
            return await action(connection, hasher)
    finally:
        await engine.dispose()


async def _admin_key(
    connection: AsyncConnection, hasher: KeyHasher, label: str = "recovered"
) -> str:
    wanted = NewKey(role=Role.ADMIN, tenant_id=None, label=label)
    token, _ = await insert_key(connection, hasher, wanted)
    return token


async def _ensure(connection: AsyncConnection, hasher: KeyHasher) -> Bootstrap:
    admin_key = demo_key = None
    if not await connection.scalar(select(exists().where(keys.c.role == Role.ADMIN.value))):
        admin_key = await _admin_key(connection, hasher, "first administrator")
    demo = insert(tenants).values(tenant_id=DEMO_TENANT, name="Demo tenant")
    await connection.execute(demo.on_conflict_do_nothing())
    # A key that was revoked stays revoked: only a tenant that never had one is given one.
    if not await connection.scalar(select(exists().where(keys.c.tenant_id == DEMO_TENANT))):
        wanted = NewKey(role=Role.TENANT, tenant_id=DEMO_TENANT, label="demo")
        demo_key, _ = await insert_key(connection, hasher, wanted)
    return Bootstrap(admin_key, demo_key)
