"""A worker's own windows: they follow what it lets through, and decide while Redis is away."""

from collections.abc import Sequence
from typing import Final

from plugins.limits.rules import (
    SLOTS,
    Correction,
    Counter,
    Hold,
    Limited,
    Reservation,
    Standing,
    Window,
    share_of,
)


class OwnWindows:
    """What this worker has let through in the last window.

    Args:
        slot_us: a slot's length, microseconds.
    """

    def __init__(self, slot_us: int) -> None:
        self._slot_us: Final = slot_us
        self._windows: Final[dict[Counter, Window]] = {}
        self._owed: Final[dict[Counter, Window]] = {}

    def __len__(self) -> int:
        """Give the number of counters that are held."""
        return len(self._windows)

    def slot(self, now_us: int) -> int:
        """Give the slot of a moment on this worker's clock."""
        return now_us // self._slot_us

    def decide(
        self,
        callers: Sequence[Limited],
        providers: Sequence[Limited],
        tokens: int,
        *,
        workers: int,
        now_us: int,
    ) -> Reservation:
        """Decide alone, as the script does for all, against this worker's share.

        What is let through is remembered as owed to the shared counters.
        """
        slot = self.slot(now_us)
        seen = [self._look(limited, tokens, workers, slot) for limited in callers]
        admitted = all(standing.wait_s == 0 for standing in seen)
        looked_at: list[Standing] = []
        if admitted:
            for limited in providers:
                looked_at.append(self._look(limited, tokens, workers, slot))
                if looked_at[-1].wait_s == 0:
                    break
        holds = [
            self._owe(standing.limited.counter, tokens, slot)
            for standing in (*seen, *looked_at)
            if admitted and standing.wait_s == 0
        ]
        if admitted:
            # As they stand with this call counted.
            seen = [self._standing(s.limited, workers, slot, s.wait_s) for s in seen]
        return Reservation(admitted, tuple(seen), tuple(looked_at), tuple(holds))

    def take(self, counter: Counter, tokens: int, now_us: int) -> int:
        """Follow a call that the shared counters let through; gives the slot."""
        window = self._windows.setdefault(counter, Window())
        return window.take(self.slot(now_us), 1, tokens)

    def correct(self, correction: Correction) -> None:
        """Follow a correction."""
        hold = correction.hold
        for windows in (self._windows, self._owed):
            window = windows.get(hold.counter)
            # What the shared counters were told of is corrected there.
            if window is not None and (windows is self._windows or hold.slot is None):
                window.correct(hold.own_slot, correction.requests, correction.tokens)

    def owe_everything(self) -> None:
        """Take it that the shared counters know nothing of the last window."""
        self._owed.clear()
        for counter, window in self._windows.items():
            for slot, requests, tokens in window.slots():
                self._owed.setdefault(counter, Window()).take(slot, requests, tokens)

    def next_owed(self) -> tuple[Counter, Window] | None:
        """Take out what one shared counter is owed; None when nothing is."""
        return self._owed.popitem() if self._owed else None

    def owe_again(self, counter: Counter, window: Window) -> None:
        """Put back what could not be told, with what has come since."""
        since = self._owed.pop(counter, None)
        for slot, requests, tokens in since.slots() if since else ():
            window.take(slot, requests, tokens)
        self._owed[counter] = window

    def used(self, counter: Counter, now_us: int) -> tuple[int, int, float]:
        """Give what this worker let through: requests, tokens, seconds to the reset."""
        window = self._windows.get(counter, Window())
        slot = window.forward(self.slot(now_us))
        return window.requests, window.tokens, self._resets_s(window, slot)

    def sweep(self, now_us: int) -> None:
        """Forget the windows in which nothing is left."""
        slot = self.slot(now_us)
        for counter, window in list(self._windows.items()):
            window.forward(slot)
            if not window.slots():
                del self._windows[counter]

    def _look(self, limited: Limited, tokens: int, workers: int, slot: int) -> Standing:
        window = self._windows.get(limited.counter)
        if window is None:
            return self._standing(limited, workers, slot, 0.0)
        slot = window.forward(slot)
        share = share_of(limited.limit, workers)
        # One that is larger than a share must not starve: it goes where nothing else counts.
        wanted = min(tokens, share.tokens_per_minute or tokens)
        wait_s = window.wait_slots(share, 1, wanted) * self._slot_us / 1e6
        return self._standing(limited, workers, slot, wait_s)

    def _standing(self, limited: Limited, workers: int, slot: int, wait_s: float) -> Standing:
        window = self._windows.get(limited.counter, Window())
        share = share_of(limited.limit, workers)
        rpm, tpm = share.requests_per_minute, share.tokens_per_minute
        return Standing(
            limited,
            max(rpm - window.requests, 0) if rpm else None,
            max(tpm - window.tokens, 0) if tpm else None,
            wait_s,
            self._resets_s(window, slot),
        )

    def _owe(self, counter: Counter, tokens: int, slot: int) -> Hold:
        own_slot = self._windows.setdefault(counter, Window()).take(slot, 1, tokens)
        self._owed.setdefault(counter, Window()).take(own_slot, 1, tokens)
        return Hold(counter, 1, tokens, None, own_slot)

    def _resets_s(self, window: Window, slot: int) -> float:
        left = window.last + SLOTS - slot
        return left * self._slot_us / 1e6 if window.requests and left > 0 else 0.0
