"""Signatures of what the gateway sends to others' webhooks, so that nobody else can send it. Pure.

A receiver takes the body's bytes as they came, computes HMAC-SHA256 of `<timestamp>.<body>` with
the shared secret, compares it in constant time with the part of `x-sluice-signature` after `v1=`,
and refuses a timestamp that is more than five minutes off: an old request cannot be sent again.
`verify` is that, in Python.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

SIGNATURE: Final = "x-sluice-signature"
TIMESTAMP: Final = "x-sluice-timestamp"
TOLERANCE: Final = timedelta(minutes=5)
SALT_BYTES: Final = 16
_VERSION: Final = "v1="
_PREFIX: Final = "whsec_"


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


def derived_secret(secret: str, tenant_id: str, salt: bytes) -> str:
    """Give the secret that a tenant's webhook shares with the gateway, which keeps it nowhere.

    Args:
        secret: the installation's.
        tenant_id: whose webhook.
        salt: random; another one makes another secret.
    """
    own = hmac.digest(secret.encode(), b"sluice tenants' webhooks v1", "sha256")
    made = hmac.digest(own, tenant_id.encode() + b"\n" + salt, "sha256")
    return _PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")
