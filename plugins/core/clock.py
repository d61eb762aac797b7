"""Time as a parameter, so that tests never sleep."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Give the wall time, with time zone UTC."""
        ...

    def monotonic_s(self) -> float:
        """Give seconds that never go backwards."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the wall time, with time zone UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Give seconds that never go backwards."""
        return time.monotonic()
