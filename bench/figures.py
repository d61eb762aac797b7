"""From rounds to figures: percentiles, medians of paired rounds, and how far they spread."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    Args:
        bare: of bare LiteLLM, the median of its rounds.
        sluice: of Sluice, likewise.
        change: the median over pairs of rounds of what `compared` did to a pair.
        low: smallest change in any pair.
        high: largest.
    """

    bare: float
    sluice: float
    change: float
    low: float
    high: float


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
    )
