"""Fakes that remember, for tests of whoever uses a port."""

from collections import Counter as Tally
from datetime import UTC, datetime, timedelta

from plugins.core.events import Event
from plugins.core.metrics import Counter, Family, Gauge, Histogram


class SetClock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return 1_000.0 + self.passed_s


class RememberedMetrics:
    """Keeps every sample; a wrong number of labels fails the test."""

    def __init__(self) -> None:
        self.counts: Tally[tuple[str, ...]] = Tally()
        self.values: dict[tuple[str, ...], float] = {}
        self.observed: list[tuple[str, float, tuple[str, ...]]] = []
        self.traces: list[tuple[str, str]] = []

    def add(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        self.counts[self._key(counter, labels)] += by  # type: ignore[assignment]

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        self.values[self._key(gauge, labels)] = value

    def clear(self, gauge: Gauge, *labels: str) -> None:
        self.values.pop(self._key(gauge, labels), None)

    def observe(self, histogram: Histogram, value: float, *labels: str, trace_id: str = "") -> None:
        self._key(histogram, labels)
        if trace_id:
            self.traces.append((histogram.name, trace_id))
        self.observed.append((histogram.name, value, labels))

    def _key(self, family: Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        assert len(labels) == len(family.labels), (family.name, labels)
        return (family.name, *labels)


class RememberedEvents:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)
