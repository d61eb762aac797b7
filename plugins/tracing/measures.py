"""GenAI's standard metrics over OTLP, for those who collect no Prometheus.

Only when the environment asks for them by name (`OTEL_METRICS_EXPORTER=otlp`, or an address of
their own): `GET /metrics` says the same and more, and each sample costs some 10 us here.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from plugins.core.call import Attempt, Call
from plugins.tracing import names
from plugins.tracing.attributes import NOWHERE, Upstream
from plugins.tracing.sdk import Target, quieten, resource

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricExporter

DURATION: Final = "gen_ai.client.operation.duration"
NEWER_DURATION: Final = "gen_ai.client.inference.duration"
TOKENS: Final = "gen_ai.client.token.usage"
FAREWELL_MS: Final = 2_000
# Both lists are those of the conventions (gen-ai-metrics, read 2026-11-24).
_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_COUNTS: Final = tuple(4**n for n in range(14))


class NoMeasures:
    """Measures nothing: nobody has asked for it."""

    def of(self, call: Call) -> None:
        """Take a call that is over."""

    def close(self) -> None:
        """End."""


class Measures(NoMeasures):
    """Measures the tries at providers.

    Args:
        meter: makes the instruments.
        upstreams: what stands behind each deployment.
        newer_names: add the name that newer conventions give to durations.
        end: sends what was measured since the last time, and ends.
    """

    def __init__(
        self,
        meter: "Meter",
        upstreams: Mapping[str, Upstream],
        *,
        newer_names: bool = False,
        end: Any = None,
    ) -> None:
        self._upstreams: Final = upstreams
        self._end: Final = end
        wanted = (DURATION, NEWER_DURATION) if newer_names else (DURATION,)
        self._durations: Final = [
            meter.create_histogram(
                name,
                unit="s",
                description="GenAI operation duration.",
                explicit_bucket_boundaries_advisory=_SECONDS,
            )
            for name in wanted
        ]
        self._tokens: Final = meter.create_histogram(
            TOKENS,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_COUNTS,
        )

    def of(self, call: Call) -> None:
        """Measure each try once; an answer that was recalled has none."""
        for attempt in call.attempts:
            facts = self._facts(call, attempt)
            if attempt.ended_s is not None:
                for histogram in self._durations:
                    histogram.record(attempt.ended_s - attempt.started_s, facts)
            usage = attempt.usage
            if usage is None and attempt is call.served:
                usage = call.usage
            if usage is not None and (usage.input_tokens or usage.output_tokens):
                self._tokens.record(usage.input_tokens, {**facts, names.TOKEN_TYPE: "input"})
                self._tokens.record(usage.output_tokens, {**facts, names.TOKEN_TYPE: "output"})

    def _facts(self, call: Call, attempt: Attempt) -> dict[str, str]:
        upstream = self._upstreams.get(attempt.deployment, NOWHERE)
        facts = {
            names.OPERATION: names.OPERATIONS[call.endpoint],
            names.PROVIDER: attempt.provider,
            names.REQUEST_MODEL: upstream.model or attempt.group,
        }
        if upstream.address:
            facts[names.SERVER_ADDRESS] = upstream.address
        if attempt.error_class:
            facts[names.ERROR_TYPE] = attempt.error_class
        return facts

    def close(self) -> None:
        """Send what was measured since the last time; waits two seconds at most."""
        if self._end is not None:
            self._end(timeout_millis=FAREWELL_MS)


def wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment names OTLP metrics; the common address alone does not."""
    return bool(
        environ.get("OTEL_METRICS_EXPORTER") or environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    )


def measures(target: Target, upstreams: Mapping[str, Upstream]) -> Measures:
    """Measure, and export every minute or as OTEL_METRIC_EXPORT_INTERVAL says."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    quieten()
    reader = PeriodicExportingMetricReader(_exporter(target))
    provider = MeterProvider([reader], resource(), shutdown_on_exit=False)
    asked = os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    newer = "gen_ai_latest_experimental" in {word.strip() for word in asked}
    return Measures(
        provider.get_meter("sluice"), upstreams, newer_names=newer, end=provider.shutdown
    )


def _exporter(target: Target) -> "MetricExporter":
    if target.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        return OTLPMetricExporter()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter as OverHttp,
    )

    return OverHttp()
