"""How much one caller may ask of the gateway in a minute."""

from dataclasses import dataclass
from typing import Final

UNLIMITED: Final = 0
"""A limit of this value is none, whatever the policy's default says."""
MOST: Final = 1_000_000_000
"""The highest limit that can be set; far above what any provider grants."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Requests and tokens a minute, each on its own.

    Args:
        requests_per_minute: at least 1; None means that a default applies where there is one,
            `UNLIMITED` that there is no limit.
        tokens_per_minute: likewise; input and output together.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def or_else(self, default: "RateLimit") -> "RateLimit":
        """Take the default's figures where this has none of its own."""
        mine, tokens = self.requests_per_minute, self.tokens_per_minute
        return RateLimit(
            default.requests_per_minute if mine is None else mine,
            default.tokens_per_minute if tokens is None else tokens,
        )

    @property
    def limits_anything(self) -> bool:
        """Tell whether there is anything to count."""
        return bool(self.requests_per_minute or self.tokens_per_minute)


NOT_SET: Final = RateLimit()
