"""One Redis client per worker that fails fast and does not try again for a moment.

A stopped Redis must cost the first call a short time-out and the next ones nothing. What several
features, or several calls, want of Redis at the same moment goes in one round trip (`send`).
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError, NoScriptError, RedisError

from plugins.core.clock import Clock
from plugins.core.errors import Unavailable

TIMEOUT_S: Final = 0.25
QUIET_S: Final = 0.5
LISTEN_S: Final = 5.0
MAX_CONNECTIONS: Final = 64
LISTENERS: Final = 8
"""Connections beside those, which `listen` holds for long."""
MAX_BATCH: Final = 256
MAX_FLIGHTS: Final = 2
"""Batches under way at once: what comes meanwhile travels together in the next."""

Argument = str | bytes | int | float

_log: Final = logging.getLogger("sluice.redis")
_T = TypeVar("_T")


class RedisAway(Unavailable):
    """Redis did not answer, or did not a moment ago, or has too much to do."""


class Script:
    """A Lua script, sent by its hash once Redis knows it.

    Args:
        source: in Lua; its KEYS must share one hash slot.
    """

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self.sha: Final = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """Runs commands while Redis answers, and refuses at once for `QUIET_S` after it did not.

    More than `MAX_CONNECTIONS` commands at once wait for one another, for `timeout_s` at most;
    that alone never counts as an outage.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        clock: tells when the quiet time is over.
        timeout_s: longest wait for a connection, an answer, or a turn; what calls can bear.
    """

    def __init__(self, url: str, clock: Clock, *, timeout_s: float = TIMEOUT_S) -> None:
        self._client: Final = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            max_connections=MAX_CONNECTIONS + LISTENERS,
        )
        self._clock: Final = clock
        self._timeout_s: Final = timeout_s
        self._free: Final = asyncio.Semaphore(MAX_CONNECTIONS)
        self._quiet_until_s = 0.0
        self._away = False
        self._queue: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]] = []
        self._flights = 0
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    @property
    def is_quiet(self) -> bool:
        """Tell whether Redis failed a moment ago and is left alone."""
        return self._clock.monotonic_s() < self._quiet_until_s

    @property
    def is_away(self) -> bool:
        """Tell whether the last command found Redis away."""
        return self._away

    async def run(self, command: "Callable[[Redis], Awaitable[_T]]") -> _T:
        """Run one command.

        Args:
            command: takes the client and starts the command.

        Raises:
            RedisAway: when Redis is away, was a moment ago, has too much to do, or refused the
                command for want of memory or a replica. Whether it was carried out is then unknown.
        """
        self._refuse_while_quiet()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise RedisAway(f"{MAX_CONNECTIONS} commands are waiting for Redis") from error
        try:
            # It may have gone while this command waited.
            self._refuse_while_quiet()
            answer = await command(self._client)
        except MaxConnectionsError as error:
            raise RedisAway("all connections to Redis are in use") from error
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until_s = self._clock.monotonic_s() + QUIET_S
            self._say(error)
            raise RedisAway(f"Redis: {type(error).__name__}") from error
        finally:
            self._free.release()
        self._say(None)
        return answer

    async def send(self, *command: Argument) -> Any:
        """Run one command in one round trip with whatever else is sent at the same moment.

        Args:
            command: its name and arguments, such as `"GET", key`; never one that blocks.

        Returns:
            Redis' answer, as redis-py reads it for that command.

        Raises:
            RedisAway: as `run`; also when Redis refused this command alone.
        """
        answer = await self._queued(command)
        if isinstance(answer, Exception):
            raise RedisAway(f"Redis: {type(answer).__name__}") from answer
        return answer

    async def call(
        self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> Any:
        """Run a script in one round trip with whatever else is sent at the same moment.

        Raises:
            RedisAway: as `send`.
        """
        return await self.start(script, keys, arguments)

    def start(
        self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> Coroutine[Any, Any, Any]:
        """Send a script off as `call` does, at once; its answer may be awaited later, elsewhere.

        Raises:
            RedisAway: as `send`.
        """
        rest = (len(keys), *keys, *arguments)
        return self._script_answer(self._queued(("EVALSHA", script.sha, *rest)), script, rest)

    async def _script_answer(
        self, queued: asyncio.Future[Any], script: Script, rest: tuple[Argument, ...]
    ) -> Any:
        answer = await queued
        if isinstance(answer, NoScriptError):
            return await self.send("EVAL", script.source, *rest)
        if isinstance(answer, Exception):
            raise RedisAway(f"Redis: {type(answer).__name__}") from answer
        return answer

    def _queued(self, command: tuple[Argument, ...]) -> asyncio.Future[Any]:
        self._refuse_while_quiet()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._queue.append((command, answer))
        if len(self._queue) == 1:
            loop.call_soon(self._depart)
        return answer

    def _depart(self) -> None:
        """Send off what waits, unless enough is under way: that takes it along when it is back."""
        while self._queue and self._flights < MAX_FLIGHTS:
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            self._flights += 1
            task = asyncio.create_task(self._carry(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, batch: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]]) -> None:
        async def execute(redis: Redis) -> list[Any]:
            pipeline: Any = redis.pipeline(transaction=False)
            for command, _ in batch:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

        answers: list[Any] = [RedisAway("Redis did not answer") for _ in batch]
        try:
            with contextlib.suppress(RedisAway):
                answers = await self.run(execute)
        finally:
            self._flights -= 1
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            self._depart()

    def _refuse_while_quiet(self) -> None:
        if self.is_quiet:
            raise RedisAway("Redis was away a moment ago")

    def _say(self, error: Exception | None) -> None:
        """Log when Redis goes and when it is back; never its address, which may hold a password."""
        if self._away == (error is not None):
            return
        self._away = error is not None
        if error is not None:
            _log.warning("Redis is away: %s", type(error).__name__)
        else:
            _log.warning("Redis answers again")

    async def listen(self, channel: str, notice: Callable[[], None]) -> None:
        """Call `notice` for every message on a channel, until Redis goes away.

        Raises:
            RedisAway: when it does.
        """
        try:
            pubsub: Any = self._client.pubsub()  # pyright: ignore[reportUnknownMemberType]
            async with pubsub as subscription:
                await subscription.subscribe(channel)
                while True:
                    message: object = await subscription.get_message(
                        ignore_subscribe_messages=True, timeout=LISTEN_S
                    )
                    if message is not None:
                        notice()
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisAway(f"Redis: {type(error).__name__}") from error
