"""Bring the database to this release's schema; safe to run from several replicas at once."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from plugins.store.database import CONNECT_TIMEOUT_S, async_url
from plugins.store.partitions import ensure_partitions

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK_ID: Final = 0x51_0C_E0_02


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which schema a database has, and which this release wants.

    Args:
        found: None when there is none.
        head: this release's newest.
        known: all that this release can migrate from.
    """

    found: str | None
    head: str
    known: frozenset[str]


def revisions(database_url: str) -> Revisions:
    """Read the schema's revision; changes nothing.

    Raises:
        Exception: when the database cannot be reached or read.
    """
    scripts = ScriptDirectory(str(_SCRIPTS))
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return Revisions(asyncio.run(_found(database_url)), scripts.get_current_head() or "", known)


async def _found(database_url: str) -> str | None:
    engine = create_async_engine(
        async_url(database_url), connect_args={"timeout": CONNECT_TIMEOUT_S}
    )
    try:
        async with engine.connect() as connection:
            if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
                return None
            return await connection.scalar(text("SELECT version_num FROM alembic_version"))
    finally:
        await engine.dispose()


def upgrade(database_url: str) -> None:
    """Run all migrations that are missing and make the ledger's next partitions.

    Raises:
        OSError, sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached or changed.
    """
    asyncio.run(_upgrade(database_url))


async def _upgrade(database_url: str) -> None:
    engine = create_async_engine(
        async_url(database_url), connect_args={"timeout": CONNECT_TIMEOUT_S}
    )
    try:
        async with engine.begin() as connection:
            # Held until commit: a second replica waits here and then finds nothing to do.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
            await connection.run_sync(_run)
            await ensure_partitions(connection, datetime.now(UTC))
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
