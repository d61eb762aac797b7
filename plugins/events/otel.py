"""Events for OpenTelemetry: on the span that is running, and as a log record of its own.

Only OpenTelemetry's API is needed. Without a provider both are no-ops by its design; with one
(`plugins/tracing` makes it, where the environment names a place for logs) the record goes out also
when no span is running, as when an operator or a background task changes something.
"""

import logging
from typing import Final

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from typing_extensions import override

from plugins.core.events import Event, EventPort

SCOPE: Final = "sluice"

_log: Final = logging.getLogger("sluice.events")


class OtelEvents(EventPort):
    """Gives events to OpenTelemetry.

    Args:
        provider: a log provider; None for the process's own.
    """

    def __init__(self, provider: LoggerProvider | None = None) -> None:
        self._logger: Final = get_logger(SCOPE, logger_provider=provider)

    @override
    def emit(self, event: Event) -> None:
        """Add the event to the current span, and log it; an exporter's fault is logged instead."""
        attributes = dict(event.attributes)
        try:
            span = trace.get_current_span()
            if span.is_recording():
                span.add_event(event.name, attributes)
            self._logger.emit(
                event_name=event.name,
                body=event.body,
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                attributes=attributes,
            )
        except Exception:  # noqa: BLE001 - an exporter's bug must not fail a call
            _log.exception("the event %s could not be given to OpenTelemetry", event.name)
