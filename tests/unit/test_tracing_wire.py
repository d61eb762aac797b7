"""What is written on the wire is what OpenTelemetry's own encoder writes, message by message."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from plugins.tracing.rules import spans_of
from plugins.tracing.spans import Kind, Moment, Span
from plugins.tracing.wire import Envelope, span_bytes
from tests.unit.test_tracing_rules import UPSTREAMS, WAYS, a_traced_call

ORIGIN = {"service.name": "sluice", "n": 3}
KINDS = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.INTERNAL: SpanKind.INTERNAL,
}


def officially(spans: list[Span]) -> ExportTraceServiceRequest:
    """Write the same spans with the SDK."""
    resource, scope = Resource(ORIGIN), InstrumentationScope("sluice", "1.2")
    return encode_spans([_translated(span, resource, scope) for span in spans])


def _translated(span: Span, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    trace_id, flags = int(span.trace_id, 16), TraceFlags(TraceFlags.SAMPLED)
    parent = span.parent_id and SpanContext(
        trace_id, int(span.parent_id, 16), span.remote_parent, flags
    )
    failed = span.failure is not None
    return ReadableSpan(
        name=span.name,
        context=SpanContext(trace_id, int(span.span_id, 16), False, flags),
        parent=parent or None,
        resource=resource,
        attributes=span.attributes,
        events=[Event(m.name, m.attributes, m.at_ns) for m in span.moments],
        kind=KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.failure) if failed else Status(),
        start_time=span.started_ns,
        end_time=span.ended_ns,
        instrumentation_scope=scope,
    )


def ours(spans: list[Span]) -> ExportTraceServiceRequest:
    body = Envelope(ORIGIN, "sluice", "1.2").request(map(span_bytes, spans))
    return ExportTraceServiceRequest.FromString(body)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
VALUES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(TEXT, max_size=4).map(tuple),
)
FACTS = st.dictionaries(TEXT.filter(bool), VALUES, max_size=6)
TIMES = st.integers(1, 2**63)


def _id(digits: int) -> Any:
    return st.integers(1, 16**digits - 1).map(lambda n: f"{n:0{digits}x}")


SPANS = st.builds(
    Span,
    name=TEXT,
    trace_id=_id(32),
    span_id=_id(16),
    parent_id=st.one_of(st.none(), _id(16)),
    started_ns=TIMES,
    ended_ns=TIMES,
    kind=st.sampled_from(Kind),
    failure=st.one_of(st.none(), TEXT),
    attributes=FACTS,
    moments=st.lists(st.builds(Moment, TEXT, TIMES, FACTS), max_size=3),
)


@given(st.lists(SPANS, min_size=1, max_size=4))
def test_any_spans_are_written_as_the_sdk_writes_them(spans: list[Span]) -> None:
    assert ours(spans) == officially(spans)


def test_the_spans_of_calls_are_written_as_the_sdk_writes_them() -> None:
    spans = [s for c, _ in WAYS.values() for s in spans_of(a_traced_call(**c), UPSTREAMS)]
    assert len(spans) > 50
    assert ours(spans) == officially(spans)


def test_a_remote_parent_is_marked() -> None:
    span = Span("x", "a" * 32, "b" * 16, "c" * 16, 1, 2, remote_parent=True)
    assert ours([span]) == officially([span])


def test_half_a_character_spoils_no_batch() -> None:
    span = Span("x\ud800", "a" * 32, "b" * 16, None, 1, 2, attributes={"y": "\udfff"})
    (seen,) = ours([span]).resource_spans[0].scope_spans[0].spans
    assert (seen.name, seen.attributes[0].value.string_value) == ("x?", "?")
