"""Tracing's part in every call: after it is over, its spans are made and handed to the outbox."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from plugins.core.call import Attempt, Call
from plugins.core.errors import GatewayError
from plugins.core.metrics import Metrics
from plugins.core.stage import Stage
from plugins.tracing import names
from plugins.tracing.attributes import Upstream
from plugins.tracing.content import KEPT_BYTES, input_messages, output_messages
from plugins.tracing.families import TRACES
from plugins.tracing.measures import NoMeasures
from plugins.tracing.outbox import Outbox
from plugins.tracing.rules import spans_of
from plugins.tracing.sampling import Sampling
from plugins.tracing.spans import Span
from plugins.tracing.wire import span_bytes

if TYPE_CHECKING:
    from plugins.tracing.host_spans import HostSpans

_NOTE: Final = "tracing"


class SilentStage(Stage):
    """Tracing that is listed and has nowhere to send spans: it costs nothing."""

    name: str = "tracing"


class MeasuringStage(Stage):
    """Measures and traces nothing: metrics have somewhere to go, spans have not."""

    name: str = "tracing"

    def __init__(self, measures: NoMeasures) -> None:
        self._measures: Final = measures

    @override
    async def observe(self, call: Call) -> None:
        """Measure the call's tries."""
        self._measures.of(call)


class TracingStage(Stage):
    """Tracing that sends.

    Args:
        outbox: takes the spans.
        sampling: decides which traces are kept.
        upstreams: what stands behind each deployment.
        metrics: counts traces.
        measures: measures the tries too.
        host_spans: LiteLLM's own spans, which are kept or not with ours.
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
        measures: NoMeasures | None = None,
        host_spans: "HostSpans | None" = None,
        older_names: bool = False,
    ) -> None:
        self._outbox: Final = outbox
        self._sampling: Final = sampling
        self._upstreams: Final = upstreams
        self._metrics: Final = metrics
        self._measures: Final = measures or NoMeasures()
        self._host_spans: Final = host_spans
        self._older_names: Final = older_names

    @override
    async def attempt(self, call: Call, attempt: Attempt) -> None:
        """Let a server of our own continue the trace from the try."""
        attempt.traceparent = call.trace.traceparent(attempt.span_id)

    async def _add_content(self, call: Call, root: Span) -> None:
        """Add what was said: nothing, here."""

    @override
    async def observe(self, call: Call) -> None:
        """Make the spans, if the trace is kept."""
        self._measures.of(call)
        reason = self._sampling.reason(call)
        self._metrics.add(TRACES, "no" if reason is None else "yes")
        if reason is None:
            self._add_host_spans(call, [])
            return
        spans = spans_of(call, self._upstreams, older_names=self._older_names)
        spans[0].attributes[names.KEPT] = reason
        await self._add_content(call, spans[0])
        self._add_host_spans(call, spans)
        self._outbox.put([span_bytes(span) for span in spans])

    def _add_host_spans(self, call: Call, spans: list[Span]) -> None:
        if self._host_spans is not None:
            spans += self._host_spans.decide([this.span_id for this in call.passes], spans)


@dataclass(slots=True)
class _Heard:
    """What has been answered so far."""

    frames: list[bytes] = field(default_factory=list[bytes])
    size: int = 0

    def note(self, frame: bytes) -> None:
        if self.size < KEPT_BYTES:
            self.frames.append(frame)
            self.size += len(frame)


class CapturingStage(TracingStage):
    """Tracing that records what some tenants' calls say; others' content is never looked at.

    Args:
        tenants: whose policy allows it.
        tracing: what a `TracingStage` takes.
    """

    def __init__(self, tenants: Collection[str], *tracing: Any, **options: Any) -> None:
        super().__init__(*tracing, **options)
        self._tenants: Final = frozenset(tenants)

    @override
    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        """Remember a whole answer as it is given."""
        self._note(call, answer)

    @override
    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        """Remember an event of a stream as it is given."""
        self._note(call, frame)

    def _note(self, call: Call, frame: bytes) -> None:
        if call.principal.tenant_id in self._tenants:
            heard: _Heard = call.notes.setdefault(_NOTE, _Heard())
            heard.note(frame)

    @override
    async def _add_content(self, call: Call, root: Span) -> None:
        if call.principal.tenant_id not in self._tenants:
            return
        heard: _Heard = call.notes.pop(_NOTE, None) or _Heard()
        frames = call.recalled.frames if call.recalled else heard.frames
        # Masking takes a millisecond or two, which no other call is to wait for.
        asked = await asyncio.to_thread(input_messages, call)
        answered = await asyncio.to_thread(output_messages, call, frames)
        if asked:
            root.attributes[names.INPUT_MESSAGES] = asked
        if answered:
            root.attributes[names.OUTPUT_MESSAGES] = answered
