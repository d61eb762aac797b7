"""What a call's times say of the gateway itself. Pure."""

from collections.abc import Iterable

from plugins.core.call import Attempt, Call

COALESCED = "coalesced"


def overhead_s(call: Call) -> float | None:
    """Give the time in which a call was in the gateway and no provider was being asked.

    That is from its arrival to its last byte, less the time that its tries cover. A call that was
    given another call's answer has waited for that call's provider, which is nobody's overhead.

    Returns:
        Seconds, at least 0; None for a call that has not ended, or that says nothing of it.
    """
    if call.closed_s is None or call.cache == COALESCED:
        return None
    arrived_s = call.arrived_s or call.started_s
    return max(call.closed_s - arrived_s, 0.0) - covered_s(call.attempts, arrived_s, call.closed_s)


def covered_s(tries: Iterable[Attempt], first_s: float, last_s: float) -> float:
    """Give how much of a span of time tries cover; what several cover counts once.

    Args:
        tries: in any order; one without an end lasts until `last_s`.
        first_s: the span's begin, monotonic seconds.
        last_s: its end.
    """
    covered = 0.0
    until_s = first_s
    for one in sorted(tries, key=lambda attempt: attempt.started_s):
        ended_s = min(last_s if one.ended_s is None else one.ended_s, last_s)
        covered += max(ended_s - max(one.started_s, until_s), 0.0)
        until_s = max(until_s, ended_s)
    return covered
