"""Spans on their way out: over real sockets to a receiver made of the protocol's own parts."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from plugins.tracing import sdk
from plugins.tracing.outbox import Bounds, Outbox
from plugins.tracing.rules import spans_of
from plugins.tracing.sampling import Sampling
from plugins.tracing.sdk import Target, target_of
from plugins.tracing.spans import Span
from plugins.tracing.stage import TracingStage
from plugins.tracing.wire import Envelope, span_bytes
from tests.receiving import Receiver, over_grpc, over_http
from tests.remembering import RememberedMetrics
from tests.unit.test_tracing_rules import UPSTREAMS, WAYS, a_traced_call

QUEUE_FULL = ("sluice_trace_spans_dropped_total", "queue_full")
EXPORT_FAILED = ("sluice_trace_spans_dropped_total", "export_failed")
QUICK = Bounds(delay_s=0.02, farewell_s=0.5)


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    started = over_grpc() if request.param == "grpc" else over_http()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with started:
        yield started


@pytest.fixture
def make() -> Iterator[Callable[..., Outbox]]:
    """Makes outboxes that are closed in the end."""
    made: list[Outbox] = []

    def an_outbox(bounds: Bounds = QUICK) -> Outbox:
        import os

        target = target_of(os.environ, "TRACES")
        assert target is not None
        outbox = Outbox(sdk.span_exporter(target), sdk.envelope(), RememberedMetrics(), bounds)
        made.append(outbox)
        return outbox

    yield an_outbox
    for outbox in made:
        outbox.close()


def some_spans(count: int = 5) -> list[bytes]:
    return [span_bytes(Span("x", "a" * 32, f"{n + 1:016x}", None, 1, 2)) for n in range(count)]


SIZE = len(some_spans(1)[0])


def metrics_of(outbox: Outbox) -> RememberedMetrics:
    outbox.publish()
    return outbox._metrics  # type: ignore[return-value]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_receiver_gets_is_the_tree_that_was_made(
    receiver: Receiver, make: Callable[..., Outbox], way: str
) -> None:
    changes, tree = WAYS[way]
    spans = spans_of(a_traced_call(**changes), UPSTREAMS)
    outbox = make()
    outbox.put([span_bytes(span) for span in spans])
    assert receiver.wait(lambda: len(receiver.spans()) == len(tree))
    for sent, seen in zip(spans, receiver.spans(), strict=True):
        assert (seen.name, seen.trace_id, seen.span_id) == (sent.name, sent.trace_id, sent.span_id)
        assert (seen.parent_id or None) == sent.parent_id
        assert (seen.started_ns, seen.ended_ns) == (sent.started_ns, sent.ended_ns)
        assert (seen.kind, seen.message) == (sent.kind.value, sent.failure or "")
        assert seen.failed is (sent.failure is not None)
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in sent.attributes.items()}
        assert seen.attributes == plain
        assert seen.events == [(m.name, m.at_ns, m.attributes) for m in sent.moments]
    origin = receiver.spans()[0].resource
    assert (origin["service.name"], origin["deployment.environment.name"]) == ("sluice", "test")
    assert receiver.spans()[0].scope == "sluice"


def test_the_operators_headers_and_name_are_sent(
    receiver: Receiver, make: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=ops")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "hiring-gateway")
    make().put(some_spans())
    assert receiver.wait(lambda: len(receiver.spans()) == 5)
    assert receiver.headers[0]["x-tenant"] == "ops"
    assert receiver.spans()[0].resource["service.name"] == "hiring-gateway"


def test_a_receiver_that_refuses_costs_spans_that_are_counted(
    receiver: Receiver, make: Callable[..., Outbox], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.refusing = True
    outbox = make()
    with caplog.at_level(logging.WARNING, "sluice.tracing"):
        outbox.put(some_spans())
        assert receiver.wait(lambda: outbox.lost["export_failed"] == 5)
        receiver.refusing = False
        outbox.put(some_spans(3))
        assert receiver.wait(lambda: len(receiver.spans()) == 3)
        assert receiver.wait(lambda: outbox.waiting == 0)
    assert metrics_of(outbox).counts[EXPORT_FAILED] == 5
    told = [r.getMessage() for r in caplog.records if r.name == "sluice.tracing"]
    assert len(told) == 2
    assert "cannot be exported" in told[0]
    assert "exported again" in told[1]


def test_a_receiver_that_is_not_there_costs_spans_that_are_counted(
    receiver: Receiver, make: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    outbox = make()
    outbox.put(some_spans())
    assert receiver.wait(lambda: outbox.lost["export_failed"] == 5)
    assert outbox.waiting == 0


def test_a_receiver_that_hangs_holds_nobody_up_and_memory_stays_bounded(
    receiver: Receiver, make: Callable[..., Outbox]
) -> None:
    receiver.hang()
    outbox = make(Bounds(spans=100, batch=20, delay_s=0.01, farewell_s=0.3))
    began_s = time.monotonic()
    for _ in range(1000):
        outbox.put(some_spans())
    assert time.monotonic() - began_s < 0.5
    assert outbox.waiting <= 100
    counts = metrics_of(outbox).counts
    assert counts[QUEUE_FULL] >= 5 * 1000 - 100 - 40  # a batch or two may have been given up
    assert metrics_of(outbox).values[("sluice_trace_queue_spans",)] == outbox.waiting


def test_a_slow_receiver_gets_everything_that_fits(
    receiver: Receiver, make: Callable[..., Outbox]
) -> None:
    receiver.delay_s = 0.1
    outbox = make(Bounds(batch=50, delay_s=0.01, farewell_s=5))
    for _ in range(40):
        outbox.put(some_spans())
    assert receiver.wait(lambda: len(receiver.spans()) == 200)
    assert metrics_of(outbox).counts[QUEUE_FULL] == 0


def test_the_end_sends_what_waits(receiver: Receiver, make: Callable[..., Outbox]) -> None:
    outbox = make(Bounds(delay_s=30, farewell_s=5))
    outbox.put(some_spans())
    outbox.close()
    assert len(receiver.spans()) == 5
    outbox.put(some_spans())
    assert metrics_of(outbox).counts[QUEUE_FULL] == 5  # too late


def test_the_end_is_not_held_up_by_a_receiver_that_hangs(
    receiver: Receiver, make: Callable[..., Outbox]
) -> None:
    receiver.hang()
    outbox = make(Bounds(batch=5, delay_s=30, farewell_s=0.3))
    for _ in range(3):
        outbox.put(some_spans())
    time.sleep(0.1)  # the first batch is on its way
    began_s = time.monotonic()
    outbox.close()
    assert time.monotonic() - began_s < 0.8
    assert outbox.lost["export_failed"] >= 10


class Remembering:
    """An exporter that keeps what it gets, once it is let."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.free = threading.Event()

    def send(self, body: bytes, count: int) -> bool:
        self.free.wait(10)
        request = ExportTraceServiceRequest.FromString(body)
        spans = list(request.resource_spans[0].scope_spans[0].spans)
        assert len(spans) == count
        self.batches.append(spans)
        return True

    def shutdown(self) -> None:
        self.free.set()


def an_outbox(exporter: Remembering, bounds: Bounds = QUICK) -> Outbox:
    return Outbox(exporter, Envelope({}, "sluice", "1"), RememberedMetrics(), bounds)


def test_what_waits_is_bounded_by_its_bytes() -> None:
    exporter = Remembering()
    bounds = Bounds(size_bytes=6 * SIZE, delay_s=30, farewell_s=5)
    outbox = an_outbox(exporter, bounds)
    outbox.put(some_spans(5))
    outbox.put(some_spans(2))
    assert (outbox.waiting, outbox.lost["queue_full"]) == (5, 2)
    outbox.put(some_spans(1))
    assert outbox.waiting == 6
    exporter.free.set()
    outbox.close()


def test_a_batch_is_bounded_by_its_bytes_too() -> None:
    exporter = Remembering()
    outbox = an_outbox(exporter, Bounds(batch_bytes=4 * SIZE, delay_s=30, farewell_s=5))
    for _ in range(3):
        outbox.put(some_spans(5))
    exporter.free.set()
    outbox.close()
    assert [len(batch) for batch in exporter.batches] == [5, 5, 5]


def test_a_trace_that_does_not_fit_is_dropped_as_a_whole() -> None:
    exporter = Remembering()
    outbox = an_outbox(exporter, Bounds(spans=8, delay_s=30, farewell_s=5))
    outbox.put(some_spans(5))
    outbox.put(some_spans(5))
    exporter.free.set()
    outbox.close()
    assert [len(batch) for batch in exporter.batches] == [5]


def test_a_trace_is_never_cut_between_two_batches() -> None:
    exporter = Remembering()
    outbox = an_outbox(exporter, Bounds(batch=8, delay_s=30, farewell_s=5))
    for _ in range(4):
        outbox.put(some_spans(5))
    exporter.free.set()
    outbox.close()
    assert sorted(len(batch) for batch in exporter.batches) in ([10, 10], [5, 5, 10])


async def test_the_stage_counts_what_it_keeps_and_what_it_does_not() -> None:
    exporter = Remembering()
    exporter.free.set()
    metrics = RememberedMetrics()
    outbox = an_outbox(exporter)
    stage = TracingStage(outbox, Sampling(share=0.0), UPSTREAMS, metrics)
    await stage.observe(a_traced_call())
    changes, tree = WAYS["fallback"]
    await stage.observe(a_traced_call(**changes))
    outbox.close()
    (batch,) = exporter.batches
    assert len(batch) == len(tree)
    assert {a.key: a.value.string_value for a in batch[0].attributes}[
        "sluice.kept_because"
    ] == "error"
    assert metrics.counts["sluice_traces_total", "yes"] == 1
    assert metrics.counts["sluice_traces_total", "no"] == 1


async def test_a_server_of_our_own_is_told_to_continue_from_its_try() -> None:
    metrics = RememberedMetrics()
    stage = TracingStage(an_outbox(Remembering()), Sampling(), {}, metrics)
    call = a_traced_call()
    (attempt,) = call.attempts
    await stage.attempt(call, attempt)
    assert attempt.traceparent == f"00-{call.trace.trace_id}-{attempt.span_id}-01"


BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@collector:4318/x"}


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None),
        (BASE, "http/protobuf"),
        (BASE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        (
            BASE
            | {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "http/protobuf",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, None),
        (BASE | {"OTEL_SDK_DISABLED": "true"}, None),
        (BASE | {"OTEL_SDK_DISABLED": "false"}, "http/protobuf"),
        (BASE | {"OTEL_TRACES_EXPORTER": "none"}, None),
        (BASE | {"OTEL_TRACES_EXPORTER": "otlp"}, "http/protobuf"),
        (BASE | {"OTEL_TRACES_EXPORTER": "console,otlp"}, "http/protobuf"),
        (BASE | {"OTEL_TRACES_EXPORTER": "zipkin"}, None),
    ],
)
def test_the_standard_variables_decide_whether_and_how(
    environ: dict[str, str], protocol: str | None
) -> None:
    target = target_of(environ, "TRACES")
    assert (target and target.protocol) == protocol


def test_an_unknown_protocol_is_a_fault_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"http/json.*http/protobuf and grpc"):
        target_of(BASE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "TRACES")


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        ("http://user:secret@collector:4318/x?key=1", "collector:4318"),
        ("https://collector", "collector"),
        ("collector:4317", "collector:4317"),
    ],
)
def test_the_place_is_told_without_secrets(endpoint: str, place: str) -> None:
    assert Target(endpoint, "grpc").place == place
