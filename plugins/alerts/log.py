"""Alerts in the log: the sender that is always there."""

import logging
from typing import Final

from plugins.core.alerts import Alert

_log: Final = logging.getLogger("sluice.alerts")


class LogSender:
    """Writes each alert as a warning."""

    def send(self, alert: Alert) -> None:
        """Write one line: state, severity, name and the sentence."""
        state = "resolved" if alert.resolved else "firing"
        _log.warning("%s [%s] %s: %s", state, alert.severity, alert.name, alert.summary)
