"""Asks the moderation endpoint; spares it for a while when it does not answer."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp

from plugins.core.clock import Clock
from plugins.core.metrics import Metrics
from plugins.moderation.api_rules import Flagged, Item, read, request_of
from plugins.moderation.families import REQUESTS, SECONDS

FAILURES_TO_SPARE: Final = 3
SPARED_S: Final = 5.0
"""An outage must not cost every call the whole of its check's time."""
LONGEST_BYTES: Final = 1_000_000
_CONNECTIONS: Final = 64
_IDLE_S: Final = 30.0
_OK: Final = 200

_log: Final = logging.getLogger("sluice.moderation")


class Unreachable(OSError):  # noqa: N818 - says what became of a request
    """The endpoint gave no judgement; the text says why, and holds no address and no content."""


class ModerationClient:
    """One worker's client: a pool of connections, and a memory of failures.

    Each worker finds out for itself that the endpoint is away: that costs three calls their
    patience, and nothing has to be shared.

    Args:
        url: of the endpoint.
        key: of the provider; None where it needs none.
        model: that judges.
        clock: monotonic time.
        metrics: where requests are counted.
        told: hears True when the endpoint begins to be spared, False when it answers again.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        model: str,
        clock: Clock,
        metrics: Metrics,
        told: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._url: Final = url
        self._headers: Final = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {key}"} if key else {}
        )
        self._model: Final = model
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._told: Final = told
        self._session: aiohttp.ClientSession | None = None
        self._failures = 0
        self._spared_until_s = 0.0

    async def ask(self, items: Sequence[Item]) -> list[Flagged]:
        """Judge; the caller sets the time limit, and cancelling counts as no answer.

        Raises:
            Unreachable: refused, broken off, an error status, an answer that cannot be read, or
                spared.
        """
        started_s = self._clock.monotonic_s()
        if self._failures >= FAILURES_TO_SPARE:
            if started_s < self._spared_until_s:
                self._metrics.add(REQUESTS, "spared")
                raise Unreachable("it has not answered lately")
            # This call tries whether it is back; the others are spared until that is known.
            self._spared_until_s = started_s + SPARED_S
        try:
            found = await self._ask(items)
        except Unreachable:
            self._failed("unreachable")
            raise
        self._answered()
        self._metrics.add(REQUESTS, "flagged" if found else "clean")
        self._metrics.observe(SECONDS, self._clock.monotonic_s() - started_s)
        return found

    def timed_out(self) -> None:
        """Learn that a caller's patience is at its end."""
        self._failed("timed_out")

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, items: Sequence[Item]) -> list[Flagged]:
        body = request_of(self._model, items)
        try:
            status, answer = await self._post_twice(body)
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"no answer ({type(error).__name__})") from None
        if status != _OK:
            raise Unreachable(f"it answered with status {status}")
        try:
            return read(answer, items)
        except ValueError as error:
            raise Unreachable(f"its answer cannot be read ({type(error).__name__})") from None

    async def _post_twice(self, body: bytes) -> tuple[int, bytes]:
        try:
            return await self._post(body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # Most likely a kept connection that the server has closed meanwhile.
            return await self._post(body)

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        async with self._opened().post(
            self._url, data=body, headers=self._headers, allow_redirects=False
        ) as answer:
            raw = await answer.content.read(LONGEST_BYTES)
            while not answer.content.at_eof() and len(raw) < LONGEST_BYTES:
                raw += await answer.content.read(LONGEST_BYTES)
            return answer.status, raw

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE_S),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _failed(self, how: str) -> None:
        self._metrics.add(REQUESTS, how)
        self._failures += 1
        if self._failures < FAILURES_TO_SPARE:
            return
        self._spared_until_s = self._clock.monotonic_s() + SPARED_S
        if self._failures == FAILURES_TO_SPARE:
            _log.warning(
                "the moderation endpoint is %s: it is spared, and one call each %g s tries it",
                how.replace("_", " "),
                SPARED_S,
            )
            self._told(True)

    def _answered(self) -> None:
        if self._failures >= FAILURES_TO_SPARE:
            _log.warning("the moderation endpoint answers again")
            self._told(False)
        self._failures = 0


async def within(
    client: ModerationClient, task: asyncio.Task[list[Flagged]], left_s: float
) -> list[Flagged]:
    """Wait for a judgement that is under way.

    Args:
        client: learns of it when time is over.
        task: of `ModerationClient.ask`.
        left_s: seconds.

    Raises:
        Unreachable: when there is none, or none in time; the request is given up then.
    """
    try:
        return await asyncio.wait_for(task, max(0.0, left_s))
    except TimeoutError:
        client.timed_out()
        raise Unreachable("no answer in time") from None
