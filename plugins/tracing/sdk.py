"""Turns spans into OpenTelemetry's own, and makes the exporters that its environment asks for.

The only file of this package that knows the SDK. The variables are the standard ones
(OTEL_EXPORTER_OTLP_*, OTEL_TRACES_EXPORTER, OTEL_SDK_DISABLED, OTEL_SERVICE_NAME,
OTEL_RESOURCE_ATTRIBUTES); without an address nothing of the SDK is even imported.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from plugins.tracing.spans import Kind, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

SCOPE: Final = "sluice"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_PROTOCOLS: Final = frozenset({"grpc", "http/protobuf"})
_LOUD: Final = ("opentelemetry.exporter.otlp", "opentelemetry.sdk.metrics")


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


def span_exporter(target: Target) -> "SpanExporter":
    """Make the official exporter; it reads the rest of its environment itself."""
    quieten()
    if target.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    return OverHttp()


def quieten() -> None:
    """Keep the exporters from logging every failed batch; the outbox says once what is wrong."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def resource() -> "Resource":
    """Say which program, which release and which worker the spans come from."""
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


class Translator:
    """Makes the SDK's spans out of ours.

    Args:
        origin: which program they come from.
    """

    def __init__(self, origin: "Resource") -> None:
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._resource: Final = origin
        self._scope: Final = InstrumentationScope(SCOPE, version("sluice-gateway"))

    def __call__(self, spans: Sequence[Span]) -> "list[ReadableSpan]":
        """Translate; a thread's work, not the event loop's."""
        return [self._translated(span) for span in spans]

    def _translated(self, span: Span) -> "ReadableSpan":
        from opentelemetry.sdk.trace import Event, ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
        from opentelemetry.trace.status import Status, StatusCode

        kinds = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
        trace_id, flags = int(span.trace_id, 16), TraceFlags(TraceFlags.SAMPLED)
        parent = (
            SpanContext(trace_id, int(span.parent_id, 16), span.remote_parent, flags)
            if span.parent_id
            else None
        )
        failed = span.failure is not None
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int(span.span_id, 16), False, flags),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(m.name, m.attributes, m.at_ns) for m in span.moments],
            kind=kinds.get(span.kind, SpanKind.INTERNAL),
            status=Status(StatusCode.ERROR, span.failure) if failed else Status(),
            start_time=span.started_ns,
            end_time=span.ended_ns,
            instrumentation_scope=self._scope,
        )
