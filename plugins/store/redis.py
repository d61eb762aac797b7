"""One Redis client per worker that fails fast and does not try again for a moment.

A stopped Redis must cost the first call a short time-out and the next ones nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from plugins.core.clock import Clock
from plugins.core.errors import Unavailable

TIMEOUT_S: Final = 0.25
QUIET_S: Final = 0.5
LISTEN_S: Final = 5.0
MAX_CONNECTIONS: Final = 64

_T = TypeVar("_T")


class RedisAway(Unavailable):
    """Redis did not answer, or did not a moment ago."""


class RedisLink:
    """Runs commands while Redis answers, and refuses at once for `QUIET_S` after it did not.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        clock: tells when the quiet time is over.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self._client: Final = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            max_connections=MAX_CONNECTIONS,
        )
        self._clock: Final = clock
        self._quiet_until_s = 0.0

    @property
    def is_quiet(self) -> bool:
        """Tell whether Redis failed a moment ago and is left alone."""
        return self._clock.monotonic_s() < self._quiet_until_s

    async def run(self, command: "Callable[[Redis], Awaitable[_T]]") -> _T:
        """Run one command.

        Args:
            command: takes the client and starts the command.

        Raises:
            RedisAway: when Redis is away, was a moment ago, or refused the command for want of
                memory or a replica. Whether it was carried out is then unknown.
        """
        if self.is_quiet:
            raise RedisAway("Redis was away a moment ago")
        try:
            return await command(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until_s = self._clock.monotonic_s() + QUIET_S
            raise RedisAway(f"Redis: {type(error).__name__}") from error

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

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
