"""HTTP/1.1 on a socket, for an ASGI application, and no more of it than a provider's API needs.

The lock holds no httptools, and uvicorn's pure-Python parser (h11) alone costs 160 us of CPU per
call, more than the whole answer. This protocol reads a request completely, then starts the
application; `receive` therefore delivers the body in one message.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from selfhosted.practice.asgi import App, ClientGoneError, Message, Scope

if TYPE_CHECKING:
    from selfhosted.practice.server import Listener

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024
_ASGI = {"version": "3.0", "spec_version": "2.4"}
_NO_BODY = (204, 304)
_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_log = logging.getLogger(__name__)


class BadRequestError(ValueError):
    """The bytes on the socket are no HTTP request that this server takes."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection(asyncio.Protocol):
    """One client connection; its requests are answered one after another.

    Args:
        app: the ASGI application.
        listener: who accepted the connection; keeps the set of live ones.
    """

    def __init__(self, app: App, listener: "Listener") -> None:
        self._app = app
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._scope: Scope | None = None
        self._body_bytes = 0
        self._chunked = False
        self._keep_alive = True
        self._body = b""
        self._body_taken = False
        self._start: Message | None = None
        self._framed = False
        self._answered = True
        self._gone = False
        self._gone_waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._write_paused = False
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._peer: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport and the peer's address."""
        self._transport = cast("asyncio.Transport", transport)
        self._peer = transport.get_extra_info("peername")
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for this client."""
        del exc
        self._gone = True
        self._listener.connections.discard(self)
        for waiter in (self._gone_waiter, self._drain_waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def pause_writing(self) -> None:
        """Make senders wait: the client reads more slowly than we write."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Let senders go on."""
        self._write_paused = False
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Collect bytes; start the application when a request is complete."""
        self._buffer += data
        if self._task is None:
            self._advance()
        elif len(self._buffer) > MAX_HEAD_BYTES:
            self._transport.pause_reading()

    def close_when_idle(self) -> None:
        """Close now, or after the answer that is being written."""
        self._keep_alive = False
        if self._task is None:
            self._transport.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset, as a crashed provider would."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def hang_up(self) -> None:
        """Close after what was written has been delivered, without completing the answer."""
        self._transport.close()

    def _advance(self) -> None:
        try:
            if self._scope is None and not self._read_head():
                return
            if not self._read_body():
                return
        except BadRequestError as fault:
            self._refuse(fault)
            return
        self._task = self._loop.create_task(self._serve())

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequestError(431, f"request head is over {MAX_HEAD_BYTES} bytes")
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        first, *lines = head.split(b"\r\n")
        parts = first.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise BadRequestError(400, "no HTTP/1.x request line")
        headers: list[tuple[bytes, bytes]] = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise BadRequestError(400, "a header line has no colon")
            headers.append((name.lower(), value.strip()))
        self._scope = self._make_scope(parts[0], parts[1], parts[2], headers)
        self._read_framing(parts[2], dict(headers))
        return True

    def _make_scope(
        self, method: bytes, target: bytes, version: bytes, headers: list[tuple[bytes, bytes]]
    ) -> Scope:
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("latin-1")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version[5:].decode("latin-1"),
            "method": method.decode("latin-1"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._peer,
            "server": self._listener.address,
            "extensions": {"practice.connection": self},
        }

    def _read_framing(self, version: bytes, headers: dict[bytes, bytes]) -> None:
        connection = headers.get(b"connection", b"").lower()
        self._keep_alive = self._listener.open and (
            connection != b"close" if version == b"HTTP/1.1" else connection == b"keep-alive"
        )
        self._chunked = b"chunked" in headers.get(b"transfer-encoding", b"").lower()
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise BadRequestError(400, "content-length is no number")
        self._body_bytes = int(length)
        if self._body_bytes > MAX_BODY_BYTES:
            raise BadRequestError(413, f"body is over {MAX_BODY_BYTES} bytes")
        if headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_body(self) -> bool:
        if self._chunked:
            taken = dechunk(self._buffer)
            if taken is None:
                return False
            self._body, used = taken
            del self._buffer[:used]
            return True
        if len(self._buffer) < self._body_bytes:
            return False
        self._body = bytes(self._buffer[: self._body_bytes])
        del self._buffer[: self._body_bytes]
        return True

    def _refuse(self, fault: BadRequestError) -> None:
        text = str(fault).encode()
        self._transport.write(
            _LINES[fault.status]
            + b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (len(text), text)
        )
        self._transport.close()

    async def _serve(self) -> None:
        scope = cast("Scope", self._scope)
        self._body_taken = self._answered = self._framed = False
        self._start = None
        try:
            await self._app(scope, self._receive, self._send)
        except ClientGoneError:
            self._transport.close()
        except Exception:  # noqa: BLE001  # the last frame: one request must not end the server
            _log.exception("the application failed on %s", scope["path"])
            self.reset()
        self._task = None
        self._scope = None
        if not self._answered or not self._keep_alive:
            self._transport.close()
        elif not self._gone:
            self._transport.resume_reading()
            if self._buffer:
                self._advance()

    async def _receive(self) -> Message:
        if not self._body_taken:
            self._body_taken = True
            body, self._body = self._body, b""
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._gone and not self._answered:
            self._gone_waiter = self._loop.create_future()
            await self._gone_waiter
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone:
            raise ClientGoneError("the client closed the connection")
        if message["type"] == "http.response.start":
            self._start = message
            return
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._start is not None:
            self._transport.write(self._head(self._start, body, more=more))
            self._start = None
        else:
            self._transport.write(self._frame(body, more=more))
        self._answered = not more
        if self._write_paused:
            self._drain_waiter = self._loop.create_future()
            await self._drain_waiter

    def _head(self, start: Message, body: bytes, *, more: bool) -> bytes:
        status: int = start["status"]
        parts = [_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        for name, value in start["headers"]:
            parts += (name, b": ", value, b"\r\n")
        if not self._keep_alive:
            parts.append(b"connection: close\r\n")
        if more:
            self._framed = True
            parts.append(b"transfer-encoding: chunked\r\n\r\n")
        elif status in _NO_BODY:
            parts.append(b"\r\n")
        else:
            parts.append(b"content-length: %d\r\n\r\n" % len(body))
        parts.append(self._frame(body, more=more))
        return b"".join(parts)

    def _frame(self, body: bytes, *, more: bool) -> bytes:
        if not self._framed:
            return body
        data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return data if more else data + b"0\r\n\r\n"


def dechunk(buffer: bytearray) -> tuple[bytes, int] | None:
    """Take a chunked body off the front of a buffer.

    Args:
        buffer: bytes received after the request's head.

    Returns:
        The body and the number of bytes it took, or None while it is incomplete.

    Raises:
        BadRequestError: when the framing is broken or the body is over MAX_BODY_BYTES.
    """
    body = bytearray()
    at = 0
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        try:
            size = int(buffer[at:end].split(b";")[0], 16)
        except ValueError:
            raise BadRequestError(400, "a chunk has no hexadecimal size") from None
        if size + len(body) > MAX_BODY_BYTES:
            raise BadRequestError(413, f"body is over {MAX_BODY_BYTES} bytes")
        at = end + 2
        if size == 0:
            done = buffer.find(b"\r\n", at)
            return None if done < 0 else (bytes(body), done + 2)
        if len(buffer) < at + size + 2:
            return None
        body += buffer[at : at + size]
        at += size + 2
