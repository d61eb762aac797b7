"""The loop that brings one sender's alerts to its receiver, whatever the receiver does."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from plugins.alerts import families
from plugins.alerts.backoff import Answer, Schedule, meaning, retry_after_s
from plugins.alerts.http import Post, Undeliverable
from plugins.alerts.notice import Notice, Sender
from plugins.alerts.pending import Pending, Waiting
from plugins.core.clock import Clock
from plugins.core.metrics import Metrics

QUEUE_SIZE: Final = 100

_log: Final = logging.getLogger("sluice.alerts")


@dataclass(frozen=True, slots=True)
class Target:
    """One configured sender.

    Args:
        name: its own, for logs and metrics.
        kind: what it speaks.
        sender: writes its requests.
        severities: those it is told of.
        host: where it sends, for people; without what may be secret.
        resend_s: seconds after which what still fires is told again; 0 for never.
    """

    name: str
    kind: str
    sender: Sender
    severities: Collection[str]
    host: str = ""
    resend_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one try.

    Args:
        answer: whether it arrived, and whether to try again.
        status: of HTTP, or None.
        error: why there is no status, in a few words.
        retry_after_s: seconds that the receiver asked for, or 0.
    """

    answer: Answer
    status: int | None = None
    error: str | None = None
    retry_after_s: float = 0.0

    @property
    def why(self) -> str:
        """Say it in a few words."""
        return self.error or f"status {self.status}"


@dataclass(slots=True)
class Delivery:
    """One target's queue and the loop that empties it.

    Args:
        target: who is told, and how.
        post: makes requests.
        metrics: where outcomes are counted.
        clock: wall and monotonic time.
        chance: uniform in [0, 1).
        schedule: when to try again.
    """

    target: Target
    post: Post
    metrics: Metrics
    clock: Clock
    chance: Callable[[], float]
    schedule: Schedule = field(default_factory=Schedule)
    pending: Pending = field(default_factory=lambda: Pending(QUEUE_SIZE))
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def accept(self, notice: Notice) -> None:
        """Take a notice in, if this target is told of its severity."""
        if notice.alert.severity not in self.target.severities:
            return
        if notice.repeated and self.pending.holds(notice.key):
            return
        dropped = self.pending.push(notice)
        if dropped is not None:
            self._count(families.DROPPED)
            _log.error(
                "alert %s (%s) is not delivered to %s: %d wait already",
                dropped.alert.name,
                dropped.alert.subject,
                self.target.name,
                len(self.pending),
            )
        self._news.set()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            await self.step()
            due_s = self.pending.next_due_s()
            wait_s = None if due_s is None else max(due_s - self.clock.monotonic_s(), 0.0)
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def step(self) -> None:
        """Try everything once that is due now."""
        while (waiting := self.pending.due(self.clock.monotonic_s())) is not None:
            waiting.tried += 1
            tried = await self.attempt(waiting.notice)
            pause_s = self._pause_s(waiting, tried)
            if pause_s is None:
                self.pending.remove(waiting)
                self._end(waiting, tried)
            else:
                waiting.due_s = self.clock.monotonic_s() + pause_s
                self._count(families.AGAIN)

    async def attempt(self, notice: Notice) -> Tried:
        """Try once; never raises."""
        try:
            outgoing = self.target.sender.request(notice, self.clock.now())
            if outgoing is None:
                return Tried(Answer.DELIVERED)
            received = await self.post(outgoing)
        except Undeliverable as error:
            return Tried(Answer.AGAIN, error=str(error))
        except Exception as error:  # noqa: BLE001 - one alert's bug must not stop the others
            _log.exception("alert %s cannot be written for %s", notice.alert.name, self.target.name)
            return Tried(Answer.REFUSED, error=f"the gateway failed ({type(error).__name__})")
        wait_s = retry_after_s(received.retry_after, self.clock.now())
        return Tried(meaning(received.status), received.status, retry_after_s=wait_s)

    def _pause_s(self, waiting: Waiting, tried: Tried) -> float | None:
        # What was told before is told again in its next round anyhow.
        if tried.answer is not Answer.AGAIN or waiting.notice.repeated:
            return None
        age_s = (self.clock.now() - waiting.notice.at).total_seconds()
        return self.schedule.pause_s(
            waiting.tried, age_s, chance=self.chance(), retry_after_s=tried.retry_after_s
        )

    def _end(self, waiting: Waiting, tried: Tried) -> None:
        if tried.answer is Answer.DELIVERED:
            self._count(families.DELIVERED)
            return
        refused = tried.answer is Answer.REFUSED
        self._count(families.REFUSED if refused else families.GIVEN_UP)
        _log.error(
            "alert %s (%s, %s) was not delivered to %s after %d tries: %s",
            waiting.notice.alert.name,
            waiting.notice.alert.subject,
            waiting.notice.alert.state,
            self.target.name,
            waiting.tried,
            tried.why,
        )

    def _count(self, outcome: str) -> None:
        self.metrics.add(families.DELIVERIES, self.target.name, outcome)
