"""Which requests were seen: a bounded ring and counts, without texts and without keys."""

from collections import Counter, deque
from collections.abc import Callable

import msgspec

RING = 10_000


class Seen(msgspec.Struct):
    """One request.

    `status` is 0 while nothing has been answered (for good after the fault `cut`), and 499 when
    the client left before.
    """

    seq: int
    time: float
    provider: str
    method: str
    path: str
    traceparent: str | None
    model: str | None = None
    body_hash: str = ""
    stream: bool = False
    status: int = 0
    aborted: bool = False
    faults: tuple[str, ...] = ()
    duration_ms: float = 0.0


class Journal:
    """The last requests and the counts since the last reset.

    Args:
        now_s: wall clock, seconds since the epoch.
        size: how many requests are kept.
    """

    def __init__(self, now_s: Callable[[], float], size: int = RING) -> None:
        self._now_s = now_s
        self._ring: deque[Seen] = deque(maxlen=size)
        self._counts: dict[str, Counter[str]] = {}
        self.last = 0
        self.in_flight: Counter[str] = Counter()

    def open(self, provider: str, method: str, path: str, traceparent: str | None) -> Seen:
        """Note a request that has arrived."""
        self.last += 1
        self.in_flight[provider] += 1
        seen = Seen(self.last, self._now_s(), provider, method, path, traceparent)
        self._ring.append(seen)
        return seen

    def close(self, seen: Seen) -> None:
        """Note how a request ended."""
        self.in_flight[seen.provider] -= 1
        seen.duration_ms = round((self._now_s() - seen.time) * 1000, 3)
        counts = self._counts.get(seen.provider)
        if counts is None:
            counts = self._counts[seen.provider] = Counter()
        counts["requests"] += 1
        counts[f"status_{seen.status}"] += 1
        if seen.aborted:
            counts["aborted"] += 1
        for name in seen.faults:
            counts[f"fault_{name}"] += 1

    def since(self, seq: int) -> list[Seen]:
        """Return the kept requests numbered after `seq`, oldest first."""
        if self._ring and seq >= self._ring[0].seq:
            skip = seq - self._ring[0].seq + 1
            return list(self._ring)[skip:]
        return list(self._ring)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the counts of each provider."""
        return {name: dict(counter) for name, counter in self._counts.items()}

    def clear(self) -> None:
        """Forget requests and counts; numbers go on."""
        self._ring.clear()
        self._counts.clear()
