"""Two ways to put load on a server.

A closed loop keeps a number of calls in flight: each connection asks again as soon as it is
answered, which finds the most a server can do. An open loop sends at moments fixed beforehand,
whatever the server does, and counts latency from the moment meant, so that a server that stalls
cannot make its own measurement pause (coordinated omission).
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.wire import Line, Place, Reply, connect

GRACE_S: Final = 30.0
"""What the last calls of a round get before the round is given up."""


class LoadError(Exception):
    """A call was not answered as it must be; figures from such a round would mean nothing."""


@dataclass(slots=True)
class Load:
    """What came of one round.

    Args:
        latencies_s: of each call.
        firsts_s: of each call, to the first byte of the answer's body.
        chunks: events of all streams together.
        elapsed_s: from the first call's start to the last one's end.
    """

    latencies_s: list[float] = field(default_factory=list[float])
    firsts_s: list[float] = field(default_factory=list[float])
    chunks: int = 0
    elapsed_s: float = 0.0

    @property
    def calls(self) -> int:
        """Count the calls."""
        return len(self.latencies_s)

    def note(self, reply: Reply, meant_s: float) -> None:
        """Count one answer.

        Args:
            reply: as it came.
            meant_s: moment at which the call should have been made.

        Raises:
            LoadError: when it is no success.
        """
        if not reply.ok:
            told = reply.body[:300].decode(errors="replace")
            raise LoadError(f"a call was answered {reply.status}: {told}")
        self.latencies_s.append(reply.ended_s - meant_s)
        self.firsts_s.append(reply.first_s - meant_s)
        self.chunks += reply.chunks


async def closed_loop(
    place: Place, requests: Iterator[bytes], connections: int, duration_s: float
) -> Load:
    """Keep `connections` calls in flight for a while.

    Raises:
        LoadError: when a call fails.
    """
    load = Load()
    lines = [await connect(place) for _ in range(connections)]
    began_s = time.monotonic()
    deadline_s = began_s + duration_s

    async def work(line: Line) -> None:
        while time.monotonic() < deadline_s:
            reply = await line.ask(next(requests))
            load.note(reply, reply.sent_s)

    await _all([work(line) for line in lines], lines, duration_s)
    load.elapsed_s = time.monotonic() - began_s
    return load


def arrivals(rate: float, duration_s: float, seed: int) -> list[float]:
    """Draw the moments of calls that come independently of one another (a Poisson process).

    Args:
        rate: calls a second, on average.
        duration_s: all moments lie before it.
        seed: the same seed gives the same moments.

    Returns:
        Seconds from the start, rising.
    """
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    moments: list[float] = []
    moment_s = source.expovariate(rate)
    while moment_s < duration_s:
        moments.append(moment_s)
        moment_s += source.expovariate(rate)
    return moments


async def open_loop(
    place: Place, requests: Iterator[bytes], moments: Sequence[float], connections: int
) -> Load:
    """Make one call at each moment, on a free connection or a new one.

    Args:
        place: the server.
        requests: what to send.
        moments: seconds from the start, rising.
        connections: opened beforehand.

    Raises:
        LoadError: when a call fails.
    """
    load = Load()
    lines = [await connect(place) for _ in range(connections)]
    free = list(lines)
    began_s = time.monotonic() + 0.01

    async def call(meant_s: float) -> None:
        line = free.pop() if free else None
        while line is not None and not line.is_open:
            line = free.pop() if free else None
        if line is None:
            line = await connect(place)
            lines.append(line)
        load.note(await line.ask(next(requests)), meant_s)
        free.append(line)

    async def depart(moment_s: float) -> None:
        await asyncio.sleep(max(0.0, began_s + moment_s - time.monotonic()))
        await call(began_s + moment_s)

    await _all([depart(m) for m in moments], lines, moments[-1] if moments else 0.0)
    load.elapsed_s = time.monotonic() - began_s
    return load


async def _all(
    work: Sequence[Coroutine[None, None, None]], lines: list[Line], duration_s: float
) -> None:
    try:
        async with asyncio.timeout(duration_s + GRACE_S):
            await asyncio.gather(*work)
    except TimeoutError as error:
        raise LoadError(f"calls were not answered within {GRACE_S:.0f} s") from error
    except OSError as error:
        raise LoadError(f"a connection broke: {error}") from error
    finally:
        for line in lines:
            line.close()
