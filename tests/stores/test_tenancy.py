"""Tenants and keys against real PostgreSQL, and the worker's copy of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.cli.up_console import Report
from plugins.cli.up_environment import UpError
from plugins.cli.up_gateway import Gateway, Options
from plugins.core.clock import SystemClock
from plugins.core.errors import Conflict, GatewayError, NotFound, Unavailable
from plugins.core.limit import UNLIMITED, RateLimit
from plugins.core.tenant import Principal, Role
from plugins.store import tables
from plugins.store.tables import keys
from plugins.tenancy import bootstrap
from plugins.tenancy.rules import KeyHasher, new_token
from plugins.tenancy.store import (
    MAX_LOOKUPS,
    PLACE_WAIT_S,
    KeyDirectory,
    NewKey,
    TenantStore,
)
from selfhosted.engines import EmbeddedPostgres

SECRET = "a secret of the tests, long enough"
HASHER = KeyHasher(SECRET)
OTHER_SECRET = "some other installation's secret!"


@pytest.fixture
def store(engine: AsyncEngine) -> TenantStore:
    return TenantStore(engine, HASHER)


@pytest_asyncio.fixture(autouse=True)
async def unclaimed(engine: AsyncEngine) -> None:
    """Each test meets a database that no secret has claimed."""
    async with engine.begin() as connection:
        await connection.execute(tables.directory.update().values(fingerprint=None))


@pytest.fixture
def directory(engine: AsyncEngine) -> KeyDirectory:
    return KeyDirectory(engine, HASHER, SystemClock())


class SlowEngine:
    """Keeps what the first connection has read until it is released; the others are quick."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_first = True
        self.has_read = asyncio.Event()
        self.released = asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        is_first, self._is_first = self._is_first, False
        async with self._engine.connect() as connection:
            yield connection
        if is_first:
            self.has_read.set()
            await self.released.wait()


@pytest.fixture
def slow(engine: AsyncEngine) -> SlowEngine:
    return SlowEngine(engine)


@pytest.fixture
def slow_directory(slow: SlowEngine) -> KeyDirectory:
    return KeyDirectory(cast("AsyncEngine", slow), HASHER, SystemClock())


async def _key(store: TenantStore, **rights: object) -> tuple[str, str]:
    """A key of tenant acme; gives the token and its identifier."""
    if not await store.list_tenants():
        await store.create_tenant("acme", "Acme")
    token, row = await store.create_key(NewKey(Role.TENANT, "acme", **rights))  # type: ignore[arg-type]
    return token, row["key_id"]


def _code(verdict: Principal | GatewayError) -> str:
    return verdict.code if isinstance(verdict, GatewayError) else "welcome"


@pytest.mark.spec("13.1")
async def test_a_key_is_kept_only_as_a_keyed_hash(store: TenantStore, engine: AsyncEngine) -> None:
    token, _ = await _key(store)
    async with engine.connect() as connection:
        row = (await connection.execute(select(keys))).one()
    assert row.hash == HASHER.hash(token)
    assert token[-32:] not in str(row)
    assert KeyHasher("another secret, as long as the first").hash(token) != row.hash


async def test_the_holder_of_a_key_is_its_principal(
    store: TenantStore, directory: KeyDirectory
) -> None:
    token, key_id = await _key(store, agents=["matching"])
    principal = await directory.authenticate(token)
    assert isinstance(principal, Principal)
    assert (principal.key_id, principal.tenant_id) == (key_id, "acme")
    assert principal.agents == {"matching"}


async def test_unknown_and_malformed_keys_are_refused_alike(
    store: TenantStore, directory: KeyDirectory
) -> None:
    token, _ = await _key(store)
    answers = [
        await directory.authenticate(t)
        for t in ("", "sk-", token + "x", token[:-1], new_token()[1])
    ]
    assert {_code(a) for a in answers} == {"invalid_api_key"}
    assert len({a.message for a in answers if isinstance(a, GatewayError)}) == 1


async def test_a_known_identifier_with_another_secret_is_refused(
    store: TenantStore, directory: KeyDirectory, engine: AsyncEngine
) -> None:
    token, _ = await _key(store)
    other = KeyDirectory(engine, KeyHasher(OTHER_SECRET), SystemClock())
    assert _code(await other.authenticate(token)) == "invalid_api_key"


async def test_a_change_reaches_a_worker_with_its_next_refresh(
    store: TenantStore, directory: KeyDirectory
) -> None:
    token, key_id = await _key(store)
    await directory.warm()
    assert _code(await directory.authenticate(token)) == "welcome"
    await store.revoke_key(key_id)
    await directory.refresh()
    assert _code(await directory.authenticate(token)) == "key_revoked"


async def test_a_suspended_tenants_keys_stop_and_come_back(
    store: TenantStore, directory: KeyDirectory
) -> None:
    token, _ = await _key(store)
    await directory.warm()
    for active, code in ((False, "tenant_suspended"), (True, "welcome")):
        await store.set_active("acme", active=active)
        await directory.refresh()
        assert _code(await directory.authenticate(token)) == code


@pytest.mark.spec("8.2")
async def test_limits_of_key_and_tenant_reach_every_worker_and_change_for_all_keys(
    store: TenantStore, directory: KeyDirectory
) -> None:
    await store.create_tenant("acme", "Acme", RateLimit(60, None))
    tokens = [(await _key(store, limit=RateLimit(None, n)))[0] for n in (500, UNLIMITED)]
    await directory.warm()
    for token, own in zip(tokens, (500, UNLIMITED), strict=True):
        principal = await directory.authenticate(token)
        assert isinstance(principal, Principal)
        assert principal.limit == RateLimit(None, own)
        assert principal.tenant_limit == RateLimit(60, None)
    await store.change_tenant("acme", {"tokens_per_minute": 9000})
    await store.change_key(tokens[0].split("-")[1], {"requests_per_minute": 7})
    await directory.refresh()
    changed = [await directory.authenticate(token) for token in tokens]
    assert [getattr(p, "tenant_limit", None) for p in changed] == [RateLimit(60, 9000)] * 2
    assert [getattr(p, "limit", None) for p in changed] == [
        RateLimit(7, 500),
        RateLimit(None, UNLIMITED),
    ]
    assert {p.key_id for p in directory.principals()} == {t.split("-")[1] for t in tokens}


async def test_a_rotated_keys_limit_goes_with_it(store: TenantStore) -> None:
    _, key_id = await _key(store, limit=RateLimit(5, 50))
    _, row = await store.rotate_key(key_id, timedelta(hours=1), SystemClock().now())
    assert (row["requests_per_minute"], row["tokens_per_minute"]) == (5, 50)


async def test_a_limit_below_nothing_is_refused_by_the_database(store: TenantStore) -> None:
    with pytest.raises(IntegrityError):
        await store.create_tenant("acme", "Acme", RateLimit(-1))


async def test_the_limit_of_a_key_that_is_not_there_cannot_be_set(store: TenantStore) -> None:
    with pytest.raises(NotFound, match="keys list"):
        await store.change_key("nobody0000", {"requests_per_minute": 1})


async def test_a_key_that_was_unknown_a_moment_ago_works_once_it_is_made(
    store: TenantStore, directory: KeyDirectory, engine: AsyncEngine
) -> None:
    token, key_id = await _key(store)
    async with engine.begin() as connection:
        held = (await connection.execute(keys.delete().returning(*keys.columns))).one()
    assert _code(await directory.authenticate(token)) == "invalid_api_key"
    async with engine.begin() as connection:
        await connection.execute(keys.insert().values(**held._mapping))
    await store.rotate_key(key_id, timedelta(hours=1), SystemClock().now())
    await directory.refresh()
    assert _code(await directory.authenticate(token)) == "welcome"


@pytest.mark.parametrize("change", ["key_revoked", "tenant_suspended"])
async def test_a_lookup_overtaken_by_a_change_does_not_undo_it(
    store: TenantStore, slow: SlowEngine, slow_directory: KeyDirectory, change: str
) -> None:
    token, key_id = await _key(store)
    lookup = asyncio.create_task(slow_directory.authenticate(token))
    await slow.has_read.wait()
    if change == "key_revoked":
        await store.revoke_key(key_id)
    else:
        await store.set_active("acme", active=False)
    await slow_directory.refresh()
    slow.released.set()
    assert _code(await lookup) == change
    assert _code(await slow_directory.authenticate(token)) == change


async def test_a_lookup_waits_a_second_for_its_turn_and_no_longer(
    store: TenantStore, directory: KeyDirectory, engine: AsyncEngine
) -> None:
    tokens = [(await _key(store))[0] for _ in range(MAX_LOOKUPS + 20)]
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE keys"))
        began_s = time.monotonic()
        lookups = [asyncio.create_task(directory.authenticate(token)) for token in tokens]
        waited = await asyncio.gather(*lookups[MAX_LOOKUPS:])
        assert time.monotonic() - began_s < PLACE_WAIT_S + 1
    assert {_code(verdict) for verdict in waited} == {"service_unavailable"}
    assert all(v.retry_after_s for v in waited if isinstance(v, GatewayError))
    served = await asyncio.gather(*lookups[:MAX_LOOKUPS])
    assert {_code(verdict) for verdict in served} == {"welcome"}
    assert _code(await directory.authenticate(tokens[-1])) == "welcome"


async def test_rotation_keeps_the_rights_and_ends_the_old_key_after_its_grace(
    store: TenantStore, directory: KeyDirectory
) -> None:
    old, old_id = await _key(store, agents=["decision"], models=["gpt-4o"], label="ats")
    now = SystemClock().now()
    new, row = await store.rotate_key(old_id, timedelta(0), now)
    assert (row["agents"], row["models"], row["label"]) == (["decision"], ["gpt-4o"], "ats")
    assert _code(await directory.authenticate(old)) == "key_expired"
    assert _code(await directory.authenticate(new)) == "welcome"
    with pytest.raises(Conflict):
        await store.rotate_key(old_id, timedelta(0), now)


async def test_rotation_never_lengthens_a_keys_life(store: TenantStore) -> None:
    ends = SystemClock().now() + timedelta(minutes=5)
    _, key_id = await _key(store, expires_at=ends)
    await store.rotate_key(key_id, timedelta(days=1), SystemClock().now())
    kept = {row["key_id"]: row for row in await store.list_keys("acme")}
    assert {row["expires_at"] for row in kept.values()} == {ends}


async def test_an_expired_key_is_not_rotated_into_a_dead_one(store: TenantStore) -> None:
    ends = SystemClock().now() + timedelta(minutes=5)
    _, key_id = await _key(store, expires_at=ends)
    with pytest.raises(Conflict, match=r"expired at .*; create a new one"):
        await store.rotate_key(key_id, timedelta(days=1), ends)
    assert [row["key_id"] for row in await store.list_keys("acme")] == [key_id]


async def test_what_does_not_exist_is_said(store: TenantStore) -> None:
    with pytest.raises(NotFound):
        await store.create_key(NewKey(Role.TENANT, "nobody"))
    with pytest.raises(NotFound):
        await store.revoke_key("0000000000")
    with pytest.raises(NotFound):
        await store.set_active("nobody", active=False)
    await store.create_tenant("acme", "Acme")
    with pytest.raises(Conflict):
        await store.create_tenant("acme", "Acme again")


async def test_known_keys_work_while_postgresql_is_away_and_new_ones_wait(
    store: TenantStore, directory: KeyDirectory, postgres: EmbeddedPostgres
) -> None:
    token, _ = await _key(store)
    unseen, _ = await _key(store)
    await directory.authenticate(token)
    postgres.stop(hard=True)
    try:
        assert _code(await directory.authenticate(token)) == "welcome"
        waiting = await directory.authenticate(unseen)
        assert isinstance(waiting, Unavailable)
        assert waiting.retry_after_s
        with pytest.raises(Unavailable):
            await store.list_keys()
    finally:
        postgres.start()
    assert _code(await directory.authenticate(unseen)) == "welcome"


async def test_a_worker_with_another_secret_does_not_start(
    directory: KeyDirectory, engine: AsyncEngine
) -> None:
    await directory.warm()
    other = KeyDirectory(engine, KeyHasher(OTHER_SECRET), SystemClock())
    with pytest.raises(Conflict, match=r"SLUICE_SECRET is not the secret .* set it to") as refusal:
        await other.warm()
    assert OTHER_SECRET not in refusal.value.message
    await KeyDirectory(engine, KeyHasher(SECRET), SystemClock()).warm()


async def test_of_two_workers_that_start_at_once_with_different_secrets_one_is_refused(
    directory: KeyDirectory, engine: AsyncEngine
) -> None:
    other = KeyDirectory(engine, KeyHasher(OTHER_SECRET), SystemClock())
    ended = await asyncio.gather(directory.warm(), other.warm(), return_exceptions=True)
    assert sorted(type(e).__name__ for e in ended) == ["Conflict", "NoneType"]


async def _ensured(postgres: EmbeddedPostgres, secret: str = SECRET) -> bootstrap.Bootstrap:
    return await asyncio.to_thread(bootstrap.ensure, postgres.url, secret)


async def test_replicas_that_start_together_make_the_first_keys_once(
    postgres: EmbeddedPostgres, store: TenantStore, directory: KeyDirectory
) -> None:
    made = await asyncio.gather(*(_ensured(postgres) for _ in range(4)))
    admin_keys = [m.admin_key for m in made if m.admin_key]
    demo_keys = [m.demo_key for m in made if m.demo_key]
    assert (len(admin_keys), len(demo_keys)) == (1, 1)
    assert len(await store.list_keys()) == 2
    assert _code(await directory.authenticate(demo_keys[0])) == "welcome"
    assert await _ensured(postgres) == bootstrap.Bootstrap(None, None)


async def test_a_first_start_that_fails_leaves_nothing_behind(
    postgres: EmbeddedPostgres, store: TenantStore, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE keys ADD CONSTRAINT no CHECK (label <> 'demo')"))
    try:
        with pytest.raises(IntegrityError):
            await _ensured(postgres)
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE keys DROP CONSTRAINT no"))
    assert (await store.list_tenants(), await store.list_keys()) == ([], [])
    made = await _ensured(postgres)
    assert made.admin_key
    assert made.demo_key


async def test_a_revoked_demo_key_is_not_replaced_at_the_next_start(
    postgres: EmbeddedPostgres, store: TenantStore
) -> None:
    await _ensured(postgres)
    (demo,) = await store.list_keys("demo")
    await store.revoke_key(demo["key_id"])
    assert (await _ensured(postgres)).demo_key is None
    assert len(await store.list_keys("demo")) == 1


async def test_a_demo_tenant_that_never_had_a_key_gets_one(
    postgres: EmbeddedPostgres, store: TenantStore
) -> None:
    await store.create_tenant("demo", "Demo tenant")
    assert (await _ensured(postgres)).demo_key


async def test_no_key_is_made_with_another_secret(
    postgres: EmbeddedPostgres, store: TenantStore
) -> None:
    await _ensured(postgres)
    for make in (bootstrap.ensure, bootstrap.new_admin_key):
        with pytest.raises(Conflict, match="SLUICE_SECRET"):
            await asyncio.to_thread(make, postgres.url, OTHER_SECRET)
    assert len(await store.list_keys()) == 2
    assert await asyncio.to_thread(bootstrap.new_admin_key, postgres.url, SECRET)


async def test_up_tells_a_wrong_secret_in_a_line(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    await _ensured(postgres)
    options = Options("127.0.0.1", 0, 1, tmp_path / "config.yaml", tmp_path, "error")
    gateway = Gateway(options, Report())
    with pytest.raises(UpError, match="SLUICE_SECRET is not the secret"):
        await asyncio.to_thread(gateway._prepare_database, postgres.url, OTHER_SECRET)
