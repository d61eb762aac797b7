"""Reads now and then what only a database knows; what cannot be read is absent, not old."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plugins.core.metrics import Gauge, Metrics

READ_LIMIT_S: Final = 5.0
"""A read that takes longer has failed."""

Values = Mapping[Gauge, Mapping[tuple[str, ...], float]]

_log: Final = logging.getLogger("sluice.metrics")


@dataclass(frozen=True, slots=True)
class Poll:
    """Gauges that are read together.

    Args:
        name: for the log.
        every_s: seconds from the end of one read to the next.
        read: gives the values by gauge and label values; gauges of `Merge.MOST` only.
    """

    name: str
    every_s: float
    read: Callable[[], Awaitable[Values]]


class Poller:
    """One worker's slow readings; none waits for another, and no call waits for any.

    Args:
        metrics: where values go.
        polls: what is read.
        limit_s: seconds that one read may take.
    """

    def __init__(
        self, metrics: Metrics, polls: Sequence[Poll], limit_s: float = READ_LIMIT_S
    ) -> None:
        self._metrics: Final = metrics
        self._polls: Final = tuple(polls)
        self._limit_s: Final = limit_s
        self._stated: Final[dict[str, set[tuple[Gauge, tuple[str, ...]]]]] = {}
        self._failing: Final[set[str]] = set()

    async def run(self) -> None:
        """Read for ever."""
        async with asyncio.TaskGroup() as group:
            for poll in self._polls:
                group.create_task(self._repeat(poll))

    async def _repeat(self, poll: Poll) -> None:
        while True:
            await self.step(poll)
            await asyncio.sleep(poll.every_s)

    async def step(self, poll: Poll) -> None:
        """Read once; a failure is said once and takes away what was stated before."""
        values: Values = {}
        try:
            async with asyncio.timeout(self._limit_s):
                values = await poll.read()
        except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
            if poll.name not in self._failing:
                _log.warning("%s cannot be read: %s", poll.name, type(error).__name__)
            self._failing.add(poll.name)
        else:
            self._failing.discard(poll.name)
        self._state(poll.name, values)

    def _state(self, name: str, values: Values) -> None:
        stated = {(gauge, labels) for gauge, found in values.items() for labels in found}
        for gauge, labels in self._stated.get(name, set()) - stated:
            self._metrics.clear(gauge, *labels)
        for gauge, labels in stated:
            self._metrics.set(gauge, values[gauge][labels], *labels)
        self._stated[name] = stated
