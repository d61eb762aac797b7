"""What is measured of calibration."""

from typing import Final

from plugins.core.metrics import Gauge

LABELS: Final = Gauge(
    "sluice_confidence_labels",
    "Judged answers that confidence is calibrated on",
    ("agent", "model"),
)
ERROR: Final = Gauge(
    "sluice_confidence_calibration_error",
    "Expected calibration error 0..1: estimate, and lower and upper end of its 95 % interval",
    ("agent", "model", "bound"),
)
CALIBRATED: Final = Gauge(
    "sluice_confidence_calibrated",
    "1 where there are labels enough for confidence to be a share of right answers",
    ("agent", "model"),
)
