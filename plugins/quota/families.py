"""What is measured of quotas."""

from typing import Final

from plugins.core.metrics import Gauge

USED_RATIO: Final = Gauge(
    "sluice_tenant_quota_used_ratio",
    "This month's spend over the quota, for tenants that have one",
    ("tenant",),
)
