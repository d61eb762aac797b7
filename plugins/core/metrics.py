"""What is measured: families fixed in code, and the port through which samples go.

A label's values must be few and known beforehand: agents, providers, tiers, stable words. Never a
tenant, key, session or text of a client's; `among` puts what is not known under `other`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

OTHER: Final = "other"
NONE: Final = "none"

LATENCIES_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0),
    *(10.0, 20.0, 30.0, 60.0, 120.0),
)
"""Upper bounds for the latencies of language models; 3 s is an alert's threshold (SPEC 9.3)."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and all its label sets.

    Args:
        name: as Prometheus names it, with its unit; counters end in `_total`.
        help: one line for whoever reads the metric; short, since every series keeps it.
        labels: names of the labels, in the order in which values are given.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counter(Family):
    """Only grows; all workers' values add up."""


class Merge(StrEnum):
    """How the living workers' values of a gauge become one."""

    SUM = "livesum"
    """Each worker has a part of it, such as a queue of its own."""
    MOST = "livemax"
    """All see the same thing, such as a circuit; the worst view counts."""


@dataclass(frozen=True, slots=True)
class Gauge(Family):
    """Goes up and down.

    Args:
        merge: what becomes of the workers' values.
    """

    merge: Merge = Merge.MOST


@dataclass(frozen=True, slots=True)
class Histogram(Family):
    """How often a value fell below each bound; all workers' counts add up.

    Args:
        bounds: ascending upper bounds, without infinity.
    """

    bounds: tuple[float, ...] = LATENCIES_S


ABSENT: Final = float("-inf")
"""How a worker without a value writes it: any other worker's is more, and alone it is left out."""


class Metrics(Protocol):
    """Where samples go; never waits and never fails the caller."""

    def add(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        """Count.

        Args:
            counter: the family.
            labels: its labels' values, in order.
            by: how much, at least 0.
        """
        ...

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """State this worker's value."""
        ...

    def clear(self, gauge: Gauge, *labels: str) -> None:
        """State nothing any more of a gauge of `Merge.MOST`; absent when no worker states it."""
        ...

    def observe(self, histogram: Histogram, value: float, *labels: str, trace_id: str = "") -> None:
        """Note one value.

        Args:
            histogram: the family.
            value: in the family's unit.
            labels: its labels' values, in order.
            trace_id: 32 hexadecimal digits of a trace that shows such a value; none when empty.
        """
        ...


def among(value: str | None, known: Collection[str]) -> str:
    """Give a label's value: `none` when there is none, `other` when it is not a known one."""
    if not value:
        return NONE
    return value if value in known else OTHER
