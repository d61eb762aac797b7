"""Lets LiteLLM record its own spans with a provider of ours, under each pass through it."""

import os

from litellm.integrations.otel.logger import (  # pyright: ignore[reportMissingTypeStubs]
    build_otel_v2_logger,
)
from litellm.integrations.otel.model.config import (  # pyright: ignore[reportMissingTypeStubs]
    OpenTelemetryV2Config,
    is_otel_v2_enabled,
)
from litellm.integrations.otel.mount import (  # pyright: ignore[reportMissingTypeStubs]
    instrument_fastapi_app,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from plugins.proxy.host import app


def record_host_spans(provider: TracerProvider) -> None:
    """Switch LiteLLM's traces on; before its application's middleware is built.

    Whatever its variables say, it exports nothing itself, sends no metrics and no events, and
    records no content: ours is masked and asked for by tenant.
    """
    os.environ["LITELLM_OTEL_V2"] = "true"
    is_otel_v2_enabled.cache_clear()
    trace.set_tracer_provider(provider)
    instrument_fastapi_app(app)
    config = OpenTelemetryV2Config(
        enable_metrics=False,
        enable_events=False,
        capture_message_content="no_content",
        legacy_compat=False,
    )
    # It registers itself with LiteLLM's callbacks.
    build_otel_v2_logger(config, tracer_provider=provider)
