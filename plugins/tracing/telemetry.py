"""Everything that leaves one worker over OTLP: traces, metrics where asked for, and events."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugins.core.metrics import Metrics
from plugins.tracing import measures, sdk
from plugins.tracing.attributes import Upstream
from plugins.tracing.measures import NoMeasures
from plugins.tracing.outbox import Outbox

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider

FAREWELL_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One worker's ways out.

    Args:
        traces: for spans; None when they go nowhere.
        measures: for GenAI's metrics.
        logs: for events such as a circuit's change; None likewise.
    """

    traces: Outbox | None
    measures: NoMeasures
    logs: "LoggerProvider | None"

    def close(self) -> None:
        """Send what waits, all at once, for `FAREWELL_S` at most. Not for the event loop."""
        ends = [self.measures.close]
        if self.traces is not None:
            ends.append(self.traces.close)
        if self.logs is not None:
            ends.append(self.logs.shutdown)
        deadline_s = time.monotonic() + FAREWELL_S
        # Daemons: an exporter that hangs must not keep the process.
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(deadline_s - time.monotonic(), 0.0))


def telemetry(metrics: Metrics, upstreams: Mapping[str, Upstream]) -> Telemetry:
    """Make what the environment's standard variables ask for.

    Args:
        metrics: hears of tracing's own health.
        upstreams: what stands behind each deployment.

    Raises:
        ValueError: naming the variable that says something unknown.
    """
    spans, counts, records = (
        sdk.target_of(os.environ, signal) for signal in ("TRACES", "METRICS", "LOGS")
    )
    return Telemetry(
        traces=Outbox(sdk.span_exporter(spans), sdk.envelope(), metrics) if spans else None,
        measures=measures.measures(counts, upstreams)
        if counts and measures.wanted(os.environ)
        else NoMeasures(),
        logs=sdk.log_provider(records) if records else None,
    )
