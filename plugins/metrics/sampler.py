"""Reads now and then what is not counted but is just so: states, lengths, outages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plugins.core.metrics import Gauge, Metrics

EVERY_S: Final = 1.0

_log: Final = logging.getLogger("sluice.metrics")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a gauge is read.

    Args:
        gauge: the family.
        read: gives its value by label values; must not block.
    """

    gauge: Gauge
    read: Callable[[], Awaitable[Mapping[tuple[str, ...], float]]]


class Sampler:
    """One worker's readings, once a second.

    Args:
        metrics: where they go.
        readings: what is read.
    """

    def __init__(self, metrics: Metrics, readings: Sequence[Reading]) -> None:
        self._metrics: Final = metrics
        self._readings: Final = readings
        self._failing: Final[set[str]] = set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self.step()
            await asyncio.sleep(EVERY_S)

    async def step(self) -> None:
        """Read everything once; one that fails is said once and keeps no other waiting."""
        for reading in self._readings:
            try:
                values = await reading.read()
            except Exception:  # noqa: BLE001 - the others must go on
                if reading.gauge.name not in self._failing:
                    _log.exception("%s cannot be read", reading.gauge.name)
                self._failing.add(reading.gauge.name)
                continue
            self._failing.discard(reading.gauge.name)
            for labels, value in values.items():
                self._metrics.set(reading.gauge, value, *labels)
