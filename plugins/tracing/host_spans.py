"""LiteLLM's own spans, in the same trace and through the same outbox as ours.

Off unless policy says `host_spans: true`: docs/tracing.md has what they cost. LiteLLM makes them
while a call runs, and some after it; they wait here until it is known whether the call's trace is
kept. Only what came from a pass through LiteLLM is recorded at all: each pass marks its place in
the trace with a trace state, which every span below it inherits. Spans are told apart by pass and
not by trace, because several calls may share a caller's trace.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.status import StatusCode
from opentelemetry.util.types import Attributes
from typing_extensions import override

from plugins.core.trace import TraceContext
from plugins.tracing import names
from plugins.tracing.attributes import LONGEST_TEXT
from plugins.tracing.spans import Span, Value
from plugins.tracing.wire import span_bytes

if TYPE_CHECKING:
    from plugins.tracing.outbox import Outbox

MOST_WAITING: Final = 4_096
MOST_DECIDED: Final = 4_096
_PREFIX: Final = "litellm "
_STATE: Final = "sluice"
_SHOWN: Final = frozenset(
    {
        names.ERROR_TYPE,
        "gen_ai.response.finish_reasons",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "litellm.call_type",
        "litellm.guardrail.action",
        "litellm.guardrail.mode",
        "litellm.guardrail.name",
        "litellm.guardrail.status",
        "litellm.provider.error.code",
        "litellm.provider.model",
        "litellm.request.route",
        "litellm.request.streaming",
        "litellm.service.call_type",
        "litellm.service.name",
        "litellm.service.target",
    }
)
"""Nothing that may hold what was said, or whose key it was, and no tokens or dollars: those stand
on our tries, and a backend that adds up would count them twice."""

Times = dict[str, tuple[int, int]]
"""When spans begin and end, nanoseconds since 1970, by their identifiers."""


def beneath(trace: TraceContext, span_id: str) -> Context:
    """Give the context in which LiteLLM's spans become children of a pass.

    Args:
        trace: the call's.
        span_id: the pass's.
    """
    place = SpanContext(
        int(trace.trace_id, 16),
        int(span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([(_STATE, span_id)]),
    )
    return set_span_in_context(NonRecordingSpan(place), Context())


def pass_of(context: Context | None = None) -> str | None:
    """Tell through which pass one came; None outside any."""
    return get_current_span(context).get_span_context().trace_state.get(_STATE)


class HostSpans(SpanProcessor):
    """Holds LiteLLM's spans until it is known whether their call's trace is kept.

    Args:
        outbox: takes those that come later.
    """

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox: Final = outbox
        self._waiting: Final[OrderedDict[str, list[Span]]] = OrderedDict()
        self._count = 0
        self._decided: Final[OrderedDict[str, Times]] = OrderedDict()
        self._lock: Final = threading.Lock()

    @property
    def waiting(self) -> int:
        """Count the spans whose call is not over."""
        return self._count

    @override
    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended; LiteLLM's threads call this too."""
        context = span.get_span_context()
        owner = context.trace_state.get(_STATE) if context else None
        if owner is None:
            return
        ours = _ours(span)
        with self._lock:
            times = self._decided.get(owner)
            if times is None:
                self._hold(owner, ours)
                return
            late = _fitted([ours], times)
        if late:
            self._outbox.put([span_bytes(each) for each in late])

    def decide(self, passes: Iterable[str], kept: Collection[Span]) -> list[Span]:
        """Learn that a call is over; what comes late of it goes the same way.

        Args:
            passes: their identifiers.
            kept: the call's spans, or none when its trace is not kept.

        Returns:
            What LiteLLM's part adds to them.
        """
        times = {span.span_id: (span.started_ns, span.ended_ns) for span in kept}
        found: list[Span] = []
        with self._lock:
            for owner in passes:
                waiting = self._waiting.pop(owner, [])
                self._count -= len(waiting)
                own = {owner: times[owner]} if owner in times else {}
                found += _fitted(waiting, own)
                self._decided[owner] = own
            while len(self._decided) > MOST_DECIDED:
                self._decided.popitem(last=False)
        return found

    def _hold(self, owner: str, span: Span) -> None:
        self._waiting.setdefault(owner, []).append(span)
        self._count += 1
        while self._count > MOST_WAITING:
            _, oldest = self._waiting.popitem(last=False)
            self._count -= len(oldest)


class _OfPasses(Sampler):
    """Records what comes from a pass; LiteLLM's own doings have no place in a call's trace."""

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        state = get_current_span(parent_context).get_span_context().trace_state
        decision = Decision.RECORD_AND_SAMPLE if _STATE in state else Decision.DROP
        return SamplingResult(decision, attributes, state)

    @override
    def get_description(self) -> str:
        return "what comes from a pass through LiteLLM"


def tracer_provider(spans: HostSpans) -> TracerProvider:
    """Make what LiteLLM records its spans with; nobody else's, and never the process's own."""
    provider = TracerProvider(
        sampler=_OfPasses(), resource=Resource.get_empty(), shutdown_on_exit=False
    )
    provider.add_span_processor(spans)
    return provider


def _ours(span: ReadableSpan) -> Span:
    """Take what is shown of a span: its events may quote what was said."""
    context, parent = span.get_span_context(), span.parent
    found = {
        key: _bounded(value) for key, value in (span.attributes or {}).items() if key in _SHOWN
    }
    failed = span.status.status_code is StatusCode.ERROR
    started_ns = span.start_time or 0
    return Span(
        name=_PREFIX + span.name[:LONGEST_TEXT],
        trace_id=f"{context.trace_id:032x}" if context else "",
        span_id=f"{context.span_id:016x}" if context else "",
        parent_id=f"{parent.span_id:016x}" if parent else None,
        started_ns=started_ns,
        ended_ns=max(span.end_time or 0, started_ns),
        failure=str(found.get(names.ERROR_TYPE, "failed")) if failed else None,
        attributes=found,
    )


def _bounded(value: Any) -> Value:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    return tuple(str(each)[:LONGEST_TEXT] for each in value)


def _fitted(spans: Sequence[Span], times: Times) -> list[Span]:
    """Put spans below their parents, within their time; one without a parent is left out.

    Args:
        spans: in any order.
        times: of the parents there are; the spans' own are added.
    """
    found: list[Span] = []
    left = list(spans)
    while ready := [span for span in left if span.parent_id in times]:
        for span in ready:
            began_ns, ended_ns = times[span.parent_id or ""]
            span.started_ns = min(max(span.started_ns, began_ns), ended_ns)
            span.ended_ns = min(max(span.ended_ns, span.started_ns), ended_ns)
            times[span.span_id] = (span.started_ns, span.ended_ns)
            left.remove(span)
        found += ready
    return found
