"""What is measured of drift."""

from typing import Final

from plugins.core.metrics import Counter, Gauge

DETECTED: Final = Gauge(
    "sluice_drift_detected",
    "1 for an hour after a change was found, as any worker sees it",
    ("model", "signal"),
)
CHANGES: Final = Counter(
    "sluice_drift_changes_total",
    "Changes found, each once for all workers",
    ("model", "signal"),
)
