"""Child processes that end with their parent and are never mistaken for another.

A pid alone says nothing after a crash, since the kernel gives it out again: a process is known by
its pid and the moment at which it was born.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
POLL_S: Final = 0.01
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the machine.

    Args:
        uid: its number.
        gid: the number of its group.
    """

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one program.

    Args:
        argv: the program and its arguments.
        log: file that its output is appended to.
        env: its whole environment; None for ours.
        account: user to run as; None for ours.
        parent_death: signal it gets when the thread that started it ends (Linux only).
    """

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    account: Account | None = None
    parent_death: signal.Signals = signal.SIGTERM

    def start(self, *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start it, as leader of a session of its own, so that Ctrl-C reaches only its owner.

        Args:
            stdin: an open file to read from; nothing by default.

        Raises:
            OSError: when it cannot be started.
        """
        account = self.account
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the caller's own program, no shell
                self.argv,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                start_new_session=True,
                preexec_fn=_dies_with(os.getpid(), self.parent_death),
            )


def _dies_with(parent: int, signum: signal.Signals) -> Callable[[], None] | None:
    """Make what a child runs before its program: ask for a signal when its parent is gone."""
    libc = _LIBC
    if libc is None:
        return None

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def born(pid: int) -> str | None:
    """Tell when a process was born, in the system's own words; None when there is no such one."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        state, *rest = stat.rpartition(")")[2].split()
        return None if state in "ZX" else rest[18]
    answer = subprocess.run(  # noqa: S603 - fixed program, a number
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - its place differs by system
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None


def command_line(pid: int) -> str:
    """Give a process's command line; empty when it cannot be read."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            return ""
    answer = subprocess.run(  # noqa: S603 - fixed program, a number
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607 - its place differs by system
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for all time.

    Args:
        pid: its number.
        birth: when it was born.
    """

    pid: int
    birth: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identify a running process; None when there is none."""
        birth = born(pid)
        return None if birth is None else cls(pid, birth)

    @property
    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return born(self.pid) == self.birth

    def end(self, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
        """Send each signal in turn, wait its seconds for the end, and tell whether it came."""
        for signum, wait_s in steps:
            if not self.alive:
                return True
            try:
                os.kill(self.pid, signum)
            except ProcessLookupError:
                return True
            if wait_until(lambda: not self.alive, wait_s):
                return True
        return not self.alive


@dataclass(frozen=True, slots=True)
class Record:
    """Who runs and for whom, kept in a file for whoever comes after a crash.

    Args:
        path: the file.
    """

    path: Path

    def write(self, pid: int) -> None:
        """Note a child of ours."""
        child, owner = Identity.of(pid), Identity.of(os.getpid())
        if child is None or owner is None:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(
            json.dumps({"child": [child.pid, child.birth], "owner": [owner.pid, owner.birth]})
        )
        draft.replace(self.path)

    def read(self) -> tuple[Identity, Identity] | None:
        """Give child and owner, or None when nothing readable is there."""
        try:
            noted = json.loads(self.path.read_text())
            child, owner = noted["child"], noted["owner"]
            return Identity(int(child[0]), str(child[1])), Identity(int(owner[0]), str(owner[1]))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def forget(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)

    def leftover(self) -> Identity | None:
        """Give a living child whose owner is gone; None when there is none.

        Raises:
            ChildProcessError: when child and owner both live; its first argument is the owner's
                pid.
        """
        noted = self.read()
        if noted is None or not noted[0].alive:
            return None
        child, owner = noted
        if owner.alive:
            raise ChildProcessError(owner.pid)
        return child


def wait_until(done: Callable[[], bool], limit_s: float) -> bool:
    """Look every 10 ms whether something is so, for a number of seconds at most."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def end_child(
    child: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]
) -> None:
    """Send a child each signal in turn until it has ended, and bury it."""
    for signum, wait_s in (*steps, (signal.SIGKILL, 5.0)):
        if child.poll() is not None:
            return
        child.send_signal(signum)
        try:
            child.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
        return


def last_line(log: Path, *, since: int = 0) -> str:
    """Give the last line of a log that says something, or an empty text.

    Args:
        log: the file.
        since: offset in bytes at which the lines of interest begin.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= size else 0, size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def size_of(log: Path) -> int:
    """Give a file's size in bytes, zero when there is none."""
    return log.stat().st_size if log.exists() else 0
