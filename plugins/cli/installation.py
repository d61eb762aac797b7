"""Where this installation keeps its data: the environment first, then `sluice up`'s directory."""

import os
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from plugins.cli.output import CommandError
from plugins.cli.up_checks import only_one
from plugins.cli.up_environment import LEAST_SECRET, UpError, database_url, place_of, redis_url

DATABASE_VARIABLES: Final = ("SLUICE_DATABASE_URL", "DATABASE_URL")
REDIS_VARIABLES: Final = ("SLUICE_REDIS_URL", "REDIS_URL")
LISTEN_LIMIT_S: Final = 2.0
NO_TABLE: Final = "42P01"
"""PostgreSQL's code for a table that does not exist."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Store:
    """One store of this installation.

    Args:
        url: as the gateway takes it.
        named_by: the variable that names it, or `embedded`.
    """

    url: str
    named_by: str


def find_database(environ: Mapping[str, str], data_dir: Path) -> Store | None:
    """Give the database: named by the environment, or embedded and running; else None.

    Raises:
        UpError: when what the environment says is no address of PostgreSQL.
    """
    for name in DATABASE_VARIABLES:
        if given := environ.get(name, "").strip():
            return Store(_named(database_url, given, "DATABASE_URL", name), name)
    from selfhosted.engines import EmbeddedPostgres, address

    path = address.socket_directory(data_dir, "pg") / ".s.PGSQL.5432"
    return Store(EmbeddedPostgres(data_dir).url, "embedded") if _listens(path) else None


def find_redis(environ: Mapping[str, str], data_dir: Path) -> Store | None:
    """Give Redis: named by the environment, or embedded and running; else None.

    Raises:
        UpError: when what the environment says is no address of Redis.
    """
    for name in REDIS_VARIABLES:
        if given := environ.get(name, "").strip():
            return Store(_named(redis_url, given, "REDIS_URL", name), name)
    from selfhosted.engines import EmbeddedRedis, address

    path = address.socket_directory(data_dir, "redis") / "redis.sock"
    return Store(EmbeddedRedis(data_dir).url, "embedded") if _listens(path) else None


def find_secret(environ: Mapping[str, str], data_dir: Path) -> str:
    """Give the secret that keys are hashed with; makes none, unlike `sluice up`.

    Raises:
        CommandError: when there is none, or one that the gateway would not take.
    """
    found = environ.get("SLUICE_SECRET", "").strip()
    path = data_dir / "secret"
    if not found:
        try:
            found = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CommandError(
                f"no secret: set SLUICE_SECRET to the gateway's, or name its data directory with"
                f" --data-dir ({path}: {error.strerror})"
            ) from error
    if len(found) < LEAST_SECRET:
        raise CommandError(
            f"the secret has {len(found)} characters and needs {LEAST_SECRET}: it is not the"
            " gateway's"
        )
    return found


def new_admin_key(data_dir: Path) -> str:
    """Make one more administrator's key in this installation's database.

    Raises:
        CommandError: when secret or database are not there.
    """
    from plugins.tenancy import bootstrap

    secret = find_secret(os.environ, data_dir)
    with open_database(os.environ, data_dir) as url:
        return _tried(lambda: bootstrap.new_admin_key(url, secret), url)


def upgrade(data_dir: Path) -> str:
    """Migrate this installation's database; give the schema's revision.

    Raises:
        CommandError: when it is not there or refuses.
    """
    from plugins.store import migrate

    with open_database(os.environ, data_dir) as url:
        _tried(lambda: migrate.upgrade(url), url)
        return migrate.revisions(url).head


@contextmanager
def open_database(environ: Mapping[str, str], data_dir: Path) -> Generator[str]:
    """Give the database's address; starts the embedded one while no `sluice up` runs.

    Raises:
        CommandError: when there is none.
    """
    from selfhosted.engines import EmbeddedPostgres, EngineError

    try:
        found = find_database(environ, data_dir)
        if found is not None:
            yield found.url
            return
        if not (data_dir / "postgres").is_dir():
            raise CommandError(
                "no database: set SLUICE_DATABASE_URL or DATABASE_URL, or name the data directory"
                f" of `sluice up` with --data-dir ({data_dir} holds none)"
            )
        with only_one(data_dir), EmbeddedPostgres(data_dir) as engine:
            yield engine.url
    except (UpError, EngineError) as error:
        raise CommandError(str(error)) from error


def cause_of(error: BaseException) -> str:
    """Give a store's own words on one line, without the statement that met them."""
    origin: BaseException = getattr(error, "orig", None) or error
    said = str(origin).partition("\n")[0]
    return said.rpartition(">: ")[2] or type(origin).__name__


def _listens(path: Path) -> bool:
    """Tell whether a server listens on a unix socket; a crash leaves the file behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(LISTEN_LIMIT_S)
        try:
            line.connect(str(path))
        except OSError:
            return False
    return True


def _tried(work: Callable[[], _T], url: str) -> _T:
    try:
        return work()
    except Exception as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) == NO_TABLE:
            raise CommandError(
                f"the database at {place_of(url, 5432)} holds no schema: run `sluice migrate`"
            ) from error
        raise CommandError(
            f"the database at {place_of(url, 5432)}: {cause_of(error.__cause__ or error)}"
        ) from error


def _named(check: Callable[[str], str], given: str, told: str, name: str) -> str:
    """Check an address; an error names the variable that holds it."""
    try:
        return check(given)
    except UpError as error:
        raise UpError(str(error).replace(told, name)) from None
