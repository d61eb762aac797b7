"""When a tenant's use of its quota is worth telling. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from plugins.core.alerts import Alert
from plugins.core.money import printed_usd

WARNING_SHARE: Final = Decimal("0.8")


class Level(StrEnum):
    """How far a tenant is."""

    WARNING = "warning"
    """At 80 % of its quota, or more."""
    EXCEEDED = "exceeded"
    """Above it; spending the quota itself is allowed."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one tenant has spent in a calendar month (UTC), and what it may.

    Args:
        tenant_id: whose.
        month: its first day.
        spent_usd: US dollars, of all calls that the ledger has.
        quota_usd: above 0.
    """

    tenant_id: str
    month: date
    spent_usd: Decimal
    quota_usd: Decimal

    @property
    def ratio(self) -> float:
        """Give the share used; above 1 when it is exceeded."""
        return float(self.spent_usd / self.quota_usd)

    @property
    def level(self) -> Level | None:
        """Give what is to be told, or None while all is well.

        Source: SPEC 11.3.
        """
        if self.spent_usd > self.quota_usd:
            return Level.EXCEEDED
        if self.spent_usd >= self.quota_usd * WARNING_SHARE:
            return Level.WARNING
        return None


def month_of(now: datetime) -> date:
    """Give the first day of the month, in `now`'s time zone."""
    return now.date().replace(day=1)


def alert_of(use: Use, level: Level) -> Alert:
    """Make the alert of SPEC 11.3; it is told once a month, so nobody says that it is over."""
    spent = f"${printed_usd(round(use.spent_usd, 2))} of ${printed_usd(round(use.quota_usd, 2))}"
    if level is Level.EXCEEDED:
        name, severity = "tenant_quota_exceeded", "high"
        told = f"Tenant {use.tenant_id} exceeded AI quota"
    else:
        name, severity = "tenant_quota_warning", "medium"
        told = f"Tenant {use.tenant_id} at 80 % of its AI quota"
    return Alert(
        name=name,
        subject=use.tenant_id,
        summary=f"{told}: {spent} in {use.month:%Y-%m}",
        severity=severity,
        momentary=True,
        labels={"tenant": use.tenant_id},
    )
