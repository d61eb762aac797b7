"""Bring the database to this release's schema; safe to run from several replicas at once."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from plugins.store.database import CONNECT_TIMEOUT_S, async_url
from plugins.store.partitions import ensure_partitions

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK_ID: Final = 0x51_0C_E0_02


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
