"""Lets LiteLLM record its own spans (its "OTel V2") below each pass through it.

LiteLLM's switch, LITELLM_OTEL_V2, stays off: it would hang FastAPI's instrumentation before the
door, outside the call's span, and make its provider the process's. Its logger is made with a
provider of ours instead, and the span that it looks for when a request begins is the pass's.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from litellm.integrations.otel.logger import (  # pyright: ignore[reportMissingTypeStubs]
    OpenTelemetryV2,
)
from litellm.integrations.otel.model.config import (  # pyright: ignore[reportMissingTypeStubs]
    OpenTelemetryV2Config,
)
from opentelemetry.context import attach, detach
from typing_extensions import override

from plugins.core.call import Call
from plugins.proxy.auth import SCOPE_KEY
from plugins.proxy.delivery import Send
from plugins.proxy.tiers import App, Receive, Scope
from plugins.tracing.host_spans import HostSpans, beneath, pass_of, tracer_provider

_ID: Final = "litellm_call_id"
_PAYLOAD: Final = "standard_logging_object"


class PassLogger(OpenTelemetryV2):
    """LiteLLM's logger, to which every pass of a call is a request of its own.

    It keeps one span a request identifier; all of a call's tries have the call's.
    """

    @override
    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Open a try's span."""
        super().log_pre_api_call(model, messages, _by_pass(kwargs))  # pyright: ignore[reportUnknownMemberType]

    @override
    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Close the span of a try that succeeded."""
        own = _by_pass(kwargs)
        await super().async_log_success_event(own, response_obj, start_time, end_time)  # pyright: ignore[reportUnknownMemberType]

    @override
    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Close the span of a try that failed."""
        own = _by_pass(kwargs)
        await super().async_log_failure_event(own, response_obj, start_time, end_time)  # pyright: ignore[reportUnknownMemberType]


def _by_pass(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Say of which pass LiteLLM tells."""
    owner = pass_of()
    if owner is None:
        return dict(kwargs)
    own = {**kwargs, _ID: owner}
    if payload := kwargs.get(_PAYLOAD):
        own[_PAYLOAD] = {**payload, _ID: owner}
    return own


def record_host_spans(spans: HostSpans) -> None:
    """Switch LiteLLM's spans on, before it loads its configuration.

    Whatever its variables say, it exports nothing itself, sends no metrics and no events, and
    records no content: ours is masked and asked for by tenant.
    """
    config = OpenTelemetryV2Config(
        enable_metrics=False,
        enable_events=False,
        capture_message_content="no_content",
        legacy_compat=False,
    )
    # It registers itself with LiteLLM's callbacks.
    PassLogger(config=config, tracer_provider=tracer_provider(spans))


def below_passes(application: App) -> App:
    """Give LiteLLM's application, its spans below the pass that is under way.

    Args:
        application: LiteLLM's.
    """

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        call = cast("Call", scope[SCOPE_KEY])
        token = attach(beneath(call.trace, call.passes[-1].span_id))
        try:
            await application(scope, receive, send)
        finally:
            detach(token)

    return traced
