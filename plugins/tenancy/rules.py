"""What a virtual key looks like, how it is hashed, and when it is good. Pure."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from plugins.core.errors import GatewayError, Unauthenticated
from plugins.core.tenant import Principal

_ALPHABET: Final = string.digits + string.ascii_letters
_ID_LENGTH: Final = 10
_SECRET_LENGTH: Final = 32
"""32 base-62 characters: 190 bits."""
_CHECK_LENGTH: Final = 6
_TOKEN: Final = re.compile(rf"sk-([0-9A-Za-z]{{{_ID_LENGTH}}})-([0-9A-Za-z]{{38}})", re.ASCII)
TENANT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key as it is kept.

    Args:
        principal: what the holder may do.
        hash: keyed hash of the whole token, 32 bytes.
        revoked_at: since when it is refused, UTC, or None.
        tenant_active: False while the tenant is suspended.
        version: the directory's when this was last changed, or its tenant was.
    """

    principal: Principal
    hash: bytes
    revoked_at: datetime | None
    tenant_active: bool
    version: int


class KeyHasher:
    """HMAC-SHA256 of the whole token under a key derived from the installation's secret."""

    def __init__(self, secret: str) -> None:
        self._key: Final = hmac.digest(secret.encode(), b"sluice virtual keys v1", "sha256")
        self.fingerprint: Final = hmac.digest(
            secret.encode(), b"sluice secret fingerprint v1", "sha256"
        )
        """32 bytes that differ between secrets and tell nothing of them."""

    def hash(self, token: str) -> bytes:
        """Give 32 bytes that tell nothing of the token without the secret."""
        return hmac.digest(self._key, token.encode(), hashlib.sha256)


def new_token() -> tuple[str, str]:
    """Make a key.

    Returns:
        Its public identifier, and the token itself: `sk-<identifier>-<secret><checksum>`.
    """
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return key_id, f"sk-{key_id}-{secret}{_checksum(key_id + secret)}"


def key_id_of(token: str) -> str | None:
    """Read the public identifier, or None when this cannot be one of our keys.

    The checksum turns typing faults and made-up keys away without a query.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    key_id, rest = match.groups()
    secret, check = rest[:-_CHECK_LENGTH], rest[-_CHECK_LENGTH:]
    return key_id if check == _checksum(key_id + secret) else None


def judge(record: KeyRecord | None, presented: bytes, now: datetime) -> Principal | GatewayError:
    """Decide whether a presented key is good.

    Args:
        record: the key with the presented identifier, or None.
        presented: keyed hash of the presented token, compared in constant time.
        now: UTC.

    Returns:
        The principal, or the refusal. Only who holds the right secret learns that the key is
        revoked, expired or its tenant suspended.
    """
    if record is None or not hmac.compare_digest(record.hash, presented):
        return unknown_key()
    return standing(record, now)


def standing(record: KeyRecord, now: datetime) -> Principal | GatewayError:
    """Decide whether a key is good still, for whoever has shown its secret before.

    Args:
        record: the key.
        now: UTC.
    """
    # PostgreSQL's clock wrote the moment: comparing it with ours would let a key live on.
    if record.revoked_at is not None:
        return Unauthenticated("this API key is revoked; ask for a new one", code="key_revoked")
    expires_at = record.principal.expires_at
    if expires_at is not None and expires_at <= now:
        return Unauthenticated(
            f"this API key expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}; ask for a new one",
            code="key_expired",
        )
    if not record.tenant_active:
        return Unauthenticated(
            "this API key's tenant is suspended; ask the operator", code="tenant_suspended"
        )
    return record.principal


def unknown_key() -> Unauthenticated:
    """Give the answer to a key that is not ours."""
    return Unauthenticated(
        "the API key is not valid; send a virtual key of this gateway, as `Authorization: Bearer"
        " sk-...`"
    )


def _checksum(text: str) -> str:
    value = zlib.crc32(text.encode())
    digits: list[str] = []
    for _ in range(_CHECK_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def webhook_url(text: str) -> str:
    """Give an address that decisions may be sent to: they hold what a candidate is told.

    Raises:
        ValueError: when it is none, is not encrypted, or names a user or a fragment.
    """
    try:
        parts = urlsplit(text)
        host, sound = parts.hostname or "", parts.port != 0
    except ValueError:
        host, sound, parts = "", False, urlsplit("")
    private = parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))
    if not (sound and host and private) or parts.username or parts.fragment:
        raise ValueError("is no such address; write it like https://host/path, without a user")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds stray characters; write it as it is sent")
    return text


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
