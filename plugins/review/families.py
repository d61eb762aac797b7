"""What is measured of the review queue."""

from typing import Final

from plugins.core.metrics import Counter, Gauge, Histogram

OPEN: Final = Gauge("sluice_reviews_open", "Items without a decision, claimed ones included")
OLDEST: Final = Gauge(
    "sluice_review_oldest_seconds", "Age of the oldest item without a decision, 0 without any"
)
ITEMS: Final = Counter(
    "sluice_review_items_total",
    "Calls put into the review queue, by their gravest reason",
    ("reason",),
)
DECISIONS: Final = Counter("sluice_review_decisions_total", "Decided items", ("state",))
DECIDED_AFTER: Final = Histogram(
    "sluice_review_decision_seconds",
    "From a call's end to the decision about it",
    ("reason",),
    # A minute, a quarter and half an hour, the alert's four hours, a shift, a day, a week.
    (60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 28800.0, 86400.0, 259200.0, 604800.0),
)
DELIVERIES: Final = Counter(
    "sluice_review_deliveries_total", "Tries to tell a tenant of a held answer", ("outcome",)
)
