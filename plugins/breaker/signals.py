"""Who hears of a circuit's change: the log, a metric, a trace, and people (SPEC 8.3)."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from plugins.breaker.changes import CircuitChange, Listener
from plugins.breaker.rules import State
from plugins.breaker.store import Circuits
from plugins.core.alerts import Alert, AlertPort
from plugins.core.events import Event, EventPort
from plugins.core.metrics import Counter, Gauge, Metrics

STATE: Final = Gauge(
    "sluice_circuit_state", "0 closed, 1 half open, 2 open; as any worker sees it", ("provider",)
)
CHANGES: Final = Counter(
    "sluice_circuit_changes_total", "Changes of circuits", ("provider", "to", "by")
)
LEVELS: Final = {State.CLOSED: 0.0, State.HALF_OPEN: 1.0, State.OPEN: 2.0}
EVENT: Final = "sluice.circuit.changed"

_log: Final = logging.getLogger("sluice.breaker")


def logged(change: CircuitChange) -> None:
    """Write every change, probes too, as one line."""
    _log.warning("%s (it was %s)", change.summary, change.before.value)


def counted(metrics: Metrics) -> Listener:
    """Count every change."""
    return lambda change: metrics.add(CHANGES, change.provider, change.after.value, change.by)


def traced(events: EventPort) -> Listener:
    """Make an event of every change."""

    def listener(change: CircuitChange) -> None:
        attributes = {
            "sluice.provider": change.provider,
            "sluice.circuit.from": change.before.value,
            "sluice.circuit.to": change.after.value,
            "sluice.by": change.by,
        }
        events.emit(Event(EVENT, change.summary, attributes))

    return listener


def alerted(port: AlertPort) -> Listener:
    """Tell people when a circuit opens and when it closes again."""

    def listener(change: CircuitChange) -> None:
        alert = alert_of(change)
        if alert is not None:
            port.send(alert)

    return listener


def alert_of(change: CircuitChange) -> Alert | None:
    """Raise or resolve the alert of SPEC 8.3; half-open is neither."""
    was_open = change.before is not State.CLOSED
    is_open = change.after is not State.CLOSED
    if was_open == is_open:
        return None
    return Alert(
        name="circuit_breaker_opened",
        subject=change.provider,
        summary=change.summary,
        severity="critical",
        resolved=not is_open,
        labels={"provider": change.provider},
    )


def states(
    circuits: Circuits, providers: Collection[str]
) -> Callable[[], Awaitable[Mapping[tuple[str, ...], float]]]:
    """Make what reads `STATE`."""

    async def read() -> Mapping[tuple[str, ...], float]:
        return {(name,): LEVELS[circuits.get(name).shown] for name in providers}

    return read
