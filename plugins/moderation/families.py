"""What is measured of the moderation endpoint."""

from typing import Final

from plugins.core.metrics import Counter, Histogram

REQUESTS: Final = Counter(
    "sluice_moderation_requests_total",
    "Requests to the moderation endpoint, by what came of them",
    ("outcome",),
)
SECONDS: Final = Histogram(
    "sluice_moderation_seconds", "Time that the moderation endpoint took to judge"
)
