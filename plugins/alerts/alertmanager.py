"""Alerts for Prometheus' Alertmanager, over its API v2 (`POST /api/v2/alerts`).

Alertmanager forgets an alert that is not told again: each firing one is sent anew every `resend_s`,
and says that it ends after four times that, as Prometheus does. So it outlives a lost request or
two, and ends by itself when no gateway is left to tell. Labels alone tell alerts apart there; they
are the same when one begins and when it ends.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from plugins.alerts.notice import Notice, Outgoing, printed

PATH: Final = "/api/v2/alerts"
LIVES: Final = 4
"""Rounds of telling after which an alert that is told no more ends."""
_UNFIT: Final = re.compile(r"[^a-zA-Z0-9_]")


class AlertmanagerSender:
    """Writes alerts for one Alertmanager.

    Args:
        url: its address, to which the API's path is added.
        resend_s: seconds between tellings of what still fires.
    """

    def __init__(self, url: str, resend_s: float) -> None:
        self._url: Final = url.rstrip("/") + PATH
        self._lives: Final = timedelta(seconds=resend_s * LIVES)

    def request(self, notice: Notice, now: datetime) -> Outgoing:
        """Write the request."""
        ends = max(notice.at, notice.since) if notice.alert.resolved else now + self._lives
        return Outgoing(self._url, orjson.dumps([payload(notice, ends)]))


def payload(notice: Notice, ends: datetime) -> dict[str, Any]:
    """Give one alert as the API's `postableAlert`.

    Args:
        notice: what is told.
        ends: when it ends unless it is told again, or has ended.
    """
    alert = notice.alert
    facts = {label_name(name): value for name, value in alert.labels.items() if value}
    labels = facts | {
        "alertname": alert.name,
        "severity": alert.severity,
        "subject": alert.subject,
        "service": "sluice",
    }
    return {
        "labels": labels,
        "annotations": {"summary": alert.summary},
        "startsAt": printed(notice.since),
        "endsAt": printed(ends),
    }


def label_name(name: str) -> str:
    """Write a name as Prometheus takes it for a label."""
    fit = _UNFIT.sub("_", name)
    return f"_{fit}" if not fit or fit[0].isdigit() else fit
