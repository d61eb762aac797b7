"""Which replica a call goes to. Pure: time and chance are parameters."""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

STALE_S: Final = 3.0
"""Figures older than this are not believed: three readings were missed."""
WAITING_WEIGHT: Final = 2.0
"""A waiting request counts as two running ones: it shows that the batch is full, so that the next
one waits for a whole answer to end and not for its share of a step."""
_GAUGE: Final = re.compile(
    rb"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc)"
    rb"(?:\{[^\n]*\})?[ \t]+([^\s]+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a server says of itself.

    Args:
        running: requests that it works on.
        waiting: requests that it has accepted and not begun.
        kv_cache_use: share of the KV cache in use, 0 to 1.
    """

    running: float
    waiting: float
    kv_cache_use: float


class Reach(IntEnum):
    """Whether a replica can be reached, worse ones higher."""

    WELL = 0
    UNKNOWN = 1
    """Nothing was heard of it lately, good or bad."""
    AWAY = 2
    """It did not answer when it was last asked, or failed a call since."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What one worker knows of one replica.

    Args:
        deployment: its id in proxy_config.yaml (`model_info.id`).
        reach: whether it can be reached.
        reading: its own figures, or None when there are none to be believed.
        in_flight: calls of this worker that it works on now.
        in_flight_then: the same when the figures were read.
    """

    deployment: str
    reach: Reach = Reach.UNKNOWN
    reading: Reading | None = None
    in_flight: int = 0
    in_flight_then: int = 0

    def load(self, share: float = 1.0) -> float:
        """Give what it has to do, in running requests; only comparable where all have figures.

        What this worker's own calls have changed since the reading is counted in, and the sum
        weighs up to twice as much as the KV cache fills: the same number of requests with longer
        texts is more work.

        Args:
            share: this worker's part of all requests, above 0. The others are taken to have done
                since the reading what this one did; otherwise each of them would make up for the
                whole of a difference, and together they would overshoot it.
        """
        reading = self.reading
        if reading is None:
            return float(self.in_flight)
        reported = reading.running + WAITING_WEIGHT * reading.waiting
        since = (self.in_flight - self.in_flight_then) / share
        return max(reported + since, self.in_flight, 0.0) * (1.0 + reading.kv_cache_use)


def choose(
    replicas: Sequence[Replica], tried: Collection[str], chance: Callable[[], float]
) -> str | None:
    """Choose the replica for one attempt.

    Args:
        replicas: those that may be taken.
        tried: ids of those that have failed this very call.
        chance: uniform in [0, 1), asked up to three times.

    Returns:
        The id of one of them; None only when there are none. One that is away is chosen only when
        all are, and one that was tried only when all others are worse off.
    """
    if not replicas:
        return None
    best = min(_rank(replica, tried) for replica in replicas)
    fit = [replica for replica in replicas if _rank(replica, tried) == best]
    first, second = _two_of(fit, chance)
    if first.reading is None or second.reading is None:
        ahead = second.in_flight - first.in_flight
    else:
        share = share_of(replicas)
        ahead = second.load(share) - first.load(share)
    if ahead == 0:
        return (first if chance() < _HALF else second).deployment
    return (first if ahead > 0 else second).deployment


def share_of(replicas: Sequence[Replica]) -> float:
    """Estimate this worker's part of all requests, from the last readings.

    Returns:
        Between a 64th and 1; 1 where nothing is known.
    """
    reported = sum(r.reading.running + r.reading.waiting for r in replicas if r.reading)
    if reported == 0:
        return 1.0
    own = sum(r.in_flight_then for r in replicas if r.reading)
    return min(max(own / reported, _SMALLEST_SHARE), 1.0)


_HALF: Final = 0.5
_SMALLEST_SHARE: Final = 1 / 64


def _rank(replica: Replica, tried: Collection[str]) -> tuple[bool, bool]:
    """Order replicas before their load: away or not, then tried or not."""
    return (replica.reach is Reach.AWAY, replica.deployment in tried)


def _two_of(fit: Sequence[Replica], chance: Callable[[], float]) -> tuple[Replica, Replica]:
    """Draw two different ones; of one, that one twice."""
    if len(fit) == 1:
        return fit[0], fit[0]
    if len(fit) == 2:
        return fit[0], fit[1]
    first = int(chance() * len(fit))
    second = int(chance() * (len(fit) - 1))
    return fit[first], fit[second + (second >= first)]


def parse_metrics(text: bytes) -> Reading | None:
    """Read a server's figures from its Prometheus page.

    Args:
        text: what `/metrics` of vLLM answers; engines of one server are added up, of their KV
            caches the fullest counts.

    Returns:
        The figures, or None when the page lacks the number of running requests or has one that
        cannot be.
    """
    found: dict[bytes, list[float]] = {}
    for name, value in _GAUGE.findall(text):
        try:
            number = float(value)
        except ValueError:
            return None
        if not math.isfinite(number) or number < 0:
            return None
        found.setdefault(name, []).append(number)
    running = found.get(b"num_requests_running")
    if running is None:
        return None
    caches = found.get(b"kv_cache_usage_perc") or found.get(b"gpu_cache_usage_perc") or [0.0]
    return Reading(
        running=sum(running),
        waiting=sum(found.get(b"num_requests_waiting", [])),
        kv_cache_use=min(max(caches), 1.0),
    )
