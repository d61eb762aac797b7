"""Alerts in the log: the sender that is always there and cannot be down."""

import logging
from datetime import datetime
from typing import Final

from plugins.alerts.notice import Notice

_log: Final = logging.getLogger("sluice.alerts")


class LogSender:
    """Writes each alert as a warning."""

    def request(self, notice: Notice, now: datetime) -> None:
        """Write one line: state, severity, name and the sentence; there is no request to make."""
        alert = notice.alert
        _log.warning("%s [%s] %s: %s", alert.state, alert.severity, alert.name, alert.summary)
