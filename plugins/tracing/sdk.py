"""Makes the official exporters that the environment asks for.

With `host_spans.py` the only file of this package that knows the SDK. Its exporters are given
requests that `wire.py` has written: the door into them is not public, so
`tests/unit/test_tracing_export.py` sends through both over real sockets. The variables are
the standard ones (OTEL_EXPORTER_OTLP_*, OTEL_TRACES_EXPORTER, OTEL_SDK_DISABLED, OTEL_SERVICE_NAME,
OTEL_RESOURCE_ATTRIBUTES); without an address nothing of the SDK is even imported.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from typing_extensions import override

from plugins.tracing.wire import Envelope

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.resources import Resource

    from plugins.tracing.outbox import Exporter

SCOPE: Final = "sluice"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_PROTOCOLS: Final = frozenset({"grpc", "http/protobuf"})
_LOUD: Final = (
    "opentelemetry.exporter.otlp",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk._shared_internal",
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where one signal goes.

    Args:
        endpoint: as the environment states it.
        protocol: `http/protobuf` or `grpc`.
    """

    endpoint: str
    protocol: str

    @property
    def place(self) -> str:
        """Give the address without user, password or query."""
        parts = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}")
        host = parts.hostname or ""
        return f"{host}:{parts.port}" if parts.port else host


def target_of(environ: Mapping[str, str], signal: str) -> Target | None:
    """Read where a signal is to go.

    Args:
        environ: the environment.
        signal: `TRACES`, `METRICS` or `LOGS`.

    Returns:
        None when it is switched off, or no address is set for it.

    Raises:
        ValueError: for a protocol that is none of the two.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporters = {e.strip() for e in environ.get(f"OTEL_{signal}_EXPORTER", "otlp").split(",")}
    if "otlp" not in exporters and exporters != {""}:
        return None
    endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get(_ENDPOINT, "")
    if not endpoint.strip():
        return None
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL")
    protocol = (own or environ.get(_PROTOCOL) or "http/protobuf").strip()
    if protocol not in _PROTOCOLS:
        raise ValueError(
            f"{_PROTOCOL} is {protocol!r}; http/protobuf and grpc are spoken here: set one of them"
        )
    return Target(endpoint.strip(), protocol)


def wants_older_names(environ: Mapping[str, str]) -> bool:
    """Tell whether OTEL_SEMCONV_STABILITY_OPT_IN asks for the older GenAI names too."""
    asked = environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    return "gen_ai/dup" in {word.strip() for word in asked}


def span_exporter(target: Target) -> "Exporter":
    """Make the official exporter; it reads the rest of its environment itself."""
    quieten()
    return _over_grpc() if target.protocol == "grpc" else _over_http()


def _over_http() -> "Exporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class OverHttp(OTLPSpanExporter):
        def send(self, body: bytes, count: int) -> bool:
            return self._client.export(body).success

    return OverHttp()


def _over_grpc() -> "Exporter":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.trace.export import SpanExportResult

    class OverGrpc(OTLPSpanExporter):
        def send(self, body: bytes, count: int) -> bool:
            request = ExportTraceServiceRequest.FromString(body)
            return self._export(cast("Any", request)) is SpanExportResult.SUCCESS

        @override
        def _translate_data(self, data: Any) -> ExportTraceServiceRequest:
            return data

        @override
        def _count_data(self, data: Any) -> int:
            return 0

    return OverGrpc()


def log_provider(target: Target) -> "LoggerProvider":
    """Give log records a way out: they are few, so the SDK's own batches will do."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    quieten()
    provider = LoggerProvider(resource(), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(_log_exporter(target)))
    return provider


def _log_exporter(target: Target) -> "LogRecordExporter":
    if target.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

        return OTLPLogExporter()
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as OverHttp

    return OverHttp()


def quieten() -> None:
    """Keep the exporters from logging every failed batch; the outbox says once what is wrong."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def envelope() -> Envelope:
    """Say which program, which release and which worker the spans come from."""
    found = resource().attributes
    plain = {k: v if isinstance(v, str | bool | int | float) else str(v) for k, v in found.items()}
    return Envelope(plain, SCOPE, version("sluice-gateway"))


def resource() -> "Resource":
    """Give the same as the SDK has it."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource.create(
        {
            "service.name": SCOPE,
            "service.version": version("sluice-gateway"),
            "service.instance.id": str(uuid.uuid4()),
        }
    )
    # What the operator says comes first.
    return own.merge(OTELResourceDetector().detect())
