"""The alert port itself: takes alerts from everywhere and brings each to every sender once."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from plugins.alerts import families
from plugins.alerts.claims import Claims
from plugins.alerts.delivery import Delivery, Tried
from plugins.alerts.notice import Notice
from plugins.alerts.pending import Pending
from plugins.core.alerts import Alert, AlertPort
from plugins.core.clock import Clock
from plugins.core.metrics import Metrics

INTAKE_SIZE: Final = 1_000
"""Alerts that may wait for their claim, which takes a quarter of a second at the very most."""

TEST_ALERT: Final = Alert(
    name="sluice_test",
    subject="test",
    summary="Sluice test alert: this sender works",
    severity="medium",
    momentary=True,
)

_log: Final = logging.getLogger("sluice.alerts")


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test alert at one sender."""

    delivery: Delivery
    tried: Tried
    took_s: float


class Dispatcher(AlertPort):
    """Brings alerts to all senders, in the background.

    Args:
        claims: decides which worker delivers.
        deliveries: one for each sender.
        metrics: where alerts are counted.
        clock: wall and monotonic time.
    """

    def __init__(
        self, claims: Claims, deliveries: Sequence[Delivery], metrics: Metrics, clock: Clock
    ) -> None:
        self._claims: Final = claims
        self._deliveries: Final = tuple(deliveries)
        self._metrics: Final = metrics
        self._clock: Final = clock
        self._intake: Final = Pending(INTAKE_SIZE)
        self._news: Final = asyncio.Event()

    @override
    def send(self, alert: Alert) -> None:
        """Take an alert over; never waits and never raises."""
        now = self._clock.now()
        dropped = self._intake.push(Notice(alert, now, now))
        if dropped is not None:
            self._metrics.add(families.DELIVERIES, "intake", families.DROPPED)
            name, subject = dropped.key
            _log.error("alert %s (%s) is dropped: too many at once", name, subject)
        self._news.set()

    async def run(self) -> None:
        """Claim and deliver for ever."""
        async with asyncio.TaskGroup() as group:
            for delivery in self._deliveries:
                group.create_task(delivery.run())
                if delivery.target.resend_s:
                    group.create_task(self._resend(delivery))
            while True:
                await self._news.wait()
                self._news.clear()
                await self.take_in()

    async def take_in(self) -> None:
        """Claim what has been sent, in its order, and hand it to the senders."""
        while (waiting := self._intake.due(0.0)) is not None:
            self._intake.remove(waiting)
            alert = waiting.notice.alert
            notice: Notice | None = waiting.notice
            try:
                notice = await self._claims.claim(alert, waiting.notice.at)
            except Exception:  # noqa: BLE001 - rather told twice than not at all
                _log.exception("alert %s could not be claimed; it is delivered", alert.name)
            if notice is None:
                continue
            self._metrics.add(families.ALERTS, alert.name, alert.severity, alert.state)
            for delivery in self._deliveries:
                delivery.accept(notice)

    async def test(self) -> list[Tested]:
        """Send a test alert to every sender at once, whatever its severities; one try each."""
        now = self._clock.now()
        notice = Notice(TEST_ALERT, now, now)

        async def tested(delivery: Delivery) -> Tested:
            began_s = self._clock.monotonic_s()
            tried = await delivery.attempt(notice)
            return Tested(delivery, tried, self._clock.monotonic_s() - began_s)

        return await asyncio.gather(*map(tested, self._deliveries))

    async def waiting(self) -> Mapping[tuple[str, ...], float]:
        """Give the length of every sender's queue."""
        return {(each.target.name,): float(len(each.pending)) for each in self._deliveries}

    async def _resend(self, delivery: Delivery) -> None:
        every_s = delivery.target.resend_s
        while True:
            await asyncio.sleep(every_s)
            try:
                for notice in await self._claims.firing(delivery.target.name, every_s):
                    delivery.accept(notice)
            except Exception:  # noqa: BLE001 - the loop must outlive any outage
                _log.exception("what still fires could not be told again")
