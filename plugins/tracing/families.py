"""Tracing's own health, as metrics."""

from typing import Final

from plugins.core.metrics import Counter, Gauge, Merge

TRACES: Final = Counter("sluice_traces_total", "Calls by whether their trace was kept", ("kept",))
SPANS_DROPPED: Final = Counter(
    "sluice_trace_spans_dropped_total", "Spans that were not exported", ("reason",)
)
QUEUE: Final = Gauge("sluice_trace_queue_spans", "Spans waiting to be exported", merge=Merge.SUM)
QUEUE_FULL: Final = "queue_full"
EXPORT_FAILED: Final = "export_failed"
