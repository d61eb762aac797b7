"""One asynchronous SQLAlchemy engine per worker, and the translation of its outages."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from plugins.core.errors import Unavailable

CONNECT_TIMEOUT_S: Final = 3.0
QUERY_TIMEOUT_S: Final = 10.0
POOL_SIZE: Final = 4
# What an unreachable or stopped server raises on its way through asyncpg and SQLAlchemy.
OUTAGES: Final = (OperationalError, InterfaceError, OSError, TimeoutError)


def async_url(url: str) -> str:
    """Give the address in SQLAlchemy's asyncpg form.

    Args:
        url: `postgres://`, `postgresql://` or already `postgresql+asyncpg://`.
    """
    parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(url: str) -> AsyncEngine:
    """Make the engine; it connects on first use.

    The pool checks a connection before it hands it out, so that a restarted server costs a
    reconnect and not a failed query.
    """
    return create_async_engine(
        async_url(url),
        pool_size=POOL_SIZE,
        max_overflow=4,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": QUERY_TIMEOUT_S},
    )


def is_outage(error: BaseException) -> bool:
    """Tell a server that is away from a statement that is wrong."""
    if isinstance(error, OUTAGES):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection, None]:
    """Open a transaction for a route or command.

    Raises:
        Unavailable: when PostgreSQL cannot be reached; routes answer 503.
    """
    try:
        async with engine.begin() as connection:
            yield connection
    except Exception as error:
        if is_outage(error):
            raise Unavailable(
                "the gateway's database does not answer; model calls go on, try this again shortly",
                retry_after_s=5,
            ) from error
        raise
