"""Alerts as plain JSON to anybody's webhook, signed so that nobody else can send them.

`core.signing` says how a receiver checks that. `id` is the same in every try of one alert, so that
a receiver can leave out one whose answer was lost.
"""

import hashlib
from datetime import datetime
from typing import Final

import orjson

from plugins.alerts.notice import Notice, Outgoing, printed
from plugins.core.signing import SIGNATURE, TIMESTAMP, sign


class WebhookSender:
    """Writes alerts for one webhook.

    Args:
        url: where to.
        secret: shared with the receiver; empty sends unsigned.
    """

    def __init__(self, url: str, secret: str = "") -> None:
        self._url: Final = url
        self._secret: Final = secret

    def request(self, notice: Notice, now: datetime) -> Outgoing:
        """Write the request; its timestamp is the try's, not the alert's."""
        body = orjson.dumps(payload(notice))
        if not self._secret:
            return Outgoing(self._url, body)
        timestamp = str(int(now.timestamp()))
        signature = sign(self._secret, timestamp, body)
        return Outgoing(self._url, body, {SIGNATURE: signature, TIMESTAMP: timestamp})


def payload(notice: Notice) -> dict[str, object]:
    """Give the alert as its receiver reads it."""
    alert = notice.alert
    told = f"{alert.name}\n{alert.subject}\n{alert.state}\n{notice.at.isoformat()}"
    return {
        "id": hashlib.sha256(told.encode()).hexdigest()[:32],
        "name": alert.name,
        "subject": alert.subject,
        "state": alert.state,
        "severity": alert.severity,
        "summary": alert.summary,
        "labels": alert.labels,
        "at": printed(notice.at),
        "since": printed(notice.since),
    }
