"""Which prompt prefixes a provider has seen, for the cached tokens in its usage.

Entries are digests, never text; the oldest go first when the table is full.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

DEFAULT_TTL_S = 300.0
_CAPACITY = 4096


def chain(pieces: list[str]) -> list[bytes]:
    """Digest every prefix of a list of pieces, shortest first."""
    running = blake2b(digest_size=16)
    digests: list[bytes] = []
    for piece in pieces:
        running.update(piece.encode())
        running.update(b"\0")
        digests.append(running.digest())
    return digests


class PrefixTable:
    """Prefixes seen within their time to live.

    Args:
        now_s: monotonic clock, seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def longest(self, digests: list[bytes]) -> int:
        """Return how many leading pieces of a chain are remembered."""
        now = self._now_s()
        for i in range(len(digests) - 1, -1, -1):
            if self._until.get(digests[i], 0.0) > now:
                return i + 1
        return 0

    def remember(self, digests: list[bytes], ttl_s: float = DEFAULT_TTL_S) -> None:
        """Keep every prefix of a chain for `ttl_s` from now."""
        until = self._now_s() + ttl_s
        for digest in digests:
            self._until[digest] = until
            self._until.move_to_end(digest)
        while len(self._until) > _CAPACITY:
            self._until.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._until.clear()
