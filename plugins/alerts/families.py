"""What is measured of alerts."""

from typing import Final

from plugins.core.metrics import Counter, Gauge, Merge

ALERTS: Final = Counter(
    "sluice_alerts_total", "Alerts raised, each once", ("name", "severity", "state")
)
DELIVERIES: Final = Counter(
    "sluice_alert_deliveries_total", "Tries to deliver alerts by outcome", ("sender", "outcome")
)
QUEUE: Final = Gauge(
    "sluice_alert_queue", "Alerts that wait for delivery", ("sender",), merge=Merge.SUM
)

DELIVERED: Final = "delivered"
AGAIN: Final = "again"
"""Failed, and will be tried again."""
REFUSED: Final = "refused"
"""The receiver will never take it."""
GIVEN_UP: Final = "given_up"
"""Too many tries, or too old."""
DROPPED: Final = "dropped"
"""The queue was full."""
