"""Tells of a change once, whichever workers found it."""

import logging
from typing import Final

from plugins.core.alerts import Alert, AlertPort
from plugins.core.metrics import Metrics
from plugins.drift.families import CHANGES
from plugins.drift.rules import Change
from plugins.drift.watch import SHOWN
from plugins.store.redis import RedisAway, RedisLink

TOLD: Final = "sluice:{drift}:told:"
NAME: Final = "model_drift_detected"

_log: Final = logging.getLogger("sluice.drift")


class Telling:
    """Says of each change, once an hour for each model, signal and direction, that it was found.

    While Redis is away every worker tells of what it finds itself: rather twice than not at all.

    Args:
        link: this worker's Redis.
        metrics: where changes are counted.
        alerts: where people are told.
    """

    def __init__(self, link: RedisLink, metrics: Metrics, alerts: AlertPort) -> None:
        self._link: Final = link
        self._metrics: Final = metrics
        self._alerts: Final = alerts

    async def tell(self, change: Change) -> None:
        """Tell, unless another worker has."""
        if not await self._claim(change):
            return
        _log.warning("%s", change.summary)
        self._metrics.add(CHANGES, change.model, change.signal.value)
        self._alerts.send(alert_of(change))

    async def _claim(self, change: Change) -> bool:
        key = f"{TOLD}{change.model}:{change.signal.value}:{change.direction}"
        lasts_ms = int(SHOWN.total_seconds() * 1000)
        try:
            return bool(await self._link.send("SET", key, "1", "NX", "PX", lasts_ms))
        except RedisAway:
            return True


def alert_of(change: Change) -> Alert:
    """Make the alert; nobody ever tells that a change is over, so it is momentary."""
    return Alert(
        name=NAME,
        subject=f"{change.model} {change.signal.value} {change.direction}",
        summary=change.summary,
        severity="medium",
        momentary=True,
        labels={"model": change.model, "signal": change.signal.value},
    )
