"""A small HTTP/1.1 client: the machine that is measured also runs it, so it must cost little."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, cast

import httptools
from typing_extensions import override

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens.

    Args:
        host: its address.
        port: its number.
    """

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer.

    Args:
        status: of HTTP.
        body: all of it.
        sent_s: monotonic moment at which the request was written.
        first_s: moment of the first byte of the body.
        ended_s: moment of the last one.
    """

    status: int
    body: bytes
    sent_s: float
    first_s: float
    ended_s: float

    @property
    def ok(self) -> bool:
        """Tell whether the call was answered, with a stream's end if it was a stream."""
        is_stream = self.body.startswith((b"data:", b": "))
        return self.status == _OK and (not is_stream or b"[DONE]" in self.body[-40:])

    @property
    def chunks(self) -> int:
        """Count the events of a stream."""
        return self.body.count(b"\n\n")


class Line(asyncio.Protocol):
    """One kept-alive connection that carries one call at a time."""

    def __init__(self) -> None:
        self._parser: Final = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._body: list[bytes] = []
        self._sent_s = self._first_s = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether another call can be made."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Reply:
        """Make one call.

        Args:
            request: head and body.

        Raises:
            OSError: when the connection ends before the answer does.
        """
        if self._transport is None or self._waiting is not None:
            raise ConnectionError("the connection is closed or busy")
        self._waiting = asyncio.get_running_loop().create_future()
        self._sent_s, self._first_s = time.monotonic(), 0.0
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Let the connection go."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(ConnectionError("the server closed the connection") if exc is None else exc)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if not self._first_s:
            self._first_s = time.monotonic()
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer to whoever waits for it."""
        ended_s = time.monotonic()
        body, self._body = b"".join(self._body), []
        status = self._parser.get_status_code()
        self._end(Reply(status, body, self._sent_s, self._first_s or ended_s, ended_s))

    def _end(self, outcome: Reply | Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, Reply):
            waiting.set_result(outcome)
        else:
            waiting.set_exception(outcome)


async def connect(place: Place) -> Line:
    """Open a connection."""
    _, line = await asyncio.get_running_loop().create_connection(Line, place.host, place.port)
    return line
