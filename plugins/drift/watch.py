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


class _Watched:
    """One detector, how much it was fed in this second, and when it last found something."""

    __slots__ = ("changed", "detector", "fed", "second")

    def __init__(self, detector: Detector) -> None:
        self.detector: Final = detector
        self.second = 0
        self.fed = 0
        self.changed: datetime | None = None


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
        self._watched: Final[dict[tuple[str, Signal], _Watched]] = {}

    def see(self, model: str | None, signal: Signal, value: float) -> Change | None:
        """Look at what has just happened; a microsecond or two."""
        watched = self._of(model, signal)
        if watched is None:
            return None
        second = int(self._clock.monotonic_s())
        if second != watched.second:
            watched.second, watched.fed = second, 0
        watched.fed += 1
        if watched.fed > SAMPLES_A_SECOND:
            return None
        change = watched.detector.see(value)
        if change is not None:
            watched.changed = self._clock.now()
        return change

    def replay(self, model: str, signal: Signal, value: float, at: datetime) -> Change | None:
        """Look at what happened at some time, be it long ago.

        Returns:
            A change only if it is recent enough to be shown.
        """
        watched = self._of(model, signal)
        change = watched.detector.see(value) if watched else None
        if watched is None or change is None:
            return None
        watched.changed = at
        return change if self._clock.now() - at < SHOWN else None

    def shown(self) -> Mapping[tuple[str, ...], float]:
        """Give 1 for each signal that changed lately and 0 for the others that have been seen."""
        begin = self._clock.now() - SHOWN
        return {
            (model, signal.value): float(watched.changed is not None and watched.changed > begin)
            for (model, signal), watched in self._watched.items()
        }

    def _of(self, model: str | None, signal: Signal) -> _Watched | None:
        if model is None or model not in self._models:
            return None
        watched = self._watched.get((model, signal))
        if watched is None:
            watched = self._watched[model, signal] = _Watched(Detector(model, signal))
        return watched
