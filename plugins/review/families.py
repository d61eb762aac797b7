"""What is measured of the review queue."""

from typing import Final

from plugins.core.metrics import Gauge

OPEN: Final = Gauge("sluice_reviews_open", "Items without a decision, claimed ones included")
OLDEST: Final = Gauge(
    "sluice_review_oldest_seconds", "Age of the oldest item without a decision, 0 without any"
)
