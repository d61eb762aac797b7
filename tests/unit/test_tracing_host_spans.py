"""LiteLLM's spans wait for the decision about their call's trace."""

from typing import Any

from opentelemetry.trace import Tracer, set_span_in_context
from opentelemetry.trace.span import NonRecordingSpan, SpanContext, TraceFlags

from plugins.tracing import host_spans
from plugins.tracing.host_spans import HostSpans, tracer_provider
from tests.unit.test_tracing_export import Remembering, an_outbox

TRACE = "a" * 32


class Host:
    """LiteLLM's part: makes spans under a pass."""

    def __init__(self) -> None:
        self.exporter = Remembering()
        self.exporter.free.set()
        self.outbox = an_outbox(self.exporter)
        self.spans = HostSpans(self.outbox)
        self._tracer: Tracer = tracer_provider(self.spans).get_tracer("litellm")

    def span(self, name: str, trace_id: str = TRACE) -> None:
        around = SpanContext(int(trace_id, 16), 0xB, True, TraceFlags(TraceFlags.SAMPLED))
        context = set_span_in_context(NonRecordingSpan(around))
        self._tracer.start_span(name, context, attributes={"n": 1}).end()

    def sent(self) -> list[Any]:
        self.outbox.close()
        return [span for batch in self.exporter.batches for span in batch]


def test_spans_of_a_kept_trace_go_out_early_ones_and_late_ones() -> None:
    host = Host()
    host.span("route")
    assert host.outbox.waiting == 0
    host.spans.decide(TRACE, kept=True)
    host.span("logged in the background")
    sent = host.sent()
    assert [span.name for span in sent] == ["route", "logged in the background"]
    assert {span.parent_span_id.hex() for span in sent} == {f"{0xB:016x}"}
    assert sent[0].attributes[0].value.int_value == 1


def test_spans_of_a_trace_that_is_not_kept_go_nowhere() -> None:
    host = Host()
    host.span("route")
    host.spans.decide(TRACE, kept=False)
    host.span("late")
    assert host.sent() == []


def test_spans_that_no_call_claims_take_no_memory_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(host_spans, "MOST_WAITING", 10)
    host = Host()
    for n in range(1, 50):
        host.span("own doing", f"{n:032x}")
    host.spans.decide(f"{1:032x}", kept=True)
    host.spans.decide(f"{49:032x}", kept=True)
    assert len(host.sent()) == 1


def test_what_was_decided_is_not_remembered_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(host_spans, "MOST_DECIDED", 3)
    host = Host()
    for n in range(1, 9):
        host.spans.decide(f"{n:032x}", kept=True)
    assert len(host.spans._decided) == 3
    host.outbox.close()
