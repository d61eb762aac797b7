"""LiteLLM's spans wait for the decision about their call's trace, and fit into it."""

from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode, Tracer, set_span_in_context

from plugins.core.trace import TraceContext
from plugins.tracing import host_spans
from plugins.tracing.host_spans import HostSpans, beneath, pass_of, tracer_provider
from plugins.tracing.spans import Span
from tests.export.test_tracing_export import Remembering, an_outbox

TRACE = TraceContext("a" * 32, "b" * 16)
PASS = "c" * 16
NEXT = "d" * 16


def a_pass(span_id: str = PASS, began_ns: int = 100, ended_ns: int = 200) -> Span:
    return Span("host gpt-4o", TRACE.trace_id, span_id, TRACE.span_id, began_ns, ended_ns)


class Host:
    """LiteLLM's part: makes spans."""

    def __init__(self) -> None:
        self.exporter = Remembering()
        self.exporter.free.set()
        self.outbox = an_outbox(self.exporter)
        self.spans = HostSpans(self.outbox)
        self.tracer: Tracer = tracer_provider(self.spans).get_tracer("litellm")

    def span(
        self,
        name: str,
        around: Context | None = None,
        times: tuple[int, int] = (110, 120),
        **said: Any,
    ) -> Context:
        """Make a span below a pass; gives the context below it."""
        around = beneath(TRACE, PASS) if around is None else around
        made = self.tracer.start_span(name, around, start_time=times[0], attributes=said)
        made.end(times[1])
        return set_span_in_context(made, around)

    def late(self) -> list[Any]:
        self.outbox.close()
        return [span for batch in self.exporter.batches for span in batch]


def test_spans_of_a_kept_trace_join_it_early_ones_and_late_ones() -> None:
    host = Host()
    host.span("route")
    (early,) = host.spans.decide([PASS], [a_pass()])
    assert (early.name, early.parent_id) == ("litellm route", PASS)
    assert (early.trace_id, early.started_ns, early.ended_ns) == (TRACE.trace_id, 110, 120)
    host.span("chat")
    (late,) = host.late()
    assert (late.name, late.parent_span_id.hex()) == ("litellm chat", PASS)


def test_spans_of_a_trace_that_is_not_kept_go_nowhere() -> None:
    host = Host()
    host.span("route")
    assert host.spans.decide([PASS], []) == []
    host.span("chat")
    assert host.late() == []
    assert host.spans.waiting == 0


def test_calls_of_one_trace_are_decided_one_by_one() -> None:
    host = Host()
    host.spans.decide([PASS], [])
    host.span("route", beneath(TRACE, NEXT))
    (found,) = host.spans.decide([NEXT], [a_pass(NEXT)])
    assert found.parent_id == NEXT


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ((110, 120), (110, 120)),
        ((90, 120), (100, 120)),
        ((110, 900), (110, 200)),
        ((10, 20), (100, 100)),
        ((900, 901), (200, 200)),
    ],
)
def test_no_span_leaves_its_pass(times: tuple[int, int], shown: tuple[int, int]) -> None:
    host = Host()
    host.span("route", None, times)
    (found,) = host.spans.decide([PASS], [a_pass()])
    assert (found.started_ns, found.ended_ns) == shown


def test_a_span_below_another_keeps_its_parent_and_lies_within_it() -> None:
    host = Host()
    below = host.span("auth", None, (110, 130))
    host.span("redis.get", below, (105, 125))
    auth, lookup = host.spans.decide([PASS], [a_pass()])
    assert lookup.parent_id == auth.span_id
    assert (lookup.started_ns, lookup.ended_ns) == (110, 125)


def test_a_span_whose_parent_never_came_is_left_out() -> None:
    host = Host()
    never = host.tracer.start_span("auth", beneath(TRACE, PASS))
    host.span("redis.get", set_span_in_context(never))
    assert host.spans.decide([PASS], [a_pass()]) == []


def test_what_comes_from_no_pass_is_not_recorded() -> None:
    host = Host()
    around = host.span("own doing", Context())
    host.span("below it", around)
    assert host.spans.waiting == 0
    assert pass_of(around) is None


def test_what_comes_from_a_pass_knows_it_however_deep() -> None:
    host = Host()
    assert pass_of(host.span("redis.get", host.span("auth"))) == PASS


def test_only_what_is_listed_is_shown() -> None:
    host = Host()
    said: dict[str, Any] = {
        "litellm.provider.model": "openai/gpt-4o" * 50,
        "gen_ai.response.finish_reasons": ["stop"],
        "error.message": "the prompt was: plum jam",
        "gen_ai.usage.input_tokens": 7,
        "litellm.api_key.hash": "ab12",
    }
    made = host.tracer.start_span("chat", beneath(TRACE, PASS), start_time=110, attributes=said)
    made.record_exception(ValueError("plum jam"))
    made.set_status(StatusCode.ERROR, "plum jam")
    made.end(120)
    (found,) = host.spans.decide([PASS], [a_pass()])
    assert found.attributes == {
        "litellm.provider.model": ("openai/gpt-4o" * 50)[:256],
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert found.failure == "failed"
    assert found.moments == []


def test_calls_that_never_end_take_no_memory_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(host_spans, "MOST_WAITING", 10)
    host = Host()
    for n in range(1, 50):
        host.span("route", beneath(TRACE, f"{n:016x}"))
    assert host.spans.waiting == 10
    assert host.spans.decide([f"{1:016x}"], [a_pass(f"{1:016x}")]) == []
    assert len(host.spans.decide([f"{49:016x}"], [a_pass(f"{49:016x}")])) == 1


def test_what_was_decided_is_not_remembered_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(host_spans, "MOST_DECIDED", 3)
    host = Host()
    for n in range(1, 9):
        host.spans.decide([f"{n:016x}"], [a_pass(f"{n:016x}")])
    host.span("late", beneath(TRACE, f"{1:016x}"))  # waits, as if its call went on
    host.span("late", beneath(TRACE, f"{8:016x}"))
    assert host.spans.waiting == 1
    assert len(host.late()) == 1
