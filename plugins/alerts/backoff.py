"""When an undelivered alert is tried again, and when that is given up. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

_TIMEOUT: Final = 408
_TOO_MANY: Final = 429


class Answer(StrEnum):
    """What a receiver's answer means."""

    DELIVERED = "delivered"
    AGAIN = "again"
    """It may take it later."""
    REFUSED = "refused"
    """It never will: the address, the secret or the body is wrong."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how often a delivery is tried.

    Args:
        first_s: seconds before the second try.
        longest_s: bound of the doubling.
        jitter: share of a pause that chance takes off, 0 to 1, so that workers do not try in step.
        tries: at most.
        age_s: seconds since the alert was raised after which nothing more is tried.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    jitter: float = 0.5
    tries: int = 25
    age_s: float = 900.0

    def pause_s(
        self, tried: int, age_s: float, *, chance: float, retry_after_s: float = 0.0
    ) -> float | None:
        """Give the seconds until the next try; None when there is to be none.

        Args:
            tried: how often it has been tried, at least 1.
            age_s: seconds since the alert was raised.
            chance: uniform in [0, 1).
            retry_after_s: what the receiver asked for; the pause is never shorter.
        """
        if tried >= self.tries:
            return None
        # The power stays a number however many tries are allowed.
        pause_s = min(self.first_s * 2.0 ** min(tried - 1, 32), self.longest_s)
        pause_s = max(pause_s * (1.0 - self.jitter * chance), retry_after_s)
        return pause_s if age_s + pause_s <= self.age_s else None


def meaning(status: int) -> Answer:
    """Read a receiver's HTTP status: 4xx but 408 and 429, and a redirect, stay as they are."""
    if 200 <= status < 300:
        return Answer.DELIVERED
    if status >= 500 or status in {_TIMEOUT, _TOO_MANY}:
        return Answer.AGAIN
    return Answer.REFUSED


def retry_after_s(stated: str | None, now: datetime) -> float:
    """Read a Retry-After header; 0 when there is none or it cannot be read.

    Args:
        stated: seconds or a date (RFC 9110, 10.2.3).
        now: UTC.
    """
    if not stated:
        return 0.0
    text = stated.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - now).total_seconds(), 0.0)
