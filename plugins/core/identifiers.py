"""Call identifiers: UUID version 7, so that they sort by time."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""Of any identifier in a path or query, anchored as JSON Schema wants it."""

LONGEST_CALL: Final = timedelta(minutes=15)
"""A call's row is written at its end: one that began longer ago is not about to appear."""
CLOCKS_APART: Final = timedelta(minutes=1)
"""By how much replicas' clocks may differ."""


def new_call_id() -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def begun_at(call_id: str) -> datetime:
    """Tell when the call of an identifier began, UTC, to the millisecond.

    Args:
        call_id: a UUID of version 7.
    """
    return datetime.fromtimestamp((UUID(call_id).int >> 80) / 1000, UTC)


def may_be_under_way(call_id: str, now: datetime) -> bool:
    """Tell whether a call of this identifier may still be on its way to the ledger.

    Args:
        call_id: a UUID; version 7 says when the call began.
        now: UTC.
    """
    if UUID(call_id).version != 7:
        return False
    age_s = now.timestamp() - (UUID(call_id).int >> 80) / 1000
    return -CLOCKS_APART.total_seconds() <= age_s <= LONGEST_CALL.total_seconds()
