"""Counts, shares with Wilson's interval, and the area under a ROC curve. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959964
"""95 %, two-sided."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of some cases, with the interval that its number of cases allows.

    Args:
        hits: cases counted.
        of: all cases; 0 gives a share of None.
    """

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """Give the share, 0 to 1."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Give the 95 % interval (Wilson 1927); 0 to 1 when there are no cases."""
        if not self.of:
            return (0.0, 1.0)
        share, square = self.hits / self.of, _Z * _Z
        middle = share + square / (2 * self.of)
        spread = _Z * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of**2))
        scale = 1 + square / self.of
        return (max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a check found and what it should have.

    Args:
        right: found and there.
        wrong: found and not there.
        missed: there and not found.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Join two tallies."""
        return Tally(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> Share:
        """Give the share of what was found that was there."""
        return Share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> Share:
        """Give the share of what was there that was found."""
        return Share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float | None:
        """Give the harmonic mean of precision and recall; None without cases."""
        cases = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / cases if cases else None


def area_under_roc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Give the chance that a positive case scores above a negative one; ties count half.

    Args:
        positive: scores of the positive cases.
        negative: of the negative ones.

    Returns:
        0 to 1, or None when either side is empty.
    """
    if not positive or not negative:
        return None
    ranks, place = 0.0, 0
    both = sorted([(score, 1) for score in positive] + [(score, 0) for score in negative])
    while place < len(both):
        end = place
        while end < len(both) and both[end][0] == both[place][0]:
            end += 1
        ranks += (place + 1 + end) / 2 * sum(kind for _, kind in both[place:end])
        place = end
    count = len(positive)
    return (ranks - count * (count + 1) / 2) / (count * len(negative))
