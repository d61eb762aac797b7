"""Alerts as plain JSON to anybody's webhook, signed so that nobody else can send them.

A receiver takes the body's bytes as they came, computes HMAC-SHA256 of `<timestamp>.<body>` with
the shared secret, compares it in constant time with the part of `x-sluice-signature` after `v1=`,
and refuses a timestamp that is more than five minutes off: an old request cannot be sent again.
`verify` is that, in Python. `id` is the same in every try of one alert, so that a receiver can
leave out one whose answer was lost.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

import orjson

from plugins.alerts.notice import Notice, Outgoing, printed

SIGNATURE: Final = "x-sluice-signature"
TIMESTAMP: Final = "x-sluice-timestamp"
TOLERANCE: Final = timedelta(minutes=5)
_VERSION: Final = "v1="


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


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Give the signature header's value.

    Args:
        secret: shared with the receiver.
        timestamp: seconds since 1970, as text.
        body: as it is sent.
    """
    message = timestamp.encode() + b"." + body
    return _VERSION + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def verify(secret: str, signature: str, timestamp: str, body: bytes, now: datetime) -> bool:
    """Tell whether a request is the gateway's own and fresh; what a receiver does.

    Args:
        secret: shared with the gateway.
        signature: header `x-sluice-signature`.
        timestamp: header `x-sluice-timestamp`.
        body: bytes as they came.
        now: the receiver's time, UTC.
    """
    if not timestamp.isascii() or not timestamp.isdecimal():
        return False
    age_s = abs(now.timestamp() - float(timestamp))
    genuine = hmac.compare_digest(
        sign(secret, timestamp, body).encode(), signature.encode("utf-8", "replace")
    )
    return genuine and age_s <= TOLERANCE.total_seconds()
