"""The worker's own file for settlements while Redis is away: fsynced, and replayed by anyone.

Each worker holds an exclusive lock on its open file. A file that can be locked belongs to nobody
any more (its worker died, or closed it), so whoever locks it replays it into PostgreSQL and
removes it. Writes of concurrent calls share one fsync.
"""

import asyncio
import fcntl
import os
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".jsonl"


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
        self.written = 0

    async def append(self, entry: bytes) -> None:
        """Write one line; returns when it is on the disk.

        Raises:
            OSError: when the disk refuses it.
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
        if self._file is not None and (self._writer is None or self._writer.done()):
            os.close(self._file)
            self._file = self._path = None

    def depth(self) -> int:
        """Count the bytes that wait in all files of this folder."""
        return sum(path.stat().st_size for path in self._folder.glob(f"*{_SUFFIX}"))

    def abandoned(self) -> Iterator[Path]:
        """Give the files that nobody holds, oldest first."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path != self._path:
                yield path

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._append_all, [entry for entry, _ in batch])
            except OSError as error:
                for _, done in batch:
                    done.set_exception(error)
            else:
                self.written += len(batch)
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _append_all(self, entries: list[bytes]) -> None:
        if self._file is None:
            self._path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex}{_SUFFIX}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(self._folder)
        rest = memoryview(b"".join(entry + b"\n" for entry in entries))
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)


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


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
