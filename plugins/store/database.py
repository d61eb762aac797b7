"""One asynchronous SQLAlchemy engine per worker, and the translation of its outages."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from plugins.core.errors import Unavailable

CONNECT_TIMEOUT_S: Final = 3.0
QUERY_TIMEOUT_S: Final = 10.0
POOL_SIZE: Final = 4
# What an unreachable or stopped server raises on its way through asyncpg and SQLAlchemy.
OUTAGES: Final = (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError)
# What waiting cures, or an administrator, without another statement: beginnings of SQLSTATEs
# (https://www.postgresql.org/docs/18/errcodes-appendix.html).
PASSING: Final = (
    "08",  # connection lost
    "0A",  # a prepared statement whose plan a migration has changed
    "25006",  # read only, as on a standby
    "25P03",  # idle for too long in a transaction
    "25P04",  # transaction for too long
    "28",  # not let in
    "3D",  # no such database (yet)
    "40",  # deadlock, serialization
    "42501",  # a right is missing
    "53",  # disk, memory or connections at an end
    "55",  # locked, or in use
    "57",  # cancelled, shutting down, starting
    "58",  # the system below it
    "F0",  # its configuration
    "XX",  # internal, corrupted
)
# What the values themselves are the reason for: they will never fit.
MISFITS: Final = ("22", "23")


def async_url(url: str) -> str:
    """Give the address in SQLAlchemy's asyncpg form.

    Args:
        url: `postgres://`, `postgresql://` or already `postgresql+asyncpg://`.
    """
    parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(url: str, query_timeout_s: float | None = QUERY_TIMEOUT_S) -> AsyncEngine:
    """Make the engine; it connects on first use.

    The pool checks a connection before it hands it out, so that a restarted server costs a
    reconnect and not a failed query. Errors do not print parameters: they are clients' content.

    Args:
        url: as `async_url` takes it.
        query_timeout_s: longest wait for a statement; None for commands that read everything.
    """
    return create_async_engine(
        async_url(url),
        pool_size=POOL_SIZE,
        max_overflow=4,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": query_timeout_s},
    )


def sqlstate(error: BaseException) -> str | None:
    """Give PostgreSQL's code for an error; None when the error is not the server's own."""
    code: object = getattr(_origin(error), "sqlstate", None)
    return code if isinstance(code, str) else None


def is_outage(error: BaseException) -> bool:
    """Tell a server that is away, or cannot just now, from a statement or value that is wrong."""
    code = sqlstate(error)
    if code is not None:
        return code.startswith(PASSING)
    if isinstance(error, DBAPIError) and isinstance(_origin(error), ValueError):
        # A value that asyncpg itself will not send is of InterfaceError too.
        return error.connection_invalidated
    if isinstance(error, OUTAGES):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_misfit(error: BaseException) -> bool:
    """Tell values that no row can ever have from every other reason to refuse a statement."""
    return (sqlstate(error) or "").startswith(MISFITS)


def described(error: BaseException) -> str:
    """Name an error for a log: what it is, without the values that its message may quote."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        error = error.__cause__
    origin = _origin(error)
    words = [type(origin).__name__, sqlstate(error), getattr(origin, "constraint_name", None)]
    if isinstance(origin, OSError):
        words.append(origin.strerror)
    return " ".join(str(word) for word in words if word)


def _origin(error: BaseException) -> BaseException:
    """Give asyncpg's own error, which SQLAlchemy wraps twice."""
    wrapped = error.orig if isinstance(error, DBAPIError) else None
    return error if wrapped is None else wrapped.__cause__ or wrapped


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection, None]:
    """Open a transaction for a route or command.

    Raises:
        Unavailable: when PostgreSQL is away or cannot just now; routes answer 503.
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
