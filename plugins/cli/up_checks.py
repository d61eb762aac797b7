"""What must be so before `sluice up` starts anything: the lock, the port, the operator's stores."""

import errno
import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from plugins.cli.up_environment import UpError, place_of

CONNECT_LIMIT_S: Final = 3.0
PORTS_TRIED: Final = 100


@contextmanager
def only_one(data_dir: Path) -> Generator[None]:
    """Hold the data directory; the kernel lets go of it when we end, however that happens.

    Raises:
        UpError: when another `sluice up` holds it, naming its pid.
    """
    with (data_dir / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise UpError(
                f"another `sluice up` (pid {holder}) runs on {data_dir}: stop it with "
                f"`kill {holder}`, or choose another directory with --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def free_port(host: str) -> int:
    """Give a port that nobody listens on at this moment."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(host: str, port: int) -> bool:
    """Tell whether a port can be listened on at this moment."""
    return _bind_fault(host, port) is None


def check_port(host: str, port: int) -> None:
    """See whether the gateway may listen there.

    Raises:
        UpError: when not, with a port that is free.
    """
    fault = _bind_fault(host, port)
    if fault is None:
        return
    if fault.errno == errno.EADDRINUSE:
        candidates = range(port + 1, min(port + PORTS_TRIED, 65536))
        other = next((p for p in candidates if _bind_fault(host, p) is None), None)
        hint = f" --port {other}" if other else ""
        raise UpError(
            f"port {port} on {host} is in use by another program: choose another with --port"
            + (f", for example: sluice up{hint}" if hint else "")
        )
    if fault.errno == errno.EACCES:
        raise UpError(f"port {port} may not be opened by this user: choose one above 1023: --port")
    raise UpError(f"cannot listen on {host}, port {port} ({fault.strerror}): choose with --host")


def _bind_fault(host: str, port: int) -> OSError | None:
    try:
        with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def check_postgres(url: str) -> None:
    """See whether something answers at the operator's DATABASE_URL.

    Raises:
        UpError: when not, naming host and port.
    """
    place = place_of(url, 5432)
    host, colon, port = place.rpartition(":")
    if not colon:  # a unix socket: the migrations will say
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_LIMIT_S).close()
    except OSError as error:
        raise UpError(_unreachable("PostgreSQL", place, "DATABASE_URL", error)) from error


def check_redis(url: str) -> None:
    """See whether Redis answers at the operator's REDIS_URL and lets us in.

    Raises:
        UpError: when not, naming host and port.
    """
    import redis

    place = place_of(url, 6379)
    try:
        with redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - untyped there
            url, socket_connect_timeout=CONNECT_LIMIT_S, socket_timeout=CONNECT_LIMIT_S
        ) as client:
            client.ping()  # pyright: ignore[reportUnknownMemberType] - untyped there
    except redis.AuthenticationError as error:
        raise UpError(f"Redis at {place} refuses the user or password of REDIS_URL") from error
    except (redis.RedisError, OSError, ValueError) as error:
        raise UpError(_unreachable("Redis", place, "REDIS_URL", error)) from error


def _unreachable(what: str, place: str, variable: str, error: Exception) -> str:
    cause = getattr(error, "strerror", None) or type(error).__name__
    return (
        f"{what} at {place} does not answer ({cause}): start it, correct {variable}, or unset "
        f"{variable} to use the embedded {what}"
    )
