"""From rounds to figures: percentiles, medians of paired rounds, and how far they spread."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which a share of the values lies, interpolated between neighbours.

    Args:
        values: in any order, at least one.
        share: 0 to 1.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    Args:
        bare: of bare LiteLLM, the median of its rounds.
        sluice: of Sluice, likewise.
        change: the median over pairs of rounds of what `compared` did to a pair.
        low: smallest change in any pair.
        high: largest.
        sure: a 95 % interval of `change`.
    """

    bare: float
    sluice: float
    change: float
    low: float
    high: float
    sure: tuple[float, float]


def interval(changes: Sequence[float]) -> tuple[float, float]:
    """Give a 95 % interval of the median, whatever the changes are spread like (the sign test's).

    Args:
        changes: of pairs of rounds, in any order; with fewer than 6 the interval is all of them,
            which is then less than 95 %.
    """
    ordered, count = sorted(changes), len(changes)
    outside, beyond = 0, 0.0
    while (beyond := beyond + math.comb(count, outside) / 2**count) <= _TAIL:
        outside += 1
    left_out = max(outside - 1, 0)
    return ordered[left_out], ordered[count - 1 - left_out]


def ratio(bare: float, sluice: float) -> float:
    """Compare two figures of one pair of rounds by division."""
    return sluice / bare


def added(bare: float, sluice: float) -> float:
    """Compare two figures of one pair of rounds by subtraction."""
    return sluice - bare


def compared(
    bare: Sequence[float], sluice: Sequence[float], how: Callable[[float, float], float]
) -> Figure:
    """Compare round by round, then take the median.

    Args:
        bare: one figure per round.
        sluice: likewise; the n-th was measured next to bare's n-th.
        how: `ratio` or `added`.
    """
    changes = [how(b, s) for b, s in zip(bare, sluice, strict=True)]
    return Figure(
        bare=statistics.median(bare),
        sluice=statistics.median(sluice),
        change=statistics.median(changes),
        low=min(changes),
        high=max(changes),
        sure=interval(changes),
    )
