"""All of one worker's detectors: bounded in number and in how much they are fed."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from plugins.core.clock import Clock
from plugins.drift.rules import Change, Detector, Signal

SHOWN: Final = timedelta(hours=1)
"""How long a change is shown after it was found."""
SAMPLES_A_SECOND: Final = 100
"""Of one detector, in one worker; what comes beyond in a second is not looked at."""


class Watch:
    """Watches every signal of the models that the configuration names.

    Args:
        models: names; what others do is not watched, so that there are never more than these times
            the signals.
        clock: wall and monotonic time.
    """

    def __init__(self, models: Collection[str], clock: Clock) -> None:
        self._models: Final = frozenset(models)
        self._clock: Final = clock
        self._detectors: Final[dict[tuple[str, Signal], Detector]] = {}
        self._changed: Final[dict[tuple[str, Signal], datetime]] = {}
        self._second = 0
        self._fed: Final[dict[tuple[str, Signal], int]] = {}

    def see(self, model: str | None, signal: Signal, value: float) -> Change | None:
        """Look at what has just happened."""
        if model is None or model not in self._models or self._is_full(model, signal):
            return None
        return self._look(model, signal, value, self._clock.now())

    def replay(self, model: str, signal: Signal, value: float, at: datetime) -> Change | None:
        """Look at what happened at some time, be it long ago.

        Returns:
            A change only if it is recent enough to be shown.
        """
        if model not in self._models:
            return None
        change = self._look(model, signal, value, at)
        return change if self._clock.now() - at < SHOWN else None

    def shown(self) -> Mapping[tuple[str, ...], float]:
        """Give 1 for each signal that changed lately and 0 for the others that have been seen."""
        now = self._clock.now()
        return {
            (model, signal.value): float(
                (model, signal) in self._changed and now - self._changed[model, signal] < SHOWN
            )
            for model, signal in self._detectors
        }

    def _look(self, model: str, signal: Signal, value: float, at: datetime) -> Change | None:
        key = (model, signal)
        if key not in self._detectors:
            self._detectors[key] = Detector(model, signal)
        change = self._detectors[key].see(value)
        if change is not None:
            self._changed[key] = at
        return change

    def _is_full(self, model: str, signal: Signal) -> bool:
        second = int(self._clock.monotonic_s())
        if second != self._second:
            self._second = second
            self._fed.clear()
        fed = self._fed.get((model, signal), 0) + 1
        self._fed[model, signal] = fed
        return fed > SAMPLES_A_SECOND
