"""When a stream of values has changed: adaptive windows over values scaled to 0..1. Pure.

River's ADWIN is used by its compiled core alone: `river.drift` would import pandas and scipy, 0.6 s
and 117 MB in every worker; the core takes 4 ms and 1.4 MB, and 0.1 us for each value.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from river._river_rust.drift import AdaptiveWindowing

CHANCE: Final = 0.0005
"""ADWIN's delta, for each look; how often it is wrong in fact is measured by the tests."""
LOOK_EVERY: Final = 32
"""Values from one look for a change to the next."""
SETTLED: Final = 300
"""Values that must have been seen before a change can be one: a worker's first calls are cold."""


class Signal(StrEnum):
    """What is watched of a model."""

    OUTPUT_TOKENS = "output_tokens"
    LATENCY = "latency"
    ERRORS = "errors"
    CONFIDENCE = "confidence"
    SATISFACTION = "satisfaction"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a signal becomes a number from 0 to 1, and how large a change matters.

    Args:
        of: from the signal's unit to 0..1; outside of its range to the nearer end.
        back: the other way.
        smallest: a change of the mean below this is not told, on the scale.
        unit: for people.
    """

    of: Callable[[float], float]
    back: Callable[[float], float]
    smallest: float
    unit: str


def _octaves(lowest: float, count: int, unit: str, smallest_ratio: float) -> Scale:
    """Scale by ratio, as what is above 0 and has a long tail asks for.

    Means become geometric ones, which a few very long answers do not move.
    """

    def of(value: float) -> float:
        return min(max(math.log2(max(value, lowest) / lowest) / count, 0.0), 1.0)

    return Scale(of, lambda x: lowest * 2 ** (x * count), math.log2(smallest_ratio) / count, unit)


def _share(smallest: float) -> Scale:
    return Scale(lambda value: min(max(value, 0.0), 1.0), lambda x: x, smallest, "")


SCALES: Final = {
    Signal.OUTPUT_TOKENS: _octaves(1.0, 14, " tokens", 1.25),  # 1 to 16,384
    Signal.LATENCY: _octaves(0.004, 15, " s", 1.25),  # 4 ms to 131 s
    Signal.ERRORS: _share(0.03),
    Signal.CONFIDENCE: _share(0.05),
    Signal.SATISFACTION: _share(0.1),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A model's signal is not what it was.

    Args:
        model: the model group.
        signal: which.
        before: typical value before, in the signal's unit; a geometric mean for tokens and seconds.
        after: likewise, since; as far as it is known yet, which falls short of a large change.
    """

    model: str
    signal: Signal
    before: float
    after: float

    @property
    def direction(self) -> str:
        """Name where it went: `up` or `down`."""
        return "up" if self.after > self.before else "down"

    @property
    def summary(self) -> str:
        """Say it in one sentence."""
        unit = SCALES[self.signal].unit
        name = self.signal.value.replace("_", " ")
        return (
            f"Model drift detected: {name} of {self.model} went {self.direction} from"
            f" {self.before:.3g} to {self.after:.3g}{unit} so far"
        )


class Detector:
    """Watches one signal of one model.

    What changes is compared with the first look back, not with the window before it: many small
    steps add up to a change. After a change everything begins anew with the values that follow.

    Args:
        model: the model group.
        signal: which.
    """

    def __init__(self, model: str, signal: Signal) -> None:
        self.model: Final = model
        self.signal: Final = signal
        self._scale: Final = SCALES[signal]
        self._window = _new_window()
        self._usual: float | None = None
        """What was usual, on the scale; None until the window has dropped enough values."""
        self._past_count = self._past_total = 0.0

    @property
    def width(self) -> int:
        """Give the number of values in the window."""
        return int(self._window.get_width())

    def see(self, value: float) -> Change | None:
        """Take one value; a change is given by the value at which it is found.

        Args:
            value: in the signal's unit; what is not finite is not looked at.
        """
        if not math.isfinite(value):
            return None
        scaled = self._scale.of(value)
        width, total = self._window.get_width() + 1, self._window.get_total() + scaled
        if not self._window.update(scaled):
            return None
        now_width, now_total = self._window.get_width(), self._window.get_total()
        if self._usual is None:
            # One change may push the old values out in several pieces.
            self._past_count += width - now_width
            self._past_total += total - now_total
            if self._past_count < SETTLED:
                return None
            self._usual = self._past_total / self._past_count
        now, usual = now_total / now_width, self._usual
        if abs(now - usual) < self._scale.smallest:
            return None
        # The window still holds some old values, so that the same change would be found again.
        self._window, self._usual = _new_window(), None
        self._past_count = self._past_total = 0.0
        return Change(self.model, self.signal, self._scale.back(usual), self._scale.back(now))


def _new_window() -> AdaptiveWindowing:
    return AdaptiveWindowing(CHANCE, LOOK_EVERY, 5, 5, 10)
