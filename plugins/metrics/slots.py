"""Which files are whose: each worker holds the lock of one numbered place.

A place whose lock is free belongs to nobody any more. The next worker takes it over with its
counts, so there are never more files than workers that ran at once.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

GUARD: Final = "guard.lock"
_LOCK: Final = "place-{}.lock"
_EXEMPLARS: Final = "exemplars_{}.traces"
"""Its histograms' file and it belong together: it names places in that one."""


class Slot:
    """One worker's place; held until the process ends or `release`.

    Args:
        folder: where all places are.
        number: of this one.
        lock: open file that holds the lock.
    """

    def __init__(self, folder: Path, number: int, lock: int) -> None:
        self.folder: Final = folder
        self.number: Final = number
        self._lock: Final = lock

    def path(self, kind: str) -> Path:
        """Name this worker's file of a kind, as prometheus_client expects it."""
        return self.folder / f"{kind}_{self.number}.db"

    @property
    def exemplars(self) -> Path:
        """Name this worker's file of exemplars."""
        return exemplars_of(self.folder, self.number)

    def release(self) -> None:
        """Let another worker take the place over."""
        os.close(self._lock)


def take(folder: Path) -> Slot:
    """Take the first free place; the first worker of a gateway finds an empty folder.

    Args:
        folder: shared by all workers of this machine; made when missing.

    Raises:
        OSError: when the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _guarded(folder):
        if not any(_is_held(lock) for lock in folder.glob(_LOCK.format("*"))):
            for left in (*folder.glob("*.db"), *folder.glob(_EXEMPLARS.format("*"))):
                left.unlink()
        number = 0
        while (lock := _locked(folder / _LOCK.format(number))) is None:
            number += 1
        slot = Slot(folder, number, lock)
        for gauges in folder.glob(f"gauge_*_{number}.db"):
            gauges.unlink()  # what is counted goes on, what was true of the last holder does not
        return slot


def exemplars_of(folder: Path, number: int | str) -> Path:
    """Name the file of exemplars of a place."""
    return folder / _EXEMPLARS.format(number)


def live_files(folder: Path) -> Iterator[Path]:
    """Give the files to be read: all counts, and the gauges of workers that live."""
    for path in sorted(folder.glob("*.db")):
        number = path.stem.rpartition("_")[2]
        counts = not path.name.startswith("gauge_")
        if counts or _is_held(folder / _LOCK.format(number)):
            yield path


def _is_held(path: Path) -> bool:
    """Tell whether a worker holds this place; looking does not keep others from looking."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _locked(path: Path) -> int | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


@contextlib.contextmanager
def _guarded(folder: Path) -> Generator[None]:
    """Let one worker at a time look for a place."""
    file = os.open(folder / GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
