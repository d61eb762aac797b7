"""When a provider is tried and when it is spared. Pure: time and chance are parameters."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """The three states of a circuit, by the field's usual names."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Permit(StrEnum):
    """What a circuit says to a call."""

    ALLOW = "allow"
    PROBE = "probe"
    """The cool-off is over: whoever takes the probe may try, the others may not."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """How quickly a circuit opens and how long it stays so.

    Args:
        failures_to_open: failures in a row, at least 1 (SPEC 8.3: 3).
        cool_off_s: seconds before the first probe.
        longest_cool_off_s: bound of the doubling.
        jitter: share of the cool-off that chance may add, 0 to 1, so that replicas do not probe
            in step.
        probe_lease_s: seconds after which a probe that never reported is given to another call.
    """

    failures_to_open: int = 3
    cool_off_s: float = 5.0
    longest_cool_off_s: float = 300.0
    jitter: float = 0.2
    probe_lease_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """One provider's circuit.

    Args:
        state: as it is kept; a cool-off that is over shows in `permit`, not here.
        failures: in a row, while closed.
        openings: in a row without a success; the exponent of the cool-off.
        until_s: end of the cool-off (open) or of the probe's lease (half open), epoch seconds.
        pinned: set by hand to `open` or `closed` until it is released; None otherwise.
    """

    state: State = State.CLOSED
    failures: int = 0
    openings: int = 0
    until_s: float = 0.0
    pinned: State | None = None

    def permit(self, now_s: float) -> Permit:
        """Tell a call whether to try this provider.

        Args:
            now_s: epoch seconds.
        """
        if self.pinned is not None:
            return Permit.REFUSE if self.pinned is State.OPEN else Permit.ALLOW
        if self.state is State.CLOSED:
            return Permit.ALLOW
        # Open and cooled off, or half open with a probe that never came back.
        return Permit.PROBE if now_s >= self.until_s else Permit.REFUSE

    def probed(self, now_s: float, policy: BreakerPolicy) -> "Circuit":
        """Give the probe to one call; only for a circuit that permits a probe."""
        return replace(self, state=State.HALF_OPEN, until_s=now_s + policy.probe_lease_s)

    def succeeded(self) -> "Circuit":
        """Close: the provider answered.

        Returns:
            The circuit, closed; an open one stays as it is, because only calls begun before it
            opened can succeed then, such as long streams, and they tell nothing of new ones.
        """
        return self if self.state is State.OPEN else replace(_CLOSED, pinned=self.pinned)

    def failed(
        self, now_s: float, policy: BreakerPolicy, *, chance: float, retry_after_s: float = 0.0
    ) -> "Circuit":
        """Count a failure of the provider.

        Args:
            now_s: epoch seconds.
            policy: how many failures open it, and for how long.
            chance: uniform in [0, 1).
            retry_after_s: what the provider asked for; the cool-off is never shorter.

        Returns:
            The circuit, open once the failures in a row are enough, or the probe failed. A failure
            that arrives while it is open (a call begun before) changes nothing.
        """
        if self.state is State.OPEN:
            return self
        failures = self.failures + 1
        if self.state is State.CLOSED and failures < policy.failures_to_open:
            return replace(self, failures=failures)
        cool_off_s = min(policy.cool_off_s * 2.0**self.openings, policy.longest_cool_off_s)
        cool_off_s *= 1.0 + policy.jitter * chance
        return replace(
            self,
            state=State.OPEN,
            failures=failures,
            # Bounded, so that the power above stays a number however long an outage lasts.
            openings=min(self.openings + 1, _MOST_OPENINGS),
            until_s=now_s + max(cool_off_s, retry_after_s),
        )

    def pin(self, to: State | None) -> "Circuit":
        """Set the circuit by hand, or release it (None) to start over closed."""
        if to is State.HALF_OPEN:
            raise ValueError("a circuit is pinned open or closed; half_open is not for hands")
        return replace(_CLOSED, pinned=to)

    @property
    def shown(self) -> State:
        """Give the state as it works now, for people and metrics."""
        return self.pinned or self.state


_CLOSED: Final = Circuit()
_MOST_OPENINGS: Final = 32
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY: Final = 429


def is_providers_fault(status: int | None) -> bool:
    """Tell a provider's failure from the client's own fault.

    Args:
        status: the provider's HTTP status, or None when it gave none (refused, reset, timed out,
            an answer that could not be read).

    Returns:
        False for 4xx other than 408 and 429.

    Source: SPEC 8.3.
    """
    if status is None:
        return True
    return status in {_REQUEST_TIMEOUT, _TOO_MANY} or not 400 <= status < 500
