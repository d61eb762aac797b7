"""A TCP line to Redis that can be cut for one process alone."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LISTENING = "127.0.0.1"


class Valve:
    """Carries TCP connections to a Unix socket; knows whose each one is.

    Runs on a loop and a thread of its own, so that a test's own pauses never hold a command up.

    Args:
        socket_path: Redis' socket.
    """

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lines: dict[asyncio.StreamWriter, int] = {}
        self._cut: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address as redis-py takes it."""
        assert self._server is not None
        return f"redis://{LISTENING}:{self._server.sockets[0].getsockname()[1]}/0"

    def pids(self) -> set[int]:
        """The processes that have connections."""
        return set(self._lines.values())

    def cut(self, pid: int) -> None:
        """Break one process' connections, and each new one."""
        self._do(self._cut_now(pid))

    def mend(self) -> None:
        """Let everybody through again."""
        self._cut.clear()

    @contextlib.contextmanager
    def open(self) -> Iterator["Valve"]:
        self._thread.start()
        self._do(self._start())
        try:
            yield self
        finally:
            self._do(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LISTENING, 0)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut_now(self, pid: int) -> None:
        self._cut.add(pid)
        for line, owner in list(self._lines.items()):
            if owner == pid:
                line.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        pid = _owner(writer.get_extra_info("peername")[1])
        if pid in self._cut:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        self._lines[writer] = pid
        inner: asyncio.StreamWriter | None = None
        try:
            back, inner = await asyncio.open_unix_connection(self._socket_path)
            await asyncio.wait(
                [
                    asyncio.ensure_future(_carry(reader, inner)),
                    asyncio.ensure_future(_carry(back, writer)),
                ]
            )
        except OSError:
            writer.transport.abort()
        finally:
            for end in filter(None, (writer, inner)):
                end.close()
            self._lines.pop(writer, None)
            self._tasks.discard(task)


async def _carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
    to.close()


def _owner(port: int) -> int:
    """The process that holds the connection from a local port; 0 when it is gone."""
    wanted = f"{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].split(":")[1] == wanted and fields[9] != "0":
            return _holder(f"socket:[{fields[9]}]")
    return 0


def _holder(link: str) -> int:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if any(str(fd.readlink()) == link for fd in (process / "fd").iterdir()):
                    return int(process.name)
    return 0
