"""Tracing's part in every call: after it is over, its spans are made and handed to the outbox."""

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from plugins.core.call import Attempt, Call
from plugins.core.metrics import Metrics
from plugins.core.stage import Stage
from plugins.tracing import names
from plugins.tracing.attributes import Upstream
from plugins.tracing.families import TRACES
from plugins.tracing.outbox import Outbox
from plugins.tracing.rules import spans_of
from plugins.tracing.sampling import Sampling
from plugins.tracing.wire import span_bytes


class SilentStage(Stage):
    """Tracing that is listed and has nowhere to send spans: it costs nothing."""

    name: str = "tracing"


class TracingStage(Stage):
    """Tracing that sends.

    Args:
        outbox: takes the spans.
        sampling: decides which traces are kept.
        upstreams: what stands behind each deployment.
        metrics: counts traces.
        older_names: add the attribute names of earlier conventions.
    """

    name: str = "tracing"

    def __init__(
        self,
        outbox: Outbox,
        sampling: Sampling,
        upstreams: Mapping[str, Upstream],
        metrics: Metrics,
        *,
        older_names: bool = False,
    ) -> None:
        self._outbox: Final = outbox
        self._sampling: Final = sampling
        self._upstreams: Final = upstreams
        self._metrics: Final = metrics
        self._older_names: Final = older_names

    @override
    async def attempt(self, call: Call, attempt: Attempt) -> None:
        """Let a server of our own continue the trace from the try."""
        attempt.traceparent = call.trace.traceparent(attempt.span_id)

    @override
    async def observe(self, call: Call) -> None:
        """Make the spans, if the trace is kept."""
        reason = self._sampling.reason(call)
        self._metrics.add(TRACES, "no" if reason is None else "yes")
        if reason is None:
            return
        spans = spans_of(call, self._upstreams, older_names=self._older_names)
        spans[0].attributes[names.KEPT] = reason
        self._outbox.put([span_bytes(span) for span in spans])
