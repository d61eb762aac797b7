"""The first keys: an administrator's and a demo tenant's, made once and shown once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from plugins.core.tenant import Role
from plugins.store.database import CONNECT_TIMEOUT_S, async_url
from plugins.tenancy.rules import KeyHasher
from plugins.tenancy.store import NewKey, TenantStore

DEMO_TENANT: Final = "demo"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Keys made just now; None where one had been made before."""

    admin_key: str | None
    demo_key: str | None


def ensure(database_url: str, secret: str) -> Bootstrap:
    """Make the administrator's key and the demo tenant with its key, unless they exist."""
    return asyncio.run(_with_store(database_url, secret, _ensure))


def new_admin_key(database_url: str, secret: str) -> str:
    """Make one more administrator's key, for an operator who lost theirs."""
    return asyncio.run(_with_store(database_url, secret, _admin_key))


async def _with_store(
    database_url: str, secret: str, action: Callable[[TenantStore], Awaitable[_T]]
) -> _T:
    engine: AsyncEngine = create_async_engine(
        async_url(database_url),
        poolclass=NullPool,
        connect_args={"timeout": CONNECT_TIMEOUT_S},
    )
    try:
        return await action(TenantStore(engine, KeyHasher(secret)))
    finally:
        await engine.dispose()


async def _admin_key(store: TenantStore) -> str:
    token, _ = await store.create_key(NewKey(role=Role.ADMIN, tenant_id=None, label="recovered"))
    return token


async def _ensure(store: TenantStore) -> Bootstrap:
    admin_key = demo_key = None
    if not any(key["role"] == Role.ADMIN for key in await store.list_keys()):
        admin_key, _ = await store.create_key(
            NewKey(role=Role.ADMIN, tenant_id=None, label="first administrator")
        )
    if not any(tenant["tenant_id"] == DEMO_TENANT for tenant in await store.list_tenants()):
        await store.create_tenant(DEMO_TENANT, "Demo tenant")
        demo_key, _ = await store.create_key(
            NewKey(role=Role.TENANT, tenant_id=DEMO_TENANT, label="demo")
        )
    return Bootstrap(admin_key, demo_key)
