"""LiteLLM's own spans, in the same trace and through the same outbox as ours.

Off unless policy says `host_spans: true`: they cost more than all else that is observed
(docs/tracing.md has the figure). LiteLLM makes them while a call runs, and some in the background
after it; they wait here until the call is over and it is known whether its trace is kept.
"""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from typing_extensions import override

from plugins.tracing import sdk

if TYPE_CHECKING:
    from plugins.tracing.outbox import Outbox

MOST_WAITING: Final = 4_096
MOST_DECIDED: Final = 4_096


class HostSpans(SpanProcessor):
    """Holds LiteLLM's spans until their call's trace is kept, or not.

    Args:
        outbox: takes them then.
    """

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox: Final = outbox
        self._waiting: Final[OrderedDict[str, list[bytes]]] = OrderedDict()
        self._count = 0
        self._decided: Final[OrderedDict[str, bool]] = OrderedDict()
        self._lock: Final = threading.Lock()

    @override
    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended; LiteLLM's threads call this too."""
        context = span.get_span_context()
        if context is None:
            return
        trace_id, written = f"{context.trace_id:032x}", _written(span)
        with self._lock:
            kept = self._decided.get(trace_id)
            if kept is None:
                self._hold(trace_id, written)
        if kept:
            self._outbox.put([written])

    def decide(self, trace_id: str, *, kept: bool) -> None:
        """Learn whether a trace is kept; what comes late of it goes the same way."""
        with self._lock:
            waiting = self._waiting.pop(trace_id, [])
            self._count -= len(waiting)
            self._decided[trace_id] = kept
            if len(self._decided) > MOST_DECIDED:
                self._decided.popitem(last=False)
        if kept and waiting:
            self._outbox.put(waiting)

    def _hold(self, trace_id: str, written: bytes) -> None:
        self._waiting.setdefault(trace_id, []).append(written)
        self._count += 1
        while self._count > MOST_WAITING:  # of LiteLLM's own doings, which no call of ours ends
            _, oldest = self._waiting.popitem(last=False)
            self._count -= len(oldest)


def tracer_provider(spans: HostSpans) -> TracerProvider:
    """Make what LiteLLM records its spans with."""
    provider = TracerProvider(resource=sdk.resource(), shutdown_on_exit=False)
    provider.add_span_processor(spans)
    return provider


def _written(span: ReadableSpan) -> bytes:
    """Write a span as an element of `ScopeSpans.spans`, as `wire.span_bytes` does."""
    (resource,) = encode_spans([span]).resource_spans
    return ScopeSpans(spans=resource.scope_spans[0].spans).SerializeToString()
