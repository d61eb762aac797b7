"""What is measured of people's judgements."""

from typing import Final

from plugins.core.metrics import Counter, Gauge

FEEDBACK: Final = Counter(
    "sluice_feedback_total",
    "Statements about answers, each once",
    ("agent", "model", "kind"),
)
CONVERSIONS: Final = Counter(
    "sluice_conversions_total",
    "Stages that candidates reached, each once",
    ("agent", "stage"),
)
QUALITY: Final = Gauge(
    "sluice_quality_score",
    "Mean human score of 30 days, thumbs up 1 and down 0",
    ("model",),
)
