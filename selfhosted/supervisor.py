"""Keeps the gateway's processes running: what ends by itself is started again, ever more slowly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from selfhosted.engines.errors import EngineError
from selfhosted.engines.process import (
    Identity,
    Launch,
    Record,
    command_line,
    end_child,
    size_of,
    wait_until,
)

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0
SETTLED_S: Final = 30.0
"""Running this long ends a series of failures."""
KILLED_S: Final = 5.0
KEPT_BYTES: Final = 10_000_000
"""A log that has grown past this becomes `<name>.1`, in place of the one before."""


def wait_before_restart_s(failures: int) -> float:
    """Give the seconds to wait before the restart after this many failures in a row (from 1)."""
    return min(FIRST_WAIT_S * 2 ** (failures - 1), LONGEST_WAIT_S)


def ending(code: int | None) -> str:
    """Say how a process ended: `exit code 1`, `SIGKILL`."""
    if code is None:
        return "unknown cause"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class Service(Protocol):
    """A process that is to run for as long as the gateway does."""

    @property
    def name(self) -> str:
        """Give the word that people know it by."""
        ...

    @property
    def log(self) -> Path:
        """Give the file with its output."""
        ...

    @property
    def pid(self) -> int | None:
        """Give its pid while it runs."""
        ...

    @property
    def alive(self) -> bool:
        """Tell whether its process runs."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Tell how it ended, negative for a signal."""
        ...

    @property
    def ready(self) -> bool:
        """Tell whether it serves; takes a second at most."""
        ...

    def spawn(self) -> None:
        """Start it without waiting."""
        ...

    def stop(self, *, hard: bool = False) -> None:
        """Stop it and wait for its end."""
        ...


class Gate:
    """Holds a program back at its start until `open` is called.

    The program reads a line from its standard input; when the gateway dies first, it reads
    nothing.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._write: int | None = None

    def reader(self) -> int:
        """Give a new file descriptor for the program; the caller closes its own copy."""
        self.close()
        reader, self._write = os.pipe()
        if self._is_open:
            self.open()
        return reader

    def open(self) -> None:
        """Let the program go on, and every later one."""
        self._is_open = True
        if self._write is not None:
            try:
                os.write(self._write, b"\n")
            except BrokenPipeError:  # the program ended; whoever watches it will say so
                return

    def close(self) -> None:
        """Give the descriptor back; a program still waiting ends."""
        if self._write is not None:
            os.close(self._write)
            self._write = None


class Program:
    """One of the gateway's own programs, with whatever processes it starts itself.

    Args:
        name: the word that people know it by.
        launch: how it is started.
        is_ready: tells whether it serves.
        record: where it is noted for whoever comes after a crash.
        gentle_s: seconds it gets to finish what it has begun.
        gate: holds it back until everything it needs is there.
    """

    def __init__(
        self,
        name: str,
        launch: Launch,
        is_ready: Callable[[], bool],
        record: Record,
        *,
        gentle_s: float,
        gate: Gate | None = None,
    ) -> None:
        self.name: Final = name
        self.log: Final = launch.log
        self.log_from = 0
        self._launch: Final = launch
        self._is_ready: Final = is_ready
        self._record: Final = record
        self._gentle_s: Final = gentle_s
        self._gate: Final = gate
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Give its pid while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def alive(self) -> bool:
        """Tell whether its process runs."""
        return self.pid is not None

    @property
    def exit_code(self) -> int | None:
        """Tell how it ended, negative for a signal."""
        return self._child.poll() if self._child else None

    @property
    def ready(self) -> bool:
        """Tell whether it serves; takes as long as the question it was made with."""
        return self.alive and self._is_ready()

    def spawn(self) -> None:
        """Start it without waiting; what is left of an earlier one is ended first.

        Raises:
            OSError: when it cannot be started.
        """
        if self._child is not None:
            end_session(self._child.pid)
        self.log_from = size_of(self.log)
        if self._gate is None:
            self._child = self._launch.start()
        else:
            reader = self._gate.reader()
            try:
                self._child = self._launch.start(stdin=reader)
            finally:
                os.close(reader)
        self._record.write(self._child.pid)

    def stop(self, *, hard: bool = False) -> None:
        """Stop it and whatever it started."""
        child = self._child
        if child is not None:
            end_child(child, () if hard else ((signal.SIGTERM, self._gentle_s),))
            end_session(child.pid)
        if self._gate is not None:
            self._gate.close()
        self._record.forget()

    def end_leftover(self) -> None:
        """End one that outlived an earlier gateway; nobody else may be using the data directory."""
        noted = self._record.read()
        if noted is None:
            return
        child = noted[0]
        ours = child.alive
        if ours:
            child.end(((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)))
        if ours or Identity.of(child.pid) is None:
            end_session(child.pid, only=sys.executable)
        self._record.forget()


def end_session(leader: int, *, only: str = "") -> None:
    """Kill what a program that led its own session has left behind, and wait (Linux only).

    The kernel gives no pid away again that still names a session, so none of another can be hit.

    Args:
        leader: the program's pid; it has ended.
        only: what the command line of a process must hold to be killed.
    """
    left = [one for one in session_of(leader) if only in command_line(one.pid)]
    for one in left:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not any(one.alive for one in left), KILLED_S)


def session_of(leader: int) -> list[Identity]:
    """List the processes of a session (Linux only; none elsewhere)."""
    found: list[Identity | None] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            found.append(Identity.of(int(path.parent.name)))
    return [one for one in found if one]


class _State(Enum):
    RUNNING = "running"
    WAITING = "waiting"
    STARTING = "starting"


@dataclass(slots=True)
class _Watched:
    service: Service
    state: _State = _State.RUNNING
    failures: int = 0
    since_s: float = 0.0
    down_at_s: float = 0.0
    due_s: float = field(default=0.0)


class Supervisor:
    """Starts again whatever of its services ends by itself; never waits.

    Args:
        services: all running.
        say: takes one line for the operator.
        monotonic_s: seconds that never go backwards.
    """

    def __init__(
        self,
        services: Sequence[Service],
        say: Callable[[str], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say: Final = say
        self._now: Final = monotonic_s
        self._watched: Final = [_Watched(service, since_s=monotonic_s()) for service in services]

    def step(self) -> bool:
        """Look at every service once; tell whether one was started or came back."""
        changes = [self._look(watched) for watched in self._watched]
        return any(changes)

    def _look(self, watched: _Watched) -> bool:
        now = self._now()
        if watched.state is _State.WAITING:
            return now >= watched.due_s and self._restart(watched)
        if not watched.service.alive:
            self._fallen(watched, ending(watched.service.exit_code))
        elif watched.state is _State.STARTING:
            return watched.service.ready and self._back(watched)
        elif watched.failures and now - watched.since_s >= SETTLED_S:
            watched.failures = 0
        return False

    def _fallen(self, watched: _Watched, cause: str) -> None:
        now = self._now()
        if watched.state is _State.RUNNING:
            watched.down_at_s = now
        watched.failures += 1
        wait_s = wait_before_restart_s(watched.failures)
        watched.state, watched.due_s = _State.WAITING, now + wait_s
        service = watched.service
        self._say(
            f"{service.name} stopped by itself ({cause}); starting it again in {wait_s:.1f} s"
            f" (see {service.log})"
        )

    def _restart(self, watched: _Watched) -> bool:
        watched.state = _State.STARTING
        try:
            watched.service.spawn()
        except (OSError, EngineError) as error:
            self._fallen(watched, str(error))
            return False
        return True

    def _back(self, watched: _Watched) -> bool:
        now = self._now()
        watched.state, watched.since_s = _State.RUNNING, now
        self._say(f"{watched.service.name} is back after {now - watched.down_at_s:.1f} s")
        return True


def rotate(log: Path, limit_bytes: int = KEPT_BYTES) -> None:
    """Keep a log that a process appends to within bounds: copy it away, then empty it.

    Lines written between the two are lost; nothing else is, since every writer appends.
    """
    if size_of(log) <= limit_bytes:
        return
    with log.open("r+b") as file:
        copy = log.with_name(f"{log.name}.1")
        with copy.open("wb") as kept:
            while part := file.read(1 << 20):
                kept.write(part)
        file.truncate(0)
