"""How much of each provider's limit is used: read now and then, for whoever shows it."""

from collections.abc import Awaitable, Callable, Mapping

from plugins.core.limit import RateLimit
from plugins.limits.rules import PROVIDER, Counter, share_of
from plugins.limits.store import Limiter


def used_ratios(
    limiter: Limiter, providers: Mapping[str, RateLimit]
) -> Callable[[], Awaitable[Mapping[tuple[str, ...], float]]]:
    """Make what reads the share in use, by provider and `requests` or `tokens`.

    All providers are one question to Redis. While it is away the share is this worker's: what it
    let through of what it may by itself.

    Args:
        limiter: counts.
        providers: their limits; what has none has no share.
    """
    counters = [Counter(PROVIDER, name) for name in providers]

    async def read() -> Mapping[tuple[str, ...], float]:
        figures = await limiter.used(counters)
        ratios: dict[tuple[str, ...], float] = {}
        for (name, limit), (requests, tokens, _) in zip(providers.items(), figures, strict=True):
            most = limit if limiter.shared else share_of(limit, limiter.workers)
            for kind, used, bound in (
                ("requests", requests, most.requests_per_minute),
                ("tokens", tokens, most.tokens_per_minute),
            ):
                if bound:
                    ratios[name, kind] = used / bound
        return ratios

    return read
