"""A receiver of traces, metrics and logs over OTLP, http and gRPC, from the protocol's own parts.

What it is sent is parsed by the official messages. It can be slow, hang, or refuse when told to.
"""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from typing_extensions import override

_KINDS = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
}
_MESSAGES: dict[str, Any] = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}


@dataclass
class SpanSeen:
    """A span as it came over the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    started_ns: int
    ended_ns: int
    failed: bool
    message: str
    attributes: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any]]]
    resource: dict[str, Any] = field(default_factory=dict)
    scope: str = ""


class Receiver:
    """Keeps what it is sent. Give it a bound server through `over_http` or `over_grpc`."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self.refusing = False
        self.delay_s = 0.0
        self.free = threading.Event()
        """While clear, every request hangs; `release` sets it."""
        self.free.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.free.set()
        self._stop()

    _stop: Callable[[], None]

    def hang(self) -> None:
        self.free.clear()

    def release(self) -> None:
        self.free.set()

    def take(self, message: Any) -> bool:
        """Take a request; gives False for one that is refused."""
        time.sleep(self.delay_s)
        self.free.wait(60)
        if self.refusing:
            return False
        self.requests.append(message)
        return True

    def spans(self) -> list[SpanSeen]:
        """All spans so far."""
        asked = trace_service_pb2.ExportTraceServiceRequest
        return [
            span
            for request in list(self.requests)
            if isinstance(request, asked)
            for span in _spans_of(request)
        ]

    def trace(self, trace_id: str) -> list[SpanSeen]:
        return [span for span in self.spans() if span.trace_id == trace_id]

    def metrics(self) -> dict[str, Any]:
        """The newest of each metric, by name."""
        asked = metrics_service_pb2.ExportMetricsServiceRequest
        return {
            metric.name: metric
            for request in list(self.requests)
            if isinstance(request, asked)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def logs(self) -> list[Any]:
        asked = logs_service_pb2.ExportLogsServiceRequest
        return [
            record
            for request in list(self.requests)
            if isinstance(request, asked)
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def wait(self, good: Callable[[], bool], limit_s: float = 20.0) -> bool:
        """Wait until something is true of what came."""
        deadline_s = time.monotonic() + limit_s
        while not good():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.05)
        return True

    def has(self, *parts: bytes, limit_s: float = 20.0) -> bool:
        """Wait for one export that holds all of these bytes."""

        def holds() -> bool:
            bodies = [request.SerializeToString() for request in list(self.requests)]
            return any(all(part in body for part in parts) for body in bodies)

        return self.wait(holds, limit_s)


def over_http(port: int = 0) -> Receiver:
    """Receive over OTLP/HTTP; `url` is the base address, without a signal's path."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            zipped = self.headers.get("content-encoding") == "gzip"
            message = _MESSAGES[self.path]()
            message.ParseFromString(gzip.decompress(body) if zipped else body)
            receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
            self.send_response(200 if receiver.take(message) else 503)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that has given up waiting is what some tests want."""

    server = Quiet(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"

    def stop() -> None:
        server.shutdown()
        server.server_close()

    receiver._stop = stop
    return receiver


def over_grpc() -> Receiver:
    """Receive over OTLP/gRPC."""
    receiver = Receiver()

    def answered(request: Any, context: grpc.ServicerContext, answer: Any) -> Any:
        receiver.headers.append(dict(context.invocation_metadata()))
        if not receiver.take(request):
            context.abort(grpc.StatusCode.UNAVAILABLE, "refused")
        return answer

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        @override
        def Export(self, request: Any, context: Any) -> Any:
            return answered(request, context, trace_service_pb2.ExportTraceServiceResponse())

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        @override
        def Export(self, request: Any, context: Any) -> Any:
            return answered(request, context, metrics_service_pb2.ExportMetricsServiceResponse())

    class Logs(logs_service_pb2_grpc.LogsServiceServicer):
        @override
        def Export(self, request: Any, context: Any) -> Any:
            return answered(request, context, logs_service_pb2.ExportLogsServiceResponse())

    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    receiver.url = f"http://127.0.0.1:{port}"
    receiver._stop = lambda: server.stop(0).wait(5) and None
    return receiver


def _spans_of(request: trace_service_pb2.ExportTraceServiceRequest) -> Iterator[SpanSeen]:
    for resource in request.resource_spans:
        origin = plain(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield SpanSeen(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=_KINDS.get(span.kind, str(span.kind)),
                    started_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    failed=span.status.code == Status.STATUS_CODE_ERROR,
                    message=span.status.message,
                    attributes=plain(span.attributes),
                    events=[(e.name, e.time_unix_nano, plain(e.attributes)) for e in span.events],
                    resource=origin,
                    scope=scope.scope.name,
                )


def plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)
