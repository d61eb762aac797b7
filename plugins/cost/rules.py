"""The price of one call. Pure; Decimal throughout."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from plugins.core.call import Usage
from plugins.core.money import ZERO, rounded

MILLION: Final = Decimal(1_000_000)
THOUSAND: Final = Decimal(1_000)
MINUTE_S: Final = Decimal(60)
HOUR_S: Final = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Price:
    """What one deployment charges, US dollars per unit.

    Args:
        input_usd: per prompt token.
        output_usd: per completion token.
        cached_input_usd: per prompt token read from the provider's cache; None: as input.
        cache_write_usd: per prompt token written to the provider's cache; None: as input.
        character_usd: per character spoken.
        second_usd: per second of audio heard.
        free_because: why this deployment charges nothing, or None.
    """

    input_usd: Decimal = ZERO
    output_usd: Decimal = ZERO
    cached_input_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None
    character_usd: Decimal = ZERO
    second_usd: Decimal = ZERO
    free_because: str | None = None

    def of(self, usage: Usage) -> Decimal:
        """Price one call.

        Args:
            usage: what it consumed; cached and cache-written tokens are part of its input tokens.

        Returns:
            US dollars, rounded half-even to twelve places.

        Source: SPEC 2.12, 7.2, 11.2.
        """
        special = usage.cached_input_tokens + usage.cache_write_tokens
        plain = max(usage.input_tokens - special, 0)
        cached_usd = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        write_usd = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        return rounded(
            plain * self.input_usd
            + usage.cached_input_tokens * cached_usd
            + usage.cache_write_tokens * write_usd
            + usage.output_tokens * self.output_usd
            + usage.characters * self.character_usd
            + usage.audio_s * self.second_usd
        )

    def saved_of(self, usage: Usage) -> Decimal:
        """Give what a provider's own prompt cache saved in one call.

        Args:
            usage: what it consumed.

        Returns:
            US dollars that its cached tokens would have cost more without the cache; what writing
            to the cache cost more is not taken off.
        """
        if self.cached_input_usd is None:
            return ZERO
        return rounded(usage.cached_input_tokens * (self.input_usd - self.cached_input_usd))


@dataclass(frozen=True, slots=True)
class GpuHour:
    """What it takes to turn the rent of GPUs into prices of tokens.

    Args:
        usd_per_hour: rent of one GPU, US dollars an hour.
        gpus: how many of them one replica occupies, at least 1.
        input_tokens_per_s: prompt tokens a second that the replica reads at full load while it
            writes next to nothing; above 0.
        output_tokens_per_s: completion tokens a second that it writes at full load, all requests
            together, while it reads next to nothing; above 0.
        busy_share: the part of the rented time in which it works, above 0 and at most 1; what
            stands idle is paid for as well.
    """

    usd_per_hour: Decimal
    gpus: int
    input_tokens_per_s: Decimal
    output_tokens_per_s: Decimal
    busy_share: Decimal = Decimal(1)

    def price(self) -> Price:
        """Price a token by the time for which it occupies the GPUs.

        A call that reads `i` tokens and writes `o` occupies them for
        `i / input_tokens_per_s + o / output_tokens_per_s` seconds, and a second of work costs
        `usd_per_hour * gpus / 3600 / busy_share`. That adds up only if each throughput was measured
        without the other kind of work: taken from one mixed run, every second would count twice.

        Returns:
            Dollars per token, not rounded: a call's cost is.
        """
        second_usd = self.usd_per_hour * self.gpus / HOUR_S / self.busy_share
        return Price(
            input_usd=second_usd / self.input_tokens_per_s,
            output_usd=second_usd / self.output_tokens_per_s,
        )


def zero_cost_note(price: Price | None, usage: Usage, cost_usd: Decimal) -> str | None:
    """Say why a call that consumed something costs nothing, or None when nothing is odd.

    Args:
        price: of the deployment that served, or None when none is known.
        usage: what the call consumed.
        cost_usd: what it was priced at.

    Returns:
        `unpriced` (no price is known), `zero_price` (the price list says zero and nobody said
        why) or the stated reason. The first two are reported.
    """
    if cost_usd or usage.is_empty:
        return None
    if price is None:
        return "unpriced"
    return price.free_because or "zero_price"


REPORTED_NOTES: Final = frozenset({"unpriced", "zero_price"})
