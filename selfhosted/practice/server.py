"""The listening sockets: one for all providers, and optionally one for each.

A provider with a port of its own can be taken off the network (`refuse`): its listener closes and
the port stays bound without listening, so that nobody else takes it and every connection attempt
is refused by the kernel.
"""

import asyncio
import errno
import signal
import socket
from collections.abc import Mapping

from selfhosted.practice.asgi import App
from selfhosted.practice.http1 import Connection

_BACKLOG = 1024
_REBIND_TRIES = 400
_REBIND_PAUSE_S = 0.005
_DRAIN_S = 2.0


class PortTakenError(OSError):
    """Someone else listens on the wanted port."""


class Listener:
    """One listening socket and the connections it accepted.

    Args:
        app: the ASGI application.
        host: address to bind.
        port: port to bind; 0 lets the kernel choose.
    """

    def __init__(self, app: App, host: str, port: int) -> None:
        self._app = app
        self._sock = bind(host, port)
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.TimerHandle | None = None
        name = self._sock.getsockname()
        self.address: tuple[str, int] = (name[0], name[1])
        self.connections: set[Connection] = set()
        self.open = False
        self._reopen_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._app, self), sock=self._sock, backlog=_BACKLOG
        )
        self.open = True

    async def refuse(self, for_s: float | None) -> None:
        """Stop listening and reset the live connections.

        Args:
            for_s: seconds until the port opens by itself; None leaves it closed.
        """
        if self.open:
            self._close()
            for connection in list(self.connections):
                connection.reset()
            self._sock = await rebind(self.address)
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if for_s is not None:
            loop = asyncio.get_running_loop()
            self._reopening = loop.call_later(for_s, self._reopen_soon)

    async def reopen(self) -> None:
        """Listen again after `refuse`; without one, do nothing."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if not self.open:
            await self.start()

    async def stop(self) -> None:
        """Close the port, and each connection after the answer it is writing."""
        self._close()
        for connection in list(self.connections):
            connection.close_when_idle()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DRAIN_S
        while self.connections and loop.time() < deadline:  # noqa: ASYNC110  # only at the end
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.reset()

    def _close(self) -> None:
        self.open = False
        if self._server is not None:
            self._server.close()
            self._server = None
        self._sock.close()

    def _reopen_soon(self) -> None:
        self._reopen_task = asyncio.get_running_loop().create_task(self.reopen())


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket without listening.

    Raises:
        PortTakenError: when another process holds the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as fault:
        sock.close()
        if fault.errno == errno.EADDRINUSE:
            raise PortTakenError(errno.EADDRINUSE, f"port {port} on {host} is in use") from None
        raise
    sock.setblocking(False)
    return sock


async def rebind(address: tuple[str, int]) -> socket.socket:
    """Bind an address again as soon as the kernel has let go of its last listener."""
    for _ in range(_REBIND_TRIES):
        try:
            return bind(*address)
        except PortTakenError:
            await asyncio.sleep(_REBIND_PAUSE_S)
    raise PortTakenError(errno.EADDRINUSE, f"port {address[1]} on {address[0]} is in use")


async def serve(listeners: Mapping[str, Listener]) -> None:
    """Listen on every port until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    for listener in listeners.values():
        await listener.start()
    await stopped.wait()
    await asyncio.gather(*(listener.stop() for listener in listeners.values()))
