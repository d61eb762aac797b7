"""A worker's copies of entries that it has just read or made: bounded, and good for a moment."""

from collections import OrderedDict
from typing import Final

from plugins.cache.entry import Entry
from plugins.core.clock import Clock

FRESH_S: Final = 1.0
"""How long an entry may outlive its removal from Redis in a worker."""
MOST_BYTES: Final = 8 * 2**20
_EACH: Final = 512


class Copies:
    """Copies of entries by their key, the longest unused dropped first.

    Args:
        clock: monotonic time.
        most_bytes: of all copies together, about.
    """

    def __init__(self, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock: Final = clock
        self._most_bytes: Final = most_bytes
        self._held: Final[OrderedDict[bytes, tuple[Entry, int, float]]] = OrderedDict()
        self.bytes = 0

    def get(self, key: bytes) -> Entry | None:
        """Give a copy that is fresh enough."""
        found = self._held.get(key)
        if found is None:
            return None
        if found[2] < self._clock.monotonic_s():
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep a copy; one that would take a quarter of the room is not."""
        size = sum(map(len, entry.frames)) + _EACH
        self._drop(key)
        if size * 4 > self._most_bytes:
            return
        self._held[key] = (entry, size, self._clock.monotonic_s() + FRESH_S)
        self.bytes += size
        while self.bytes > self._most_bytes:
            self._drop(next(iter(self._held)))

    def _drop(self, key: bytes) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self.bytes -= found[1]
