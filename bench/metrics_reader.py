"""Reads `GET /metrics`: samples by family and labels, sums, percentiles and exemplars.

For whoever compares what the gateway says of itself with what others know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_metrics

ACCEPT_OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0"
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """One scrape.

    Args:
        samples: by name (a histogram's end in `_bucket`, `_count`, `_sum`), then by labels.
        traces: trace of each bucket that has an exemplar, by family and labels.
    """

    samples: Mapping[str, Mapping[Labels, float]]
    traces: Mapping[str, Mapping[Labels, str]]

    def total(self, name: str, **labels: str) -> float:
        """Sum all samples of a name that have these labels; 0.0 without any."""
        wanted = labels.items()
        found = self.samples.get(name, {})
        return sum(value for has, value in found.items() if wanted <= dict(has).items())

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Sum the samples of a name by some of their labels; those of 0 are left out."""
        sums: dict[tuple[str, ...], float] = {}
        for has, value in self.samples.get(name, {}).items():
            key = tuple(dict(has)[label] for label in labels)
            sums[key] = sums.get(key, 0.0) + value
        return {key: value for key, value in sums.items() if value}

    def since(self, earlier: "Page") -> "Page":
        """Give what came after an earlier page of the same gateway; of counters, not of gauges."""
        return Page(
            {
                name: {
                    labels: value - earlier.samples.get(name, {}).get(labels, 0.0)
                    for labels, value in found.items()
                }
                for name, found in self.samples.items()
            },
            self.traces,
        )

    def bounds_of(self, family: str, share: float, **labels: str) -> tuple[float, float]:
        """Give the bucket in which a histogram's percentile lies.

        Args:
            family: the histogram.
            share: such as 0.95, above 0 and at most 1.
            labels: which of its label sets; all of them together without any.

        Returns:
            The bucket's lower bound, which is not in it, and its upper one, which is.

        Raises:
            ValueError: when nothing was observed.
        """
        below: dict[float, float] = {}
        wanted = labels.items()
        for has, value in self.samples.get(f"{family}_bucket", {}).items():
            told = dict(has)
            if wanted <= told.items():
                bound = float(told["le"])
                below[bound] = below.get(bound, 0.0) + value
        count = max(below.values(), default=0.0)
        if not count:
            raise ValueError(f"{family}: nothing was observed with {labels}")
        lower = 0.0
        for bound, value in sorted(below.items()):
            if value >= share * count:
                return lower, bound
            lower = bound
        raise AssertionError("the last bucket holds everything")


def read(text: str) -> Page:
    """Read a page of Prometheus' text format, or of OpenMetrics, which ends in `# EOF`.

    Raises:
        ValueError: when it is neither.
    """
    samples: dict[str, dict[Labels, float]] = {}
    traces: dict[str, dict[Labels, str]] = {}
    reader = cast("Any", open_metrics if text.endswith("# EOF\n") else parser)
    for family in reader.text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            samples.setdefault(sample.name, {})[labels] = sample.value
            if sample.exemplar is not None:
                trace = sample.exemplar.labels["trace_id"]
                traces.setdefault(family.name, {})[labels] = trace
    return Page(samples, traces)
