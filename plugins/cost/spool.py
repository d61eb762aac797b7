"""The worker's own file for settlements while Redis is away: fsynced, and replayed by anyone.

Each worker holds an exclusive lock on its open file. A file that can be locked belongs to nobody
any more (its worker died, or closed it), so whoever locks it replays it into PostgreSQL and
removes it. A file gets the name by which others find it only once it is locked. Writes of
concurrent calls share one fsync.
"""

import asyncio
import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".jsonl"
_UNLOCKED_SUFFIX: Final = ".new"
"""Of a file that is not locked yet; nothing is written to it under this name."""
_UNLOCKED_AT_MOST_S: Final = 60.0
"""An older one is of a worker that died in that instant."""


class Spool:
    """Appends settlements durably to a file of this process.

    Args:
        folder: shared by all workers of this machine; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._file: int | None = None
        self._path: Path | None = None
        _remove_unlocked(folder)

    async def append(self, entry: bytes) -> None:
        """Write one line; returns when it is on the disk.

        Raises:
            OSError: when the disk refuses it; nothing of it is then kept.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(done)

    def close_file(self) -> None:
        """Let go of the open file, so that a replayer may take it; the next append opens a new one.

        Does nothing while lines are being written.
        """
        if self._writer is None or self._writer.done():
            self._let_go()

    def abandoned(self) -> Iterator[Path]:
        """Give the files that nobody holds, oldest first."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path != self._path:
                yield path

    async def entries(self) -> int:
        """Count what waits in all files of this machine; costs a look when there are none."""
        if not any(self._folder.glob(f"*{_SUFFIX}")):
            return 0
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        found = 0
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                found += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        return found

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._append_all, [entry for entry, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for ever
                for _, done in batch:
                    done.set_exception(error)
            else:
                for _, done in batch:
                    done.set_result(None)

    def _append_all(self, entries: list[bytes]) -> None:
        """Write all entries, or none of them."""
        if self._file is None:
            self._file, self._path = _open_locked(self._folder)
        before = os.fstat(self._file).st_size
        try:
            rest = memoryview(b"".join(entry + b"\n" for entry in entries))
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except Exception:
            # Half a line would spoil the next one, and whole lines would charge for answers that
            # were not given. After a failed fsync a later one may succeed without having written
            # (https://lwn.net/Articles/752063/), so this file is not written to again.
            self._take_back(self._file, self._path, before)
            self._let_go()
            raise

    def _take_back(self, file: int, path: Path | None, size: int) -> None:
        """Cut the file to what was acknowledged, while the lock still keeps replayers away."""
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
            if not size and path is not None:
                path.unlink(missing_ok=True)
            os.fsync(file)

    def _let_go(self) -> None:
        file, self._file, self._path = self._file, None, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)


@contextmanager
def claimed(path: Path) -> Generator[list[bytes] | None]:
    """Lock a spool file and read it; the caller removes it when its lines are safe elsewhere.

    Yields:
        Its whole lines, or None when another process holds or has removed it. A last line without
        its newline was cut off by a crash before any client had its answer, and is left out.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # Removed by another replayer between our open and our lock?
        yield path.read_bytes().split(b"\n")[:-1] if path.exists() else None
    finally:
        os.close(file)


def _open_locked(folder: Path) -> tuple[int, Path]:
    """Make a file that no replayer can find before this process holds it."""
    path = folder / f"{os.getpid()}-{uuid.uuid4().hex}{_SUFFIX}"
    unlocked = path.with_suffix(_UNLOCKED_SUFFIX)
    file = os.open(
        unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(path)
        _sync_folder(folder)
    except Exception:
        unlocked.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        os.close(file)
        raise
    return file, path


def _remove_unlocked(folder: Path) -> None:
    """Remove what workers left that died between making a file and locking it: empty files."""
    for path in folder.glob(f"*{_UNLOCKED_SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNLOCKED_AT_MOST_S:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
