"""A sink that remembers, for tests of whoever raises alerts."""

from typing import Final

from plugins.core.alerts import Alert


class AlertSink:
    """Keeps every alert it is sent; an `AlertPort`."""

    def __init__(self) -> None:
        self.alerts: Final[list[Alert]] = []

    def send(self, alert: Alert) -> None:
        """Take an alert over."""
        self.alerts.append(alert)

    @property
    def firing(self) -> list[Alert]:
        """Give those that began and were not resolved since, in order."""
        last = {(alert.name, alert.subject): alert for alert in self.alerts}
        return [alert for alert in last.values() if not alert.resolved]
